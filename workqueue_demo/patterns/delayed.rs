// SPDX-License-Identifier: GPL-2.0

//! Pattern: run this later, and be able to take it back.
//!
//! C: `INIT_DELAYED_WORK(&item, handler)`, `schedule_delayed_work(&item, delay)`,
//! `cancel_delayed_work_sync(&item)`.

use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta, //
};

use super::super::ledger::{
    Kind,
    Ledger,
    Times, //
};
use crate::abstractions::{
    delayed_work::{
        jiffies_at_least,
        new_delayed_work_handle,
        Control,
        DelayedHandler,
        DelayedWorkHandle,
        Rearm, //
    },
    owned_queue::system_percpu, //
};

/// The module's one delayed item, which is counted: it is armed and taken back under its
/// `Control`, here and nowhere else.
pub(crate) type Delayed = DelayedWorkHandle<DelayedOnce>;

pub(crate) struct DelayedOnce {
    ledger: Arc<Ledger>,
}

pub(crate) fn new(ledger: Arc<Ledger>) -> impl PinInit<Delayed, Error> {
    new_delayed_work_handle!(
        system_percpu(),
        DelayedOnce { ledger },
        "workqueue_demo::delayed"
    )
}

/// Arms the item to run in `ms` milliseconds. If it is armed already its time stands.
pub(crate) fn arm(item: &Delayed, ms: u32) -> Result {
    let delay = Delta::from_millis(ms.into());
    let mut control = item.lock();
    item.ledger.queue(Kind::Delayed, Times::due_in(delay), || {
        control.arm(jiffies_at_least(delay))
    })
}

/// Takes the item back if it is armed. When this returns it neither runs nor will run.
pub(crate) fn cancel(item: &Delayed) {
    item.ledger
        .take_back(Kind::Delayed, item.lock(), Control::cancel_sync);
}

impl DelayedHandler for DelayedOnce {
    fn run(&self, _rearm: &Rearm<'_, Self>) {
        self.ledger.run(Kind::Delayed, None, || ());
    }
}
