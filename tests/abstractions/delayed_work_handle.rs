// SPDX-License-Identifier: GPL-2.0

//! Handles of delayed items.

use kernel::prelude::*;

#[kunit_tests(abstractions_delayed_work_handle)]
mod tests {
    use super::*;
    use kernel::{
        sync::Arc,
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use crate::{
        abstractions::{
            delayed_work::{
                new_delayed_work_handle,
                DelayedHandler,
                DelayedWorkHandle, //
            },
            jiffies::{
                JIFFY,
                LONGEST_DELAY, //
            },
            owned_queue::{
                spawn,
                system_percpu,
                OwnedQueue, //
            }, //
        },
        probe::{
            ensure,
            patience,
            BlockedQueue,
            Count,
            Probe,
            Subject,
            AN_HOUR, //
        }, //
    };

    /// A handler whose item is armed again after each run.
    #[pin_data]
    struct Restless {
        subject: Subject,
        #[pin]
        refusals: Count,
    }

    impl DelayedHandler for Restless {
        fn run(&self) -> Option<Delta> {
            self.subject.run();
            Some(JIFFY)
        }

        fn not_rearmed(&self) {
            self.refusals.increment();
        }
    }

    fn restless(probe: &Arc<Probe>) -> Result<DelayedWorkHandle<Restless>> {
        let handler = pin_init!(Restless {
            subject: Subject::new(probe),
            refusals <- Count::new(),
        });
        new_delayed_work_handle!(system_percpu(), handler, "restless")
    }

    fn item(probe: &Arc<Probe>) -> Result<DelayedWorkHandle<Subject>> {
        new_delayed_work_handle!(system_percpu(), Subject::new(probe))
    }

    fn own_queue() -> Result<Arc<OwnedQueue>> {
        let queue = OwnedQueue::unbound(c"kunit_delayed").build()?;
        Ok(Arc::new(queue, GFP_KERNEL)?)
    }

    #[test]
    fn the_table_of_what_cancel_sync_returns_holds() -> Result {
        let probe = Probe::closed()?;
        let blocked = BlockedQueue::new()?;
        let on_blocked = new_delayed_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        let item = item(&probe)?;

        // Idle.
        ensure!(!item.cancel_sync());
        // Armed.
        ensure!(item.enqueue_delayed(AN_HOUR));
        ensure!(item.cancel_sync());
        // Queued: its timer has expired.
        ensure!(on_blocked.enqueue_delayed(JIFFY));
        while on_blocked.is_armed() {
            fsleep(Delta::from_millis(1));
        }
        ensure!(!on_blocked.enqueue_delayed(JIFFY));
        ensure!(on_blocked.cancel_sync());
        ensure!(probe.started.get() == 0);
        // Running.
        ensure!(item.enqueue_delayed(JIFFY));
        probe.started.wait_for(1)?;
        probe.open();
        ensure!(!item.cancel_sync());
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn a_delay_that_no_timer_holds_is_the_longest_there_is() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        for delay in [
            LONGEST_DELAY + JIFFY,
            Delta::from_secs(1 << 32),
            Delta::from_nanos(i64::MAX),
        ] {
            ensure!(item.enqueue_delayed(delay));
            fsleep(patience());
            ensure!(item.is_armed());
            ensure!(item.cancel_sync());
            ensure!(!item.is_armed());
        }
        ensure!(probe.started.get() == 0);
        Ok(())
    }

    #[test]
    fn a_delay_of_less_than_no_time_is_over_at_once() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        for (delay, runs) in [
            (Delta::from_nanos(i64::MIN), 1),
            (Delta::from_millis(-1), 2),
        ] {
            item.enqueue_delayed(delay);
            probe.finished.wait_for(runs)?;
            item.flush();
        }
        Ok(())
    }

    #[test]
    fn an_armed_item_is_not_armed_twice_and_its_time_stands() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        ensure!(item.enqueue_delayed(AN_HOUR));
        ensure!(!item.enqueue_delayed(JIFFY));
        fsleep(patience());
        ensure!(item.is_armed());
        ensure!(item.cancel_sync());
        ensure!(probe.started.get() == 0);
        Ok(())
    }

    #[test]
    fn flush_runs_an_armed_item_now() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        ensure!(!item.flush());
        ensure!(item.enqueue_delayed(AN_HOUR));
        item.flush();
        ensure!(probe.finished.get() == 1);
        ensure!(!item.is_armed());
        Ok(())
    }

    #[test]
    fn a_disabled_item_is_refused_until_it_has_been_enabled_as_often() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        ensure!(item.enqueue_delayed(AN_HOUR));
        ensure!(item.disable_sync());
        ensure!(!item.disable_sync());
        ensure!(!item.enqueue_delayed(Delta::ZERO));
        ensure!(!item.enable());
        ensure!(!item.enqueue_delayed(Delta::ZERO));
        ensure!(item.enable());
        ensure!(probe.started.get() == 0);
        ensure!(item.enqueue_delayed(Delta::ZERO));
        probe.finished.wait_for(1)?;
        Ok(())
    }

    #[test]
    fn an_item_that_is_not_disabled_is_left_alone_by_enable() -> Result {
        let probe = Probe::opened()?;
        let blocked = BlockedQueue::new()?;
        let item = new_delayed_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        // C would wait for the timer of an armed item, and would forget a queued one.
        ensure!(item.enqueue_delayed(AN_HOUR));
        ensure!(!item.enable());
        ensure!(item.is_armed());
        ensure!(item.cancel_sync());
        ensure!(item.enqueue_delayed(Delta::ZERO));
        ensure!(!item.enable());
        blocked.unblock();
        item.flush();
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn a_handle_can_be_disabled_more_often_than_c_counts() -> Result {
        let probe = Probe::opened()?;
        let item = item(&probe)?;
        for _ in 0..70_000 {
            ensure!(!item.disable_sync());
        }
        ensure!(!item.enqueue_delayed(Delta::ZERO));
        let mut enabled = 1;
        while !item.enable() {
            enabled += 1;
        }
        ensure!(enabled == 1 << 15);
        ensure!(item.enqueue_delayed(Delta::ZERO));
        probe.finished.wait_for(1)?;
        Ok(())
    }

    #[test]
    fn an_item_is_refused_while_it_is_being_cancelled() -> Result {
        let probe = Probe::closed()?;
        let item = Arc::new(item(&probe)?, GFP_KERNEL)?;
        ensure!(item.enqueue_delayed(Delta::ZERO));
        probe.started.wait_for(1)?;
        let (canceller, cancelled) = (item.clone(), Count::new_shared()?);
        let of_canceller = cancelled.clone();
        let queue = own_queue()?;
        spawn!(queue, GFP_KERNEL, move || {
            canceller.cancel_sync();
            of_canceller.increment();
        })?;
        // Until the canceller has begun, the item can be armed. The canceller then takes it back.
        while item.enqueue_delayed(AN_HOUR) || item.is_armed() {
            fsleep(Delta::from_millis(1));
        }
        ensure!(cancelled.get() == 0);
        probe.open();
        cancelled.wait_for(1)?;
        ensure!(!item.is_armed());
        ensure!(item.enqueue_delayed(AN_HOUR));
        Ok(())
    }

    #[test]
    fn dropping_the_handle_takes_an_armed_timer_back_before_the_queue_goes() -> Result {
        for delay in [AN_HOUR, JIFFY * 2, JIFFY, Delta::ZERO, JIFFY, JIFFY * 2] {
            let probe = Probe::opened()?;
            // Only the handle has a share in the queue.
            let item = new_delayed_work_handle!(own_queue()?, Subject::new(&probe))?;
            ensure!(item.enqueue_delayed(delay));
            drop(item);
            ensure!(probe.started.get() == probe.finished.get());
            ensure!(probe.dropped.get() == 1);
        }
        // A timer left behind would fire by now, on a destroyed queue.
        fsleep(Delta::from_millis(50));
        Ok(())
    }

    #[test]
    fn the_handle_gives_up_its_share_in_the_queue() -> Result {
        let probe = Probe::opened()?;
        let queue = own_queue()?;
        let item = new_delayed_work_handle!(queue.clone(), Subject::new(&probe))?;
        ensure!(item.enqueue_delayed(AN_HOUR));
        drop(item);
        ensure!(Arc::into_unique_or_drop(queue).is_some());
        ensure!(probe.started.get() == 0);
        Ok(())
    }

    #[test]
    fn dropping_the_handle_stops_an_item_that_arms_itself() -> Result {
        for _ in 0..10 {
            let probe = Probe::opened()?;
            let item = restless(&probe)?;
            item.enqueue_delayed(Delta::ZERO);
            probe.started.wait_for(2)?;
            drop(item);
            ensure!(probe.started.get() == probe.finished.get());
            ensure!(probe.dropped.get() == 1);
        }
        Ok(())
    }

    #[test]
    fn disabling_is_final_until_the_item_is_enabled_again() -> Result {
        let probe = Probe::opened()?;
        let item = restless(&probe)?;
        for _ in 0..10 {
            let before = probe.started.get();
            ensure!(item.enqueue_delayed(Delta::ZERO));
            probe.started.wait_for(before + 2)?;
            item.disable_sync();
            let runs = probe.started.get();
            ensure!(probe.finished.get() == runs);
            ensure!(!item.flush());
            fsleep(Delta::from_millis(10));
            ensure!(probe.started.get() == runs);
            ensure!(item.enable());
        }
        Ok(())
    }

    #[test]
    fn a_handler_is_told_when_it_is_not_armed_again() -> Result {
        let probe = Probe::closed()?;
        let item = Arc::new(restless(&probe)?, GFP_KERNEL)?;
        ensure!(item.enqueue_delayed(Delta::ZERO));
        probe.started.wait_for(1)?;
        // Somebody else arms it first.
        ensure!(item.enqueue_delayed(AN_HOUR));
        probe.open();
        item.refusals.wait_for(1)?;
        ensure!(item.cancel_sync());
        ensure!(probe.finished.get() == 1);
        // Now each run arms it again.
        ensure!(item.enqueue_delayed(Delta::ZERO));
        probe.finished.wait_for(3)?;
        ensure!(item.refusals.get() == 1);
        Ok(())
    }
}
