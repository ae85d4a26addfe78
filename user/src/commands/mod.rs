// SPDX-License-Identifier: GPL-2.0

//! One file a command of the program.

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
use std::process::ExitCode;

use crate::error::Error;

/// How a command ends: with a status of its choice, or an error to be told.
pub type Done = Result<ExitCode, Error>;

/// Prints to the standard output. A reader that has gone away (`| head`) has
/// seen enough, which is no error.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::from_io("stdout", &error))
        }
        _ => Ok(()),
    }
}
