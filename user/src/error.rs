// SPDX-License-Identifier: GPL-2.0

//! Errors that name the file, give the reason and say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::paths;

/// What went wrong with which file.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    reason: String,
    advice: Option<&'static str>,
    errno: Option<Errno>,
}

impl Error {
    /// For reasons that are not an errno.
    pub fn new(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error { path: path.as_ref().to_owned(), reason: reason.into(), advice: None, errno: None }
    }

    pub fn from_errno(path: impl AsRef<Path>, errno: Errno) -> Error {
        let path = path.as_ref();
        Error {
            path: path.to_owned(),
            reason: reason(errno),
            advice: advice(path, errno),
            errno: Some(errno),
        }
    }

    pub fn from_io(path: impl AsRef<Path>, error: &io::Error) -> Error {
        match error.raw_os_error() {
            Some(raw) => Error::from_errno(path, Errno::from_raw(raw)),
            None => Error::new(path, error.to_string()),
        }
    }

    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }

    pub fn is_of(&self, path: impl AsRef<Path>, errno: Errno) -> bool {
        self.path == path.as_ref() && self.errno == Some(errno)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)?;
        match self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::ENOENT => "not found".into(),
        _ => errno.desc().to_lowercase(),
    }
}

/// What the user can do about `errno` from `path`.
fn advice(path: &Path, errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::EACCES | Errno::EPERM => Some("run as root"),
        Errno::ENOENT if path == Path::new(paths::ECHO_DEVICE) => Some("is wq_echo.ko loaded?"),
        Errno::ENOENT if path == Path::new(paths::DEMO_NODE) => {
            Some("is workqueue_demo.ko loaded?")
        }
        Errno::ENOENT if path.starts_with(paths::DEBUGFS) => {
            paths::why_no_debugfs().or(Some("is wq_echo.ko loaded?"))
        }
        Errno::EIO if path == Path::new(paths::DEMO_NODE) => {
            Some("workqueue_demo.ko was removed while the file was open")
        }
        Errno::EINVAL if path == Path::new(paths::DEMO_NODE) => {
            Some("the kernel log (dmesg) quotes the word, reading the file lists the commands")
        }
        Errno::EAGAIN if path == Path::new(paths::DEMO_NODE) => {
            Some("4,096 items are outstanding: wqtest send flush waits for them")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_reason_and_way_out() {
        let missing = Error::from_errno(paths::ECHO_DEVICE, Errno::ENOENT);
        assert_eq!(missing.to_string(), "/dev/wq_echo: not found: is wq_echo.ko loaded?");
        let missing = Error::from_errno(paths::DEMO_NODE, Errno::ENOENT);
        assert_eq!(
            missing.to_string(),
            "/proc/workqueue_demo: not found: is workqueue_demo.ko loaded?"
        );
        let denied = Error::from_errno(paths::ECHO_DEVICE, Errno::EACCES);
        assert_eq!(denied.to_string(), "/dev/wq_echo: permission denied: run as root");
        assert_eq!(denied.errno(), Some(Errno::EACCES));
        assert!(denied.is_of(paths::ECHO_DEVICE, Errno::EACCES));
        assert!(!denied.is_of(paths::ECHO_DEVICE, Errno::EPIPE));
        assert!(!denied.is_of("stdout", Errno::EACCES));
    }

    #[test]
    fn says_no_more_than_it_knows() {
        let odd = Error::from_errno("/dev/null", Errno::ENOSPC);
        assert_eq!(odd.to_string(), "/dev/null: no space left on device");
        assert_eq!(Error::new("/x", "bad").to_string(), "/x: bad");
    }
}
