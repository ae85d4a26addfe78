// SPDX-License-Identifier: GPL-2.0

//! How cost grows with the load: writers, lengths, pending messages, items.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use super::echo::{end_to_end, text};
use super::report::Row;
use super::statistics::nanoseconds_each;
use super::twin::{Loaded, Twin};
use super::writers::{open, realtime, write_all};
use super::Options;
use crate::demo_node;
use crate::harness::held_cpu::let_real_time_threads_be;
use crate::harness::{ensure_eq, Outcome};
use crate::modules::Module;

const WRITERS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LENGTHS: [usize; 8] = [1, 2, 4, 8, 16, 64, 128, 255];
const PENDING: [usize; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const OUTSTANDING: [usize; 5] = [1, 8, 64, 512, 4_096];

/// More messages when the clock is a busy machine's.
const MORE: usize = 4;

/// C's twin allocates 512 bytes for each: the machine has no memory for a million.
const C_HOLDS: usize = 100_000;

pub fn measure(options: &Options) -> Outcome {
    for mut twin in Twin::echoes(options) {
        let language = twin.language;
        if language == "rust" {
            twin.parameters = "max_pending=1000000";
        }
        let loaded = twin.load("quiet=1")?;
        for writers in WRITERS {
            let each = end_to_end(&loaded, writers, &text(15), options.messages)?;
            print("writers", language, writers, each)?;
        }
        for length in LENGTHS {
            let each = end_to_end(&loaded, 1, &text(length), options.messages)?;
            print("length", language, length, each)?;
        }
        for pending in PENDING.into_iter().filter(|&n| language == "rust" || n <= C_HOLDS) {
            let [write, print_one] = pile_up(&loaded, pending)?;
            print("pending, a write", language, pending, write)?;
            print("pending, to handle one", language, pending, print_one)?;
        }
    }
    let [demo, _] = Twin::demos(options);
    for outstanding in OUTSTANDING {
        for (what, took) in outstanding_items(&demo.module, outstanding)? {
            print(what, "rust", outstanding, nanoseconds_each(took, 1))?;
        }
    }
    Ok(())
}

/// As many writers as there are CPUs.
pub fn measure_cores(options: &Options) -> Outcome {
    let cpus = available_parallelism()?.get();
    for twin in Twin::echoes(options) {
        let loaded = twin.load("quiet=1")?;
        let rounds = (0..options.rounds)
            .map(|_| end_to_end(&loaded, cpus, &text(15), options.messages * MORE));
        let rounds = rounds.collect::<Outcome<Vec<_>>>()?;
        let row = Row::new("growth", twin.language).with("series", "cores");
        row.with("x", cpus).print_median("ns", &rounds)?;
    }
    Ok(())
}

fn print(series: &str, language: &str, of: usize, nanoseconds: f64) -> Outcome {
    Row::new("growth", language).with("series", series).with("x", of).print("ns", nanoseconds)
}

/// Writes `count` messages before any is handled. Returns how long each write took, and how long it
/// took to handle each message.
fn pile_up(twin: &Loaded<'_>, count: usize) -> Outcome<[f64; 2]> {
    let file = open(&twin.device())?;
    let bytes = text(15);
    let before = twin.printed()?;
    // For as long as a million writes take.
    let _settings = let_real_time_threads_be(0..available_parallelism()?.get())?;
    let (write, start) = realtime(|| {
        let start = Instant::now();
        write_all(&file, &bytes, count)?;
        let write = nanoseconds_each(start.elapsed(), count);
        ensure_eq!(twin.printed()?, before, "messages that did not wait");
        Ok((write, Instant::now()))
    })?;
    twin.wait_until_printed(before + count as u64)?;
    Ok([write, nanoseconds_each(start.elapsed(), count)])
}

/// How long things take while `count` items are outstanding. The removal of the module is divided
/// by `count`.
fn outstanding_items(module: &Module, count: usize) -> Outcome<[(&'static str, Duration); 3]> {
    /// As many lines as one write holds.
    const LINES: usize = 512;
    module.load("")?;
    realtime(|| {
        for from in (0..count).step_by(LINES) {
            demo_node::write_once("data 1\n".repeat(LINES.min(count - from)))?;
        }
        let start = Instant::now();
        let text = demo_node::read_text()?;
        let read = start.elapsed();
        let start = Instant::now();
        demo_node::write_once("cancel\n")?;
        let command = start.elapsed();
        let row = text.parse::<crate::demo_table::Table>();
        ensure_eq!(row.map(|table| table.row("data").pending), Ok(count as u64), "items that wait");
        let start = Instant::now();
        module.remove()?;
        let removal = start.elapsed() / count as u32;
        Ok([
            ("outstanding, a read", read),
            ("outstanding, a command", command),
            ("outstanding, removal for each", removal),
        ])
    })
}
