// SPDX-License-Identifier: GPL-2.0

//! `/dev/wq_echo`, as a program uses it.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::sys::uio::writev;
use nix::unistd::write;

use crate::error::Error;
use crate::paths::ECHO_DEVICE;
use crate::raw;

/// The open device.
pub struct EchoDevice {
    file: File,
}

impl EchoDevice {
    /// Opens for writing. Writers wait while the bound is reached.
    pub fn open() -> Result<EchoDevice, Error> {
        EchoDevice::open_with(OFlag::empty())
    }

    /// Opens with further flags, such as `O_NONBLOCK`.
    pub fn open_with(flags: OFlag) -> Result<EchoDevice, Error> {
        OpenOptions::new()
            .write(true)
            .custom_flags(flags.bits())
            .open(ECHO_DEVICE)
            .map(|file| EchoDevice { file })
            .map_err(|error| Error::from_io(ECHO_DEVICE, &error))
    }

    /// One write(2). It may take fewer bytes than it was given.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        write(&self.file, bytes)
    }

    /// One writev(2).
    pub fn write_vectored(&self, parts: &[&[u8]]) -> Result<usize, Errno> {
        let parts: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
        writev(&self.file, &parts)
    }

    /// One pwritev2(2) with `RWF_NOWAIT`.
    pub fn write_nowait(&self, bytes: &[u8]) -> Result<usize, Errno> {
        raw::write_nowait(&self.file, bytes)
    }

    /// Writes until all is taken, and passes each taken part to `taken`.
    pub fn write_all(&self, bytes: &[u8], mut taken: impl FnMut(&[u8])) -> Result<(), Error> {
        let mut rest = bytes;
        loop {
            let count = self.write(rest).map_err(|errno| Error::from_errno(ECHO_DEVICE, errno))?;
            let (done, left) = rest.split_at(count);
            taken(done);
            if left.is_empty() {
                return Ok(());
            }
            if done.is_empty() {
                return Err(Error::new(ECHO_DEVICE, "write(2) took nothing"));
            }
            rest = left;
        }
    }

    /// Turns `O_NONBLOCK` on or off on an open file.
    pub fn set_nonblocking(&self, on: bool) -> Result<(), Errno> {
        let mut flags = OFlag::from_bits_retain(fcntl(&self.file, FcntlArg::F_GETFL)?);
        flags.set(OFlag::O_NONBLOCK, on);
        fcntl(&self.file, FcntlArg::F_SETFL(flags)).map(drop)
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}
