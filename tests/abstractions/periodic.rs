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

/// Counts what a ticker is told.
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

    /// Whether each armed tick has run or was cancelled, and none ran while stopped.
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
    use kernel::{
        time::{
            delay::fsleep,
            msecs_to_jiffies,
            Instant,
            Monotonic, //
        }, //
    };

    use crate::{
        abstractions::{
            jiffies::{
                self,
                JIFFY,
                LONGEST_DELAY, //
            },
            owned_queue::{
                system_percpu,
                OwnedQueue, //
            },
            periodic::{
                new_periodic,
                Grid, //
            }, //
        },
        probe::{
            ensure,
            patience, //
        }, //
    };

    const SHORT: Delta = Delta::from_millis(1);

    #[test]
    fn ticks_that_are_late_stay_on_the_grid() -> Result {
        let period = Delta::from_millis(10);
        let start = Instant::<Monotonic>::now();
        let mut grid = Grid::new(period, start);
        for tick in 1..1000 {
            let late = Delta::from_millis(tick % 10);
            let delay = grid.advance(start + period * tick + late);
            ensure!(delay == period - late);
        }
        Ok(())
    }

    #[test]
    fn of_ticks_that_were_missed_one_comes_at_once_and_the_next_on_its_place() -> Result {
        let period = JIFFY * 4;
        let start = Instant::<Monotonic>::now();
        for missed in 1..20 {
            let mut grid = Grid::new(period, start);
            // When the first tick comes, `missed` more are overdue.
            let now = start + period * (1 + missed) + JIFFY;
            ensure!(grid.advance(now) == Delta::ZERO - JIFFY);
            ensure!(grid.advance(now) == JIFFY * 3);
        }
        Ok(())
    }

    /// When a timer on C's wheel fires if it is armed at `armed` for so many `jiffies`. Both are in
    /// jiffies. See `calc_wheel_index()` in `kernel/time/timer.c`.
    fn fires_at(armed: i64, jiffies: i64) -> i64 {
        let expires = armed + jiffies;
        let mut level = 0;
        while jiffies >= 63 << (3 * level) {
            level += 1;
        }
        ((expires >> (3 * level)) + 1) << (3 * level)
    }

    /// How many ticks come within five seconds, on C's timer wheel and with a worker that is more
    /// or less late. They are started `phase` after the beginning of a jiffy.
    fn ticks(period: Delta, phase: Delta) -> Result<i64> {
        let start = Instant::<Monotonic>::now();
        let mut grid = Grid::new(period, start + phase);
        // The time since that jiffy began.
        let mut now = phase;
        let mut delay = period;
        let mut ticks = 0;
        loop {
            let late = Delta::from_micros(20 + 37 * ticks % 130);
            now = match jiffies::at_least(delay) {
                // Queued without a timer.
                0 => now + late,
                jiffies => JIFFY * fires_at(now / JIFFY, jiffies as i64) + late,
            };
            if now > phase + Delta::from_secs(5) {
                return Ok(ticks);
            }
            ticks += 1;
            ensure!(now >= phase + period * ticks);
            delay = grid.advance(start + now);
        }
    }

    #[test]
    fn the_number_of_ticks_is_exact_to_one_for_every_period_from_10_ms() -> Result {
        for ms in 10..=1000 {
            let period = Delta::from_millis(ms);
            for eighths in 0..8 {
                let phase = Delta::from_nanos(JIFFY.as_nanos() / 8 * eighths);
                let ticks = ticks(period, phase)?;
                // Where jiffies are long, a timer is two jiffies late at most.
                let late = period.max(JIFFY * 2);
                let all = Delta::from_secs(5) / period;
                ensure!(ticks <= all && ticks >= (Delta::from_secs(5) - late) / period);
                ensure!(JIFFY > Delta::from_millis(5) || ticks >= all - 1);
            }
        }
        Ok(())
    }

    /// Its ticks take 30 ms each. It remembers the longest delay that it is told after the first.
    struct Slow {
        longest: Atomic<i64>,
        ticks: Atomic<i64>,
    }

    impl Ticker for Slow {
        fn tick(&self) {
            fsleep(Delta::from_millis(30));
            self.ticks.add(1, Relaxed);
        }

        fn arming(&self, delay: Delta) {
            if self.ticks.load(Relaxed) > 0 && delay.as_nanos() > self.longest.load(Relaxed) {
                self.longest.store(delay.as_nanos(), Relaxed);
            }
        }
    }

    #[test]
    fn the_time_that_a_tick_takes_puts_off_none_behind_it() -> Result {
        let slow = Slow {
            longest: Atomic::new(i64::MIN),
            ticks: Atomic::new(0),
        };
        let clock = new_periodic!(system_percpu(), slow)?;
        clock.start(Delta::from_millis(100));
        while clock.ticker().ticks.load(Relaxed) < 3 {
            fsleep(Delta::from_millis(10));
        }
        clock.stop();
        let longest = Delta::from_nanos(clock.ticker().longest.load(Relaxed));
        ensure!(longest <= Delta::from_millis(70));
        Ok(())
    }

    #[test]
    fn a_delay_takes_no_more_jiffies_than_in_c() -> Result {
        ensure!(jiffies::at_least(Delta::ZERO) == 0);
        ensure!(jiffies::at_least(Delta::from_nanos(1)) == msecs_to_jiffies(1));
        for ms in [1, 2, 3, 4, 5, 9, 10, 11, 999, 3_600_000] {
            ensure!(jiffies::at_least(Delta::from_millis(ms.into())) == msecs_to_jiffies(ms));
        }
        Ok(())
    }

    #[test]
    fn stop_is_final_under_a_tick_that_arms_itself() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock")?;
        for _ in 0..50 {
            let before = told.ticks.get();
            clock.start(SHORT);
            told.ticks.wait_for(before + 2)?;
            clock.stop();
            ensure!(clock.period().is_none());
            ensure!(told.balances());
        }
        let ticks = told.ticks.get();
        fsleep(patience());
        ensure!(told.ticks.get() == ticks);
        ensure!(told.balances());
        Ok(())
    }

    /// Like `Clock`, but `arming` takes 100 ms once it has ticked.
    struct Hesitant(Clock);

    impl Ticker for Hesitant {
        fn tick(&self) {
            self.0.tick();
        }

        fn started(&self, period: Delta) {
            self.0.started(period);
        }

        fn stopped(&self) {
            self.0.stopped();
        }

        fn arming(&self, delay: Delta) {
            self.0.arming(delay);
            if self.0 .0.ticks.get() > 0 {
                fsleep(Delta::from_millis(100));
            }
        }

        fn cancelled(&self) {
            self.0.cancelled();
        }
    }

    #[test]
    fn a_tick_that_was_to_be_armed_when_stop_came_is_cancelled() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Hesitant(Clock(told.clone())), "hesitant")?;
        clock.start(SHORT);
        told.armed.wait_for(2)?;
        clock.stop();
        ensure!(told.ticks.get() == 1);
        ensure!(told.cancelled.get() == 1);
        ensure!(told.balances());
        Ok(())
    }

    #[test]
    fn a_tick_that_is_armed_for_later_is_cancelled_by_stop() -> Result {
        let told = Told::new()?;
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock")?;
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
        let clock = new_periodic!(system_percpu(), Clock(told.clone()), "clock")?;
        clock.start(Delta::from_secs(i64::MAX));
        ensure!(clock.period() == Some(LONGEST_DELAY));
        clock.start(Delta::from_secs(i64::MIN));
        ensure!(clock.period() == Some(JIFFY));
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
            let clock = new_periodic!(queue, Clock(told.clone()), "clock")?;
            clock.start(SHORT);
            told.ticks.wait_for(1)?;
            drop(clock);
            ensure!(told.dropped.load(Relaxed) == 1);
        }
        // A timer left behind would fire by now, on a destroyed queue.
        fsleep(patience());
        Ok(())
    }
}
