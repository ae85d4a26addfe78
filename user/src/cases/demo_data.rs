// SPDX-License-Identifier: GPL-2.0

//! Pattern: work with data.

use nix::errno::Errno;

use super::cases;
use crate::harness::demo::{send, send_expecting, table, table_when, Change};
use crate::harness::demo_log::DemoLog;
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::reloaded_afterwards;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};

cases! {
    demo_data_prints_its_value,
    demo_data_takes_every_i32_and_nothing_else,
    demo_data_needs_a_value,
    demo_data_takes_a_number_with_a_plus_sign,
    demo_data_allows_4096_outstanding_and_not_one_more,
    demo_data_carries_each_value_in_an_item_of_its_own,
}

/// The `Data:` lines that `commands` log.
fn data_lines(commands: &str) -> Outcome<Vec<String>> {
    let mut log = DemoLog::from_now()?;
    send(commands)?;
    send("flush\n")?;
    let lines = log.lines_already()?;
    Ok(lines.into_iter().filter(|line| line.starts_with("Data")).collect())
}

fn demo_data_prints_its_value(_: &Harness) -> Outcome {
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    send("data 42\n")?;
    send("flush\n")?;
    let lines = log.lines_already()?;
    ensure!(lines.iter().any(|line| line == "Data: 42"), "no value in {lines:?}");
    let is_run = |line: &&String| line.starts_with("data work ran on kworker/");
    ensure_eq!(lines.iter().filter(is_run).count(), 1, "lines on the run in {lines:?}");
    let expected = Change { queued: 1, executed: 1, ..Change::default() };
    ensure_eq!(Change::of("data", &before, &table()?)?, expected, "data");
    Ok(())
}

fn demo_data_takes_every_i32_and_nothing_else(_: &Harness) -> Outcome {
    for value in [0, -1, 1, i32::MIN, i32::MAX] {
        ensure_eq!(data_lines(&format!("data {value}\n"))?, [format!("Data: {value}")], "the log");
    }
    let before = table()?;
    for value in
        ["2147483648", "-2147483649", "99999999999999999999999", "0x10", "1.5", "1e3", "--1", "-"]
    {
        send_expecting(format!("data {value}\n"), Errno::EINVAL)?;
    }
    ensure_eq!(table()?.rows, before.rows, "the table");
    Ok(())
}

fn demo_data_needs_a_value(_: &Harness) -> Outcome {
    let before = table()?;
    send_expecting("data\n", Errno::EINVAL)?;
    send_expecting("data 1 2\n", Errno::EINVAL)?;
    ensure_eq!(table()?.rows, before.rows, "the table");
    Ok(())
}

fn demo_data_takes_a_number_with_a_plus_sign(_: &Harness) -> Outcome {
    ensure_eq!(data_lines("data +5\n")?, ["Data: 5"], "the log");
    ensure_eq!(data_lines("data +2147483647\n")?, ["Data: 2147483647"], "the log");
    for bad in ["data +\n", "data ++5\n", "data +-5\n", "data + 5\n", "data +2147483648\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    Ok(())
}

fn demo_data_allows_4096_outstanding_and_not_one_more(harness: &Harness) -> Outcome {
    const BOUND: usize = 4096;
    /// What fits into one write.
    const LINES: usize = 512;
    let reload = reloaded_afterwards(&harness.demo)?;
    let mut held = HeldQueue::hold("workqueue_demo")?;
    for _ in 0..BOUND / LINES {
        send(&"data 1\n".repeat(LINES))?;
    }
    let full = table()?;
    ensure_eq!(full.row("data").pending, BOUND as u64, "pending at the bound");
    send_expecting("data 1\n", Errno::EAGAIN)?;
    ensure_eq!(table()?, full, "the table after a refusal");
    // Each kind has its own bound.
    send("custom\n")?;
    held.release()?;
    table_when("an item to have run", |table| table.row("data").executed > 0)?;
    send("data 1\n")?;
    drop(held);
    reload.finish()
}

fn demo_data_carries_each_value_in_an_item_of_its_own(_: &Harness) -> Outcome {
    let values = 1000..1200;
    let commands: Vec<String> = values.clone().map(|value| format!("data {value}\n")).collect();
    let mut lines = data_lines(&commands.concat())?;
    lines.sort();
    let expected: Vec<String> = values.map(|value| format!("Data: {value}")).collect();
    ensure_eq!(lines, expected, "the log");
    Ok(())
}
