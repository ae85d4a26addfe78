// SPDX-License-Identifier: GPL-2.0

//! The messages that wait to be printed: bounded, in order, counted.
//!
//! A message is pending from the moment it is accepted until it has been printed. Writers append;
//! the worker takes all there is at once, prints it without the lock, and reports back.

use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        CondVar,
        Mutex, //
    }, //
};

use super::message::Message;

/// Messages in the order in which they were accepted.
pub(crate) type Batch = KVVec<Message>;

/// What a batch may hold to be kept as the next backlog's memory.
const SPARE_CAPACITY: usize = 1024;

/// What the statistics show. `accepted = printed + pending` at any moment.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stats {
    pub(crate) accepted: u64,
    pub(crate) printed: u64,
    pub(crate) pending: u64,
    /// Writers that had to wait.
    pub(crate) blocked: u64,
    /// Writes that got `EAGAIN`.
    pub(crate) refused: u64,
    /// Runs of the work item.
    pub(crate) batches: u64,
}

struct State {
    waiting: Batch,
    /// Empty, with the memory of an earlier batch.
    spare: Batch,
    stats: Stats,
}

/// The bounded queue of messages.
///
/// # Locking
///
/// One mutex. It is held to append one message (which may allocate, and so sleep), to swap the
/// whole queue for an empty one, and to read the counters; never while printing.
#[pin_data]
pub(crate) struct Backlog {
    max_pending: u64,
    #[pin]
    state: Mutex<State>,
    /// Notified when messages have been printed.
    #[pin]
    room: CondVar,
}

impl Backlog {
    pub(crate) fn new(max_pending: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            max_pending: max_pending.into(),
            state <- new_mutex!(
                State {
                    waiting: Batch::new(),
                    spare: Batch::new(),
                    stats: Stats::default(),
                },
                "Backlog::state"
            ),
            room <- new_condvar!("Backlog::room"),
        })
    }

    /// Accepts a message, at the bound only once there is room. Sleeps.
    ///
    /// # Errors
    ///
    /// `EAGAIN` at the bound with `nonblocking`; `ERESTARTSYS` if a signal came while there was
    /// no room; `ENOMEM`. The message is then dropped and has not been queued.
    pub(crate) fn push(&self, message: Message, nonblocking: bool) -> Result {
        let mut state = self.state.lock();
        if state.stats.pending >= self.max_pending {
            if nonblocking {
                state.stats.refused += 1;
                return Err(EAGAIN);
            }
            state.stats.blocked += 1;
        }
        while state.stats.pending >= self.max_pending {
            let interrupted = self.room.wait_interruptible(&mut state);
            // What room there is goes to the writer that was woken for it, signal or not.
            if interrupted && state.stats.pending >= self.max_pending {
                return Err(ERESTARTSYS);
            }
        }
        state.waiting.push(message, GFP_KERNEL)?;
        state.stats.accepted += 1;
        state.stats.pending += 1;
        Ok(())
    }

    /// Takes all messages that wait. They stay pending until [`Backlog::printed`] is told.
    pub(crate) fn take(&self) -> Batch {
        let mut state = self.state.lock();
        state.stats.batches += 1;
        let spare = core::mem::take(&mut state.spare);
        core::mem::replace(&mut state.waiting, spare)
    }

    /// Frees the messages of a batch that has been printed, and lets as many in.
    pub(crate) fn printed(&self, mut batch: Batch) {
        let count = batch.len() as u64;
        batch.clear();
        let mut state = self.state.lock();
        state.stats.printed += count;
        state.stats.pending -= count;
        if batch.capacity() <= SPARE_CAPACITY {
            state.spare = batch;
        }
        self.room.notify_all();
    }

    /// The counters, all of one moment.
    pub(crate) fn stats(&self) -> Stats {
        self.state.lock().stats
    }
}
