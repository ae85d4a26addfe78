// SPDX-License-Identifier: GPL-2.0

//! Handles of plain items.

use kernel::prelude::*;

#[kunit_tests(abstractions_work_handle)]
mod tests {
    use super::*;
    use kernel::{
        new_mutex,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc,
            Mutex, //
        },
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use crate::{
        abstractions::{
            owned_queue::{
                spawn,
                system_percpu,
                OwnedQueue, //
            },
            work::{
                new_work_handle,
                Handler, //
            }, //
        },
        probe::{
            ensure,
            BlockedQueue,
            Count,
            Probe,
            Subject, //
        }, //
    };

    #[test]
    fn a_pending_item_is_not_queued_twice() -> Result {
        let probe = Probe::opened()?;
        let blocked = BlockedQueue::new()?;
        let handle = new_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        ensure!(!handle.enqueue());
        blocked.unblock();
        handle.flush();
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    /// A handler that must not be moved, as those of drivers often are.
    #[pin_data]
    struct Log {
        #[pin]
        lines: Mutex<KVec<u32>>,
        seen: Atomic<u32>,
    }

    impl Handler for Log {
        fn run(&self) {
            for line in self.lines.lock().drain_all() {
                self.seen.add(line, Relaxed);
            }
        }
    }

    #[test]
    fn a_handler_may_have_a_mutex_of_its_own() -> Result {
        let log = pin_init!(Log {
            lines <- new_mutex!(KVec::new()),
            seen: Atomic::new(0),
        });
        let log = new_work_handle!(system_percpu(), log)?;
        log.lines.lock().push(42, GFP_KERNEL)?;
        log.enqueue();
        log.flush();
        ensure!(log.seen.load(Relaxed) == 42);
        Ok(())
    }

    #[test]
    fn a_cancelled_item_can_be_queued_again() -> Result {
        let probe = Probe::opened()?;
        let blocked = BlockedQueue::new()?;
        let handle = new_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        ensure!(!handle.cancel_sync());
        ensure!(handle.enqueue());
        ensure!(handle.cancel_sync());
        ensure!(!handle.cancel_sync());
        ensure!(handle.enqueue());
        blocked.unblock();
        handle.flush();
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn a_disabled_item_is_refused_until_it_has_been_enabled_as_often() -> Result {
        let probe = Probe::opened()?;
        let blocked = BlockedQueue::new()?;
        let handle = new_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        ensure!(handle.disable_sync());
        ensure!(!handle.disable_sync());
        ensure!(!handle.enable());
        ensure!(!handle.enqueue());
        ensure!(handle.enable());
        ensure!(!handle.enable());
        ensure!(handle.enqueue());
        // An item that is not disabled is left alone.
        ensure!(!handle.enable());
        blocked.unblock();
        handle.flush();
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn who_enables_an_item_can_queue_it_while_another_waits_for_its_run() -> Result {
        let probe = Probe::closed()?;
        let item = new_work_handle!(system_percpu(), Subject::new(&probe))?;
        let item = Arc::new(item, GFP_KERNEL)?;
        ensure!(item.enqueue());
        probe.started.wait_for(1)?;
        let disablers = OwnedQueue::unbound(c"kunit_disablers").build()?;
        let (of_disabler, taken_back) = (item.clone(), Count::new_shared()?);
        let by_disabler = taken_back.clone();
        spawn!(disablers, GFP_KERNEL, move || {
            if of_disabler.disable_sync() {
                by_disabler.increment();
            }
        })?;
        // There is nothing to enable until the other thread has disabled the item.
        while !item.enable() {
            fsleep(Delta::from_millis(1));
        }
        ensure!(item.enqueue());
        probe.open();
        disablers.flush();
        item.flush();
        ensure!(taken_back.get() == 0);
        ensure!(probe.finished.get() == 2);
        Ok(())
    }

    #[test]
    fn disabling_waits_for_a_run() -> Result {
        let probe = Probe::closed()?;
        let handle = new_work_handle!(system_percpu(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        probe.started.wait_for(1)?;
        probe.open();
        ensure!(!handle.disable_sync());
        ensure!(probe.finished.get() == 1);
        Ok(())
    }

    #[test]
    fn dropping_the_handle_takes_a_pending_item_back_and_drops_its_handler() -> Result {
        let probe = Probe::opened()?;
        let blocked = BlockedQueue::new()?;
        let handle = new_work_handle!(blocked.queue.clone(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        drop(handle);
        ensure!(probe.dropped.get() == 1);
        drop(blocked);
        ensure!(probe.started.get() == 0);
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn dropping_the_handle_waits_for_a_run_and_drops_its_handler() -> Result {
        let probe = Probe::closed()?;
        let handle = new_work_handle!(system_percpu(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        probe.started.wait_for(1)?;
        probe.open();
        drop(handle);
        ensure!(probe.finished.get() == 1);
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn the_handle_keeps_a_shared_queue_until_it_goes() -> Result {
        let queue = OwnedQueue::percpu(c"kunit_shared").build()?;
        let queue = Arc::new(queue, GFP_KERNEL)?;
        let probe = Probe::opened()?;
        let handle = new_work_handle!(queue.clone(), Subject::new(&probe))?;
        ensure!(Arc::into_unique_or_drop(queue).is_none());
        // Only the handle has a share by now.
        ensure!(handle.enqueue());
        probe.started.wait_for(1)?;
        ensure!(handle.enqueue());
        drop(handle);
        ensure!(probe.started.get() == probe.finished.get());
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn the_handle_gives_up_its_share_in_the_queue() -> Result {
        let queue = OwnedQueue::ordered(c"kunit_shared").build()?;
        let queue = Arc::new(queue, GFP_KERNEL)?;
        let probe = Probe::opened()?;
        let handle = new_work_handle!(queue.clone(), Subject::new(&probe))?;
        ensure!(handle.enqueue());
        drop(handle);
        ensure!(Arc::into_unique_or_drop(queue).is_some());
        Ok(())
    }
}
