// SPDX-License-Identifier: GPL-2.0

//! Pattern: a queue of the module's own.

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cases;
use crate::demo_node;
use crate::harness::demo::{
    hold_while_items_run, send, send_expecting, table, table_when, Change, QUEUE,
};
use crate::harness::demo_log::{DemoLog, Run, EARLY};
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::reloaded_afterwards;
use crate::harness::restore::one_limit_for_all_nodes;
use crate::harness::wait::wait_until;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};

cases! {
    demo_custom_queues_one_item_by_default,
    demo_custom_queues_count_items_of_their_own,
    demo_custom_runs_on_unbound_workers,
    demo_custom_never_runs_more_than_four_at_once,
    demo_custom_takes_1_to_1000_items,
    demo_custom_allows_4096_outstanding_and_not_one_more,
    demo_custom_counts_those_that_run_among_the_4096,
    demo_custom_waits_while_four_others_run,
    demo_returns_the_bytes_of_the_lines_that_ran,
}

/// What each handler does.
const SLEEP: Duration = Duration::from_millis(100);

/// Between two snapshots. A handler's run is several times as long.
const PAUSE: Duration = Duration::from_millis(5);

fn demo_custom_queues_one_item_by_default(_: &Harness) -> Outcome {
    let before = table()?;
    send("custom\n")?;
    send("flush\n")?;
    let expected = Change { queued: 1, executed: 1, ..Change::default() };
    ensure_eq!(Change::of("custom", &before, &table()?)?, expected, "custom");
    Ok(())
}

fn demo_custom_queues_count_items_of_their_own(_: &Harness) -> Outcome {
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    send("custom 3\ncustom\n")?;
    send("flush\n")?;
    let expected = Change { queued: 4, executed: 4, ..Change::default() };
    ensure_eq!(Change::of("custom", &before, &table()?)?, expected, "custom");
    ensure_eq!(log.runs_already()?.len(), 4, "runs logged");
    Ok(())
}

fn demo_custom_runs_on_unbound_workers(_: &Harness) -> Outcome {
    let mut log = DemoLog::from_now()?;
    wait_until("a run on a worker of a pool", || {
        send("custom 4\nflush\n")?;
        let (rescued, other): (Vec<_>, Vec<_>) =
            log.runs_already()?.into_iter().partition(Run::was_rescued);
        for run in &other {
            // kworker/uPOOL:ID
            ensure!(run.worker.starts_with("kworker/u"), "not an unbound worker: {run:?}");
        }
        Ok(if other.is_empty() { Err(format!("{rescued:?}")) } else { Ok(()) })
    })
}

fn demo_custom_never_runs_more_than_four_at_once(_: &Harness) -> Outcome {
    const ITEMS: u32 = 12;
    let _limit = one_limit_for_all_nodes()?;
    send("reset\n")?;
    let before = table()?;
    let started = Instant::now();
    send(&format!("custom {ITEMS}\n"))?;
    let after = loop {
        let now = table()?;
        ensure!(now.row("custom").running <= 4, "more than four run: {now:?}");
        if now.row("custom").outstanding() == 0 {
            break now;
        }
        thread::sleep(PAUSE);
    };
    let took = started.elapsed();
    // The snapshots may have missed the peak, but the module has it.
    ensure_eq!(after.peak_running(QUEUE), 4, "peak_running");
    ensure_eq!(Change::of("custom", &before, &after)?.executed, u64::from(ITEMS), "executed");
    // The sleeps follow each other, so the clock is late only once.
    let least = SLEEP * ITEMS / 4 - EARLY;
    ensure!(took >= least, "{ITEMS} items of {SLEEP:?}, four at once, took {took:?}");
    Ok(())
}

fn demo_custom_takes_1_to_1000_items(_: &Harness) -> Outcome {
    let before = table()?;
    for bad in ["custom 0\n", "custom 1001\n", "custom -1\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?.rows, before.rows, "the table");
    Ok(())
}

fn demo_custom_allows_4096_outstanding_and_not_one_more(harness: &Harness) -> Outcome {
    // Afterwards the module is loaded again: 4,096 items would run for 100 seconds.
    let reload = reloaded_afterwards(&harness.demo)?;
    let mut held = HeldQueue::hold(QUEUE)?;
    for _ in 0..4 {
        send("custom 1000\n")?;
    }
    send_expecting("custom 97\n", Errno::EAGAIN)?;
    send_expecting("custom 1000\n", Errno::EAGAIN)?;
    let refused = table()?;
    ensure_eq!(refused.row("custom").queued, 4000, "queued after a refusal");
    ensure_eq!(refused.row("custom").pending, 4000, "pending after a refusal");
    send("custom 96\n")?;
    ensure_eq!(table()?.row("custom").pending, 4096, "pending at the bound");
    send_expecting("custom\n", Errno::EAGAIN)?;
    ensure_eq!(table()?.row("custom").queued, 4096, "queued at the bound");
    held.release()?;
    // It was refused for lack of room only: there is room again when items have run.
    table_when("an item to have run", |table| table.row("custom").executed > 0)?;
    send("custom\n")?;
    drop(held);
    reload.finish()
}

fn demo_custom_counts_those_that_run_among_the_4096(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let (held, running) = hold_while_items_run()?;
    let mut room = 4096 - table()?.row("custom").outstanding();
    while room > 0 {
        let count = room.min(1000);
        send(&format!("custom {count}\n"))?;
        room -= count;
    }
    let full = table()?;
    ensure_eq!(full.row("custom").running, running, "running in a queue that is held");
    ensure_eq!(full.row("custom").outstanding(), 4096, "outstanding at the bound");
    send_expecting("custom\n", Errno::EAGAIN)?;
    ensure_eq!(table()?, full, "the table after a refusal");
    drop(held);
    reload.finish()
}

fn demo_custom_waits_while_four_others_run(_: &Harness) -> Outcome {
    send("custom 8\nflush\n")?;
    // The last four items wait for the first four.
    let waited = Duration::from_micros(table()?.row("custom").wait_us);
    ensure!(waited + EARLY >= SLEEP, "the last of eight items waited {waited:?} only");
    Ok(())
}

fn demo_returns_the_bytes_of_the_lines_that_ran(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let held = HeldQueue::hold(QUEUE)?;
    let ran = "custom 1000\n".repeat(4);
    let text = format!("{ran}custom 1000\ndelayed 60000\n");
    let taken = demo_node::write_once(&text)?;
    ensure_eq!(taken, ran.len(), "bytes taken of five commands of which the last does not fit");
    let now = table()?;
    ensure_eq!(now.row("custom").queued, 4000, "queued");
    ensure_eq!(now.row("delayed").queued, 0, "queued by the line behind the one that failed");
    // The rest, as a caller that loops writes it.
    send_expecting(&text[taken..], Errno::EAGAIN)?;
    ensure_eq!(table()?.row("delayed").queued, 0, "queued by the line behind the one that failed");
    drop(held);
    reload.finish()
}
