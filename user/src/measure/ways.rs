// SPDX-License-Identifier: GPL-2.0

//! What each way of queueing costs: the modules `rust_ways` and `c_ways` measure it themselves, and
//! log it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::report::Row;
use super::statistics::{mean, median, nanoseconds_each};
use super::twin::Twin;
use super::Options;
use crate::harness::{fail, Outcome};
use crate::kmsg::Log;

/// How long to watch ticks, which come every jiffy or two.
const TICKING: Duration = Duration::from_millis(200);

/// How long to wait before that.
const SETTLING: Duration = Duration::from_millis(500);

/// How often each twin is loaded in a round. All ticks of one load take the same time, but it is
/// one of two times, some 400 instructions apart, for Rust and for C. Medians could compare one
/// with the other, so here the mean counts.
const LOADS: usize = 2;

/// Two looks at the clock that are further apart mean an interruption.
const INTERRUPTION: Duration = Duration::from_micros(1);

pub fn measure(options: &Options) -> Outcome {
    let twins = Twin::ways(options);
    queueing(&twins, options.rounds)?;
    ticking(&twins, options.rounds)
}

fn queueing(twins: &[Twin; 2], rounds: usize) -> Outcome {
    let mut samples = [BTreeMap::new(), BTreeMap::new()];
    for _ in 0..rounds {
        for (twin, samples) in twins.iter().zip(&mut samples) {
            let mut log = Log::from_now()?;
            drop(twin.load("")?);
            for (name, value) in logged(&mut log, twin)? {
                samples.entry(name).or_insert_with(Vec::new).push(value);
            }
        }
    }
    for (twin, samples) in twins.iter().zip(&samples) {
        for (name, values) in samples {
            let Some((way, what)) = name.split_once(' ') else {
                return fail(format!("{}: no way in {name:?}", twin.module.name()));
            };
            let row = if what == "start" { "queue_to_start" } else { "queue_run_free" };
            Row::new(row, twin.language).with("way", way).print_median("ns", values)?;
        }
    }
    Ok(())
}

/// What a twin has logged, as `way name` and a number.
fn logged(log: &mut Log, twin: &Twin) -> Outcome<Vec<(String, f64)>> {
    let prefix = format!("{}: ", twin.module.name());
    let mut figures = Vec::new();
    for record in log.drain()?.iter().filter(|record| record.is_from(&prefix)) {
        figures.extend(figures_of(&record.lossy()[prefix.len()..]));
    }
    match figures.is_empty() {
        true => fail(format!("{} has logged no figures", twin.module.name())),
        false => Ok(figures),
    }
}

/// Parses `way name=1 other=2`, with or without a way. Other lines give nothing.
fn figures_of(line: &str) -> Vec<(String, f64)> {
    let (way, words) = match line.split_once(' ') {
        Some((way, words)) if !way.contains('=') => (way, words),
        _ => ("", line),
    };
    let figure = |word: &str| {
        let (name, value) = word.split_once('=')?;
        Some((format!("{way} {name}").trim_start().to_owned(), value.parse().ok()?))
    };
    words.split(' ').filter_map(figure).collect()
}

/// What a tick takes from everybody else, minus what the clock takes anyway.
fn ticking(twins: &[Twin; 2], rounds: usize) -> Outcome {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..rounds * LOADS {
        for (twin, samples) in twins.iter().zip(&mut samples) {
            let idle = interruptions();
            let mut log = Log::from_now()?;
            let loaded = twin.load("tick=1")?;
            let ticking = interruptions();
            drop(loaded);
            let periods = logged(&mut log, twin)?;
            let [(_, period)] = &periods[..] else {
                return fail(format!("{}: not one period: {periods:?}", twin.module.name()));
            };
            // CAST: A handful.
            let ticks = (TICKING.as_nanos() as f64 / period) as usize;
            match median_of_longest(ticking, ticks) {
                Some(tick) if !idle.is_empty() => samples.push(tick - median(&idle)),
                _ => return fail(format!("{}: fewer than {ticks} ticks", twin.module.name())),
            }
        }
    }
    for (twin, samples) in twins.iter().zip(&samples) {
        Row::new("queue_run_free", twin.language)
            .with("way", "periodic")
            .with("rounds", samples.clone())
            .print("ns", mean(samples))?;
    }
    Ok(())
}

/// Some of the clock's interruptions include a tick. They are the longest, and there are `count` of
/// them.
fn median_of_longest(mut samples: Vec<f64>, count: usize) -> Option<f64> {
    samples.sort_by(|one, other| other.total_cmp(one));
    let longest = samples.get(..count)?;
    (!longest.is_empty()).then(|| median(longest))
}

/// How long each interruption of this process was, within [`TICKING`].
fn interruptions() -> Vec<f64> {
    // Loading and removing modules leaves work behind.
    thread::sleep(SETTLING);
    let mut samples = Vec::new();
    let start = Instant::now();
    let mut last = start;
    while last < start + TICKING {
        let now = Instant::now();
        if now - last > INTERRUPTION {
            samples.push(nanoseconds_each(now - last, 1));
        }
        last = now;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_interruptions_with_a_tick_from_those_without() {
        assert_eq!(median_of_longest(vec![5.0, 40.0, 6.0, 42.0, 4.0, 44.0], 3), Some(42.0));
        assert_eq!(median_of_longest(vec![5.0], 2), None);
        assert_eq!(median_of_longest(vec![5.0], 0), None);
    }

    #[test]
    fn reads_what_the_modules_log() {
        let figures = |line| figures_of(line);
        let two = [("arc start".to_owned(), 4473.0), ("arc whole".to_owned(), 858.0)];
        assert_eq!(figures("arc start=4473 whole=858"), two);
        assert_eq!(figures("period=8058409"), [("period".to_owned(), 8058409.0)]);
        assert!(figures("loading out-of-tree module taints kernel.").is_empty());
    }
}
