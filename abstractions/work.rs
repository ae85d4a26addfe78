// SPDX-License-Identifier: GPL-2.0

//! A work item that can be queued again and again, and is stopped when its handle goes.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ops::Deref;

use kernel::{
    impl_has_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        Queue,
        Work,
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
        Disabled, //
    },
    owned_queue::{
        LockClass,
        QueueOwner,
        SystemQueue, //
    }, //
};

/// What a work item does when its turn comes.
///
/// A handler must not panic. A panic is C's `BUG()`: with `panic_on_oops` the machine goes down.
/// Without it the worker dies, and the run never ends. Then flushing the item or its queue,
/// dropping the handle and removing the module wait for ever, and an ordered queue runs nothing any
/// more.
///
/// # Examples
///
/// ```
/// use kernel::{new_mutex, sync::Mutex};
/// use crate::abstractions::{
///     owned_queue::system_percpu,
///     work::{new_work_handle, Handler},
/// };
///
/// /// Empties itself, whenever it is queued.
/// #[pin_data]
/// struct Log {
///     #[pin]
///     lines: Mutex<KVec<u32>>,
/// }
///
/// impl Handler for Log {
///     fn run(&self) {
///         for line in self.lines.lock().drain_all() {
///             pr_info!("{line}\n");
///         }
///     }
/// }
///
/// let log = pin_init!(Log {
///     lines <- new_mutex!(KVec::new()),
/// });
/// let log = new_work_handle!(system_percpu(), log, "log")?;
/// log.lines.lock().push(42, GFP_KERNEL)?;
/// log.enqueue();
/// # Ok::<(), Error>(())
/// ```
pub(crate) trait Handler: Send + Sync + 'static {
    /// Runs in process context, on a worker thread, and may sleep.
    ///
    /// C never runs one item twice at the same time, but may queue it again while it runs.
    fn run(&self);
}

#[pin_data]
struct Item<H: Handler> {
    #[pin]
    work: Work<Item<H>>,
    #[pin]
    disabled: Disabled,
    #[pin]
    handler: H,
}

impl_has_work! {
    impl{H: Handler} HasWork<Self> for Item<H> { self.work }
}

impl<H: Handler> WorkItem for Item<H> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.handler.run();
    }
}

/// Makes a [`WorkHandle`] with a newly-created lock class and, if one is given, this name for it:
/// [`WorkHandle::new`]. May sleep.
///
/// # Examples
///
/// The handler of one may wait for the other: each line makes its own class.
///
/// ```
/// use crate::abstractions::{
///     owned_queue::system_percpu,
///     work::{new_work_handle, Handler, WorkHandle},
/// };
///
/// struct Part;
///
/// impl Handler for Part {
///     fn run(&self) {}
/// }
///
/// struct Whole(WorkHandle<Part>);
///
/// impl Handler for Whole {
///     fn run(&self) {
///         self.0.flush();
///     }
/// }
///
/// let part = new_work_handle!(system_percpu(), Part, "part")?;
/// let whole = new_work_handle!(system_percpu(), Whole(part), "whole")?;
/// whole.enqueue();
/// # Ok::<(), Error>(())
/// ```
macro_rules! new_work_handle {
    ($queue:expr, $handler:expr $(, $name:literal)? $(,)?) => {
        $crate::abstractions::work::WorkHandle::new(
            $queue,
            $handler,
            $crate::abstractions::owned_queue::lock_class!("" $(, $name)?),
        )
    };
}
pub(crate) use new_work_handle;

/// The owner of a work item, and of the queue it runs on or a share in it.
///
/// Dereferences to the handler, so that state can live there.
///
/// # Locking and context
///
/// [`enqueue`](Self::enqueue) may be called in any context. `cancel_sync`, `disable_sync`, `flush`
/// and the destructor sleep: they wait for the item, so the item's own handler must not call them
/// (lockdep tells). It may wait for the item of another handle: [`new_work_handle!`] gives each
/// line that makes handles a lock class of its own. On an ordered queue one of them may return
/// while the item still runs: [`OwnedQueue::ordered`] says when, and what still holds.
///
/// [`OwnedQueue::ordered`]: super::owned_queue::OwnedQueue::ordered
///
/// If the handle is forgotten, the item and its queue stay, and the item may still run. That is
/// correct for built-in code. A module that has not dropped its handles cannot be unloaded: see
/// [`Alive`]. Keep them in the module's state and not in something that can be leaked. A handler
/// must not own what owns its handle: then neither is ever dropped.
///
/// # Examples
///
/// ```
/// use kernel::sync::{
///     atomic::{Atomic, Relaxed},
///     Arc,
/// };
/// use crate::abstractions::{
///     owned_queue::OwnedQueue,
///     work::{new_work_handle, Handler},
/// };
///
/// struct Count(Atomic<u64>);
///
/// impl Handler for Count {
///     fn run(&self) {
///         self.0.add(1, Relaxed);
///     }
/// }
///
/// let queue = Arc::new(OwnedQueue::unbound(c"counters").build()?, GFP_KERNEL)?;
/// let count = new_work_handle!(queue, Count(Atomic::new(0)), "count")?;
/// let queued = count.enqueue();
/// let waited = count.flush();
/// let runs = count.0.load(Relaxed);
/// # let _ = (queued, waited, runs);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The item is queued through this handle alone, on `queue`, and not any more once the handle is
/// being dropped.
pub(crate) struct WorkHandle<H: Handler, Q: QueueOwner = SystemQueue> {
    item: Arc<Item<H>>,
    // Declared after the item and dropped after it: the item is not on the queue any more by then.
    queue: Q,
    // Declared last and dropped last: the item has been stopped by then.
    _alive: Alive,
}

impl<H: Handler, Q: QueueOwner> WorkHandle<H, Q> {
    /// Makes an item that runs `handler` on `queue`: what [`new_work_handle!`] expands to. May
    /// sleep.
    ///
    /// `handler` is one, or an initialiser of one. Items of one lock class must not wait for each
    /// other.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of the initialiser.
    pub(crate) fn new<E>(queue: Q, handler: impl PinInit<H, E>, class: LockClass) -> Result<Self>
    where
        Error: From<E>,
    {
        let item = Arc::pin_init::<Error>(
            try_pin_init!(Item {
                work <- Work::new(class.0, class.1),
                // INVARIANT: A new item is not disabled.
                disabled <- Disabled::new(),
                handler <- handler,
            }),
            GFP_KERNEL,
        )?;
        // INVARIANT: Nothing has queued the item yet, and it is private to this handle.
        Ok(Self {
            item,
            queue,
            _alive: Alive::new(Kind::Item, class.0),
        })
    }

    /// Queues the item. Returns `false` if it is disabled, or if it is pending already: then one
    /// run does for both. Any context.
    ///
    /// C: `queue_work()`.
    pub(crate) fn enqueue(&self) -> bool {
        // SAFETY: By the contract of `QueueOwner` the queue is valid for as long as `self` is.
        let queue = unsafe { Queue::from_raw(self.queue.as_raw()) };
        queue.enqueue(self.item.clone()).is_ok()
    }

    /// Takes the item back if it is pending, and waits for it if it runs. Returns whether it was
    /// taken back. Sleeps.
    ///
    /// [`enqueue`](Self::enqueue) returns `false` meanwhile, as for a pending item. If nothing may
    /// be lost, keep the two apart, by a mutex for example.
    ///
    /// C: `cancel_work_sync()`.
    pub(crate) fn cancel_sync(&self) -> bool {
        self.item.work.cancel_sync().is_some()
    }

    /// Like [`cancel_sync`](Self::cancel_sync). After that the item cannot be queued until
    /// [`enable`](Self::enable) has been called as often. (The count ends at 32,768.) Sleeps.
    ///
    /// C: `disable_work_sync()`.
    pub(crate) fn disable_sync(&self) -> bool {
        self.item.disabled.disable_sync(&self.item.work)
    }

    /// Undoes one [`disable_sync`](Self::disable_sync), and returns whether the item can be queued
    /// again. It does not queue what was refused meanwhile. Process context.
    ///
    /// C: `enable_work()`.
    pub(crate) fn enable(&self) -> bool {
        self.item.disabled.enable(&self.item.work)
    }

    /// Waits until a queued or running item has run. Returns `false` if it was idle. Sleeps.
    ///
    /// C: `flush_work()`.
    pub(crate) fn flush(&self) -> bool {
        self.item.work.flush()
    }
}

impl<H: Handler, Q: QueueOwner> Drop for WorkHandle<H, Q> {
    /// Stops the item for good: takes it back if it is pending, waits for it if it runs. Sleeps.
    ///
    /// C: `disable_work_sync()`, because `cancel_work_sync()` forbids queueing only while it
    /// waits.
    fn drop(&mut self) {
        drop(self.item.work.disable_sync());
    }
}

impl<H: Handler, Q: QueueOwner> Deref for WorkHandle<H, Q> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.item.handler
    }
}
