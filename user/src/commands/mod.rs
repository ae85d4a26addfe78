// SPDX-License-Identifier: GPL-2.0

//! One file for each command of the program.

pub mod bench;
pub mod completions;
pub mod echo;
pub mod fire;
pub mod man;
pub mod poll;
pub mod send;
pub mod stats;
pub mod test;
pub mod timeline;
pub mod watch;

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;

use crate::error::Error;

/// How a command ends: with a status of its choice, or an error to report.
pub type Done = Result<ExitCode, Error>;

/// The name of the standard output in errors.
const OUTPUT: &str = "stdout";

/// The status of a program that SIGPIPE has ended: for a command that could not finish because
/// nobody reads its output.
const READER_IS_GONE: u8 = 128 + Signal::SIGPIPE as u8;

/// Ends a command after an error, and reports it. A reader that has gone away gets no report.
pub fn give_up(error: &Error) -> ExitCode {
    if error.is_of(OUTPUT, Errno::EPIPE) {
        return ExitCode::from(READER_IS_GONE);
    }
    complain(error);
    ExitCode::FAILURE
}

/// Reports an error. Unlike `eprintln!` it survives a closed standard error.
fn complain(error: &Error) {
    let _ = writeln!(io::stderr(), "wqtest: {error}");
}

/// Whether nobody reads the standard output any more.
fn reader_is_gone() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// Prints to the standard output. A reader that has gone away (`| head`) has seen enough: that is
/// no error.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::from_io(OUTPUT, &error)),
        _ => Ok(()),
    }
}
