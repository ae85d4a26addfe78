// SPDX-License-Identifier: GPL-2.0

//! A work item with a timer: it is armed, and runs some time later.
//!
//! `cancel_work_sync()` on such an item would leave its timer armed. Here the item is reachable
//! only through a handle that knows the `*_delayed_work` variants and no others.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ops::Deref;

use kernel::{
    bindings,
    container_of,
    impl_has_delayed_work,
    new_delayed_work,
    new_mutex,
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies,
        Msecs, //
    },
    workqueue::{
        DelayedWork,
        HasWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

/// How many jiffies to wait so that `delay` has passed for sure: rounded up, and one more, because
/// the current jiffy is partly over.
pub(crate) fn jiffies_at_least(delay: Delta) -> Jiffies {
    let ms = Msecs::try_from(delay.as_millis_ceil()).unwrap_or(Msecs::MAX);
    msecs_to_jiffies(ms).saturating_add(1)
}

/// What a delayed work item does when its time has come.
pub(crate) trait DelayedHandler: Send + Sync + Sized + 'static {
    /// Runs in process context, on a worker thread, and may sleep.
    ///
    /// `rearm` lets the item queue itself again: self-rescheduling work.
    fn run(&self, rearm: &Rearm<'_, Self>);
}

#[pin_data]
struct Item<H: DelayedHandler> {
    #[pin]
    work: DelayedWork<Item<H>>,
    queue: &'static Queue,
    handler: H,
}

impl_has_delayed_work! {
    impl{H: DelayedHandler} HasDelayedWork<Self> for Item<H> { self.work }
}

impl<H: DelayedHandler> WorkItem for Item<H> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.handler.run(&Rearm(&this));
    }
}

impl<H: DelayedHandler> Item<H> {
    fn arm(self: &Arc<Self>, delay: Jiffies) -> bool {
        self.queue.enqueue_delayed(self.clone(), delay).is_ok()
    }

    fn delayed_work(self: &Arc<Self>) -> *mut bindings::delayed_work {
        // SAFETY: `Arc` points at a valid item, whose `work` was initialised in
        // `DelayedWorkHandle::new`.
        let work = unsafe { Work::raw_get(Self::raw_get_work(Arc::as_ptr(self).cast_mut())) };
        // SAFETY: `HasDelayedWork` says that this work item is the `work` field of a
        // `delayed_work`.
        unsafe { container_of!(work, bindings::delayed_work, work) }
    }

    /// Takes back the reference that [`Item::arm`] leaked.
    ///
    /// # Safety
    ///
    /// C must just have said that the item was pending and has been taken off.
    unsafe fn reclaim(self: &Arc<Self>) {
        // SAFETY: By this function's contract the item will not run, so that the `Arc` which
        // `arm` leaked is ours again.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(self)) });
    }

    /// Disables the item (once more), takes it back if it was pending, else waits for it.
    fn disable_sync(self: &Arc<Self>) -> bool {
        // SAFETY: The item is valid.
        let taken = unsafe { bindings::disable_delayed_work_sync(self.delayed_work()) };
        if taken {
            // SAFETY: C has just said so.
            unsafe { self.reclaim() };
        }
        taken
    }
}

/// Leave for a running handler to arm its own item again.
///
/// It lives no longer than the run, so that whoever has stopped the item and waited for it knows
/// that nothing arms it any more.
pub(crate) struct Rearm<'a, H: DelayedHandler>(&'a Arc<Item<H>>);

impl<H: DelayedHandler> Rearm<'_, H> {
    /// Arms the item to run after `delay` jiffies; `false` if it is armed already or being
    /// stopped. Any context.
    ///
    /// C: `queue_delayed_work()`.
    pub(crate) fn after(&self, delay: Jiffies) -> bool {
        self.0.arm(delay)
    }
}

/// The owner of a delayed work item on one of the system's queues.
///
/// # Locking and context
///
/// All of it sleeps. The item is armed, cancelled and stopped under a mutex, through the
/// [`Control`] that [`lock`](Self::lock) returns. [`flush`](Self::flush) and the destructor wait
/// for the handler, so the handler must not call them (lockdep tells). What [`WorkHandle`] says of
/// `mem::forget` holds here too.
///
/// # Invariants
///
/// The item is queued through [`Control`] and [`Rearm`] alone, always as an `Arc` that is leaked
/// to C while it is pending. It is disabled in C exactly when `stopped` is true.
///
/// [`WorkHandle`]: super::work::WorkHandle
#[pin_data(PinnedDrop)]
pub(crate) struct DelayedWorkHandle<H: DelayedHandler> {
    item: Arc<Item<H>>,
    #[pin]
    stopped: Mutex<bool>,
}

impl<H: DelayedHandler> DelayedWorkHandle<H> {
    /// Makes an item that runs `handler` on `queue`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(queue: &'static Queue, handler: H) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            item: Arc::pin_init(
                pin_init!(Item {
                    work <- new_delayed_work!("DelayedWorkHandle"),
                    queue,
                    handler,
                }),
                GFP_KERNEL,
            )?,
            // INVARIANT: A new item is not disabled, not queued, and private to this handle.
            stopped <- new_mutex!(false, "DelayedWorkHandle::stopped"),
        })
    }

    /// Takes control of the item: until the result is dropped nobody else but its own handler
    /// arms it, and nobody else takes it back. Sleeps.
    pub(crate) fn lock(&self) -> Control<'_, H> {
        Control {
            item: &self.item,
            stopped: self.stopped.lock(),
        }
    }

    /// Waits until the item, if its time has come, has run. An armed timer is left alone.
    /// `false` if there was nothing to wait for.
    ///
    /// C: `flush_work()` on the item (`flush_delayed_work()` would fire the timer now).
    pub(crate) fn flush(&self) -> bool {
        let delayed = self.item.delayed_work();
        // SAFETY: The item is valid, and stays so for as long as `self` is borrowed.
        unsafe { bindings::flush_work(&raw mut (*delayed).work) }
    }
}

/// Control over a delayed item: whoever holds it decides whether it is armed.
///
/// C refuses to queue an item while it is being cancelled, and the caller cannot tell that from
/// an item that is armed already: what was accepted would be lost. Holding a mutex over both
/// rules that out, and lets the holder keep counts that agree with C.
///
/// The handler must not wait for it: whoever holds it may be waiting for the handler.
pub(crate) struct Control<'a, H: DelayedHandler> {
    item: &'a Arc<Item<H>>,
    stopped: Guard<'a, bool, MutexBackend>,
}

impl<H: DelayedHandler> Control<'_, H> {
    /// Arms the item to run after `delay` jiffies; `false` if it is armed or queued already.
    /// Starts it again if it was stopped. Does not sleep.
    ///
    /// C: `queue_delayed_work()`, `enable_delayed_work()`.
    pub(crate) fn arm(&mut self, delay: Jiffies) -> bool {
        if *self.stopped {
            // SAFETY: The item is valid. By the type invariants it is disabled, once.
            unsafe { bindings::enable_delayed_work(self.item.delayed_work()) };
            // INVARIANT: It has just been enabled.
            *self.stopped = false;
        }
        self.item.arm(delay)
    }

    /// Takes the item back if it is armed or queued, and waits for it if it runs. Sleeps.
    ///
    /// | the item is | returns |
    /// | --- | --- |
    /// | armed, its timer running | `true` |
    /// | queued, its timer expired | `true` |
    /// | running | `false`, after the run |
    /// | idle | `false` |
    ///
    /// C: `cancel_delayed_work_sync()`.
    pub(crate) fn cancel_sync(&mut self) -> bool {
        // SAFETY: The item is valid.
        let taken = unsafe { bindings::cancel_delayed_work_sync(self.item.delayed_work()) };
        if taken {
            // SAFETY: C has just said so.
            unsafe { self.item.reclaim() };
        }
        taken
    }

    /// Stops the item until it is armed again from here: like
    /// [`cancel_sync`](Self::cancel_sync), but its handler cannot arm it any more either. Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`, because `cancel_delayed_work_sync()` forbids queueing
    /// only while it waits.
    pub(crate) fn stop(&mut self) -> bool {
        if *self.stopped {
            return false;
        }
        // INVARIANT: The item is disabled below, and was not before.
        *self.stopped = true;
        self.item.disable_sync()
    }
}

#[pinned_drop]
impl<H: DelayedHandler> PinnedDrop for DelayedWorkHandle<H> {
    /// Stops the item for good. Sleeps.
    fn drop(self: Pin<&mut Self>) {
        self.item.disable_sync();
    }
}

impl<H: DelayedHandler> Deref for DelayedWorkHandle<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.item.handler
    }
}
