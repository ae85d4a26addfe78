// SPDX-License-Identifier: GPL-2.0

//! `wqtest timeline [OPTIONS] -- COMMAND [ARG...]`

use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

use super::Done;
use crate::timeline::{self, Options};

/// Exits with COMMAND's status, as a shell reports it.
pub fn run(options: &Options) -> Done {
    let status = timeline::run(options)?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    // CAST: An exit status has eight bits.
    Ok(ExitCode::from(code as u8))
}
