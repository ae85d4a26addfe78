// SPDX-License-Identifier: GPL-2.0

//! Loading and removing the modules.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags};

use crate::error::Error;

/// The folder of the .ko files, unless the command line names another.
pub const DEFAULT_FOLDER: &str = "/lib/modules";

/// One of the two modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    name: &'static str,
    file: PathBuf,
}

impl Module {
    pub fn new(name: &'static str, folder: &Path) -> Module {
        Module { name, file: folder.join(format!("{name}.ko")) }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// insmod(8) with `parameters` as on its command line.
    pub fn load(&self, parameters: &str) -> Result<(), Error> {
        let file = File::open(&self.file).map_err(|error| Error::from_io(&self.file, &error))?;
        let parameters = CString::new(parameters)
            .map_err(|_| Error::new(&self.file, "a NUL byte in the parameters"))?;
        finit_module(file, &parameters, ModuleInitFlags::empty())
            .map_err(|errno| Error::from_errno(&self.file, errno))
    }

    /// rmmod(8), which does not wait for users of the module.
    pub fn remove(&self) -> Result<(), Errno> {
        let name = CString::new(self.name).expect("a module's name holds no NUL");
        delete_module(&name, DeleteModuleFlags::O_NONBLOCK)
    }

    /// `live`, `coming` or `going`; `None` if it is not loaded.
    pub fn state(&self) -> Option<String> {
        let state = fs::read_to_string(format!("/sys/module/{}/initstate", self.name)).ok()?;
        Some(state.trim_end().to_owned())
    }

    pub fn is_live(&self) -> bool {
        self.state().as_deref() == Some("live")
    }

    /// Whether it is built into the kernel, so that nobody loads or removes it.
    pub fn is_built_in(&self) -> bool {
        Path::new(&format!("/sys/module/{}", self.name)).exists() && self.state().is_none()
    }

    /// The file in sysfs that shows a parameter.
    pub fn parameter(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/sys/module/{}/parameters/{name}", self.name))
    }

    /// How many references to it exist, as lsmod(8) shows.
    pub fn reference_count(&self) -> Option<u64> {
        let count = fs::read_to_string(format!("/sys/module/{}/refcnt", self.name)).ok()?;
        count.trim_end().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_file() {
        let module = Module::new("wq_echo", Path::new(DEFAULT_FOLDER));
        assert_eq!(module.file(), Path::new("/lib/modules/wq_echo.ko"));
    }

    #[test]
    fn names_a_file_that_is_missing() {
        let error = Module::new("wq_echo", Path::new("/nowhere")).load("").unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/wq_echo.ko: not found");
    }
}
