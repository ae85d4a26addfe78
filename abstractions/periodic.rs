// SPDX-License-Identifier: GPL-2.0

//! Work that runs again and again, until it is stopped: a delayed item that arms itself.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        Mutex,
        SpinLock, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

use super::{
    delayed_work::{
        DelayedHandler,
        DelayedWorkHandle, //
    },
    jiffies::{
        JIFFY,
        LONGEST_DELAY, //
    },
    owned_queue::{
        LockClass,
        QueueOwner,
        SystemQueue, //
    }, //
};

/// What periodic work does.
///
/// # Examples
///
/// Where a count of what is armed has to agree with what C knows:
///
/// ```
/// use kernel::{
///     sync::atomic::{Atomic, Relaxed},
///     time::Delta,
/// };
/// use crate::abstractions::periodic::Ticker;
///
/// struct Counted(Atomic<i32>);
///
/// impl Ticker for Counted {
///     fn tick(&self) {
///         self.0.fetch_sub(1, Relaxed);
///     }
///
///     fn arming(&self, _: Delta) {
///         self.0.fetch_add(1, Relaxed);
///     }
///
///     fn cancelled(&self) {
///         self.0.fetch_sub(1, Relaxed);
///     }
/// }
/// ```
pub(crate) trait Ticker: Send + Sync + 'static {
    /// One tick. Runs in process context, on a worker thread, and may sleep; never twice at the
    /// same time.
    fn tick(&self);

    /// It starts to tick every `period`. This and [`stopped`](Self::stopped) are called under one
    /// mutex, so the last call holds. May sleep.
    fn started(&self, _period: Delta) {}

    /// It has stopped: no tick runs. May sleep.
    fn stopped(&self) {}

    /// A tick is about to be armed, to run in `delay`, or at once if that is negative: the tick is
    /// overdue then. It either ticks or is [`cancelled`](Self::cancelled), unless the whole is
    /// dropped. May sleep.
    fn arming(&self, _delay: Delta) {}

    /// The tick that was armed last, or was about to be, will not come. May sleep.
    fn cancelled(&self) {}
}

/// The shortest period. Faster ticks would leave no time for anybody else.
const SHORTEST_PERIOD: Delta = JIFFY;

/// How late a timer of a few jiffies may be.
const LATEST: Delta = Delta::from_nanos(2 * JIFFY.as_nanos());

/// When ticks are due: a period apart, however late each of them comes.
///
/// # Examples
///
/// ```
/// use kernel::time::{Delta, Instant};
/// use crate::abstractions::periodic::Grid;
///
/// let now = Instant::now();
/// let mut grid = Grid::new(Delta::from_millis(10), now);
/// // The tick after the first is due in 20 ms.
/// let delay = grid.advance(now);
/// # let _ = delay;
/// ```
pub(crate) struct Grid {
    period: Delta,
    due: Instant<Monotonic>,
}

impl Grid {
    /// A grid whose first tick is due a period from `now`. The period must be more than zero.
    pub(crate) fn new(period: Delta, now: Instant<Monotonic>) -> Self {
        Self {
            period,
            due: now + period,
        }
    }

    /// Moves on by a tick and returns the time until then: negative if the tick is overdue. An
    /// overdue tick comes at once, and the next one at its own time. Of several overdue ticks only
    /// the last comes. The others are not made up for, unless they are no later than a timer may
    /// be.
    pub(crate) fn advance(&mut self, now: Instant<Monotonic>) -> Delta {
        self.due = self.due + self.period;
        let overdue = now - self.due;
        if overdue >= self.period.max(LATEST) {
            // No period is shorter, so the division cannot fail.
            let missed = overdue / self.period.max(SHORTEST_PERIOD);
            self.due = self.due + self.period * missed;
        }
        self.due - now
    }
}

/// The delayed item's handler: ticks, and has the item armed again.
#[pin_data]
struct Loop<T: Ticker> {
    /// Held by whoever starts and stops it.
    #[pin]
    control: Mutex<()>,
    /// `None`: stopped.
    #[pin]
    grid: SpinLock<Option<Grid>>,
    #[pin]
    ticker: T,
}

impl<T: Ticker> Loop<T> {
    fn new<E>(ticker: impl PinInit<T, E>, control: LockClass) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            control <- Mutex::new((), control.0, control.1),
            // One class for all: nothing else is taken or waited for under this lock.
            grid <- new_spinlock!(None, "Periodic::grid"),
            ticker <- ticker,
        })
    }

    /// How long it is until the next tick, unless it is stopped.
    fn advance(&self) -> Option<Delta> {
        let mut grid = self.grid.lock();
        // The time is read under the lock, because the wait for the lock may take time.
        (*grid).as_mut().map(|grid| grid.advance(Instant::now()))
    }
}

impl<T: Ticker> DelayedHandler for Loop<T> {
    fn run(&self) -> Option<Delta> {
        self.ticker.tick();
        let delay = self.advance()?;
        // Before it is armed, for it may tick at once.
        self.ticker.arming(delay);
        Some(delay)
    }

    fn not_rearmed(&self) {
        // It is being stopped.
        self.ticker.cancelled();
    }
}

/// Makes a [`Periodic`] with newly-created lock classes and, if one is given, this name for them:
/// [`Periodic::new`]. May sleep.
///
/// # Examples
///
/// ```
/// use crate::abstractions::{
///     owned_queue::system_percpu,
///     periodic::{new_periodic, Periodic, Ticker},
/// };
///
/// struct Blink;
///
/// impl Ticker for Blink {
///     fn tick(&self) {}
/// }
///
/// struct Driver {
///     blink: Periodic<Blink>,
/// }
///
/// let driver = Driver {
///     blink: new_periodic!(system_percpu(), Blink, "blink")?,
/// };
/// # drop(driver);
/// # Ok::<(), Error>(())
/// ```
macro_rules! new_periodic {
    ($queue:expr, $ticker:expr $(, $name:literal)? $(,)?) => {
        $crate::abstractions::periodic::Periodic::new(
            $queue,
            $ticker,
            [
                $crate::abstractions::owned_queue::lock_class!("" $(, $name)?),
                $crate::abstractions::owned_queue::lock_class!("_timer" $(, $name)?),
                $crate::abstractions::owned_queue::lock_class!("_control" $(, $name)?),
            ],
        )
    };
}
pub(crate) use new_periodic;

/// Periodic work on a queue, stopped at first.
///
/// When [`stop`](Self::stop) returns no tick runs, and none will before the next
/// [`start`](Self::start): the item is disabled, and nobody can arm it, not even a tick that was
/// just running. Dropping this stops it too.
///
/// # Locking and context
///
/// `start`, `stop` and the destructor sleep. They take a mutex and, under it, wait for the tick
/// that runs: so the ticker must not call them (lockdep tells, as soon as one of them has once
/// found a tick queued or running). What [`WorkHandle`] says of other handles' items and of
/// forgotten handles holds here too.
///
/// # Examples
///
/// ```
/// use kernel::time::Delta;
/// use crate::abstractions::{
///     owned_queue::system_percpu,
///     periodic::{new_periodic, Ticker},
/// };
///
/// struct Heartbeat;
///
/// impl Ticker for Heartbeat {
///     fn tick(&self) {
///         pr_debug!("alive\n");
///     }
/// }
///
/// let heartbeat = new_periodic!(system_percpu(), Heartbeat, "heartbeat")?;
/// heartbeat.start(Delta::from_secs(1));
/// heartbeat.stop();
/// // No tick runs or will run.
/// # Ok::<(), Error>(())
/// ```
///
/// [`WorkHandle`]: super::work::WorkHandle
pub(crate) struct Periodic<T: Ticker, Q: QueueOwner = SystemQueue> {
    item: DelayedWorkHandle<Loop<T>, Q>,
}

impl<T: Ticker, Q: QueueOwner> Periodic<T, Q> {
    /// Makes periodic work that ticks on `queue`: what [`new_periodic!`] expands to. `ticker` is
    /// one, or an initialiser of one. The lock classes are those of its item, of the item's timer,
    /// and of the mutex under which it is started and stopped. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of the initialiser.
    pub(crate) fn new<E>(
        queue: Q,
        ticker: impl PinInit<T, E>,
        [class, timer, control]: [LockClass; 3],
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let handler = Loop::new(ticker, control);
        let item = DelayedWorkHandle::new::<Error>(queue, handler, class, timer)?;
        Ok(Self { item })
    }

    /// Starts to tick every `period`, for the first time in one period. Changes nothing if it ticks
    /// at that period already; at another period it starts anew. Sleeps.
    ///
    /// The longest period is 24 days (12 at 1,000 Hz), the shortest a jiffy. A longer or shorter
    /// one becomes that. Each tick is due a whole number of periods after the start: a late tick
    /// does not delay the next ones. Ticks that are missed altogether, because the next one is due
    /// as well, are left out.
    ///
    /// C: `enable_delayed_work()`, `queue_delayed_work()`.
    pub(crate) fn start(&self, period: Delta) {
        let period = period.clamp(SHORTEST_PERIOD, LONGEST_DELAY);
        let _control = self.item.control.lock();
        if self.period() == Some(period) {
            return;
        }
        self.stop_controlled();
        *self.item.grid.lock() = Some(Grid::new(period, Instant::now()));
        self.item.ticker.started(period);
        // Before it is armed, for it may tick at once.
        self.item.ticker.arming(period);
        // The item is idle. It is disabled once, unless it has never been stopped.
        self.item.enable();
        self.item.enqueue_delayed(period);
    }

    /// Stops the ticks, and waits for one that runs. Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`.
    pub(crate) fn stop(&self) {
        let _control = self.item.control.lock();
        self.stop_controlled();
    }

    /// To be called with `control` held.
    fn stop_controlled(&self) {
        // A tick that runs arms no other from here on.
        if self.item.grid.lock().take().is_none() {
            return;
        }
        if self.item.disable_sync() {
            self.item.ticker.cancelled();
        }
        self.item.ticker.stopped();
    }

    /// The period at which it ticks, or `None` if it is stopped. Process context; sleeps on
    /// PREEMPT_RT alone, as a spinlock does there.
    pub(crate) fn period(&self) -> Option<Delta> {
        self.item.grid.lock().as_ref().map(|at| at.period)
    }

    /// The ticker. Any context.
    pub(crate) fn ticker(&self) -> &T {
        &self.item.ticker
    }
}
