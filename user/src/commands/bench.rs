// SPDX-License-Identifier: GPL-2.0

//! `wqtest bench [GROUP...]`

use std::process::ExitCode;

use super::Done;
use crate::bench::Stop;
use crate::error::Error;
use crate::measure::{Options, GROUPS};

pub fn run(options: &Options) -> Done {
    for group in &GROUPS {
        if options.groups.is_empty() || options.groups.iter().any(|name| name == group.name) {
            (group.measure)(options).map_err(|stop| match stop {
                Stop::Fail(reason) | Stop::Skip(reason) => Error::new(group.name, reason),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
