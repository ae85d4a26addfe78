// SPDX-License-Identifier: GPL-2.0

//! `wqtest`: drives the modules `wq_echo` and `workqueue_demo`, shows what they do, and tests them
//! end to end.
//!
//! - [`cli`]: the command line; [`commands`]: one file for each command
//! - [`echo_device`], [`echo_counters`], [`demo_node`], [`demo_table`], [`kmsg`], [`modules`]: what
//!   the program sees of the kernel
//! - [`model`], [`demo_model`]: a second implementation of what the modules do
//! - [`cases`], [`fire`], [`harness`], [`runner`], [`ktap`]: the tests
//! - [`measure`]: what things cost
//! - [`timeline`]: a picture of what work items did; [`tracefs`]: the trace that it is drawn from
//! - [`raw`]: all `unsafe`

mod cases;
mod cli;
mod commands;
mod demo_model;
mod demo_node;
mod demo_table;
mod echo_counters;
mod echo_device;
mod error;
mod fire;
mod harness;
mod kmsg;
mod ktap;
mod measure;
mod model;
mod modules;
mod paths;
mod raw;
mod runner;
mod timeline;
mod tracefs;

use std::process::ExitCode;

use cli::Action;

fn main() -> ExitCode {
    let done = match cli::parse() {
        Action::Echo { texts } => commands::echo::run(&texts),
        Action::Send { words } => commands::send::run(&words),
        Action::Stats { json } => commands::stats::run(json),
        Action::Watch => commands::watch::run(),
        Action::Poll { device, ms } => commands::poll::run(&device, ms),
        Action::Test { filter, list: true, .. } => commands::test::list(filter.as_deref()),
        Action::Test { filter, modules, .. } => commands::test::run(filter.as_deref(), &modules),
        Action::Fire { options, list: true, .. } => commands::fire::list(options.filter.as_deref()),
        Action::Fire { options, modules, .. } => commands::fire::run(&options, &modules),
        Action::Timeline { options } => commands::timeline::run(&options),
        Action::Bench { options } => commands::bench::run(&options),
        Action::Completions { shell } => commands::completions::run(&shell),
        Action::Man { command } => commands::man::run(command.as_deref()),
        Action::FireChild { words } => fire::jobs::main(&words).map(|()| ExitCode::SUCCESS),
        Action::ChildSpin { cpu, lines } => {
            harness::held_cpu::child_main(cpu, &lines);
            Ok(ExitCode::SUCCESS)
        }
        Action::ChildWrite { signals, path, text } => {
            harness::child::child_main(signals, &path, &text).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| commands::give_up(&error))
}
