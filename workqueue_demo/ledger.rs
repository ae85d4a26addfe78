// SPDX-License-Identifier: GPL-2.0

//! The counts: what became of every item.
//!
//! The ledger is told of each step of an item's life under one lock, and where C decides (was the
//! item pending already?) it is asked under that lock. In every row, whenever the lock is free,
//!
//! > queued = cancelled + executed + pending + running

use kernel::{
    cpu::CpuId,
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::command;
use crate::abstractions::worker;

/// A kind of work: a row of the table.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Immediate,
    Delayed,
    Custom,
    Data,
    Periodic,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Immediate,
        Self::Delayed,
        Self::Custom,
        Self::Data,
        Self::Periodic,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Delayed => "delayed",
            Self::Custom => "custom",
            Self::Data => "data",
            Self::Periodic => "periodic",
        }
    }

    /// Whether items of this kind run on the module's own queue.
    fn on_own_queue(self) -> bool {
        matches!(self, Self::Custom | Self::Data)
    }
}

/// When an item was queued, and when it is to run.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    queued: Instant<Monotonic>,
    due: Instant<Monotonic>,
}

impl Times {
    pub(crate) fn due_in(delay: Delta) -> Self {
        let queued = Instant::now();
        Self {
            queued,
            due: queued + delay,
        }
    }

    pub(crate) fn due_now() -> Self {
        Self::due_in(Delta::ZERO)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) queued: u64,
    pub(crate) coalesced: u64,
    pub(crate) cancelled: u64,
    pub(crate) executed: u64,
    pub(crate) pending: u64,
    pub(crate) running: u64,
    /// How long after it was due the last item started, in microseconds.
    pub(crate) wait_us: i64,
    /// Of the one item of a kind: the first is to start next, the second has been queued in the
    /// moment between C handing the first to a worker and its handler telling the ledger.
    times: [Times; 2],
}

impl Row {
    fn new() -> Self {
        Self {
            queued: 0,
            coalesced: 0,
            cancelled: 0,
            executed: 0,
            pending: 0,
            running: 0,
            wait_us: 0,
            times: [Times::due_now(); 2],
        }
    }

    fn queue(&mut self, items: u64, times: Times) {
        self.times[usize::from(self.pending > 0)] = times;
        self.queued += items;
        self.pending += items;
    }

    /// `times` are the item's own, or `None` where there is only one item of the kind. Returns
    /// the time since it was queued.
    fn start(&mut self, times: Option<Times>) -> Delta {
        let now = Instant::now();
        let times = times.unwrap_or(self.times[0]);
        self.times[0] = self.times[1];
        self.pending -= 1;
        self.running += 1;
        // Jiffies, which timers count, lag behind the clock where ticks come late: a timer that
        // was armed then is early by as much.
        self.wait_us = (now - times.due).max(Delta::ZERO).as_micros_ceil();
        now - times.queued
    }

    fn cancel(&mut self) {
        self.pending -= 1;
        self.cancelled += 1;
    }

    fn reset(&mut self) {
        self.queued = self.pending + self.running;
        self.coalesced = 0;
        self.cancelled = 0;
        self.executed = 0;
    }
}

/// All there is to show, of one moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    rows: [Row; Kind::ALL.len()],
    /// The most items that have run on the own queue at once.
    pub(crate) peak_running: u64,
    pub(crate) ticking: bool,
    /// Of the periodic work, when it ticked last if it is stopped.
    pub(crate) period: Delta,
    closed: bool,
}

impl Snapshot {
    pub(crate) fn row(&self, kind: Kind) -> &Row {
        &self.rows[kind as usize]
    }

    fn row_mut(&mut self, kind: Kind) -> &mut Row {
        &mut self.rows[kind as usize]
    }

    fn running_on_own_queue(&self) -> u64 {
        let own = Kind::ALL.into_iter().filter(|kind| kind.on_own_queue());
        own.map(|kind| self.row(kind).running).sum()
    }

    fn check_open(&self) -> Result {
        if self.closed {
            Err(ENODEV)
        } else {
            Ok(())
        }
    }
}

/// An item's run.
struct Run {
    kind: Kind,
    /// Since the item was queued.
    waited: Delta,
    worker: worker::Name,
    cpu: CpuId,
}

/// The counts of all kinds, and whether anything is accepted.
///
/// # Locking
///
/// One spinlock, held for a few instructions and for C's queueing functions, which may be called
/// in any context. Process context only; no method sleeps.
#[pin_data]
pub(crate) struct Ledger {
    #[pin]
    state: SpinLock<Snapshot>,
}

impl Ledger {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let state = Snapshot {
            rows: [Row::new(); Kind::ALL.len()],
            peak_running: 0,
            ticking: false,
            period: Delta::from_millis(command::DEFAULT_PERIOD_MS.into()),
            closed: false,
        };
        Arc::pin_init(
            pin_init!(Self {
                state <- new_spinlock!(state, "Ledger::state"),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        *self.state.lock()
    }

    /// Queues the one item of a kind by means of `enqueue`, which says whether it was idle; if it
    /// was pending already that counts as coalesced.
    ///
    /// # Errors
    ///
    /// `ENODEV` once the ledger is closed.
    pub(crate) fn queue(&self, kind: Kind, times: Times, enqueue: impl FnOnce() -> bool) -> Result {
        let mut state = self.state.lock();
        state.check_open()?;
        if enqueue() {
            state.row_mut(kind).queue(1, times);
        } else {
            state.row_mut(kind).coalesced += 1;
        }
        Ok(())
    }

    /// Lets `count` new items of a kind in, which the caller queues next.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if more than `limit` would then be outstanding; `ENODEV` once the ledger is
    /// closed. None is let in then.
    pub(crate) fn admit(&self, kind: Kind, count: u64, limit: u64, times: Times) -> Result {
        let mut state = self.state.lock();
        state.check_open()?;
        let row = state.row_mut(kind);
        if row.pending + row.running + count > limit {
            return Err(EAGAIN);
        }
        row.queue(count, times);
        Ok(())
    }

    /// Counts an item that was taken back.
    pub(crate) fn cancelled(&self, kind: Kind) {
        self.state.lock().row_mut(kind).cancel();
    }

    /// Runs an item's `body`, counts it and logs it. `times` are the item's own, or `None` where
    /// there is only one item of the kind. Once the ledger is closed the item counts as cancelled
    /// and `body` is not run.
    pub(crate) fn run(&self, kind: Kind, times: Option<Times>, body: impl FnOnce()) {
        if let Some(run) = self.started(kind, times) {
            body();
            self.finished(run);
        }
    }

    /// Counts an item whose run begins, or one that is cancelled because the ledger is closed.
    fn started(&self, kind: Kind, times: Option<Times>) -> Option<Run> {
        let mut state = self.state.lock();
        if state.closed {
            state.row_mut(kind).cancel();
            return None;
        }
        let waited = state.row_mut(kind).start(times);
        state.peak_running = state.peak_running.max(state.running_on_own_queue());
        drop(state);
        Some(Run {
            kind,
            waited,
            worker: worker::Name::current(),
            cpu: CpuId::current(),
        })
    }

    /// Logs a run that ends, and counts it.
    fn finished(&self, run: Run) {
        pr_info!(
            "{} work ran on {} (CPU {}) after {} ms\n",
            run.kind.name(),
            run.worker,
            run.cpu.as_u32(),
            run.waited.as_millis()
        );
        let mut state = self.state.lock();
        let row = state.row_mut(run.kind);
        row.running -= 1;
        row.executed += 1;
    }

    /// Counts an item that is about to be queued, and will then run or be cancelled.
    pub(crate) fn queued(&self, kind: Kind, times: Times) {
        self.state.lock().row_mut(kind).queue(1, times);
    }

    /// Notes at which period the periodic work ticks, or that it is stopped.
    pub(crate) fn ticking(&self, period: Option<Delta>) {
        let mut state = self.state.lock();
        state.ticking = period.is_some();
        state.period = period.unwrap_or(state.period);
    }

    /// Says whether work is accepted.
    ///
    /// # Errors
    ///
    /// `ENODEV` once the ledger is closed.
    pub(crate) fn check_open(&self) -> Result {
        self.state.lock().check_open()
    }

    /// Counts anew: what is done is forgotten, what is outstanding stays.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.rows.iter_mut().for_each(Row::reset);
        state.peak_running = state.running_on_own_queue();
    }

    fn close(&self) {
        self.state.lock().closed = true;
    }
}

/// Closes the ledger when it is dropped.
pub(crate) struct CloseOnDrop(pub(crate) Arc<Ledger>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[kunit_tests(workqueue_demo_ledger)]
mod tests {
    use super::*;

    fn balances(row: &Row) -> bool {
        row.queued == row.cancelled + row.executed + row.pending + row.running
    }

    #[test]
    fn an_item_queued_again_before_its_handler_starts_keeps_the_times_of_each_queueing() {
        let late = Delta::from_secs(1);
        let mut row = Row::new();
        row.queue(1, Times::due_in(Delta::ZERO - late));
        // C has taken the first off the queue, its handler has not told yet.
        row.queue(1, Times::due_now());
        row.start(None);
        assert!(row.wait_us >= late.as_micros_ceil());
        row.start(None);
        assert!(row.wait_us < late.as_micros_ceil());
        assert!(balances(&row));
    }

    #[test]
    fn an_item_that_starts_early_has_not_waited() {
        let mut row = Row::new();
        row.queue(1, Times::due_in(Delta::from_secs(1)));
        row.start(None);
        assert_eq!(row.wait_us, 0);
    }

    #[test]
    fn a_reset_keeps_what_is_outstanding() {
        let mut row = Row::new();
        row.queue(3, Times::due_now());
        row.start(None);
        row.cancel();
        row.reset();
        assert_eq!((row.queued, row.cancelled), (2, 0));
        assert!(balances(&row));
    }
}
