// SPDX-License-Identifier: GPL-2.0

//! The messages that wait to be printed: bounded, in order, counted.
//!
//! A message is pending from when it is accepted until it has been printed. Writers append. The
//! worker takes all messages at once, prints them without the lock, and reports back.
//!
//! Waking a worker costs several times what a message costs. So a busy worker, to which messages
//! come in quick succession, does not return when it has nothing left. It sleeps for some
//! microseconds and looks again, and until then nobody needs to wake it. A message that comes alone
//! finds no worker, and wakes one at once.

use core::mem;

use kernel::{
    new_poll_condvar,
    new_spinlock,
    prelude::*,
    sync::{
        lock::{
            spinlock::SpinLockBackend,
            Guard, //
        },
        poll::PollCondVar,
        SpinLock, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::{
    batch::{
        Batch,
        Memory,
        Messages, //
    },
    message::Message, //
};
use crate::abstractions::{
    hrtimer,
    misc_device::MayWaitFor, //
};

/// How long a busy worker sleeps for more messages. The sleep lasts a quarter longer at most:
/// nobody waits longer for a worker that sleeps.
const LINGER: Delta = Delta::from_micros(32);

/// A sleep costs as much as a call. So a worker sleeps only if it expects at least so many messages
/// in that time, by how many came lately.
const WORTH_A_SLEEP: i64 = 2;

/// With a smaller bound on pending messages no worker lingers, because that many could come
/// meanwhile. More cannot come, however many writers there are: the lock lets in one after the
/// other.
const LINGER_BOUND: u32 = 1024;

/// What the statistics show.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stats {
    pub(crate) accepted: u64,
    pub(crate) printed: u64,
    /// Messages that were accepted after their write had to wait. If a signal, a stop or a tracer
    /// ends a write and it begins anew, that is a new write.
    pub(crate) blocked: u64,
    /// Writers that wait now.
    pub(crate) waiting: u64,
    /// Writes that got `EAGAIN`.
    pub(crate) refused: u64,
    /// Runs of the work item.
    pub(crate) batches: u64,
}

impl Stats {
    /// Messages that have been accepted, but not printed.
    pub(crate) fn pending(&self) -> u64 {
        self.accepted - self.printed
    }
}

/// Who is going to look at the backlog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attention {
    /// Nobody: the next writer has to call the worker.
    None,
    /// The worker, which has been called.
    Called,
    /// The worker, when it has printed what it has taken, or when it wakes.
    AtWork,
}

struct State {
    /// The next batch.
    batch: Batch,
    /// For the batch after that.
    spare: Option<Memory>,
    attention: Attention,
    /// When the worker last took a batch.
    taken_at: Instant<Monotonic>,
    /// Whether the messages of that batch came in quick succession.
    is_busy: bool,
    stats: Stats,
}

impl State {
    /// Accepts a message, if there is memory for it.
    #[inline]
    fn append(&mut self, message: Message<'_>) -> bool {
        let has_memory = self.batch.push(message);
        if has_memory {
            self.stats.accepted += 1;
        }
        has_memory
    }
}

/// The bounded queue of messages.
///
/// # Locking
///
/// One spinlock. It is held to append one message and to call the worker, to swap the whole queue
/// for an empty one, and to read the counters; never to allocate memory, to free it or to print.
#[pin_data]
pub(crate) struct Backlog {
    max_pending: u32,
    linger: Delta,
    #[pin]
    state: SpinLock<State>,
    /// Notified when there is room again.
    #[pin]
    room: PollCondVar,
}

impl Backlog {
    pub(crate) fn new(max_pending: u32) -> impl PinInit<Self> {
        Self::with_linger(max_pending, LINGER)
    }

    fn with_linger(max_pending: u32, linger: Delta) -> impl PinInit<Self> {
        pin_init!(Self {
            max_pending,
            linger,
            state <- new_spinlock!(
                State {
                    batch: Batch::default(),
                    spare: None,
                    attention: Attention::None,
                    taken_at: Instant::now(),
                    is_busy: false,
                    stats: Stats::default(),
                },
                "Backlog::state"
            ),
            room <- new_poll_condvar!("Backlog::room"),
        })
    }

    /// Accepts a message, and makes sure that the worker looks at it. At the bound it waits for
    /// room first. If nobody would look, it uses `call`, which queues the work item and must not
    /// sleep. Sleeps itself.
    ///
    /// The worker is called under the lock. If a writer called it later, another that relies on the
    /// call could preempt that writer, and by its priority for ever.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room, or no memory, and it may not wait for that; `ERESTARTSYS` if a
    /// signal came while there was no room; `ENOMEM`. The message is not queued then.
    pub(crate) fn push(
        &self,
        message: Message<'_>,
        may_wait: MayWaitFor,
        call: impl FnOnce(),
    ) -> Result {
        self.push_with(message, may_wait, call, || Memory::new(may_wait.gfp()))
    }

    /// Like [`Backlog::push`], with memory from `allocate`.
    fn push_with(
        &self,
        message: Message<'_>,
        may_wait: MayWaitFor,
        call: impl FnOnce(),
        allocate: impl Fn() -> Result<Memory>,
    ) -> Result {
        let mut has_waited = false;
        loop {
            let mut state = self.state.lock();
            if self.is_full(&state) {
                self.wait_for_room(&mut state, may_wait)?;
                has_waited = true;
            }
            if state.append(message) {
                state.stats.blocked += u64::from(has_waited);
                Self::attract(&mut state, call);
                return Ok(());
            }
            drop(state);
            // The room may be gone by the time there is memory.
            match allocate() {
                Ok(memory) => self.state.lock().batch.extend(memory),
                Err(error) => return Err(self.without_memory(error, may_wait)),
            }
        }
    }

    fn is_full(&self, state: &State) -> bool {
        state.stats.pending() >= self.max_pending.into()
    }

    /// Whether a write would not have to wait. Any context.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full(&self.state.lock())
    }

    /// What is notified when there is room again.
    pub(crate) fn room(&self) -> &PollCondVar {
        &self.room
    }

    #[cold]
    fn without_memory(&self, error: Error, may_wait: MayWaitFor) -> Error {
        let error = may_wait.error_for(error);
        self.state.lock().stats.refused += u64::from(error == EAGAIN);
        error
    }

    #[cold]
    fn wait_for_room(
        &self,
        state: &mut Guard<'_, State, SpinLockBackend>,
        may_wait: MayWaitFor,
    ) -> Result {
        if may_wait != MayWaitFor::Anything {
            state.stats.refused += 1;
            return Err(EAGAIN);
        }
        state.stats.waiting += 1;
        let mut interrupted = false;
        // The room goes to the writer that was woken for it, signal or not.
        while self.is_full(state) && !interrupted {
            interrupted = self.room.wait_interruptible(state);
        }
        state.stats.waiting -= 1;
        if self.is_full(state) {
            return Err(ERESTARTSYS);
        }
        Ok(())
    }

    /// Makes sure that the worker looks at what has been appended.
    fn attract(state: &mut State, call: impl FnOnce()) {
        if state.attention == Attention::None {
            state.attention = Attention::Called;
            call();
        }
    }

    /// Takes all messages that wait. They stay pending until [`Backlog::printed`] is told.
    pub(crate) fn take(&self) -> Messages {
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.attention == Attention::Called {
            state.attention = Attention::AtWork;
            state.stats.batches += 1;
        }
        // CAST: No more than may be pending.
        let came = state.batch.len() as i64;
        state.is_busy = (now - state.taken_at) * WORTH_A_SLEEP < self.linger * came;
        state.taken_at = now;
        let next = Batch::new(state.spare.take());
        let batch = mem::replace(&mut state.batch, next);
        drop(state);
        batch.finish()
    }

    /// Frees printed messages, and lets as many in.
    pub(crate) fn printed(&self, messages: Messages) {
        let count = messages.len() as u64;
        let mut memory = messages.into_memory();
        let mut state = self.state.lock();
        // Writers wait only at the bound.
        let makes_room = self.is_full(&state) && count > 0;
        state.stats.printed += count;
        if state.spare.is_none() {
            state.spare = memory.take();
        }
        drop(state);
        if makes_room {
            self.room.notify_all();
        }
    }

    /// Whether there is more for the worker. A busy worker lingers for more. If there is none it
    /// may return: the next writer calls it. Sleeps, for [`LINGER`] and a quarter at most.
    pub(crate) fn expects_more(&self) -> bool {
        let mut state = self.state.lock();
        if state.batch.is_empty() && state.is_busy && self.may_linger(hrtimer::resolution()) {
            drop(state);
            fsleep(self.linger);
            state = self.state.lock();
        }
        if state.batch.is_empty() {
            state.attention = Attention::None;
            return false;
        }
        true
    }

    /// Whether a worker may linger. It may not where a sleep can take longer than asked. Without
    /// precise timers a sleep lasts until the next tick. On `PREEMPT_RT` it lasts until a thread
    /// runs the timer, and a thread of higher priority can keep that one from its CPU.
    fn may_linger(&self, resolution: Delta) -> bool {
        let sleeps_briefly = resolution < self.linger && !cfg!(CONFIG_PREEMPT_RT);
        self.max_pending >= LINGER_BOUND && sleeps_briefly
    }

    /// The counters, all of one moment.
    pub(crate) fn stats(&self) -> Stats {
        self.state.lock().stats
    }
}

#[kunit_tests(wq_echo_backlog)]
mod tests {
    use super::*;
    use crate::{
        abstractions::{
            jiffies,
            owned_queue::{
                spawn,
                OwnedQueue, //
            }, //
        },
        wq_echo::message::split, //
    };
    use kernel::{
        sync::Arc,
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    fn backlog(max_pending: u32) -> Result<Arc<Backlog>> {
        Arc::pin_init(Backlog::new(max_pending), GFP_KERNEL)
    }

    /// Whether the worker was called.
    fn push(backlog: &Backlog, text: &[u8]) -> Result<bool> {
        let mut was_called = false;
        backlog.push(split(text).0, MayWaitFor::Memory, || was_called = true)?;
        Ok(was_called)
    }

    #[test]
    fn only_a_message_that_finds_nobody_calls_the_worker() -> Result {
        let backlog = backlog(4)?;
        assert!(push(&backlog, b"one")?);
        assert!(!push(&backlog, b"two")?);
        let batch = backlog.take();
        assert!(!push(&backlog, b"three")?);
        backlog.printed(batch);
        assert!(backlog.expects_more());
        backlog.printed(backlog.take());
        assert!(!backlog.expects_more());
        assert!(push(&backlog, b"four")?);
        assert_eq!(backlog.stats().batches, 1);
        Ok(())
    }

    #[test]
    fn a_worker_is_busy_whose_messages_come_in_quick_succession() -> Result {
        for (linger, is_busy) in [(Delta::from_millis(3_600_000), true), (Delta::ZERO, false)] {
            let backlog = Arc::pin_init(Backlog::with_linger(1024, linger), GFP_KERNEL)?;
            push(&backlog, b"one")?;
            backlog.printed(backlog.take());
            assert_eq!(backlog.state.lock().is_busy, is_busy);
            // No message has come since.
            backlog.printed(backlog.take());
            assert!(!backlog.state.lock().is_busy);
        }
        Ok(())
    }

    #[test]
    fn a_busy_worker_lingers_for_what_comes() -> Result {
        let linger = Delta::from_millis(2_000);
        let backlog = Arc::pin_init(Backlog::with_linger(LINGER_BOUND, linger), GFP_KERNEL)?;
        if !backlog.may_linger(hrtimer::resolution()) {
            return Ok(());
        }
        assert!(push(&backlog, b"one")?);
        let queue = OwnedQueue::unbound(c"wq_echo_kunit").build()?;
        let worker = backlog.clone();
        spawn!(queue, GFP_KERNEL, move || {
            worker.printed(worker.take());
            worker.state.lock().is_busy = true;
            if worker.expects_more() {
                worker.printed(worker.take());
            }
        })?;
        while backlog.stats().printed == 0 {
            fsleep(Delta::from_micros(100));
        }
        // It need not be called again.
        assert!(!push(&backlog, b"two")?);
        queue.flush();
        assert_eq!(backlog.stats().printed, 2);
        Ok(())
    }

    #[test]
    fn no_worker_lingers_where_few_may_be_pending() -> Result {
        assert!(!backlog(LINGER_BOUND - 1)?.may_linger(Delta::ZERO));
        Ok(())
    }

    #[test]
    fn no_worker_lingers_where_a_sleep_takes_until_the_next_tick() -> Result {
        let backlog = backlog(LINGER_BOUND)?;
        assert_eq!(backlog.may_linger(Delta::ZERO), !cfg!(CONFIG_PREEMPT_RT));
        assert!(!backlog.may_linger(jiffies::JIFFY));
        Ok(())
    }

    #[test]
    fn a_worker_lingers_for_40_microseconds_at_most() {
        // fsleep() may take a quarter more than it is asked for.
        assert!(LINGER.as_nanos() * 5 / 4 <= 40_000);
    }

    #[test]
    fn memory_goes_round_without_being_allocated_again() -> Result {
        let backlog = backlog(4)?;
        for _ in 0..3 {
            push(&backlog, b"one")?;
            backlog.printed(backlog.take());
        }
        // One page in the batch to come, and one for the batch after it.
        let mut state = backlog.state.lock();
        assert!(state.spare.is_some());
        assert!(state.append(split(b"two").0));
        Ok(())
    }

    #[test]
    fn who_may_wait_for_nothing_is_refused_without_memory() -> Result {
        let backlog = backlog(1)?;
        for (may_wait, error) in [(MayWaitFor::Memory, ENOMEM), (MayWaitFor::Nothing, EAGAIN)] {
            let result = backlog.push_with(split(b"one").0, may_wait, || (), || Err(ENOMEM));
            assert_eq!(result.err(), Some(error));
        }
        let stats = backlog.stats();
        assert_eq!((stats.accepted, stats.refused), (0, 1));
        Ok(())
    }

    #[test]
    fn room_that_went_while_memory_was_allocated_is_not_given_again() -> Result {
        let backlog = backlog(1)?;
        let other_is_faster = || {
            push(&backlog, b"other")?;
            Memory::new(GFP_KERNEL)
        };
        let result = backlog.push_with(split(b"one").0, MayWaitFor::Memory, || (), other_is_faster);
        assert_eq!(result.err(), Some(EAGAIN));
        assert_eq!(backlog.stats().pending(), 1);
        assert!(backlog.take().texts().eq([b"other"]));
        Ok(())
    }

    /// Has a worker push `text`, and wait for room.
    fn wait_in_worker(queue: &OwnedQueue, backlog: &Arc<Backlog>, text: &'static [u8]) -> Result {
        let backlog = backlog.clone();
        spawn!(queue, GFP_KERNEL, move || {
            // A failure shows in wrong counters.
            let _ = backlog.push(split(text).0, MayWaitFor::Anything, || ());
        })?;
        Ok(())
    }

    #[test]
    fn all_that_wait_are_let_in_and_counted_once_there_is_room() -> Result {
        let backlog = backlog(3)?;
        let queue = OwnedQueue::unbound(c"wq_echo_kunit").build()?;
        let texts = [&b"one"[..], b"two", b"three"];
        for text in texts {
            push(&backlog, text)?;
        }
        for text in texts {
            wait_in_worker(&queue, &backlog, text)?;
        }
        while backlog.stats().waiting < 3 {
            fsleep(Delta::from_millis(1));
        }
        assert_eq!(backlog.stats().blocked, 0);
        backlog.printed(backlog.take());
        // Nobody else wakes a writer that sleeps on: ten seconds are as good as for ever.
        let mut patience = 10_000;
        while backlog.stats().waiting > 0 && patience > 0 {
            fsleep(Delta::from_millis(1));
            patience -= 1;
        }
        let asleep = backlog.stats().waiting;
        backlog.room.notify_all();
        queue.flush();
        let stats = backlog.stats();
        assert_eq!((asleep, stats.accepted, stats.blocked), (0, 6, 3));
        Ok(())
    }

    #[test]
    fn what_is_taken_stays_pending_until_it_has_been_printed() -> Result {
        let backlog = backlog(2)?;
        push(&backlog, b"one")?;
        push(&backlog, b"two")?;
        assert_eq!(push(&backlog, b"three").err(), Some(EAGAIN));
        let batch = backlog.take();
        assert!(batch.texts().eq([b"one", b"two"]));
        assert_eq!(push(&backlog, b"three").err(), Some(EAGAIN));
        backlog.printed(batch);
        push(&backlog, b"three")?;
        let stats = backlog.stats();
        assert_eq!(
            (
                stats.accepted,
                stats.printed,
                stats.pending(),
                stats.refused
            ),
            (3, 2, 1, 2)
        );
        Ok(())
    }
}
