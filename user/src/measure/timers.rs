// SPDX-License-Identifier: GPL-2.0

//! How exact timers are: how many ticks come in a while, and how late a delayed item is.

use std::fs;
use std::thread;
use std::time::Duration;

use super::latency::ticks_until_start;
use super::report::Row;
use super::statistics::{median, percentile};
use super::trace::Trace;
use super::twin::{Loaded, Twin};
use super::Options;
use crate::error::Error;
use crate::harness::wait::wait_until;
use crate::harness::{fail, Outcome};
use crate::raw;

/// How long ticks are counted.
const WHILE: Duration = Duration::from_secs(5);

/// The periods, in milliseconds.
const PERIODS: [u64; 3] = [10, 11, 100];

/// How many delayed items a round arms, each for the shortest possible time.
const DELAYS: usize = 200;

pub fn measure(options: &Options) -> Outcome {
    for twin in &Twin::demos(options) {
        let loaded = twin.load("")?;
        for period in PERIODS {
            let row = Row::new("ticks_in_5_s", twin.language).with("period_ms", period);
            row.print("ticks", ticks(&loaded, period)? as f64)?;
        }
        let mut samples = Vec::new();
        for _ in 0..options.rounds {
            samples.extend(delays(&loaded)?);
        }
        let row = |which: &str| Row::new(&format!("delayed_1_ms_{which}"), twin.language);
        row("least").print("ns", percentile(&samples, 0))?;
        row("median").print("ns", median(&samples))?;
        row("worst").print("ns", percentile(&samples, 100))?;
    }
    Ok(())
}

/// How many ticks of a period come in that time.
fn ticks(twin: &Loaded<'_>, period_ms: u64) -> Outcome<u64> {
    let before = executed(twin, "periodic")?;
    send(twin, &format!("start {period_ms}"))?;
    // Half a period more, because the last tick may be a little late.
    thread::sleep(WHILE + Duration::from_millis(period_ms) / 2);
    let after = executed(twin, "periodic")?;
    send(twin, "stop")?;
    Ok(after - before)
}

/// From before write(2) to the start of the item's handler, in nanoseconds.
fn delays(twin: &Loaded<'_>) -> Outcome<Vec<f64>> {
    let before = executed(twin, "delayed")?;
    let trace = Trace::start()?;
    let mut writes = Vec::new();
    for armed in 1..=DELAYS {
        // At a different place within the jiffy each time.
        thread::sleep(Duration::from_micros(97 * armed as u64 % 4000));
        writes.push(raw::ticks());
        send(twin, "delayed 1")?;
        wait_until("a delayed item to run", || {
            let executed = executed(twin, "delayed")?;
            let all_have_run = executed == before + armed as u64;
            Ok(if all_have_run { Ok(()) } else { Err(format!("{executed} executed")) })
        })?;
    }
    let starts = trace.starts_of(twin.twin.module.name())?;
    match ticks_until_start(&writes, &starts) {
        Some(ticks) if starts.len() == DELAYS => {
            let nanoseconds = trace.nanoseconds_a_tick();
            Ok(ticks.iter().map(|&ticks| ticks as f64 * nanoseconds).collect())
        }
        _ => fail(format!("{} items armed, but {} starts were seen", DELAYS, starts.len())),
    }
}

fn node(twin: &Loaded<'_>) -> String {
    format!("/proc/{}", twin.twin.module.name())
}

fn send(twin: &Loaded<'_>, command: &str) -> Outcome {
    let node = node(twin);
    Ok(fs::write(&node, command).map_err(|error| Error::from_io(&node, &error))?)
}

/// How many items of a kind have run, according to the twin's node.
fn executed(twin: &Loaded<'_>, kind: &str) -> Outcome<u64> {
    let node = node(twin);
    let table = fs::read_to_string(&node).map_err(|error| Error::from_io(&node, &error))?;
    match executed_in(&table, kind) {
        Some(count) => Ok(count),
        None => fail(format!("{node}: no {kind} executed in {table:?}")),
    }
}

/// The two tables have different columns.
fn executed_in(table: &str, kind: &str) -> Option<u64> {
    let words = |line: &'_ str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let column = words(table.lines().next()?).iter().position(|name| name == "executed")?;
    let row = table.lines().map(words).find(|row| row.first().is_some_and(|name| name == kind))?;
    row.get(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_has_run_in_either_table() {
        let rust = "kind       queued coalesced cancelled executed pending running wait_us\n\
                    periodic        4         0         1        3       0       0    7900\n";
        let c = "kind           queued   executed\nperiodic            9          8\n";
        assert_eq!(executed_in(rust, "periodic"), Some(3));
        assert_eq!(executed_in(c, "periodic"), Some(8));
        assert_eq!(executed_in(c, "delayed"), None);
    }
}
