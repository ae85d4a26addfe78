// SPDX-License-Identifier: GPL-2.0

//! Pattern: wait for work that is queued, unless a signal comes first.
//!
//! C's flush functions sleep until they are done, whatever happens. To be able to give up, have a
//! worker flush and wait for that worker: on another queue, for an item that flushes the queue it
//! runs on waits for itself.

use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use super::super::demo::Patterns;
use crate::abstractions::owned_queue::{
    spawn,
    OwnedQueue, //
};

/// The queue of those that flush. Dropping it waits for them, even if nobody else does any more.
pub(crate) struct Flushers(OwnedQueue);

impl Flushers {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(OwnedQueue::unbound(c"wq_demo_flush").build()?))
    }

    /// Waits until all that is queued now has run. Sleeps.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came first, `ENOMEM`.
    pub(crate) fn flush(&self, patterns: &Arc<Patterns>) -> Result {
        let flushed = Event::new()?;
        let (worker_flushed, patterns) = (flushed.clone(), patterns.clone());
        spawn!(self.0, GFP_KERNEL, move || {
            patterns.flush();
            worker_flushed.set();
        })?;
        flushed.wait()
    }
}

/// Something that happens once.
#[pin_data]
struct Event {
    #[pin]
    happened: Mutex<bool>,
    #[pin]
    changed: CondVar,
}

impl Event {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                happened <- new_mutex!(false, "Event::happened"),
                changed <- new_condvar!("Event::changed"),
            }),
            GFP_KERNEL,
        )
    }

    fn set(&self) {
        *self.happened.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self) -> Result {
        let mut happened = self.happened.lock();
        while !*happened {
            if self.changed.wait_interruptible(&mut happened) && !*happened {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }
}
