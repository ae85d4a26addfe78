// SPDX-License-Identifier: GPL-2.0

//! What a message costs, from write(2) until it is counted.

use std::path::Path;
use std::time::Instant;

use super::report::Row;
use super::statistics::{median, nanoseconds_each};
use super::twin::{Loaded, Twin};
use super::writers::{open, realtime, write_all, write_from, write_one};
use super::Options;
use crate::harness::Outcome;

/// The lengths of the shortest, an ordinary and the longest message.
pub const LENGTHS: [usize; 3] = [1, 15, 255];

/// How many write at once.
const WRITERS: [usize; 2] = [1, 8];

/// Divides the number of messages that are printed: each takes long.
const FEWER: usize = 4;

/// How many messages are written one at a time.
const LONE: usize = 500;

/// How many are written before the worker takes any: fewer than may be pending.
const BURST: usize = 1000;

pub fn text(length: usize) -> Vec<u8> {
    vec![b'x'; length]
}

pub fn measure(options: &Options) -> Outcome {
    let twins = Twin::echoes(options);
    for quiet in [true, false] {
        let parameters = format!("quiet={}", u8::from(quiet));
        let loaded = [twins[0].load(&parameters)?, twins[1].load(&parameters)?];
        let messages = if quiet { options.messages } else { options.messages / FEWER };
        for length in LENGTHS {
            for writers in WRITERS {
                let row = |language: &str| {
                    Row::new("end_to_end", language)
                        .with("bytes", length)
                        .with("writers", writers)
                        .with("quiet", quiet)
                };
                in_turn(&loaded, options.rounds, "ns", row, |twin| {
                    end_to_end(twin, writers, &text(length), messages)
                })?;
            }
            let row = |name: &'static str| {
                move |language: &str| {
                    Row::new(name, language).with("bytes", length).with("quiet", quiet)
                }
            };
            in_turn(&loaded, options.rounds, "ns", row("write_lone"), |twin| {
                write_lone(twin, &text(length))
            })?;
            in_turn(&loaded, options.rounds, "ns", row("write_burst"), |twin| {
                write_burst(twin, &text(length))
            })?;
        }
    }
    Ok(())
}

/// Takes a figure of each twin in turn, `rounds` times each.
pub fn in_turn(
    twins: &[Loaded<'_>; 2],
    rounds: usize,
    unit: &str,
    row: impl Fn(&str) -> Row,
    mut take: impl FnMut(&Loaded<'_>) -> Outcome<f64>,
) -> Outcome {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (twin, samples) in twins.iter().zip(&mut samples) {
            samples.push(take(twin)?);
        }
    }
    for (twin, samples) in twins.iter().zip(&samples) {
        row(twin.twin.language).print_median(unit, samples)?;
    }
    Ok(())
}

/// From the first write until the last message is counted, per message.
pub fn end_to_end(twin: &Loaded<'_>, writers: usize, bytes: &[u8], count: usize) -> Outcome<f64> {
    let before = twin.printed()?;
    let count = count - count % writers;
    let start = write_from(&twin.device(), writers, bytes, count)?;
    twin.wait_until_printed(before + count as u64)?;
    Ok(nanoseconds_each(start.elapsed(), count))
}

/// How long one write takes after all earlier messages have been counted: the median.
fn write_lone(twin: &Loaded<'_>, bytes: &[u8]) -> Outcome<f64> {
    let file = open(&twin.device())?;
    let before = twin.printed()?;
    let mut samples = Vec::new();
    for written in 1..=LONE {
        let start = Instant::now();
        write_one(&file, bytes)?;
        samples.push(nanoseconds_each(start.elapsed(), 1));
        twin.wait_until_printed(before + written as u64)?;
    }
    Ok(median(&samples))
}

/// Time per write when no write waits or lets the worker run.
fn write_burst(twin: &Loaded<'_>, bytes: &[u8]) -> Outcome<f64> {
    let before = twin.printed()?;
    let each = undisturbed(&twin.device(), bytes, BURST)?;
    twin.wait_until_printed(before + BURST as u64)?;
    Ok(each)
}

/// Writes from a thread of real-time priority, which gives its CPU to no other thread.
pub fn undisturbed(path: &Path, bytes: &[u8], count: usize) -> Outcome<f64> {
    let file = open(path)?;
    realtime(|| {
        write_one(&file, bytes)?;
        let start = Instant::now();
        write_all(&file, bytes, count - 1)?;
        Ok(nanoseconds_each(start.elapsed(), count - 1))
    })
}
