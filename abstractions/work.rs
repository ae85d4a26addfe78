// SPDX-License-Identifier: GPL-2.0

//! A work item that can be queued again and again, waited for and taken back.
//!
//! Queueing an `Arc` hands C one reference, which comes back when the item runs. If it is
//! cancelled it never runs, and whoever cancels has to take that reference back, exactly when C
//! says that the item was pending. [`WorkHandle`] does, and its destructor leaves nothing behind.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ops::Deref;

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        HasWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

/// What a work item does when its turn comes.
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

/// The owner of a work item on one of the system's queues.
///
/// Dereferences to the handler, so that state can live there.
///
/// # Locking and context
///
/// [`enqueue`](Self::enqueue) may be called in any context; all else sleeps. [`flush`] and the
/// destructor wait for the item, so the item's own handler must not call them (lockdep tells).
///
/// The queue is `'static`, so it outlives the item. If the handle is forgotten the item stays
/// allocated and may still run: correct for built-in code, but a module must drop its handles
/// before it goes, because `'static` does not keep its text alive. Keep them in the module's
/// state and not in something that can be leaked.
///
/// # Invariants
///
/// The item is queued through this handle alone, always as an `Arc` that is leaked to C while it
/// is pending.
///
/// [`flush`]: Self::flush
pub(crate) struct WorkHandle<H: Handler> {
    item: Arc<Item<H>>,
    queue: &'static Queue,
}

impl<H: Handler> WorkHandle<H> {
    /// Makes an item that runs `handler` on `queue`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(queue: &'static Queue, handler: H) -> Result<Self> {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_work!("WorkHandle"),
                handler,
            }),
            GFP_KERNEL,
        )?;
        // INVARIANT: Nothing has queued the item yet, and it is private to this handle.
        Ok(Self { item, queue })
    }

    /// Queues the item; `false` if it is pending already.
    ///
    /// C: `queue_work()`.
    pub(crate) fn enqueue(&self) -> bool {
        self.queue.enqueue(self.item.clone()).is_ok()
    }

    fn work(&self) -> *mut bindings::work_struct {
        // SAFETY: `Arc` points at a valid item, whose `work` was initialised in `new`.
        unsafe { Work::raw_get(Item::raw_get_work(Arc::as_ptr(&self.item).cast_mut())) }
    }

    /// Waits until the item, if it is queued or running, has run. `false` if it was idle.
    ///
    /// C: `flush_work()`.
    pub(crate) fn flush(&self) -> bool {
        // SAFETY: The work item is valid, and stays so for as long as `self` is borrowed.
        unsafe { bindings::flush_work(self.work()) }
    }
}

impl<H: Handler> Drop for WorkHandle<H> {
    /// Stops the item for good: takes it back if it is pending, waits if it is running. Sleeps.
    ///
    /// C: `disable_work_sync()`, because `cancel_work_sync()` forbids queueing only while it
    /// waits.
    fn drop(&mut self) {
        // SAFETY: The work item is valid.
        if unsafe { bindings::disable_work_sync(self.work()) } {
            // SAFETY: C says that the item was pending, so it never runs: by the type invariants
            // the reference that `enqueue` leaked is ours again.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&self.item)) });
        }
    }
}

impl<H: Handler> Deref for WorkHandle<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.item.handler
    }
}
