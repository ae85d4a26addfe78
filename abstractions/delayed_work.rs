// SPDX-License-Identifier: GPL-2.0

//! A work item with a timer: it is armed, and runs later.
//!
//! `cancel_work_sync()` on such an item does not know of its timer (in 7.3 it spins until the timer
//! fires). Here only a handle reaches the item, and it calls the `*_delayed_work` variants alone.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    ops::Deref,
    ptr, //
};

use kernel::{
    bindings,
    impl_has_delayed_work,
    prelude::*,
    sync::Arc,
    time::Delta,
    workqueue::{
        DelayedWork,
        Queue,
        WorkItem, //
    }, //
};

use super::{
    alive::{
        Alive,
        Kind, //
    },
    cancel::{
        CancelWork,
        Disabled,
        RawItem, //
    },
    jiffies,
    owned_queue::{
        LockClass,
        QueueOwner,
        SystemQueue, //
    }, //
};

/// What a delayed work item does when its time has come.
///
/// # Examples
///
/// ```
/// use kernel::{
///     sync::atomic::{Atomic, Relaxed},
///     time::Delta,
/// };
/// use crate::abstractions::delayed_work::DelayedHandler;
///
/// /// Asks again after a second, so many times.
/// struct Poll(Atomic<i32>);
///
/// impl DelayedHandler for Poll {
///     fn run(&self) -> Option<Delta> {
///         (self.0.fetch_sub(1, Relaxed) > 1).then(|| Delta::from_secs(1))
///     }
/// }
/// ```
pub(crate) trait DelayedHandler: Send + Sync + 'static {
    /// Runs in process context, on a worker thread, and may sleep. It must not panic: see
    /// [`Handler`].
    ///
    /// Returns the delay after which the item is to run again; `None` leaves that to whoever queues
    /// it. C refuses to arm an item that is being cancelled or is disabled: stopping it stops this
    /// too.
    ///
    /// [`Handler`]: super::work::Handler
    fn run(&self) -> Option<Delta>;

    /// The delay that the run returned had no effect: C refused the item, or somebody else had
    /// armed it already. Called where the run was, and may sleep.
    fn not_rearmed(&self) {}
}

/// # Invariants
///
/// `queue` is valid whenever the item is armed, queued or running: the handle owns a share in it,
/// and takes the item back before it gives that up. If it has not waited for a run (see
/// [`OwnedQueue::ordered`]), whoever destroys the queue does.
///
/// [`OwnedQueue::ordered`]: super::owned_queue::OwnedQueue::ordered
#[pin_data]
struct Item<H: DelayedHandler> {
    #[pin]
    work: DelayedWork<Item<H>>,
    queue: RawQueue,
    #[pin]
    disabled: Disabled,
    #[pin]
    handler: H,
}

impl_has_delayed_work! {
    impl{H: DelayedHandler} HasDelayedWork<Self> for Item<H> { self.work }
}

/// A pointer to a queue that somebody else keeps alive.
struct RawQueue(*mut bindings::workqueue_struct);

// SAFETY: It is only a pointer; a queue belongs to no thread.
unsafe impl Send for RawQueue {}
// SAFETY: As above, and all that is done through it is serialised by C.
unsafe impl Sync for RawQueue {}

impl<H: DelayedHandler> WorkItem for Item<H> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let Some(delay) = this.handler.run() else {
            return;
        };
        // SAFETY: The item is running.
        if let Err(this) = unsafe { Self::arm(this, delay) } {
            this.handler.not_rearmed();
        }
    }
}

impl<H: DelayedHandler> Item<H> {
    /// Arms the item. It comes back if it is armed or queued already, or C refuses it.
    ///
    /// # Safety
    ///
    /// The handle must exist, or the item be running.
    unsafe fn arm(this: Arc<Self>, delay: Delta) -> Result<(), Arc<Self>> {
        // SAFETY: By the type invariants the queue is valid, because the handle exists or the item
        // runs.
        let queue = unsafe { Queue::from_raw(this.queue.0) };
        queue.enqueue_delayed(this, jiffies::at_least(delay))
    }
}

/// Makes a [`DelayedWorkHandle`] with newly-created lock classes and, if one is given, this name
/// for them: [`DelayedWorkHandle::new`]. May sleep.
///
/// # Examples
///
/// ```
/// use kernel::time::Delta;
/// use crate::abstractions::{
///     delayed_work::{new_delayed_work_handle, DelayedHandler, DelayedWorkHandle},
///     owned_queue::system_percpu,
/// };
///
/// struct Timeout;
///
/// impl DelayedHandler for Timeout {
///     fn run(&self) -> Option<Delta> {
///         pr_warn!("no answer\n");
///         None
///     }
/// }
///
/// struct Driver {
///     timeout: DelayedWorkHandle<Timeout>,
/// }
///
/// let driver = Driver {
///     timeout: new_delayed_work_handle!(system_percpu(), Timeout, "timeout")?,
/// };
/// # drop(driver);
/// # Ok::<(), Error>(())
/// ```
macro_rules! new_delayed_work_handle {
    ($queue:expr, $handler:expr $(, $name:literal)? $(,)?) => {
        $crate::abstractions::delayed_work::DelayedWorkHandle::new(
            $queue,
            $handler,
            $crate::abstractions::owned_queue::lock_class!("" $(, $name)?),
            $crate::abstractions::owned_queue::lock_class!("_timer" $(, $name)?),
        )
    };
}
pub(crate) use new_delayed_work_handle;

/// The owner of a delayed work item, and of the queue it runs on or a share in it.
///
/// The queue cannot go while the timer is armed: `destroy_workqueue()` would not wait for it.
/// Dereferences to the handler, so that state can live there.
///
/// # Locking and context
///
/// [`enqueue_delayed`](Self::enqueue_delayed) may be called in any context. `cancel_sync`,
/// `disable_sync`, `flush` and the destructor sleep: they wait for the item, so the item's own
/// handler must not call them (lockdep tells). What [`WorkHandle`] says of other handles' items, of
/// ordered queues and of forgotten handles holds here too.
///
/// # Examples
///
/// ```
/// use kernel::time::Delta;
/// use crate::abstractions::{
///     delayed_work::{new_delayed_work_handle, DelayedHandler},
///     owned_queue::system_percpu,
/// };
///
/// /// Tries again in a second until it has worked.
/// struct Retry;
///
/// impl Retry {
///     fn has_worked(&self) -> bool {
///         true
///     }
/// }
///
/// impl DelayedHandler for Retry {
///     fn run(&self) -> Option<Delta> {
///         (!self.has_worked()).then(|| Delta::from_secs(1))
///     }
/// }
///
/// let retry = new_delayed_work_handle!(system_percpu(), Retry, "retry")?;
/// retry.enqueue_delayed(Delta::from_millis(50));
/// // Something else came up: not now.
/// let was_armed = retry.cancel_sync();
/// # let _ = was_armed;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The item is queued through this handle and by its own run alone, on the queue, and not any more
/// once the handle is being dropped.
///
/// [`WorkHandle`]: super::work::WorkHandle
pub(crate) struct DelayedWorkHandle<H: DelayedHandler, Q: QueueOwner = SystemQueue> {
    item: Arc<Item<H>>,
    // Declared after the item and dropped after it: the item is not on the queue any more by then.
    _queue: Q,
    // Declared last and dropped last: the item has been stopped by then.
    _alive: Alive,
}

impl<H: DelayedHandler, Q: QueueOwner> DelayedWorkHandle<H, Q> {
    /// Makes an item that runs `handler` on `queue`: what [`new_delayed_work_handle!`] expands to.
    /// May sleep.
    ///
    /// `handler` is one, or an initialiser of one. Items of one lock class must not wait for each
    /// other; the timer has one of its own.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of the initialiser.
    pub(crate) fn new<E>(
        queue: Q,
        handler: impl PinInit<H, E>,
        class: LockClass,
        timer: LockClass,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let raw_queue = RawQueue(queue.as_raw());
        let item = Arc::pin_init::<Error>(
            try_pin_init!(Item {
                work <- DelayedWork::new(class.0, class.1, timer.0, timer.1),
                // INVARIANT: The handle keeps the queue until it has stopped the item.
                queue: raw_queue,
                // INVARIANT: A new item is not disabled.
                disabled <- Disabled::new(),
                handler <- handler,
            }),
            GFP_KERNEL,
        )?;
        // INVARIANT: Nothing has queued the item yet, and it is private to this handle.
        Ok(Self {
            item,
            _queue: queue,
            _alive: Alive::new(Kind::Item, class.0),
        })
    }

    /// Arms the item to run after `delay`, [`LONGEST_DELAY`] at most. Returns `false` if it is
    /// disabled, or if it is armed or queued already: then it keeps its time. Any context.
    ///
    /// C: `queue_delayed_work()`.
    ///
    /// [`LONGEST_DELAY`]: super::jiffies::LONGEST_DELAY
    pub(crate) fn enqueue_delayed(&self, delay: Delta) -> bool {
        // SAFETY: The handle is borrowed.
        unsafe { Item::arm(self.item.clone(), delay) }.is_ok()
    }

    /// Takes the item back if it is armed or queued, and waits for it if it runs. Returns whether
    /// it was taken back. Sleeps.
    ///
    /// [`enqueue_delayed`](Self::enqueue_delayed) returns `false` meanwhile, as for an armed item.
    /// If nothing may be lost, keep the two apart, by a mutex for example.
    ///
    /// C: `cancel_delayed_work_sync()`. [`CancelWork::cancel_sync`] has a table of what it returns.
    pub(crate) fn cancel_sync(&self) -> bool {
        self.item.work.cancel_sync().is_some()
    }

    /// Like [`cancel_sync`](Self::cancel_sync). After that nobody can arm the item, not even its
    /// own run, until [`enable`](Self::enable) has been called as often. (The count ends at
    /// 32,768.) Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`.
    pub(crate) fn disable_sync(&self) -> bool {
        self.item.disabled.disable_sync(&self.item.work)
    }

    /// Undoes one [`disable_sync`](Self::disable_sync), and returns whether the item can be armed
    /// again. It does not arm what was refused meanwhile. Process context.
    ///
    /// C: `enable_delayed_work()`.
    pub(crate) fn enable(&self) -> bool {
        self.item.disabled.enable(&self.item.work)
    }

    /// Waits until the item has run. An armed item runs now. Returns `false` if there was nothing
    /// left to wait for. Sleeps.
    ///
    /// C: `flush_delayed_work()`.
    pub(crate) fn flush(&self) -> bool {
        self.item.work.flush()
    }

    /// Whether its timer runs: the item is armed, and its time has not come. Any context. The
    /// answer may be out of date by the time the caller looks at it.
    ///
    /// C: `timer_pending()` on the item's timer.
    pub(crate) fn is_armed(&self) -> bool {
        // SAFETY: By the contract of `RawItem` the item is valid, and so is its timer, which C
        // initialised with it. C writes the pointer as one word, whenever it likes, and it is read
        // as one: `timer_pending()` does the same.
        let link =
            unsafe { ptr::read_volatile(&raw const (*self.item.work.as_raw()).timer.entry.pprev) };
        !link.is_null()
    }
}

impl<H: DelayedHandler, Q: QueueOwner> Drop for DelayedWorkHandle<H, Q> {
    /// Stops the item for good: takes it back if it is armed or queued, waits for it if it runs.
    /// Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`, because `cancel_delayed_work_sync()` forbids queueing only
    /// while it waits.
    fn drop(&mut self) {
        drop(self.item.work.disable_sync());
    }
}

impl<H: DelayedHandler, Q: QueueOwner> Deref for DelayedWorkHandle<H, Q> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.item.handler
    }
}
