// SPDX-License-Identifier: GPL-2.0

//! `wqtest fire [FILTER]`

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::{print, Done, OUTPUT};
use crate::error::Error;
use crate::fire;
use crate::harness::load::Load;
use crate::harness::Harness;
use crate::runner;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub filter: Option<String>,
    pub load: Load,
    /// Repeat the cases for this long.
    pub minutes: Option<u64>,
}

pub fn list(filter: Option<&str>) -> Done {
    for case in fire::matching(filter) {
        print(&format!("{}\n", case.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn run(options: &Options, modules: &Path) -> Done {
    let harness = Harness::new(modules, options.load);
    let cases = fire::matching(options.filter.as_deref());
    let Load { cycles, steps, inputs, actions, seed } = options.load;
    harness.progress.note(format!(
        "--seed {seed:#x} --cycles {cycles} --steps {steps} --inputs {inputs} --actions {actions}"
    ));
    let totals = match options.minutes {
        None => runner::run(&cases, &harness, io::stdout()),
        Some(minutes) => {
            runner::soak(&cases, &harness, Duration::from_secs(60 * minutes), io::stdout())
        }
    };
    let totals = totals.map_err(|error| Error::from_io(OUTPUT, &error))?;
    Ok(ExitCode::from(totals.exit_status()))
}
