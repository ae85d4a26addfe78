// SPDX-License-Identifier: GPL-2.0

//! What things cost: the modules and their twins in C, measured in turn on the same machine.
//!
//! Times are the guest clock's. If the emulator counts instructions
//! (`scripts/qemu-run.sh --icount`), a nanosecond is an instruction. Nothing here sleeps while the
//! clock runs, because that time would count too.
//!
//! - [`statistics`]: reduces many samples to one figure
//! - [`report`]: the printed lines, one a figure
//! - [`twin`]: a module and its twin, loaded in the same way
//! - [`writers`]: one process or many threads that write
//! - [`trace`]: when work items start
//! - [`idle`]: a machine that has nothing else to do
//! - [`boot`], [`burst`], [`echo`], [`floor`], [`growth`], [`latency`], [`loading`], [`memory`],
//!   [`scaling`], [`timers`], [`ways`]: the figures, one file a group

pub mod boot;
pub mod burst;
pub mod echo;
pub mod floor;
pub mod growth;
pub mod idle;
pub mod latency;
pub mod loading;
pub mod memory;
pub mod report;
pub mod scaling;
pub mod statistics;
pub mod timers;
pub mod trace;
pub mod twin;
pub mod ways;
pub mod writers;

use std::path::PathBuf;

use crate::harness::Outcome;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The groups to measure.
    pub groups: Vec<String>,
    /// How often each figure is taken.
    pub rounds: usize,
    /// How many messages a round writes.
    pub messages: usize,
    /// The folders of the modules and of their twins.
    pub modules: PathBuf,
    pub twins: PathBuf,
}

/// Figures that are taken together.
pub struct Group {
    pub name: &'static str,
    /// Measured on an idle machine.
    pub idle: bool,
    pub measure: fn(&Options) -> Outcome,
}

pub const GROUPS: [Group; 12] = [
    Group { name: "boot", idle: false, measure: boot::measure },
    Group { name: "burst", idle: true, measure: burst::measure },
    Group { name: "cores", idle: false, measure: growth::measure_cores },
    Group { name: "echo", idle: true, measure: echo::measure },
    Group { name: "floor", idle: true, measure: floor::measure },
    Group { name: "growth", idle: true, measure: growth::measure },
    Group { name: "latency", idle: true, measure: latency::measure },
    Group { name: "timers", idle: true, measure: timers::measure },
    Group { name: "ways", idle: true, measure: ways::measure },
    Group { name: "loading", idle: true, measure: loading::measure },
    Group { name: "memory", idle: true, measure: memory::measure },
    Group { name: "scaling", idle: true, measure: scaling::measure },
];
