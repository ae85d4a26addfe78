// SPDX-License-Identifier: GPL-2.0

//! How long it takes from write(2) until the message is handled.

use std::thread;
use std::time::{Duration, Instant};

use nix::sched::sched_yield;

use super::echo::text;
use super::report::Row;
use super::statistics::{median, percentile};
use super::trace::Trace;
use super::twin::{Loaded, Twin};
use super::writers::{at_once, open, write_one};
use super::Options;
use crate::error::Error;
use crate::harness::{fail, Outcome};
use crate::kmsg::{Log, Record};
use crate::raw;

/// How many lone messages a round writes, and how long nothing happens before each: longer than a
/// worker could still wait for more.
const LONE: usize = 200;
const IDLE: Duration = Duration::from_millis(50);

/// How many write at once, and how many messages each.
const FLOOD_WRITERS: usize = 8;
const FLOOD_MESSAGES: usize = 250;

pub fn measure(options: &Options) -> Outcome {
    let twins = Twin::echoes(options);
    in_turn(&twins, "quiet=1", options.rounds, "latency_idle", after_idle)?;
    in_turn(&twins, "quiet=0", options.rounds, "latency_flood", under_flood)
}

/// The samples of all rounds together make the figures.
fn in_turn(
    twins: &[Twin; 2],
    parameters: &str,
    rounds: usize,
    name: &str,
    take: fn(&Loaded<'_>) -> Outcome<Vec<f64>>,
) -> Outcome {
    let loaded = [twins[0].load(parameters)?, twins[1].load(parameters)?];
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (twin, samples) in loaded.iter().zip(&mut samples) {
            samples.extend(take(twin)?);
        }
    }
    for (twin, samples) in twins.iter().zip(&samples) {
        let row = |which: &str| Row::new(&format!("{name}_{which}"), twin.language);
        row("median").print("ns", median(samples))?;
        row("p99").print("ns", percentile(samples, 99))?;
        row("worst").print("ns", percentile(samples, 100))?;
    }
    Ok(())
}

/// From before write(2) to the next start of the twin's handler, after an idle while.
fn after_idle(twin: &Loaded<'_>) -> Outcome<Vec<f64>> {
    let file = open(&twin.device())?;
    let bytes = text(15);
    let before = twin.printed()?;
    let trace = Trace::start()?;
    let mut writes = Vec::new();
    for written in 1..=LONE {
        thread::sleep(IDLE);
        writes.push(raw::ticks());
        write_one(&file, &bytes)?;
        // Yield at once, so that reading the counter is not measured.
        sched_yield()?;
        twin.wait_until_printed(before + written as u64)?;
    }
    let starts = trace.starts_of(twin.twin.module.name())?;
    match ticks_until_start(&writes, &starts) {
        Some(ticks) => {
            let nanoseconds = trace.nanoseconds_a_tick();
            Ok(ticks.iter().map(|&ticks| ticks as f64 * nanoseconds).collect())
        }
        None => fail(format!("{} writes, but {} starts were seen", writes.len(), starts.len())),
    }
}

/// From each write to the first start after it. Both lists are in order.
pub fn ticks_until_start(writes: &[u64], starts: &[u64]) -> Option<Vec<u64>> {
    let until_start = |&write: &u64| {
        let next = starts.partition_point(|&start| start < write);
        starts.get(next).map(|start| start - write)
    };
    writes.iter().map(until_start).collect()
}

/// From before write(2) to the message's line in the log, while all write as fast as possible.
fn under_flood(twin: &Loaded<'_>) -> Outcome<Vec<f64>> {
    let mut log = Log::from_now()?;
    let epoch = Instant::now();
    let boot_to_epoch = boot_to_epoch(&mut log, epoch)?;
    let before = twin.printed()?;
    let writes = at_once(&twin.device(), FLOOD_WRITERS, |writer, file| {
        let mut writes = Vec::with_capacity(FLOOD_MESSAGES);
        for number in 0..FLOOD_MESSAGES {
            let text = flood_text(writer, number);
            writes.push(epoch.elapsed());
            write_one(file, text.as_bytes())?;
        }
        Ok(writes)
    })?;
    twin.wait_until_printed(before + (FLOOD_WRITERS * FLOOD_MESSAGES) as u64)?;

    let prefix = format!("{}: ", twin.twin.module.name());
    let mut samples = Vec::new();
    for record in log.drain()?.iter().filter(|record| record.is_from(&prefix)) {
        let Some((writer, number)) = flood_numbers(record) else {
            return fail(format!("not one of the messages: {:?}", record.lossy()));
        };
        let written = writes[writer][number] + boot_to_epoch;
        samples.push(record.time.saturating_sub(written).as_nanos() as f64);
    }
    match samples.len() == FLOOD_WRITERS * FLOOD_MESSAGES {
        true => Ok(samples),
        false => fail(format!("{} messages in the log", samples.len())),
    }
}

/// As long as an ordinary message.
fn flood_text(writer: usize, number: usize) -> String {
    format!("{writer:04} {number:010}")
}

fn flood_numbers(record: &Record) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(&record.text).ok()?;
    let (writer, number) = text.split('"').nth(1)?.split_once(' ')?;
    let (writer, number) = (writer.parse().ok()?, number.parse().ok()?);
    (writer < FLOOD_WRITERS && number < FLOOD_MESSAGES).then_some((writer, number))
}

/// What the log's clock showed at `epoch`, from a line written to the log.
fn boot_to_epoch(log: &mut Log, epoch: Instant) -> Outcome<Duration> {
    let mark = "wqtest bench: what time is it?";
    let kmsg = std::fs::OpenOptions::new().write(true).open("/dev/kmsg");
    let mut kmsg = kmsg.map_err(|error| Error::from_io("/dev/kmsg", &error))?;
    let before = epoch.elapsed();
    // Without the line end the kernel would wait for the rest of the line.
    std::io::Write::write_all(&mut kmsg, format!("{mark}\n").as_bytes())?;
    let written = (before + epoch.elapsed()) / 2;
    match log.drain()?.iter().find(|record| record.text == mark.as_bytes()) {
        Some(record) => Ok(record.time.saturating_sub(written)),
        None => fail("a line that was written to /dev/kmsg is not in the log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_with_each_write_the_next_start() {
        assert_eq!(ticks_until_start(&[10, 50], &[5, 12, 20, 50]), Some(vec![2, 0]));
        assert_eq!(ticks_until_start(&[10, 50], &[12]), None);
    }

    #[test]
    fn knows_the_messages_of_a_flood() {
        let record = |text: &str| {
            Record::parse(format!("6,1,2,-;{text}\n").as_bytes()).expect("it is a record")
        };
        let text = flood_text(7, 249);
        assert_eq!(text.len(), 15);
        let line = format!("c_echo: \"{text}\" (len=15)");
        assert_eq!(flood_numbers(&record(&line)), Some((7, 249)));
        for line in ["c_echo: \"x\" (len=1)", "c_echo: loading", "c_echo: \"0008 0000000001\""] {
            assert_eq!(flood_numbers(&record(line)), None, "{line}");
        }
    }
}
