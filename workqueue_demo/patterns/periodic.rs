// SPDX-License-Identifier: GPL-2.0

//! Pattern: run this again and again, until it is stopped.
//!
//! C: a delayed item whose handler ends in `schedule_delayed_work()` of itself. To stop it for
//! good takes `disable_delayed_work_sync()`: `cancel_delayed_work_sync()` forbids queueing only
//! while it waits, and draining a queue would wait for ever.

use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta, //
};

use super::super::ledger::{
    Kind,
    Ledger, //
};
use crate::abstractions::{
    delayed_work::{
        jiffies_at_least,
        Control,
        DelayedHandler,
        DelayedWorkHandle,
        Rearm, //
    },
    owned_queue::system_percpu, //
};

/// The module's one periodic item.
pub(crate) type Periodic = DelayedWorkHandle<Tick>;

pub(crate) struct Tick {
    ledger: Arc<Ledger>,
}

pub(crate) fn new(ledger: Arc<Ledger>) -> impl PinInit<Periodic, Error> {
    DelayedWorkHandle::new(system_percpu(), Tick { ledger })
}

/// Starts the ticks, one every `period_ms` milliseconds. Changes nothing if they come at that
/// period already; if they come at another they start anew.
pub(crate) fn start(item: &Periodic, period_ms: u32) -> Result {
    let mut control = item.lock();
    let now = item.ledger.snapshot();
    if now.ticking && now.period_ms == period_ms {
        return Ok(());
    }
    stop_with(&mut control, &item.ledger);
    let delay = Delta::from_millis(period_ms.into());
    item.ledger
        .start_ticking(period_ms, || control.arm(jiffies_at_least(delay)))
}

/// Stops the ticks. When this returns none runs, and none will before the next [`start`].
pub(crate) fn stop(item: &Periodic) {
    stop_with(&mut item.lock(), &item.ledger);
}

fn stop_with(control: &mut Control<'_, Tick>, ledger: &Ledger) {
    if control.stop() {
        ledger.cancelled(Kind::Periodic);
    }
    ledger.stopped_ticking();
}

impl DelayedHandler for Tick {
    fn run(&self, rearm: &Rearm<'_, Self>) {
        self.ledger.run(Kind::Periodic, None, || {
            self.ledger
                .rearm_tick(|delay| rearm.after(jiffies_at_least(delay)));
        });
    }
}
