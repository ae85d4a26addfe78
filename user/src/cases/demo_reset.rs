// SPDX-License-Identifier: GPL-2.0

//! Resetting the counts.

use super::cases;
use crate::demo_table::Row;
use crate::harness::demo::{hold_while_items_run, send, table, table_when, QUEUE};
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::reloaded_afterwards;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};

cases! {
    demo_reset_forgets_what_is_done,
    demo_reset_keeps_what_is_outstanding,
    demo_reset_keeps_what_runs,
    demo_reset_forgets_peak_running,
    demo_reset_leaves_in_peak_running_what_runs,
    demo_peak_running_counts_data_too,
}

/// `executed`, `cancelled` and `coalesced` are 0, `queued` is what is outstanding.
fn expect_counted_anew(row: &Row, outstanding: u64) -> Outcome {
    ensure_eq!((row.executed, row.cancelled, row.coalesced), (0, 0, 0), "counts of {row:?}");
    ensure_eq!(row.queued, outstanding, "queued of {row:?}");
    ensure_eq!(row.outstanding(), outstanding, "outstanding of {row:?}");
    Ok(())
}

fn demo_reset_forgets_what_is_done(_: &Harness) -> Outcome {
    send("custom 2\ndata 1\nimmediate\ndelayed 60000\ndelayed\ncancel\nflush\n")?;
    let before = table()?;
    ensure!(before.row("delayed").cancelled > 0, "nothing to forget");
    send("reset\n")?;
    for row in &table()?.rows {
        expect_counted_anew(row, 0)?;
    }
    Ok(())
}

fn demo_reset_keeps_what_is_outstanding(_: &Harness) -> Outcome {
    let mut held = HeldQueue::hold(QUEUE)?;
    send("delayed 60000\ndelayed\nstart 60000\ncustom 4\ndata 7\nreset\n")?;
    let now = table()?;
    for (kind, outstanding) in
        [("immediate", 0), ("delayed", 1), ("custom", 4), ("data", 1), ("periodic", 1)]
    {
        expect_counted_anew(now.row(kind), outstanding)?;
    }
    ensure!(now.periodic.started, "reset has stopped the periodic work");
    held.release()?;
    send("flush\nstop\ncancel\n")?;
    let after = table()?;
    ensure_eq!((after.row("custom").queued, after.row("custom").executed), (4, 4), "custom");
    ensure_eq!((after.row("data").queued, after.row("data").executed), (1, 1), "data");
    ensure_eq!((after.row("delayed").queued, after.row("delayed").cancelled), (1, 1), "delayed");
    ensure_eq!((after.row("periodic").queued, after.row("periodic").cancelled), (1, 1), "periodic");
    Ok(())
}

fn demo_reset_keeps_what_runs(_: &Harness) -> Outcome {
    send("custom 4\n")?;
    table_when("an item to run", |table| table.row("custom").running > 0)?;
    for _ in 0..20 {
        send("reset\n")?;
        // The read checks that the counts balance.
        table()?;
    }
    // In one write, so that a busy machine has no time to run the items in between.
    send("custom 4\nreset\n")?;
    send("flush\n")?;
    let row = table()?;
    let row = row.row("custom");
    ensure!(row.queued > 0, "all had run before the reset");
    ensure_eq!(row.executed, row.queued, "executed of what was outstanding");
    Ok(())
}

fn demo_reset_forgets_peak_running(_: &Harness) -> Outcome {
    send("custom 1\nflush\n")?;
    ensure!(table()?.peak_running(QUEUE) > 0, "nothing to forget");
    send("reset\n")?;
    ensure_eq!(table()?.peak_running(QUEUE), 0, "peak_running of nothing");
    Ok(())
}

fn demo_reset_leaves_in_peak_running_what_runs(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let (held, running) = hold_while_items_run()?;
    send("reset\n")?;
    let now = table()?;
    ensure_eq!(now.row("custom").running, running, "running in a queue that is held");
    ensure_eq!(now.peak_running(QUEUE), running, "peak_running after a reset");
    drop(held);
    reload.finish()
}

fn demo_peak_running_counts_data_too(_: &Harness) -> Outcome {
    send("reset\ndata 1\nflush\n")?;
    ensure_eq!(table()?.peak_running(QUEUE), 1, "peak_running of one data item");
    Ok(())
}
