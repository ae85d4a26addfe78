// SPDX-License-Identifier: GPL-2.0

//! What a burst of messages costs to its very end: long loops hide how long the last ones wait.

use std::thread::available_parallelism;
use std::time::Instant;

use super::echo::{in_turn, text};
use super::report::Row;
use super::statistics::{median, nanoseconds_each};
use super::twin::{Loaded, Twin};
use super::writers::{open, write_all};
use super::Options;
use crate::harness::Outcome;

/// Fewer than may be pending, so nobody waits at the bound.
const MESSAGES: usize = 1000;

/// How many bursts are written for one figure.
const BURSTS: usize = 20;

/// The time per message from the burst's first write, and the time from the end of its last write,
/// until all are counted.
struct Took {
    each: f64,
    tail: f64,
}

/// Reduces many bursts to one figure.
type Choice = fn(&[Took]) -> f64;

const FIGURES: [(&str, Choice); 3] = [
    ("burst", |bursts| median(&bursts.iter().map(|took| took.each).collect::<Vec<_>>())),
    ("tail_median", |bursts| median(&bursts.iter().map(|took| took.tail).collect::<Vec<_>>())),
    ("tail_worst", |bursts| bursts.iter().map(|took| took.tail).fold(0.0, f64::max)),
];

pub fn measure(options: &Options) -> Outcome {
    let cpus = available_parallelism()?.get();
    let twins = Twin::echoes(options);
    let loaded = [twins[0].load("quiet=1")?, twins[1].load("quiet=1")?];
    for (name, choose) in FIGURES {
        let row = |language: &str| Row::new(name, language).with("bytes", 15).with("cpus", cpus);
        in_turn(&loaded, options.rounds, "ns", row, |twin| {
            let bursts = (0..BURSTS).map(|_| burst(twin)).collect::<Outcome<Vec<_>>>()?;
            Ok(choose(&bursts))
        })?;
    }
    Ok(())
}

fn burst(twin: &Loaded<'_>) -> Outcome<Took> {
    let file = open(&twin.device())?;
    let before = twin.printed()?;
    let bytes = text(15);
    let start = Instant::now();
    write_all(&file, &bytes, MESSAGES)?;
    let written = Instant::now();
    twin.wait_until_printed(before + MESSAGES as u64)?;
    Ok(Took {
        each: nanoseconds_each(start.elapsed(), MESSAGES),
        tail: nanoseconds_each(written.elapsed(), 1),
    })
}
