// SPDX-License-Identifier: GPL-2.0

//! Pattern: wait for work that is queued, unless a signal comes first.
//!
//! C: `flush_work(&item)`, `flush_workqueue(queue)`. They sleep until they are done, whatever
//! happens: nobody can kill who waits there, and after two minutes the kernel reports a task that
//! hangs. That is right where the work is short and a driver waits. Where a user waits, for as
//! much as users have queued, have handlers count what they have done, and wait for the count as
//! `wait_event_interruptible()` does.

use kernel::prelude::*;

use super::{
    super::ledger::Ledger,
    delayed::Delayed, //
};

/// Waits until all that is queued now has run: armed timers and the periodic work aside. Sleeps.
///
/// # Errors
///
/// `ERESTARTSYS` if a signal came first.
pub(crate) fn flush(ledger: &Ledger, delayed: &Delayed) -> Result {
    ledger.flush(|| delayed.is_armed())
}
