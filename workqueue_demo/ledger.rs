// SPDX-License-Identifier: GPL-2.0

//! The counts: what became of every item.
//!
//! One lock covers each step of an item's life. Where C decides (was the item pending already?), it
//! is asked under that lock. In every row, whenever the lock is free,
//!
//! > queued = cancelled + executed + pending + running
//!
//! Those who flush wait here, for the items that were queued before.

use kernel::{
    cpu::CpuId,
    new_condvar,
    new_spinlock,
    prelude::*,
    str::BStr,
    sync::{
        Arc,
        CondVar,
        SpinLock, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::{
    colors::{
        Color,
        Colors, //
    },
    command,
    queue_kind::QueueKind, //
};
use crate::abstractions::{
    owned_queue::system_percpu,
    worker, //
};

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

    /// Whether it can run as soon as it is queued.
    fn is_due_when_queued(self) -> bool {
        matches!(self, Self::Immediate | Self::Custom | Self::Data)
    }

    /// Whether a flush waits for an item of this kind that runs.
    fn is_flushed(self) -> bool {
        self != Self::Periodic
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

/// What the ledger has to know of an item when its run begins.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    times: Times,
    /// Which of the module's queues it is on, or `None` if it is on the system's.
    pub(crate) queue: Option<QueueKind>,
    /// The color of the flushes that wait for it, or `None` if none does: it is armed for later, or
    /// a tick.
    color: Option<Color>,
}

impl Entry {
    /// The name of the queue that the item is on.
    fn queue_name(&self) -> &'static BStr {
        match self.queue {
            Some(kind) => kind.shown_name(),
            None => BStr::from_bytes(system_percpu().name().to_bytes()),
        }
    }
}

/// How many items of a queue run.
#[derive(Clone, Copy)]
struct Running {
    now: u64,
    /// The most that have run at once.
    peak: u64,
}

impl Running {
    fn start(&mut self) {
        self.now += 1;
        self.peak = self.peak.max(self.now);
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
    /// How late the last item started, in microseconds after it was due.
    pub(crate) wait_us: i64,
    /// For a kind with only one item. The first is to start next. The second was queued after C
    /// handed the first to a worker, and before its handler told the ledger.
    entries: [Entry; 2],
}

impl Row {
    fn new() -> Self {
        let entry = Entry {
            times: Times::due_now(),
            queue: None,
            color: None,
        };
        Self {
            queued: 0,
            coalesced: 0,
            cancelled: 0,
            executed: 0,
            pending: 0,
            running: 0,
            wait_us: 0,
            entries: [entry; 2],
        }
    }

    fn queue(&mut self, items: u64, entry: Entry) {
        self.entries[usize::from(self.pending > 0)] = entry;
        self.queued += items;
        self.pending += items;
    }

    /// For a kind with only one item: takes the entry of the run that begins.
    fn take_first(&mut self) -> Entry {
        let first = self.entries[0];
        self.entries[0] = self.entries[1];
        first
    }

    /// For a kind with only one item: the entry that was queued last.
    fn last(&self) -> Entry {
        self.entries[usize::from(self.pending > 1)]
    }

    /// Returns the time since the item was queued.
    fn start(&mut self, times: Times) -> Delta {
        let now = Instant::now();
        self.pending -= 1;
        self.running += 1;
        // Timers count jiffies. Where ticks come late, jiffies lag behind the clock, and a timer
        // armed then is early by as much.
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
    /// For each of the module's queues.
    queues: [Running; QueueKind::ALL.len()],
    pub(crate) ticking: bool,
    /// The period of the periodic work. If it is stopped, the last one.
    pub(crate) period: Delta,
}

impl Snapshot {
    pub(crate) fn row(&self, kind: Kind) -> &Row {
        &self.rows[kind as usize]
    }

    fn row_mut(&mut self, kind: Kind) -> &mut Row {
        &mut self.rows[kind as usize]
    }

    /// The most items that have run on a queue at once.
    pub(crate) fn peak_running(&self, queue: QueueKind) -> u64 {
        self.queues[queue as usize].peak
    }
}

struct State {
    shown: Snapshot,
    colors: Colors,
    closed: bool,
}

impl State {
    fn new() -> Self {
        Self {
            shown: Snapshot {
                rows: [Row::new(); Kind::ALL.len()],
                queues: [Running { now: 0, peak: 0 }; QueueKind::ALL.len()],
                ticking: false,
                period: Delta::from_millis(command::DEFAULT_PERIOD_MS.into()),
            },
            colors: Colors::new(),
            closed: false,
        }
    }

    fn check_open(&self) -> Result {
        if self.closed {
            Err(ENODEV)
        } else {
            Ok(())
        }
    }

    fn row(&mut self, kind: Kind) -> &mut Row {
        self.shown.row_mut(kind)
    }

    /// Counts items that are queued. Flushes wait for them unless they are to run later. `queue` is
    /// the module's queue that they are on, or `None` for the system's.
    fn queue(&mut self, kind: Kind, queue: Option<QueueKind>, items: u64, times: Times) -> Entry {
        let color = kind.is_due_when_queued().then(|| self.colors.add(items));
        let entry = Entry {
            times,
            queue,
            color,
        };
        self.row(kind).queue(items, entry);
        entry
    }

    /// Counts an item whose run begins, and says how long ago it was queued.
    fn start(&mut self, kind: Kind, entry: &mut Entry) -> Delta {
        if kind.is_flushed() && entry.color.is_none() {
            entry.color = Some(self.colors.add(1));
        }
        if let Some(queue) = entry.queue {
            self.shown.queues[queue as usize].start();
        }
        self.row(kind).start(entry.times)
    }

    /// Counts an item that will not run. Returns whether a flush may be over now.
    fn cancel(&mut self, kind: Kind, entry: Entry) -> bool {
        self.row(kind).cancel();
        self.end(entry)
    }

    /// Counts an item that has run. Returns whether a flush may be over now.
    fn finish(&mut self, kind: Kind, entry: Entry) -> bool {
        let row = self.row(kind);
        row.running -= 1;
        row.executed += 1;
        if let Some(queue) = entry.queue {
            self.shown.queues[queue as usize].now -= 1;
        }
        self.end(entry)
    }

    fn end(&mut self, entry: Entry) -> bool {
        entry.color.is_some_and(|color| self.colors.remove(color))
    }

    /// Lets flushes wait for the delayed item if its timer has fired and it has not started: it is
    /// pending, and not armed any more.
    fn color_what_is_due(&mut self, is_armed: bool) {
        let row = self.shown.row_mut(Kind::Delayed);
        let due = row.pending.saturating_sub(is_armed.into());
        for (entry, _) in row.entries.iter_mut().zip(0..due) {
            entry.color.get_or_insert_with(|| self.colors.add(1));
        }
    }

    fn reset(&mut self) {
        self.shown.rows.iter_mut().for_each(Row::reset);
        let queues = &mut self.shown.queues;
        queues.iter_mut().for_each(|queue| queue.peak = queue.now);
    }
}

/// An item's run.
struct Run {
    kind: Kind,
    entry: Entry,
    /// Since the item was queued.
    waited: Delta,
    worker: worker::Name,
    cpu: CpuId,
}

/// The counts of all kinds, what flushes wait for, and whether anything is accepted.
///
/// # Locking
///
/// One spinlock. It is held for a few instructions and for C's queueing functions, which any
/// context may call. Process context only: on `PREEMPT_RT` the lock sleeps. Only
/// [`flush`](Self::flush) waits for anything else.
#[pin_data]
pub(crate) struct Ledger {
    #[pin]
    state: SpinLock<State>,
    /// Notified when flushes may be over.
    #[pin]
    flushed: CondVar,
}

impl Ledger {
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                state <- new_spinlock!(State::new(), "Ledger::state"),
                flushed <- new_condvar!("Ledger::flushed"),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state.lock().shown
    }

    /// Queues the one item of a kind on the system's queue. `enqueue` does it, and says whether the
    /// item was idle; if not, it counts as coalesced.
    ///
    /// # Errors
    ///
    /// `ENODEV` once the ledger is closed.
    pub(crate) fn queue(&self, kind: Kind, times: Times, enqueue: impl FnOnce() -> bool) -> Result {
        let mut state = self.state.lock();
        state.check_open()?;
        if enqueue() {
            state.queue(kind, None, 1, times);
        } else {
            state.row(kind).coalesced += 1;
        }
        Ok(())
    }

    /// Lets `count` new items of a kind in. The caller queues them next on that queue, each with
    /// the returned entry.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if more than `limit` of the kind would then be outstanding; `ENODEV` once the
    /// ledger is closed. None is let in then.
    pub(crate) fn admit(
        &self,
        kind: Kind,
        queue: QueueKind,
        count: u64,
        limit: u64,
        times: Times,
    ) -> Result<Entry> {
        let mut state = self.state.lock();
        state.check_open()?;
        let row = state.row(kind);
        if row.pending + row.running + count > limit {
            return Err(EAGAIN);
        }
        Ok(state.queue(kind, Some(queue), count, times))
    }

    /// Takes the one item of a kind back. `cancel` does it, and says whether the item was pending.
    /// Nobody queues the item without `lock`, which is held until this is counted. Sleeps if
    /// `cancel` does.
    pub(crate) fn take_back<L>(&self, kind: Kind, lock: L, cancel: impl FnOnce() -> bool) {
        if cancel() {
            self.cancelled(kind);
        }
        drop(lock);
    }

    /// Counts the one item of a kind, which was taken back.
    pub(crate) fn cancelled(&self, kind: Kind) {
        self.update(|state| {
            let entry = state.row(kind).last();
            state.cancel(kind, entry)
        });
    }

    /// Runs an item's `body`, counts it and logs it. `entry` is the item's own, or `None` if the
    /// kind has only one item. Once the ledger is closed, it counts the item as cancelled and does
    /// not run `body`.
    pub(crate) fn run(&self, kind: Kind, entry: Option<Entry>, body: impl FnOnce()) {
        if let Some(run) = self.started(kind, entry) {
            body();
            self.finished(run);
        }
    }

    /// Counts an item whose run begins, or one that is cancelled because the ledger is closed.
    fn started(&self, kind: Kind, entry: Option<Entry>) -> Option<Run> {
        let mut state = self.state.lock();
        let mut entry = entry.unwrap_or_else(|| state.row(kind).take_first());
        if state.closed {
            state.cancel(kind, entry);
            drop(state);
            self.flushed.notify_all();
            return None;
        }
        let waited = state.start(kind, &mut entry);
        drop(state);
        Some(Run {
            kind,
            entry,
            waited,
            worker: worker::Name::current(),
            cpu: CpuId::current(),
        })
    }

    /// Logs a run that ends, and counts it.
    fn finished(&self, run: Run) {
        pr_info!(
            "{} work ran on {} (CPU {}) of {} after {} ms\n",
            run.kind.name(),
            run.worker,
            run.cpu.as_u32(),
            run.entry.queue_name(),
            run.waited.as_millis()
        );
        self.update(|state| state.finish(run.kind, run.entry));
    }

    /// Changes the counts. If `change` says that a flush may be over, wakes those that flush.
    fn update(&self, change: impl FnOnce(&mut State) -> bool) {
        if change(&mut self.state.lock()) {
            self.flushed.notify_all();
        }
    }

    /// Waits until all that is queued now has run, except armed timers and the periodic work.
    /// `is_armed` says whether the timer of the delayed item runs. Sleeps.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came first.
    pub(crate) fn flush(&self, is_armed: impl FnOnce() -> bool) -> Result {
        let mut state = self.state.lock();
        state.color_what_is_due(is_armed());
        let Some(color) = state.colors.cut() else {
            return Ok(());
        };
        while !state.colors.is_flushed(color) {
            let interrupted = self.flushed.wait_interruptible(&mut state);
            if interrupted && !state.colors.is_flushed(color) {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }

    /// Counts an item that is about to be queued, and will then run or be cancelled.
    pub(crate) fn queued(&self, kind: Kind, times: Times) {
        self.state.lock().queue(kind, None, 1, times);
    }

    /// Notes at which period the periodic work ticks, or that it is stopped.
    pub(crate) fn ticking(&self, period: Option<Delta>) {
        let mut state = self.state.lock();
        state.shown.ticking = period.is_some();
        state.shown.period = period.unwrap_or(state.shown.period);
    }

    /// Says whether work is accepted.
    ///
    /// # Errors
    ///
    /// `ENODEV` once the ledger is closed.
    pub(crate) fn check_open(&self) -> Result {
        self.state.lock().check_open()
    }

    /// Counts anew: it forgets what is done, and keeps what is outstanding.
    pub(crate) fn reset(&self) {
        self.state.lock().reset();
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

    fn entry(times: Times) -> Entry {
        Entry {
            times,
            queue: None,
            color: None,
        }
    }

    #[test]
    fn an_item_queued_again_before_its_handler_starts_keeps_the_times_of_each_queueing() {
        // Less than the kernel has been up for.
        let late = Delta::from_millis(20);
        let mut row = Row::new();
        row.queue(1, entry(Times::due_in(Delta::ZERO - late)));
        // C has taken the first off the queue. Its handler has not told the ledger yet.
        row.queue(1, entry(Times::due_now()));
        let first = row.take_first();
        row.start(first.times);
        assert!(row.wait_us >= late.as_micros_ceil());
        let second = row.take_first();
        row.start(second.times);
        assert!(row.wait_us < late.as_micros_ceil());
        assert!(balances(&row));
    }

    #[test]
    fn an_item_that_starts_early_has_not_waited() {
        let mut row = Row::new();
        row.queue(1, entry(Times::due_in(Delta::from_secs(1))));
        let first = row.take_first();
        row.start(first.times);
        assert_eq!(row.wait_us, 0);
    }

    #[test]
    fn a_reset_keeps_what_is_outstanding() {
        let mut row = Row::new();
        row.queue(3, entry(Times::due_now()));
        row.start(Times::due_now());
        row.cancel();
        row.reset();
        assert_eq!((row.queued, row.cancelled), (2, 0));
        assert!(balances(&row));
    }

    /// Lets one item in.
    fn admit(ledger: &Ledger, kind: Kind, queue: QueueKind, limit: u64) -> Result<Entry> {
        ledger.admit(kind, queue, 1, limit, Times::due_now())
    }

    #[test]
    fn items_that_run_count_for_the_bound() -> Result {
        let ledger = Ledger::new()?;
        for kind in [Kind::Custom, Kind::Data] {
            let one = || admit(&ledger, kind, QueueKind::Unbound, 2);
            let entry = one()?;
            one()?;
            let run = ledger.started(kind, Some(entry)).ok_or(EINVAL)?;
            assert_eq!(one().err(), Some(EAGAIN));
            ledger.finished(run);
            one()?;
        }
        Ok(())
    }

    #[test]
    fn items_of_all_queues_count_for_the_bound() -> Result {
        let ledger = Ledger::new()?;
        let limit = QueueKind::ALL.len() as u64;
        for queue in QueueKind::ALL {
            admit(&ledger, Kind::Custom, queue, limit)?;
        }
        for queue in QueueKind::ALL {
            let refused = admit(&ledger, Kind::Custom, queue, limit);
            assert_eq!(refused.err(), Some(EAGAIN));
        }
        assert_eq!(ledger.snapshot().row(Kind::Custom).queued, limit);
        Ok(())
    }

    #[test]
    fn a_closed_ledger_lets_nothing_in() -> Result {
        let ledger = Ledger::new()?;
        drop(CloseOnDrop(ledger.clone()));
        let times = Times::due_now();
        assert_eq!(ledger.check_open(), Err(ENODEV));
        let refused = admit(&ledger, Kind::Custom, QueueKind::Ordered, 1);
        assert_eq!(refused.err(), Some(ENODEV));
        let mut was_asked = false;
        let queued = ledger.queue(Kind::Immediate, times, || {
            was_asked = true;
            true
        });
        assert_eq!(queued, Err(ENODEV));
        assert!(!was_asked);
        assert!(ledger.snapshot().rows.iter().all(|row| row.queued == 0));
        Ok(())
    }

    #[test]
    fn the_most_that_ran_at_once_are_those_of_a_queue() -> Result {
        let ledger = Ledger::new()?;
        let peaks = || {
            let shown = ledger.snapshot();
            [QueueKind::Unbound, QueueKind::Ordered].map(|queue| shown.peak_running(queue))
        };
        let begin = |kind, queue| -> Result<Run> {
            let entry = admit(&ledger, kind, queue, 8)?;
            ledger.started(kind, Some(entry)).ok_or(EINVAL)
        };
        ledger.queue(Kind::Immediate, Times::due_now(), || true)?;
        let elsewhere = ledger.started(Kind::Immediate, None).ok_or(EINVAL)?;
        let custom = begin(Kind::Custom, QueueKind::Unbound)?;
        let data = begin(Kind::Data, QueueKind::Unbound)?;
        let other = begin(Kind::Custom, QueueKind::Ordered)?;
        assert_eq!(peaks(), [2, 1]);
        ledger.finished(data);
        ledger.finished(other);
        assert_eq!(peaks(), [2, 1]);
        ledger.reset();
        assert_eq!(peaks(), [1, 0]);
        ledger.finished(custom);
        ledger.reset();
        assert_eq!(peaks(), [0, 0]);
        ledger.finished(elsewhere);
        Ok(())
    }

    #[test]
    fn a_period_is_shown_until_there_is_another() -> Result {
        let ledger = Ledger::new()?;
        assert_eq!(ledger.snapshot().period.as_millis(), 1000);
        ledger.ticking(Some(Delta::from_millis(20)));
        ledger.ticking(None);
        let shown = ledger.snapshot();
        assert_eq!((shown.period.as_millis(), shown.ticking), (20, false));
        Ok(())
    }

    /// Nobody queues the item without this lock. When it is dropped, the ledger has to know what
    /// was done.
    struct Lock<'a> {
        ledger: &'a Ledger,
        pending_when_dropped: &'a mut u64,
    }

    impl Drop for Lock<'_> {
        fn drop(&mut self) {
            *self.pending_when_dropped = self.ledger.snapshot().row(Kind::Delayed).pending;
        }
    }

    #[test]
    fn what_was_taken_back_is_counted_before_anybody_can_queue_it_again() -> Result {
        let ledger = Ledger::new()?;
        ledger.queue(Kind::Delayed, Times::due_now(), || true)?;
        let mut pending_when_dropped = 9;
        let lock = Lock {
            ledger: &ledger,
            pending_when_dropped: &mut pending_when_dropped,
        };
        ledger.take_back(Kind::Delayed, lock, || true);
        assert_eq!(pending_when_dropped, 0);
        assert_eq!(ledger.snapshot().row(Kind::Delayed).cancelled, 1);
        Ok(())
    }

    /// Whether a flush would have to wait now.
    fn is_busy(ledger: &Ledger, is_armed: bool) -> bool {
        let mut state = ledger.state.lock();
        state.color_what_is_due(is_armed);
        state.colors.cut().is_some()
    }

    #[test]
    fn a_flush_waits_for_the_delayed_item_once_its_time_has_come() -> Result {
        let ledger = Ledger::new()?;
        let arm = || ledger.queue(Kind::Delayed, Times::due_now(), || true);
        arm()?;
        assert!(!is_busy(&ledger, true));
        // Its timer has fired, and it is queued.
        assert!(is_busy(&ledger, false));
        let run = ledger.started(Kind::Delayed, None).ok_or(EINVAL)?;
        assert!(is_busy(&ledger, false));
        // It is armed again while it runs.
        arm()?;
        assert!(is_busy(&ledger, true));
        ledger.finished(run);
        assert!(!is_busy(&ledger, true));
        // The second run is about to begin when it is armed once more.
        arm()?;
        assert!(is_busy(&ledger, true));
        let run = ledger.started(Kind::Delayed, None).ok_or(EINVAL)?;
        ledger.finished(run);
        assert!(!is_busy(&ledger, true));
        ledger.cancelled(Kind::Delayed);
        assert!(!is_busy(&ledger, false));
        Ok(())
    }

    #[test]
    fn a_flush_waits_for_no_tick() -> Result {
        let ledger = Ledger::new()?;
        ledger.queued(Kind::Periodic, Times::due_now());
        assert!(!is_busy(&ledger, false));
        let run = ledger.started(Kind::Periodic, None).ok_or(EINVAL)?;
        assert!(!is_busy(&ledger, false));
        ledger.finished(run);
        Ok(())
    }

    #[test]
    fn what_is_cancelled_because_the_ledger_is_closed_ends_flushes() -> Result {
        let ledger = Ledger::new()?;
        let entry = admit(&ledger, Kind::Custom, QueueKind::Unbound, 1)?;
        assert!(is_busy(&ledger, false));
        drop(CloseOnDrop(ledger.clone()));
        assert!(ledger.started(Kind::Custom, Some(entry)).is_none());
        assert!(!is_busy(&ledger, false));
        ledger.flush(|| false)
    }
}
