// SPDX-License-Identifier: GPL-2.0

//! `wqtest poll DEVICE [MS]`

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::{print, Done};
use crate::error::Error;

pub fn run(device: &Path, ms: u16) -> Done {
    let file = OpenOptions::new()
        .write(true)
        .open(device)
        .map_err(|error| Error::from_io(device, &error))?;
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut fds, PollTimeout::from(ms)) {
        Ok(_) if !is_writable(&fds[0]) => Err(Error::new(device, "not writable")),
        Ok(_) => {
            print(&format!("{}: writable\n", device.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(errno) => Err(Error::from_errno(device, errno)),
    }
}

/// An error alone does not make it writable.
fn is_writable(fd: &PollFd) -> bool {
    fd.revents().is_some_and(|events| events.contains(PollFlags::POLLOUT))
}
