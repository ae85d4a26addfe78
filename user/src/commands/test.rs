// SPDX-License-Identifier: GPL-2.0

//! `wqtest test [FILTER]`

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::{print, Done, OUTPUT};
use crate::cases;
use crate::error::Error;
use crate::harness::load::Load;
use crate::harness::Harness;
use crate::runner;

pub fn list(filter: Option<&str>) -> Done {
    for case in cases::matching(filter) {
        print(&format!("{}\n", case.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn run(filter: Option<&str>, modules: &Path) -> Done {
    // These cases do not use the load.
    let load = Load { cycles: 1, steps: 1, inputs: 1, actions: 1, seed: 0 };
    let harness = Harness::new(modules, load);
    let totals = runner::run(&cases::matching(filter), &harness, io::stdout())
        .map_err(|error| Error::from_io(OUTPUT, &error))?;
    Ok(ExitCode::from(totals.exit_status()))
}
