// SPDX-License-Identifier: GPL-2.0

//! Pattern: run this soon, on the system's queue.
//!
//! C: `INIT_WORK(&item, handler)` once, then `schedule_work(&item)` whenever there is something to
//! do, and `disable_work_sync(&item)` before its memory goes.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

use super::super::ledger::{
    Kind,
    Ledger,
    Times, //
};
use crate::abstractions::{
    owned_queue::system_percpu,
    work::{
        new_work_handle,
        Handler,
        WorkHandle, //
    }, //
};

/// The module's one immediate item.
pub(crate) type Immediate = WorkHandle<ImmediateWork>;

pub(crate) struct ImmediateWork {
    ledger: Arc<Ledger>,
}

pub(crate) fn new(ledger: Arc<Ledger>) -> Result<Immediate> {
    new_work_handle!(
        system_percpu(),
        ImmediateWork { ledger },
        "workqueue_demo::immediate"
    )
}

/// Queues the item. A pending item is not queued twice: one run does for both.
pub(crate) fn queue(item: &Immediate) -> Result {
    item.ledger
        .queue(Kind::Immediate, Times::due_now(), || item.enqueue())
}

impl Handler for ImmediateWork {
    fn run(&self) {
        self.ledger.run(Kind::Immediate, None, || {
            // A handler runs in process context: it may sleep. On a per-CPU queue the next item
            // gets another worker meanwhile.
            fsleep(Delta::from_millis(100));
        });
    }
}
