// SPDX-License-Identifier: GPL-2.0

//! Items that rightly wait for other items: lockdep must tell them apart.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    abstractions::{
        periodic::Ticker,
        work::Handler, //
    },
    probe::Count, //
};

/// A handler that waits for something else, and counts how often it did.
struct Waiter<F> {
    started: Arc<Count>,
    waited: Arc<Count>,
    wait: F,
}

impl<F: Fn() -> bool + Send + Sync + 'static> Handler for Waiter<F> {
    fn run(&self) {
        self.started.increment();
        if (self.wait)() {
            self.waited.increment();
        }
    }
}

struct Nothing;

impl Ticker for Nothing {
    fn tick(&self) {}
}

#[kunit_tests(abstractions_lock_classes)]
mod tests {
    use super::*;
    use kernel::time::Delta;

    use crate::{
        abstractions::{
            delayed_work::{
                new_delayed_work_handle,
                DelayedHandler, //
            },
            owned_queue::{
                spawn,
                system_percpu,
                OwnedQueue, //
            },
            periodic::new_periodic,
            work::new_work_handle, //
        },
        probe::{
            at_last,
            ensure,
            lockdep_is_content,
            Probe,
            Subject,
            AN_HOUR, //
        }, //
    };

    /// Runs a handler that calls `wait`, and opens `probe` meanwhile. Returns whether `wait`
    /// returned `true`.
    fn wait_while_it_runs(
        probe: &Probe,
        wait: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<bool> {
        let (started, waited) = (Count::new_shared()?, Count::new_shared()?);
        let handler = Waiter {
            started: started.clone(),
            waited: waited.clone(),
            wait,
        };
        let waiter = new_work_handle!(system_percpu(), handler, "waiter")?;
        waiter.enqueue();
        started.wait_for(1)?;
        probe.open();
        waiter.flush();
        Ok(waited.get() == 1)
    }

    #[test]
    fn a_handler_may_flush_the_item_of_another_handle() -> Result {
        ensure!(at_last(|| {
            let probe = Probe::closed()?;
            let other = new_work_handle!(system_percpu(), Subject::new(&probe), "flushed")?;
            other.enqueue();
            probe.started.wait_for(1)?;
            wait_while_it_runs(&probe, move || other.flush())
        })?);
        ensure!(lockdep_is_content());
        Ok(())
    }

    #[test]
    fn a_handler_may_cancel_the_item_of_another_handle() -> Result {
        let probe = Probe::closed()?;
        let other = new_work_handle!(system_percpu(), Subject::new(&probe), "cancelled")?;
        other.enqueue();
        probe.started.wait_for(1)?;
        ensure!(wait_while_it_runs(&probe, move || !other.cancel_sync())?);
        ensure!(probe.finished.get() == 1);
        ensure!(lockdep_is_content());
        Ok(())
    }

    /// A handler that stops another delayed item.
    struct Stopper<F>(F);

    impl<F: Fn() + Send + Sync + 'static> DelayedHandler for Stopper<F> {
        fn run(&self) -> Option<Delta> {
            (self.0)();
            None
        }
    }

    #[test]
    fn a_delayed_handler_may_stop_another_delayed_item() -> Result {
        let probe = Probe::closed()?;
        let stopped = Count::new_shared()?;
        let other = new_delayed_work_handle!(system_percpu(), Subject::new(&probe), "stopped")?;
        other.enqueue_delayed(Delta::ZERO);
        probe.started.wait_for(1)?;
        probe.open();
        let by_handler = stopped.clone();
        let stopper = Stopper(move || {
            other.disable_sync();
            by_handler.increment();
        });
        let stopper = new_delayed_work_handle!(system_percpu(), stopper, "stopper")?;
        stopper.enqueue_delayed(Delta::ZERO);
        stopped.wait_for(1)?;
        stopper.enqueue_delayed(AN_HOUR);
        stopper.disable_sync();
        ensure!(probe.finished.get() == 1);
        ensure!(lockdep_is_content());
        Ok(())
    }

    #[test]
    fn a_handler_may_stop_periodic_work() -> Result {
        let probe = Probe::opened()?;
        let ticks = new_periodic!(system_percpu(), Nothing, "ticks")?;
        ticks.start(Delta::from_millis(1));
        ensure!(wait_while_it_runs(&probe, move || {
            ticks.stop();
            true
        })?);
        ensure!(lockdep_is_content());
        Ok(())
    }

    #[test]
    fn a_closure_may_wait_for_the_closures_of_another_queue() -> Result {
        let probe = Probe::closed()?;
        let others = Arc::new(OwnedQueue::unbound(c"kunit_others").build()?, GFP_KERNEL)?;
        let subject = Subject::new(&probe);
        spawn!(others, GFP_KERNEL, move || subject.run(), "other")?;
        let waiters = OwnedQueue::unbound(c"kunit_waiters").build()?;
        let started = Count::new_shared()?;
        let of_waiter = started.clone();
        let waiter = move || {
            of_waiter.increment();
            others.flush();
        };
        spawn!(waiters, GFP_KERNEL, waiter, "waiter")?;
        started.wait_for(1)?;
        probe.open();
        waiters.flush();
        ensure!(probe.finished.get() == 1);
        ensure!(probe.dropped.get() == 1);
        ensure!(lockdep_is_content());
        Ok(())
    }
}
