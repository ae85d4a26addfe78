// SPDX-License-Identifier: GPL-2.0

//! Pattern: the system queue.

use std::time::{Duration, Instant};

use super::cases;
use crate::harness::demo::{send, table, table_when, Change};
use crate::harness::demo_log::{DemoLog, EARLY};
use crate::harness::loaded::loaded_with;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};
use crate::kmsg::Log;

cases! {
    demo_immediate_runs_once_on_a_worker_of_the_system_queue,
    demo_immediate_may_sleep_in_its_handler,
    demo_immediate_is_not_queued_twice_while_it_is_pending,
    demo_immediate_can_be_queued_again_while_it_runs,
    demo_immediate_waits_plausibly,
    demo_uses_no_deprecated_queue,
}

/// What the handler does.
const SLEEP: Duration = Duration::from_millis(100);

fn demo_immediate_runs_once_on_a_worker_of_the_system_queue(_: &Harness) -> Outcome {
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    send("immediate\n")?;
    send("flush\n")?;
    let expected = Change { queued: 1, executed: 1, ..Change::default() };
    ensure_eq!(Change::of("immediate", &before, &table()?)?, expected, "immediate");

    let runs = log.runs_already()?;
    ensure_eq!(runs.len(), 1, "runs logged, {runs:?}");
    // The queue is per CPU, and so are its workers: kworker/CPU:ID.
    let own = format!("kworker/{}:", runs[0].cpu);
    ensure!(runs[0].worker.starts_with(&own), "not a worker of the CPU it ran on: {:?}", runs[0]);
    Ok(())
}

fn demo_immediate_may_sleep_in_its_handler(_: &Harness) -> Outcome {
    let started = Instant::now();
    send("immediate\nflush\n")?;
    let took = started.elapsed();
    ensure!(took + EARLY >= SLEEP, "the handler slept for {took:?} only");
    Ok(())
}

fn demo_immediate_is_not_queued_twice_while_it_is_pending(_: &Harness) -> Outcome {
    const COMMANDS: u64 = 50;
    let before = table()?;
    // One write, so that all commands come well within the 100 ms of a run. One run may be under
    // way and one pending. The other commands coalesce with the pending one.
    send(&"immediate\n".repeat(COMMANDS as usize))?;
    send("flush\n")?;
    let change = Change::of("immediate", &before, &table()?)?;
    ensure_eq!(change.queued + change.coalesced, COMMANDS, "commands counted, {change:?}");
    ensure!(change.coalesced >= 1, "nothing coalesced: {change:?}");
    ensure_eq!(change.executed, change.queued, "executed");
    Ok(())
}

fn demo_immediate_can_be_queued_again_while_it_runs(_: &Harness) -> Outcome {
    let before = table()?;
    send("immediate\n")?;
    table_when("the immediate item to run", |table| table.row("immediate").running == 1)?;
    send("immediate\n")?;
    send("flush\n")?;
    let expected = Change { queued: 2, executed: 2, ..Change::default() };
    ensure_eq!(Change::of("immediate", &before, &table()?)?, expected, "immediate");
    Ok(())
}

fn demo_immediate_waits_plausibly(_: &Harness) -> Outcome {
    let started = Instant::now();
    send("immediate\nflush\n")?;
    let took = started.elapsed();
    let waited = Duration::from_micros(table()?.row("immediate").wait_us);
    // The item waited, and then slept within the time of the write.
    ensure!(
        waited > Duration::ZERO && waited + SLEEP <= took + EARLY,
        "wait_us says {waited:?}, but all took {took:?}"
    );
    Ok(())
}

fn demo_uses_no_deprecated_queue(harness: &Harness) -> Outcome {
    // The kernel says this once, at the first use since boot. That may have been long ago, or a
    // command not yet used may trigger it.
    let fresh = loaded_with(&harness.demo, "")?;
    send("immediate\ndelayed 1\ncustom\ndata 1\nstart 10\n")?;
    table_when("one of each kind to have run", |table| {
        table.rows.iter().all(|row| row.executed > 0)
    })?;
    send("stop\nflush\n")?;
    for record in Log::from_oldest()?.drain()? {
        let text = record.lossy();
        ensure!(
            record.facility != 0
                || !text.contains("deprecated workqueue")
                || !(text.contains("workqueue_demo") || text.contains("wq_echo")),
            "the kernel warns: {text}"
        );
    }
    fresh.finish()
}
