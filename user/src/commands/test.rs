// SPDX-License-Identifier: GPL-2.0

//! `wqtest test [FILTER]`

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::{print, Done};
use crate::bench::Bench;
use crate::cases;
use crate::error::Error;
use crate::modules::Module;
use crate::runner;

pub fn list(filter: Option<&str>) -> Done {
    for case in cases::matching(filter) {
        print(&format!("{}\n", case.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn run(filter: Option<&str>, modules: &Path) -> Done {
    let bench = Bench {
        echo: Module::new("wq_echo", modules),
        demo: Module::new("workqueue_demo", modules),
    };
    let totals = runner::run(&cases::matching(filter), &bench, io::stdout())
        .map_err(|error| Error::from_io("stdout", &error))?;
    Ok(ExitCode::from(totals.exit_status()))
}
