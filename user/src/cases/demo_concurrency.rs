// SPDX-License-Identifier: GPL-2.0

//! Readers, writers and handlers at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::cases;
use crate::demo_table::KINDS;
use crate::harness::demo::{send, table, table_when, QUEUE};
use crate::harness::restore::one_limit_for_all_nodes;
use crate::harness::{ensure, ensure_eq, Harness, Outcome, Stop};

cases! {
    demo_balances_at_any_moment_under_any_load,
    demo_counts_every_command_of_many_writers,
    demo_never_runs_more_than_four_of_many_writers_items,
}

/// Between two snapshots. A handler's run is several times as long.
const PAUSE: Duration = Duration::from_millis(5);

/// A mix of commands that change every count. Each load ends by waiting for what it queued.
const LOADS: [fn() -> Outcome; 5] = [
    || send("custom 3\ndata 1\nflush\n"),
    || send("delayed 1\nimmediate\ncancel\ndelayed 60000\ncancel\nflush\n"),
    || send(&format!("start 10\n{}stop\nstart 11\nflush\n", "data -1\n".repeat(50))),
    || send("custom\ncustom ordered\ncustom percpu\nreset\ndelayed 2\nflush\n"),
    arm_and_wait,
];

/// How often each load runs at least. The last one's timer takes a tick or two.
const ROUNDS: [usize; LOADS.len()] = [3, 3, 3, 3, 20];

fn arm_and_wait() -> Outcome {
    send("delayed 1\n")?;
    table_when("the delayed item to be idle", |table| table.row("delayed").outstanding() == 0)?;
    Ok(())
}

/// How far the loads have come, and what the readers have seen meanwhile.
#[derive(Default)]
struct Progress {
    rounds: [AtomicUsize; LOADS.len()],
    /// For each kind: how many snapshots showed outstanding items.
    outstanding: [AtomicUsize; KINDS.len()],
    is_over: AtomicBool,
}

impl Progress {
    fn write(&self, load: usize) -> Outcome {
        while !self.is_over.load(Ordering::Relaxed) {
            LOADS[load]()?;
            self.rounds[load].fetch_add(1, Ordering::Relaxed);
            self.end_if_enough();
        }
        Ok(())
    }

    fn read(&self) -> Outcome {
        while !self.is_over.load(Ordering::Relaxed) {
            let table = table()?;
            for (kind, seen) in KINDS.iter().zip(&self.outstanding) {
                seen.fetch_add((table.row(kind).outstanding() > 0).into(), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Ends the loads once each has run so often that it has met the others, and 30 snapshots have
    /// shown items of each kind outstanding.
    fn end_if_enough(&self) {
        const SNAPSHOTS: [usize; KINDS.len()] = [30; KINDS.len()];
        let reach = |counts: &[AtomicUsize], least: &[usize]| {
            counts.iter().zip(least).all(|(count, least)| count.load(Ordering::Relaxed) >= *least)
        };
        if reach(&self.rounds, &ROUNDS) && reach(&self.outstanding, &SNAPSHOTS) {
            self.end();
        }
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn demo_balances_at_any_moment_under_any_load(_: &Harness) -> Outcome {
    const READERS: usize = 4;
    let progress = Progress::default();
    // Any failure ends all threads.
    let ending = |outcome: Outcome| outcome.inspect_err(|_| progress.end());
    thread::scope(|scope| -> Outcome {
        let readers = (0..READERS).map(|_| scope.spawn(|| ending(progress.read())));
        let mut threads: Vec<_> = readers.collect();
        for load in 0..LOADS.len() {
            let (progress, ending) = (&progress, &ending);
            threads.push(scope.spawn(move || ending(progress.write(load))));
        }
        // Joins all threads, even after a failure.
        let ends: Vec<Outcome> = threads.into_iter().map(|thread| joined(thread.join())).collect();
        ends.into_iter().collect()
    })?;
    send("stop\ncancel\nflush\n")?;
    let table = table()?;
    ensure!(table.at_rest(), "outstanding at the end: {table:?}");
    Ok(())
}

fn joined(result: thread::Result<Outcome>) -> Outcome {
    result.unwrap_or_else(|_| Err(Stop::Fail("a thread panicked".into())))
}

fn demo_counts_every_command_of_many_writers(_: &Harness) -> Outcome {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 25;
    let before = table()?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| scope.spawn(|| (0..ROUNDS).try_for_each(|_| send("data 1\nimmediate\n"))))
            .collect();
        writers.into_iter().try_for_each(|writer| joined(writer.join()))
    })?;
    send("flush\n")?;
    let after = table()?;
    let grown = |kind: &str| {
        let (before, after) = (before.row(kind), after.row(kind));
        (
            after.queued - before.queued,
            after.coalesced - before.coalesced,
            after.executed - before.executed,
        )
    };
    ensure_eq!(grown("data"), (WRITERS * ROUNDS, 0, WRITERS * ROUNDS), "data");
    let (queued, coalesced, executed) = grown("immediate");
    ensure_eq!(queued + coalesced, WRITERS * ROUNDS, "immediate, queued and coalesced");
    ensure_eq!(executed, queued, "immediate, executed");
    Ok(())
}

fn demo_never_runs_more_than_four_of_many_writers_items(_: &Harness) -> Outcome {
    let _limit = one_limit_for_all_nodes()?;
    send("reset\n")?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| send("custom\n"))).collect();
        writers.into_iter().try_for_each(|writer| joined(writer.join()))
    })?;
    loop {
        let now = table()?;
        ensure!(now.row("custom").running <= 4, "{now:?}");
        ensure!(now.peak_running(QUEUE) <= 4, "{now:?}");
        if now.row("custom").outstanding() == 0 {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}
