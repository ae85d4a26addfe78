// SPDX-License-Identifier: GPL-2.0

//! Periodic work.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta, //
};

use crate::{
    abstractions::periodic::Ticker,
    probe::Count, //
};

/// What a ticker is told, counted.
#[pin_data]
struct Told {
    #[pin]
    ticks: Count,
    #[pin]
    armed: Count,
    #[pin]
    cancelled: Count,
    stopped: Atomic<bool>,
    ticks_while_stopped: Atomic<u32>,
    dropped: Atomic<u32>,
}

impl Told {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                ticks <- Count::new(),
                armed <- Count::new(),
                cancelled <- Count::new(),
                stopped: Atomic::new(true),
                ticks_while_stopped: Atomic::new(0),
                dropped: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// What was armed has ticked or was cancelled, and nothing ticked that should not.
    fn balances(&self) -> bool {
        self.armed.get() == self.ticks.get() + self.cancelled.get()
            && self.ticks_while_stopped.load(Relaxed) == 0
    }
}

struct Clock(Arc<Told>);

impl Drop for Clock {
    fn drop(&mut self) {
        self.0.dropped.add(1, Relaxed);
    }
}

impl Ticker for Clock {
    fn tick(&self) {
        if self.0.stopped.load(Relaxed) {
            self.0.ticks_while_stopped.add(1, Relaxed);
        }
        self.0.ticks.increment();
    }

    fn started(&self, _period: Delta) {
        self.0.stopped.store(false, Relaxed);
    }

    fn stopped(&self) {
        self.0.stopped.store(true, Relaxed);
    }

    fn arming(&self, _delay: Delta) {
        self.0.armed.increment();
    }

    fn cancelled(&self) {
        self.0.cancelled.increment();
    }
}

#[kunit_tests(abstractions_periodic)]
mod tests {
    use super::*;
    use kernel::time::delay::fsleep;

    use crate::{
        abstractions::{
            owned_queue::{
                system_percpu,
                OwnedQueue, //
            },
            periodic::new_periodic, //
        },
        probe::ensure, //
    };

    const SHORT: Delta = Delta::from_millis(1);

    #[test]
    fn stop_is_final_under_a_tick_that_arms_itself() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock");
        let clock = KBox::pin_init(clock, GFP_KERNEL)?;
        for _ in 0..50 {
            let before = told.ticks.get();
            clock.start(SHORT);
            told.ticks.wait_for(before + 2)?;
            clock.stop();
            ensure!(clock.period().is_none());
            ensure!(told.balances());
        }
        let ticks = told.ticks.get();
        fsleep(Delta::from_millis(50));
        ensure!(told.ticks.get() == ticks);
        ensure!(told.balances());
        Ok(())
    }

    #[test]
    fn a_tick_that_is_armed_for_later_is_cancelled_by_stop() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock");
        let clock = KBox::pin_init(clock, GFP_KERNEL)?;
        clock.start(Delta::from_secs(3600));
        clock.stop();
        clock.stop();
        ensure!(told.armed.get() == 1);
        ensure!(told.cancelled.get() == 1);
        ensure!(told.ticks.get() == 0);
        Ok(())
    }

    #[test]
    fn a_period_that_no_timer_takes_is_the_longest_or_shortest_there_is() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock");
        let clock = KBox::pin_init(clock, GFP_KERNEL)?;
        clock.start(Delta::from_secs(i64::MAX));
        ensure!(clock.period() == Some(Delta::from_secs(24 * 24 * 60 * 60)));
        clock.start(Delta::from_secs(i64::MIN));
        ensure!(clock.period() == Some(Delta::ZERO));
        told.ticks.wait_for(2)?;
        clock.stop();
        ensure!(told.balances());
        Ok(())
    }

    #[test]
    fn dropping_it_while_it_ticks_stops_it_before_its_queue_goes() -> Result {
        for _ in 0..20 {
            let told = Told::new()?;
            let queue = OwnedQueue::unbound(c"kunit_ticks").build()?;
            let queue = Arc::new(queue, GFP_KERNEL)?;
            let clock = new_periodic!(queue, Clock(told.clone()), "clock");
            let clock = KBox::pin_init(clock, GFP_KERNEL)?;
            clock.start(SHORT);
            told.ticks.wait_for(1)?;
            drop(clock);
            ensure!(told.dropped.load(Relaxed) == 1);
        }
        // A timer that was left would fire by now, on a queue that is gone.
        fsleep(Delta::from_millis(50));
        Ok(())
    }
}
