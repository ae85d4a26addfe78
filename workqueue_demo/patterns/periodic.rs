// SPDX-License-Identifier: GPL-2.0

//! Pattern: run this again and again, until it is stopped.
//!
//! C: a delayed item whose handler ends in `schedule_delayed_work()` of itself.
//! `disable_delayed_work_sync()` stops it for good. After `cancel_delayed_work_sync()` anybody may
//! queue it, and draining its queue would never end.

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
    owned_queue::system_percpu,
    periodic::{
        new_periodic,
        Periodic,
        Ticker, //
    }, //
};

/// The module's one periodic item.
pub(crate) type Ticks = Periodic<CountedTick>;

pub(crate) struct CountedTick {
    ledger: Arc<Ledger>,
}

pub(crate) fn new(ledger: Arc<Ledger>) -> Result<Ticks> {
    new_periodic!(
        system_percpu(),
        CountedTick { ledger },
        "workqueue_demo::periodic"
    )
}

/// Starts the ticks, one every `period_ms` milliseconds. Changes nothing if they come at that
/// period already; at another period they start anew.
pub(crate) fn start(ticks: &Ticks, period_ms: u32) -> Result {
    ticks.ticker().ledger.check_open()?;
    ticks.start(Delta::from_millis(period_ms.into()));
    Ok(())
}

/// Stops the ticks. When this returns none runs, and none will before the next [`start`].
pub(crate) fn stop(ticks: &Ticks) {
    ticks.stop();
}

impl Ticker for CountedTick {
    fn tick(&self) {
        self.ledger.run(Kind::Periodic, None, || ());
    }

    fn started(&self, period: Delta) {
        self.ledger.ticking(Some(period));
    }

    fn stopped(&self) {
        self.ledger.ticking(None);
    }

    fn arming(&self, delay: Delta) {
        self.ledger.queued(Kind::Periodic, Times::due_in(delay));
    }

    fn cancelled(&self) {
        self.ledger.cancelled(Kind::Periodic);
    }
}

#[kunit_tests(workqueue_demo_periodic)]
mod tests {
    use super::{
        super::super::ledger::CloseOnDrop,
        *, //
    };

    #[test]
    fn nothing_starts_to_tick_once_the_ledger_is_closed() -> Result {
        let ledger = Ledger::new()?;
        let ticks = new(ledger.clone())?;
        start(&ticks, 3_600_000)?;
        stop(&ticks);
        drop(CloseOnDrop(ledger.clone()));
        assert_eq!(start(&ticks, 3_600_000), Err(ENODEV));
        let shown = ledger.snapshot();
        assert!(!shown.ticking);
        assert_eq!(shown.row(Kind::Periodic).queued, 1);
        Ok(())
    }
}
