// SPDX-License-Identifier: GPL-2.0

//! Readers, writers and handlers at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::cases;
use crate::demo_node;
use crate::harness::demo::{expect_balance, send, table};
use crate::harness::restore::one_limit_for_all_nodes;
use crate::harness::{ensure, ensure_eq, Harness, Outcome, Stop};

cases! {
    demo_balances_at_any_moment_under_any_load,
    demo_counts_every_command_of_many_writers,
    demo_never_runs_more_than_four_of_many_writers_items,
}

/// Between two snapshots: several within each run of a handler.
const PAUSE: Duration = Duration::from_millis(5);

/// A mix of everything that counts, with pauses made of waiting for work.
const LOADS: [&str; 4] = [
    "custom 3\nimmediate\ndata 1\n",
    "delayed 1\nimmediate\ncancel\ndelayed 60000\ncancel\n",
    "start 10\ndata -1\nstop\nstart 11\n",
    "custom 2\nreset\ndelayed 2\nflush\n",
];

fn demo_balances_at_any_moment_under_any_load(_: &Harness) -> Outcome {
    const READERS: usize = 4;
    const ROUNDS: usize = 30;
    let done = AtomicBool::new(false);
    let snapshots = AtomicUsize::new(0);
    thread::scope(|scope| -> Outcome {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| -> Outcome {
                    while !done.load(Ordering::Relaxed) {
                        expect_balance(&demo_node::read_table()?)?;
                        snapshots.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let writers: Vec<_> = LOADS
            .iter()
            .map(|load| scope.spawn(move || (0..ROUNDS).try_for_each(|_| send(load))))
            .collect();
        let written: Vec<Outcome> =
            writers.into_iter().map(|writer| joined(writer.join())).collect();
        done.store(true, Ordering::Relaxed);
        let read: Vec<Outcome> = readers.into_iter().map(|reader| joined(reader.join())).collect();
        written.into_iter().chain(read).collect()
    })?;
    ensure!(snapshots.load(Ordering::Relaxed) > ROUNDS, "{snapshots:?} snapshots only");
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
        let writers: Vec<_> = (0..6).map(|_| scope.spawn(|| send("custom 6\n"))).collect();
        writers.into_iter().try_for_each(|writer| joined(writer.join()))
    })?;
    loop {
        let now = table()?;
        ensure!(now.row("custom").running <= 4, "{now:?}");
        ensure!(now.queue.peak_running <= 4, "{now:?}");
        if now.row("custom").outstanding() == 0 {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}
