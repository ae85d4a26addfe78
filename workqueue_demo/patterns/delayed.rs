// SPDX-License-Identifier: GPL-2.0

//! Pattern: run this later, and be able to take it back.
//!
//! C: `INIT_DELAYED_WORK(&item, handler)`, `schedule_delayed_work(&item, delay)`,
//! `cancel_delayed_work_sync(&item)`.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::Delta, //
};

use super::super::ledger::{
    Kind,
    Ledger,
    Times, //
};
use crate::abstractions::{
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler,
        DelayedWorkHandle, //
    },
    owned_queue::system_percpu, //
};

/// The module's one delayed item.
pub(crate) type Delayed = DelayedWorkHandle<DelayedOnce>;

#[pin_data]
pub(crate) struct DelayedOnce {
    /// Held by whoever arms the item or takes it back. C refuses an item that is being taken back,
    /// and returns the same as for an armed one, as if no second run were needed.
    #[pin]
    commands: Mutex<()>,
    ledger: Arc<Ledger>,
}

pub(crate) fn new(ledger: Arc<Ledger>) -> Result<Delayed> {
    let handler = pin_init!(DelayedOnce {
        commands <- new_mutex!((), "workqueue_demo::delayed::commands"),
        ledger,
    });
    new_delayed_work_handle!(system_percpu(), handler, "workqueue_demo::delayed")
}

/// Arms the item to run in `ms` milliseconds. An armed item keeps its time.
pub(crate) fn arm(item: &Delayed, ms: u32) -> Result {
    let delay = Delta::from_millis(ms.into());
    let _commands = item.commands.lock();
    item.ledger.queue(Kind::Delayed, Times::due_in(delay), || {
        item.enqueue_delayed(delay)
    })
}

/// Takes the item back if it is armed. When this returns it neither runs nor will run.
pub(crate) fn cancel(item: &Delayed) {
    item.ledger
        .take_back(Kind::Delayed, item.commands.lock(), || item.cancel_sync());
}

impl DelayedHandler for DelayedOnce {
    fn run(&self) -> Option<Delta> {
        self.ledger.run(Kind::Delayed, None, || ());
        None
    }
}

#[kunit_tests(workqueue_demo_delayed)]
mod tests {
    use kernel::time::delay::fsleep;

    use super::*;
    use crate::abstractions::owned_queue::{
        spawn,
        OwnedQueue, //
    };

    const AN_HOUR: u32 = 3_600_000;

    /// Runs `command` on a worker while this thread holds the lock. Returns how many items are
    /// pending then, and how many after that.
    fn meanwhile(item: Arc<Delayed>, command: fn(&Delayed)) -> Result<(u64, u64)> {
        let pending = |item: &Delayed| item.ledger.snapshot().row(Kind::Delayed).pending;
        let queue = OwnedQueue::unbound(c"kunit_commands").build()?;
        let of_thread = item.clone();
        let commands = item.commands.lock();
        spawn!(queue, GFP_KERNEL, move || command(&of_thread))?;
        fsleep(Delta::from_millis(20));
        let before = pending(&item);
        drop(commands);
        queue.flush();
        Ok((before, pending(&item)))
    }

    #[test]
    fn nobody_arms_or_takes_back_the_item_while_somebody_else_does() -> Result {
        let item = Arc::new(new(Ledger::new()?)?, GFP_KERNEL)?;
        let arm = |item: &Delayed| {
            let _ = super::arm(item, AN_HOUR);
        };
        assert_eq!(meanwhile(item.clone(), arm)?, (0, 1));
        assert!(item.is_armed());
        assert_eq!(meanwhile(item.clone(), cancel)?, (1, 0));
        assert!(!item.is_armed());
        Ok(())
    }
}
