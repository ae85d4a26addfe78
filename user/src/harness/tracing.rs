// SPDX-License-Identifier: GPL-2.0

//! Events that the kernel's tracing sees, where nothing else tells of them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{mount, umount, MsFlags};

use super::restore::early_grace_periods;
use super::{skip, Outcome};
use crate::error::Error;

const TRACEFS: &str = "/sys/kernel/tracing";

/// Sees the events of some kinds from the moment on when it is made.
pub struct Trace {
    // The fields come down in this order.
    instance: Instance,
    _mount: Option<Mount>,
}

impl Trace {
    /// Sees these events, which are of the group `group`.
    pub fn from_now(group: &str, events: &[&str]) -> Outcome<Trace> {
        let mount = Mount::if_needed()?;
        let instance = Instance::new(group)?;
        // Some thousand events are enough.
        instance.set("buffer_size_kb", "256")?;
        // A number that grows with each event, so that those of several CPUs are in order.
        instance.set("trace_clock", "counter")?;
        for event in events {
            instance.set(&format!("events/{group}/{event}/enable"), "1")?;
        }
        Ok(Trace { instance, _mount: mount })
    }

    /// What has been seen, a line an event.
    pub fn text(&self) -> Outcome<String> {
        let path = self.instance.0.join("trace");
        Ok(fs::read_to_string(&path).map_err(|error| Error::from_io(&path, &error))?)
    }
}

/// A buffer of its own: whoever traces besides is not disturbed.
struct Instance(PathBuf);

impl Instance {
    fn new(name: &str) -> Outcome<Instance> {
        let name = format!("instances/wqtest-{name}-{}", std::process::id());
        let path = Path::new(TRACEFS).join(name);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Instance(path)),
            Err(error) => skip(format!("needs the kernel's tracing: {}: {error}", path.display())),
        }
    }

    fn set(&self, file: &str, value: &str) -> Outcome {
        let path = self.0.join(file);
        Ok(fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))?)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _early = early_grace_periods();
        // What it has seen goes with it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The file system of the tracing, for as long as it is needed.
struct Mount;

impl Mount {
    fn if_needed() -> Outcome<Option<Mount>> {
        if Path::new(TRACEFS).join("instances").exists() {
            return Ok(None);
        }
        let none = None::<&str>;
        match mount(none, TRACEFS, Some("tracefs"), MsFlags::empty(), none) {
            Ok(()) => Ok(Some(Mount)),
            Err(errno) => skip(format!("needs the kernel's tracing: {TRACEFS}: {errno}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Where somebody uses it by now it stays.
        let _ = umount(TRACEFS);
    }
}
