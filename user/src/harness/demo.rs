// SPDX-License-Identifier: GPL-2.0

//! The node, and helpers that use it.

use std::borrow::Cow;

use nix::errno::Errno;

use super::held_queue::HeldQueue;
use super::wait::wait_until;
use super::{ensure, ensure_eq, fail, Outcome, Stop};
use crate::demo_node;
use crate::demo_table::{Row, Table, KINDS};

/// The module's first queue, which exists from the start.
pub const QUEUE: &str = "workqueue_demo";

/// Writes command lines in one write, which has to take all of them.
pub fn send(lines: &str) -> Outcome {
    let taken = demo_node::write_once(lines)?;
    ensure_eq!(taken, lines.len(), "bytes taken of {:?}", shown(lines.as_bytes()));
    Ok(())
}

/// Writes command lines in one write, which has to fail with `errno`.
pub fn send_expecting(lines: impl AsRef<[u8]>, errno: Errno) -> Outcome {
    let lines = lines.as_ref();
    match demo_node::write_once(lines) {
        Err(error) if error.errno() == Some(errno) => Ok(()),
        other => fail(format!("expected {errno} for {:?}, got {other:?}", shown(lines))),
    }
}

/// The start of lines that may be long.
fn shown(lines: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&lines[..lines.len().min(80)])
}

/// Reads a snapshot and checks that it balances.
pub fn table() -> Outcome<Table> {
    let table = demo_node::read_table()?;
    expect_balance(&table)?;
    Ok(table)
}

/// `queued = cancelled + executed + pending + running`, in every row.
pub fn expect_balance(table: &Table) -> Outcome {
    for row in &table.rows {
        ensure!(row.balances(), "the row does not balance: {row:?}");
    }
    Ok(())
}

/// Waits until the table is as `wanted`, and checks that every snapshot on the way balances.
pub fn table_when(what: &str, wanted: impl Fn(&Table) -> bool) -> Outcome<Table> {
    wait_until(what, || {
        let table = table()?;
        Ok(if wanted(&table) { Ok(table) } else { Err(format!("{table:?}")) })
    })
}

/// Holds the queue while items are inside their handlers and many more are pending. Returns how
/// many run. The caller has to load the module again afterwards.
pub fn hold_while_items_run() -> Outcome<(HeldQueue, u64)> {
    let held = HeldQueue::hold_after(QUEUE, || {
        send("custom 1000\n")?;
        table_when("four items to run", |table| table.row("custom").running >= 4).map(drop)
    })?;
    // One item may just have ended, and the next not have begun.
    let running = table()?.row("custom").running;
    ensure!(running > 0, "nothing runs in a queue that is held in the midst");
    Ok((held, running))
}

/// More work than is worth waiting for: only removing the module cancels it.
pub fn has_much_to_do() -> bool {
    const WORTH_WAITING_FOR: u64 = 100;
    demo_node::read_table().is_ok_and(|table| table.row("custom").outstanding() > WORTH_WAITING_FOR)
}

/// Stops, cancels and waits for whatever an earlier case has left, and resets the counts.
pub fn settle() -> Outcome {
    send("stop\ncancel\nflush\nreset\n")
        .map_err(|stop| Stop::Fail(format!("cannot bring workqueue_demo to rest: {stop:?}")))
}

/// What has changed in one row since a table was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    pub queued: u64,
    pub coalesced: u64,
    pub cancelled: u64,
    pub executed: u64,
}

impl Change {
    pub fn of(kind: &str, before: &Table, after: &Table) -> Outcome<Change> {
        let (before, after) = (before.row(kind), after.row(kind));
        let grown = |count: fn(&Row) -> u64| match count(after).checked_sub(count(before)) {
            Some(change) => Ok(change),
            None => fail(format!("a count fell without a reset: {before:?}, then {after:?}")),
        };
        Ok(Change {
            queued: grown(|row| row.queued)?,
            coalesced: grown(|row| row.coalesced)?,
            cancelled: grown(|row| row.cancelled)?,
            executed: grown(|row| row.executed)?,
        })
    }
}

/// The kinds whose counts differ.
pub fn changed_kinds(before: &Table, after: &Table) -> Outcome<Vec<&'static str>> {
    let mut changed = Vec::new();
    for kind in KINDS {
        if Change::of(kind, before, after)? != Change::default() {
            changed.push(kind);
        }
    }
    Ok(changed)
}
