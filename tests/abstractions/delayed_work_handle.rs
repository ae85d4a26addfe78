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
            Delta,
            Jiffies, //
        }, //
    };

    use crate::{
        abstractions::{
            delayed_work::{
                new_delayed_work_handle,
                DelayedHandler,
                DelayedWorkHandle,
                Rearm, //
            },
            jiffies::LONGEST_DELAY,
            owned_queue::{
                spawn,
                system_percpu,
                OwnedQueue, //
            }, //
        },
        probe::{
            an_hour,
            ensure,
            patience,
            BlockedQueue,
            Count,
            Probe,
            Subject, //
        }, //
    };

    /// Arms itself again, and again.
    struct Restless(Subject);

    impl DelayedHandler for Restless {
        fn run(&self, rearm: &Rearm<'_, Self>) {
            self.0.run();
            rearm.after(1);
        }
    }

    fn restless(probe: &Arc<Probe>) -> Result<Pin<KBox<DelayedWorkHandle<Restless>>>> {
        let handler = Restless(Subject::new(probe));
        KBox::pin_init(
            new_delayed_work_handle!(system_percpu(), handler, "restless"),
            GFP_KERNEL,
        )
    }

    fn own_queue() -> Result<Arc<OwnedQueue>> {
        let queue = OwnedQueue::unbound(c"kunit_delayed").build()?;
        Ok(Arc::new(queue, GFP_KERNEL)?)
    }

    #[test]
    fn the_table_of_what_cancel_sync_returns_holds() -> Result {
        let probe = Probe::closed()?;
        let blocked = BlockedQueue::new()?;
        let on_blocked = new_delayed_work_handle!(blocked.queue.clone(), Subject::new(&probe));
        let on_blocked = KBox::pin_init(on_blocked, GFP_KERNEL)?;
        let item = new_delayed_work_handle!(system_percpu(), Subject::new(&probe));
        let item = KBox::pin_init(item, GFP_KERNEL)?;

        // Idle.
        ensure!(!item.lock().cancel_sync());
        // Armed.
        ensure!(item.lock().arm(an_hour()));
        ensure!(item.lock().cancel_sync());
        // Queued, its timer expired.
        ensure!(on_blocked.lock().arm(1));
        while on_blocked.is_armed() {
            fsleep(Delta::from_millis(1));
        }
        ensure!(!on_blocked.lock().arm(1));
        ensure!(on_blocked.lock().cancel_sync());
        ensure!(probe.started.get() == 0);
        // Running.
        ensure!(item.lock().arm(1));
        probe.started.wait_for(1)?;
        probe.open();
        ensure!(!item.lock().cancel_sync());
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn a_delay_that_no_timer_holds_is_the_longest_there_is() -> Result {
        let probe = Probe::opened()?;
        let item = new_delayed_work_handle!(system_percpu(), Subject::new(&probe));
        let item = KBox::pin_init(item, GFP_KERNEL)?;
        for delay in [LONGEST_DELAY + 1, Jiffies::MAX / 2, 1 << 63, Jiffies::MAX] {
            ensure!(item.lock().arm(delay));
            fsleep(patience());
            ensure!(item.is_armed());
            ensure!(item.lock().cancel_sync());
            ensure!(!item.is_armed());
        }
        ensure!(probe.started.get() == 0);
        Ok(())
    }

    #[test]
    fn an_armed_item_is_not_armed_twice() -> Result {
        let probe = Probe::opened()?;
        let item = new_delayed_work_handle!(system_percpu(), Subject::new(&probe));
        let item = KBox::pin_init(item, GFP_KERNEL)?;
        let mut control = item.lock();
        ensure!(control.arm(an_hour()));
        ensure!(!control.arm(1));
        ensure!(control.cancel_sync());
        ensure!(probe.started.get() == 0);
        Ok(())
    }

    #[test]
    fn a_stopped_item_is_started_again_by_whoever_queues_it() -> Result {
        let probe = Probe::opened()?;
        let item = new_delayed_work_handle!(system_percpu(), Subject::new(&probe));
        let item = KBox::pin_init(item, GFP_KERNEL)?;
        ensure!(!item.lock().stop());
        ensure!(item.enqueue_delayed(an_hour()));
        ensure!(!item.enqueue_delayed(1));
        ensure!(item.lock().stop());
        ensure!(item.enqueue_delayed(0));
        probe.finished.wait_for(1)?;
        Ok(())
    }

    #[test]
    fn what_is_queued_while_the_item_is_being_cancelled_is_not_lost() -> Result {
        let probe = Probe::closed()?;
        let item = new_delayed_work_handle!(system_percpu(), Subject::new(&probe));
        let item = Arc::pin_init(item, GFP_KERNEL)?;
        ensure!(item.enqueue_delayed(0));
        probe.started.wait_for(1)?;

        let queue = own_queue()?;
        let (locked, taken_back) = (Count::new_shared()?, Count::new_shared()?);
        let (canceller, has_locked, was_taken_back) =
            (item.clone(), locked.clone(), taken_back.clone());
        spawn!(queue, GFP_KERNEL, move || {
            let mut control = canceller.lock();
            has_locked.increment();
            if control.cancel_sync() {
                was_taken_back.increment();
            }
        })?;
        locked.wait_for(1)?;
        let accepted = Count::new_shared()?;
        let (other, is_accepted) = (item.clone(), accepted.clone());
        spawn!(queue, GFP_KERNEL, move || {
            if other.enqueue_delayed(an_hour()) {
                is_accepted.increment();
            }
        })?;
        // For C to have refused it by now. If not, it is accepted all the same, and taken back.
        fsleep(Delta::from_millis(20));
        probe.open();
        queue.flush();
        ensure!(accepted.get() == 1);
        ensure!(probe.started.get() == 1);
        let is_armed = taken_back.get() == 0;
        ensure!(item.lock().cancel_sync() == is_armed);
        Ok(())
    }

    #[test]
    fn dropping_the_handle_takes_an_armed_timer_back_before_the_queue_goes() -> Result {
        for delay in [an_hour(), 2, 1, 0, 1, 2] {
            let probe = Probe::opened()?;
            // The handle's is the only share in the queue.
            let item = new_delayed_work_handle!(own_queue()?, Subject::new(&probe));
            let item = KBox::pin_init(item, GFP_KERNEL)?;
            ensure!(item.lock().arm(delay));
            drop(item);
            ensure!(probe.started.get() == probe.finished.get());
            ensure!(probe.dropped.get() == 1);
        }
        // A timer that was left would fire by now, on a queue that is gone.
        fsleep(Delta::from_millis(50));
        Ok(())
    }

    #[test]
    fn the_handle_gives_up_its_share_in_the_queue() -> Result {
        let probe = Probe::opened()?;
        let queue = own_queue()?;
        let item = new_delayed_work_handle!(queue.clone(), Subject::new(&probe));
        let item = KBox::pin_init(item, GFP_KERNEL)?;
        ensure!(item.lock().arm(an_hour()));
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
            item.lock().arm(0);
            probe.started.wait_for(2)?;
            drop(item);
            ensure!(probe.started.get() == probe.finished.get());
            ensure!(probe.dropped.get() == 1);
        }
        Ok(())
    }

    #[test]
    fn stop_is_final_until_the_item_is_armed_again() -> Result {
        let probe = Probe::opened()?;
        let item = restless(&probe)?;
        for _ in 0..10 {
            let before = probe.started.get();
            ensure!(item.lock().arm(0));
            probe.started.wait_for(before + 2)?;
            item.lock().stop();
            let runs = probe.started.get();
            ensure!(probe.finished.get() == runs);
            ensure!(!item.flush());
            fsleep(Delta::from_millis(10));
            ensure!(probe.started.get() == runs);
            ensure!(!item.lock().stop());
        }
        Ok(())
    }
}
