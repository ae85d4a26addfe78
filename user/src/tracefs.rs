// SPDX-License-Identifier: GPL-2.0

//! The kernel's tracing: a private buffer, which others do not see.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::mount::{mount, umount, MsFlags};

use crate::error::Error;

pub const PATH: &str = "/sys/kernel/tracing";

/// A buffer. Dropping it discards what it has recorded.
pub struct Instance {
    path: PathBuf,
    // Dropped after everything in it.
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

    /// Whether this kernel has `file`, such as an event.
    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    pub fn set(&self, file: &str, value: &str) -> Result<(), Error> {
        let path = self.path.join(file);
        fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))
    }

    /// For `trace_pipe`: a blocking read would wait for the next event.
    pub fn open_nonblocking(&self, file: &str) -> Result<File, Error> {
        let path = self.path.join(file);
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        options.open(&path).map_err(|error| Error::from_io(&path, &error))
    }

    pub fn read(&self, file: &str) -> Result<String, Error> {
        let path = self.path.join(file);
        // The trace may contain any bytes.
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

/// The mount of tracefs, for as long as it is needed.
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
        // If somebody else uses it by now, it stays.
        let _ = umount(PATH);
    }
}
