// SPDX-License-Identifier: GPL-2.0

//! Pattern: delayed work, and cancelling it.

use std::time::Duration;

use nix::errno::Errno;

use super::cases;
use crate::harness::demo::{send, send_expecting, table, Change};
use crate::harness::demo_log::{DemoLog, Run, EARLY};
use crate::harness::{ensure, ensure_eq, Harness, Outcome};

cases! {
    demo_delayed_runs_after_its_time,
    demo_delayed_runs_after_2000_ms_by_default,
    demo_delayed_is_coalesced_while_it_is_armed,
    demo_delayed_takes_1_to_3600000_ms,
    demo_delayed_waits_from_when_it_is_due,
    demo_cancel_takes_the_armed_item_back,
    demo_cancel_counts_nothing_where_nothing_is_armed,
    demo_cancel_leaves_the_other_kinds_alone,
    demo_delayed_can_be_armed_again_after_a_cancel,
    demo_delayed_that_was_cancelled_never_runs,
}

/// How late an emulated machine may be.
const LATE: Duration = Duration::from_secs(3);

/// Arms the item and returns its run.
fn run_of(command: &str) -> Outcome<Run> {
    let mut log = DemoLog::from_now()?;
    send(command)?;
    log.next_run("delayed")
}

fn expect_after(run: &Run, delay: Duration) -> Outcome {
    ensure!(run.after + EARLY >= delay, "it ran too early: {run:?}");
    ensure!(run.after <= delay + LATE, "it ran too late: {run:?}");
    Ok(())
}

fn demo_delayed_runs_after_its_time(_: &Harness) -> Outcome {
    let before = table()?;
    let run = run_of("delayed 150\n")?;
    expect_after(&run, Duration::from_millis(150))?;
    send("flush\n")?;
    let expected = Change { queued: 1, executed: 1, ..Change::default() };
    ensure_eq!(Change::of("delayed", &before, &table()?)?, expected, "delayed");
    Ok(())
}

fn demo_delayed_runs_after_2000_ms_by_default(_: &Harness) -> Outcome {
    expect_after(&run_of("delayed\n")?, Duration::from_millis(2000))
}

fn demo_delayed_is_coalesced_while_it_is_armed(_: &Harness) -> Outcome {
    let before = table()?;
    send("delayed 60000\n")?;
    send("delayed 1\ndelayed\n")?;
    let now = table()?;
    let expected = Change { queued: 1, coalesced: 2, ..Change::default() };
    ensure_eq!(Change::of("delayed", &before, &now)?, expected, "delayed");
    ensure_eq!(now.row("delayed").pending, 1, "pending");
    send("cancel\n")
}

fn demo_delayed_takes_1_to_3600000_ms(_: &Harness) -> Outcome {
    expect_after(&run_of("delayed 1\n")?, Duration::from_millis(1))?;
    send("flush\n")?;
    send("delayed 3600000\n")?;
    ensure_eq!(table()?.row("delayed").pending, 1, "pending with an hour to go");
    send("cancel\n")?;
    let before = table()?;
    for bad in ["delayed 0\n", "delayed 3600001\n", "delayed -1\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?.rows, before.rows, "the table");
    Ok(())
}

fn demo_delayed_waits_from_when_it_is_due(_: &Harness) -> Outcome {
    const DELAY: Duration = Duration::from_millis(100);
    let run = run_of("delayed 100\n")?;
    // A wait counted from the command would be the whole delay.
    let waited = Duration::from_micros(table()?.row("delayed").wait_us);
    let late = run.after.saturating_sub(DELAY) + Duration::from_millis(1);
    ensure!(waited <= late, "wait_us says {waited:?} of {run:?}");
    Ok(())
}

fn demo_cancel_takes_the_armed_item_back(_: &Harness) -> Outcome {
    let before = table()?;
    send("delayed 60000\n")?;
    send("cancel\n")?;
    let now = table()?;
    let expected = Change { queued: 1, cancelled: 1, ..Change::default() };
    ensure_eq!(Change::of("delayed", &before, &now)?, expected, "delayed");
    ensure_eq!(now.row("delayed").pending, 0, "pending");
    Ok(())
}

fn demo_cancel_counts_nothing_where_nothing_is_armed(_: &Harness) -> Outcome {
    let before = table()?;
    send("cancel\ncancel\n")?;
    ensure_eq!(table()?.rows, before.rows, "the table after a cancel of nothing");
    run_of("delayed 1\n")?;
    send("flush\ncancel\n")?;
    ensure_eq!(Change::of("delayed", &before, &table()?)?.cancelled, 0, "cancelled after the run");
    Ok(())
}

fn demo_cancel_leaves_the_other_kinds_alone(_: &Harness) -> Outcome {
    let before = table()?;
    send("custom 4\ndata 1\nimmediate\nstart 60000\ncancel\n")?;
    send("flush\n")?;
    let now = table()?;
    for (kind, executed) in [("custom", 4), ("data", 1), ("immediate", 1)] {
        let change = Change::of(kind, &before, &now)?;
        ensure_eq!((change.executed, change.cancelled), (executed, 0), "{kind}");
    }
    ensure!(now.periodic.started, "cancel has stopped the periodic work");
    send("stop\n")
}

fn demo_delayed_can_be_armed_again_after_a_cancel(_: &Harness) -> Outcome {
    send("delayed 60000\ncancel\n")?;
    expect_after(&run_of("delayed 20\n")?, Duration::from_millis(20))
}

fn demo_delayed_that_was_cancelled_never_runs(_: &Harness) -> Outcome {
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    send("delayed 60\ncancel\n")?;
    // A second run of the same item serves as the clock. It is due after the first would have been,
    // and it must be the only one.
    send("delayed 160\n")?;
    let run = log.next_run("delayed")?;
    ensure!(run.after >= Duration::from_millis(120), "the cancelled run: {run:?}");
    send("flush\n")?;
    let change = Change::of("delayed", &before, &table()?)?;
    ensure_eq!((change.executed, change.cancelled), (1, 1), "executed and cancelled");
    Ok(())
}
