// SPDX-License-Identifier: GPL-2.0

//! Pattern: wait for work that is queued, unless a signal comes first.
//!
//! C: `flush_work(&item)`, `flush_workqueue(queue)`. They sleep until they are done. Nobody can
//! kill the waiting task, and after two minutes the kernel reports it as hung. That is right where
//! the work is short and a driver waits. A user may wait for as much as users have queued: there
//! let the handlers count what they have done, and wait for the count as
//! `wait_event_interruptible()` does.

use kernel::prelude::*;

use super::{
    super::ledger::Ledger,
    delayed::Delayed, //
};

/// Waits until all that is queued now has run, except armed timers and the periodic work. Sleeps.
///
/// # Errors
///
/// `ERESTARTSYS` if a signal came first.
pub(crate) fn flush(ledger: &Ledger, delayed: &Delayed) -> Result {
    ledger.flush(|| delayed.is_armed())
}
