// SPDX-License-Identifier: GPL-2.0

//! The kernel's tracing: a buffer of one's own, in which others do not look.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::mount::{mount, umount, MsFlags};

use crate::error::Error;

pub const PATH: &str = "/sys/kernel/tracing";

/// A buffer. What it has seen goes with it.
pub struct Instance {
    path: PathBuf,
    // Comes down behind what is in it.
    _mount: Option<Mount>,
}

impl Instance {
    pub fn new(name: &str) -> Result<Instance, Error> {
        let mount = Mount::if_needed()?;
        let name = format!("instances/wqtest-{name}-{}", std::process::id());
        let path = Path::new(PATH).join(name);
        fs::create_dir(&path).map_err(|error| Error::from_io(&path, &error))?;
        Ok(Instance { path, _mount: mount })
    }

    /// Whether this kernel has `file`, an event for example.
    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    pub fn set(&self, file: &str, value: &str) -> Result<(), Error> {
        let path = self.path.join(file);
        fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))
    }

    /// For `trace_pipe`, whose reader otherwise waits for the next event.
    pub fn open_nonblocking(&self, file: &str) -> Result<File, Error> {
        let path = self.path.join(file);
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        options.open(&path).map_err(|error| Error::from_io(&path, &error))
    }

    pub fn read(&self, file: &str) -> Result<String, Error> {
        let path = self.path.join(file);
        // What was traced may have any bytes in it.
        fs::read(&path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| Error::from_io(&path, &error))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// The file system of the tracing, for as long as it is needed.
struct Mount;

impl Mount {
    fn if_needed() -> Result<Option<Mount>, Error> {
        if Path::new(PATH).join("instances").exists() {
            return Ok(None);
        }
        let none = None::<&str>;
        mount(none, PATH, Some("tracefs"), MsFlags::empty(), none)
            .map_err(|errno| Error::from_errno(PATH, errno))?;
        Ok(Some(Mount))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Where somebody uses it by now it stays.
        let _ = umount(PATH);
    }
}
