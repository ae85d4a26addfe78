// SPDX-License-Identifier: GPL-2.0

//! Pattern: work that queues itself.

use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cases;
use crate::demo_table::Periodic;
use crate::harness::demo::{send, send_expecting, table, table_when, Change};
use crate::harness::demo_log::{DemoLog, EARLY};
use crate::harness::{ensure, ensure_eq, Harness, Outcome};

cases! {
    demo_start_ticks_every_period,
    demo_start_ticks_every_1000_ms_by_default,
    demo_start_is_idempotent,
    demo_start_takes_a_new_period_over,
    demo_start_takes_10_ms_and_more,
    demo_start_takes_3600000_ms_and_no_more,
    demo_stop_is_final,
    demo_stop_is_idempotent,
    demo_stop_leaves_the_period_in_the_table,
    demo_ticks_can_be_started_and_stopped_again_and_again,
}

fn demo_start_ticks_every_period(_: &Harness) -> Outcome {
    const PERIOD: Duration = Duration::from_millis(50);
    const TICKS: u32 = 6;
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    let started = Instant::now();
    send("start 50\n")?;
    ensure_eq!(table()?.periodic, Periodic { started: true, period_ms: 50 }, "the periodic work");
    for _ in 0..TICKS {
        log.next_run("periodic")?;
    }
    // Ticks may be late and catch up, but none comes early.
    let took = started.elapsed();
    send("stop\n")?;
    ensure!(took + EARLY >= PERIOD * TICKS, "{TICKS} ticks within {took:?}");
    let change = Change::of("periodic", &before, &table()?)?;
    ensure!(change.executed >= TICKS.into(), "{change:?} after {TICKS} ticks");
    Ok(())
}

fn demo_start_ticks_every_1000_ms_by_default(_: &Harness) -> Outcome {
    let mut log = DemoLog::from_now()?;
    send("start\n")?;
    ensure_eq!(table()?.periodic, Periodic { started: true, period_ms: 1000 }, "the periodic work");
    let tick = log.next_run("periodic")?;
    send("stop\n")?;
    ensure!(
        tick.after + EARLY >= Duration::from_millis(1000),
        "the first tick came early: {tick:?}"
    );
    Ok(())
}

fn demo_start_is_idempotent(_: &Harness) -> Outcome {
    let before = table()?;
    send("start 60000\n")?;
    let once = table()?;
    send("start 60000\nstart 60000\n")?;
    send("start 60000\n")?;
    let often = table()?;
    ensure_eq!(often.row("periodic").pending, 1, "ticks armed");
    ensure_eq!(often.rows, once.rows, "the table after start was said again");
    send("stop\n")?;
    let expected = Change { queued: 1, cancelled: 1, ..Change::default() };
    ensure_eq!(Change::of("periodic", &before, &table()?)?, expected, "periodic");
    Ok(())
}

fn demo_start_takes_a_new_period_over(_: &Harness) -> Outcome {
    let mut log = DemoLog::from_now()?;
    send("start 60000\n")?;
    send("start 20\n")?;
    ensure_eq!(table()?.periodic, Periodic { started: true, period_ms: 20 }, "the periodic work");
    // Otherwise it would not come for a minute.
    log.next_run("periodic")?;
    log.next_run("periodic")?;
    send("stop\n")
}

fn demo_start_takes_10_ms_and_more(_: &Harness) -> Outcome {
    let before = table()?;
    for bad in ["start 9\n", "start 0\n", "start -10\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?, before, "the table");
    send("start 10\n")?;
    table_when("three ticks", |table| {
        table.row("periodic").executed >= before.row("periodic").executed + 3
    })?;
    send("stop\n")
}

fn demo_start_takes_3600000_ms_and_no_more(_: &Harness) -> Outcome {
    let before = table()?;
    for bad in ["start 3600001\n", "start 36000000\n", "start 4294967306\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?, before, "the table");
    send("start 3600000\n")?;
    let hour = Periodic { started: true, period_ms: 3_600_000 };
    ensure_eq!(table()?.periodic, hour, "the periodic work");
    send("stop\n")
}

fn demo_stop_is_final(_: &Harness) -> Outcome {
    let mut log = DemoLog::from_now()?;
    send("start 10\n")?;
    log.next_run("periodic")?;
    send("stop\n")?;
    let stopped = table()?;
    ensure!(!stopped.periodic.started, "{:?} after stop", stopped.periodic);
    ensure_eq!(stopped.row("periodic").outstanding(), 0, "ticks outstanding after stop");
    log.lines_already()?;
    // Delayed work serves as the clock: ten ticks would come before it runs.
    send("delayed 100\n")?;
    log.next_run("delayed")?;
    ensure_eq!(*table()?.row("periodic"), *stopped.row("periodic"), "periodic long after stop");
    Ok(())
}

fn demo_stop_is_idempotent(_: &Harness) -> Outcome {
    let before = table()?;
    send("stop\n")?;
    send("stop\nstop\n")?;
    ensure_eq!(table()?, before, "the table");
    Ok(())
}

fn demo_stop_leaves_the_period_in_the_table(_: &Harness) -> Outcome {
    for period_ms in [60_000, 50_000] {
        send(&format!("start {period_ms}\nstop\n"))?;
        let stopped = Periodic { started: false, period_ms };
        ensure_eq!(table()?.periodic, stopped, "the periodic work after stop");
    }
    Ok(())
}

fn demo_ticks_can_be_started_and_stopped_again_and_again(_: &Harness) -> Outcome {
    for _ in 0..20 {
        send("start 10\n")?;
        send("stop\n")?;
        ensure_eq!(table()?.row("periodic").outstanding(), 0, "ticks outstanding after stop");
    }
    let before = table()?;
    send("start 10\n")?;
    table_when("a tick after all that", |table| {
        table.row("periodic").executed > before.row("periodic").executed
    })?;
    send("stop\n")
}
