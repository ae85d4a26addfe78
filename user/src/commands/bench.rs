// SPDX-License-Identifier: GPL-2.0

//! `wqtest bench [GROUP...]`

use std::process::ExitCode;

use nix::errno::Errno;

use super::{reader_is_gone, Done, OUTPUT};
use crate::error::Error;
use crate::harness::{Outcome, Stop};
use crate::measure::{idle, Group, Options, GROUPS};

pub fn run(options: &Options) -> Done {
    for group in &GROUPS {
        if options.groups.is_empty() || options.groups.iter().any(|name| name == group.name) {
            measure(group, options).map_err(|stop| match stop {
                _ if reader_is_gone() => Error::from_errno(OUTPUT, Errno::EPIPE),
                Stop::Fail(reason) | Stop::Skip(reason) => Error::new(group.name, reason),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(group: &Group, options: &Options) -> Outcome {
    let _idle = group.idle.then(idle::machine).transpose()?;
    (group.measure)(options)
}
