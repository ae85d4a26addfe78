// SPDX-License-Identifier: GPL-2.0

//! A work item with a timer: it is armed, and runs some time later.
//!
//! `cancel_work_sync()` on such an item does not know of its timer (in 7.3 it spins until that
//! fires). Here the item is reachable only through a handle that knows the `*_delayed_work`
//! variants and no others.
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
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        LockClassKey,
        Mutex, //
    },
    task::might_sleep,
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies,
        Msecs, //
    },
    workqueue::{
        DelayedWork,
        Queue,
        WorkItem, //
    }, //
};

use super::{
    cancel::{
        delayed_work_of,
        CancelDelayedWork, //
    },
    jiffies::LONGEST_DELAY,
    owned_queue::{
        QueueOwner,
        SystemQueue, //
    }, //
};

/// How many jiffies a timer takes for `delay`: rounded up, 24.8 days at most, or [`LONGEST_DELAY`]
/// where that is less. Any context.
///
/// The current jiffy is partly over, and nothing has to be added for that: C's timers never fire
/// early (`calc_index()` in `kernel/time/timer.c` rounds up, to the next jiffy, or for long delays
/// to the next of a coarser grid, an eighth of the delay later at most).
///
/// C: `msecs_to_jiffies()`.
///
/// # Examples
///
/// ```
/// use kernel::time::Delta;
/// use crate::abstractions::delayed_work::jiffies_at_least;
///
/// // 10 where a jiffy takes 10 ms.
/// pr_info!("{} jiffies\n", jiffies_at_least(Delta::from_millis(100)));
/// ```
pub(crate) fn jiffies_at_least(delay: Delta) -> Jiffies {
    // C takes an `i32` of milliseconds that is negative for ever.
    let ms = delay.as_millis_ceil().clamp(0, i32::MAX.into());
    // CAST: It is neither negative nor too large.
    msecs_to_jiffies(ms as Msecs).min(LONGEST_DELAY)
}

/// What a delayed work item does when its time has come.
///
/// # Examples
///
/// ```
/// use crate::abstractions::delayed_work::{DelayedHandler, Rearm};
///
/// /// Says that nothing has come in time, once.
/// struct Timeout;
///
/// impl DelayedHandler for Timeout {
///     fn run(&self, _: &Rearm<'_, Self>) {
///         pr_warn!("no answer\n");
///     }
/// }
/// ```
pub(crate) trait DelayedHandler: Send + Sync + Sized + 'static {
    /// Runs in process context, on a worker thread, and may sleep.
    ///
    /// `rearm` lets the item queue itself again: self-rescheduling work.
    fn run(&self, rearm: &Rearm<'_, Self>);
}

/// # Invariants
///
/// `queue` is valid whenever the item is armed, queued or running: the handle owns a share in it,
/// and takes the item back before it gives that up. Should it not have waited for a run (see
/// [`OwnedQueue::ordered`]), then whoever destroys the queue does.
///
/// [`OwnedQueue::ordered`]: super::owned_queue::OwnedQueue::ordered
#[pin_data]
struct Item<H: DelayedHandler> {
    #[pin]
    work: DelayedWork<Item<H>>,
    queue: RawQueue,
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
        // INVARIANT: This is the run, and the handler cannot keep what it is lent.
        this.handler.run(&Rearm(&this));
    }
}

impl<H: DelayedHandler> Item<H> {
    /// Arms the item; `false` if it is armed or queued already, or has been stopped.
    ///
    /// # Safety
    ///
    /// The handle must exist, or the item be running.
    unsafe fn arm(self: &Arc<Self>, delay: Jiffies) -> bool {
        // SAFETY: By the type invariants the queue is valid, be it that the handle exists or that
        // the item runs.
        let queue = unsafe { Queue::from_raw(self.queue.0) };
        // C would take a delay of more than half of all jiffies for one that is over.
        let delay = delay.min(LONGEST_DELAY);
        queue.enqueue_delayed(self.clone(), delay).is_ok()
    }
}

/// Leave for a running handler to arm its own item again.
///
/// It lives no longer than the run, so that whoever has stopped the item and waited for it knows
/// that nothing arms it any more.
///
/// # Invariants
///
/// The item is running: one is made in the item's run alone, which lends it to the handler.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{Atomic, Relaxed};
/// use crate::abstractions::delayed_work::{DelayedHandler, Rearm};
///
/// /// Runs so many times, a jiffy apart.
/// struct Countdown(Atomic<i32>);
///
/// impl DelayedHandler for Countdown {
///     fn run(&self, rearm: &Rearm<'_, Self>) {
///         if self.0.fetch_sub(1, Relaxed) > 1 {
///             rearm.after(1);
///         }
///     }
/// }
/// ```
pub(crate) struct Rearm<'a, H: DelayedHandler>(&'a Arc<Item<H>>);

impl<H: DelayedHandler> Rearm<'_, H> {
    /// Arms the item to run after `delay` jiffies, [`LONGEST_DELAY`] at most; `false` if it is
    /// armed already or being stopped. Any context.
    ///
    /// C: `queue_delayed_work()`.
    pub(crate) fn after(&self, delay: Jiffies) -> bool {
        // SAFETY: By the type invariants the item is running.
        unsafe { self.0.arm(delay) }
    }
}

/// A lock class: what lockdep's reports call it, and its key.
///
/// # Examples
///
/// ```
/// use kernel::static_lock_class;
/// use crate::abstractions::delayed_work::LockClass;
///
/// let class: LockClass = (c"retry", static_lock_class!());
/// # let _ = class;
/// ```
pub(crate) type LockClass = (&'static CStr, Pin<&'static LockClassKey>);

/// The lock classes of a delayed item. Items of the same ones must not wait for each other, nor
/// take [`Control`] of each other, nor queue each other through their handles.
///
/// # Examples
///
/// By hand, where [`new_lock_classes!`] has other names:
///
/// ```
/// use kernel::static_lock_class;
/// use crate::abstractions::delayed_work::LockClasses;
///
/// let classes = LockClasses {
///     work: (c"retry", static_lock_class!()),
///     timer: (c"retry_timer", static_lock_class!()),
///     control: (c"retry_control", static_lock_class!()),
/// };
/// # let _ = classes;
/// ```
#[derive(Clone, Copy)]
pub(crate) struct LockClasses {
    /// That of its runs.
    pub(crate) work: LockClass,
    /// That of its timer.
    pub(crate) timer: LockClass,
    /// That of the mutex behind [`Control`].
    pub(crate) control: LockClass,
}

/// Newly-created [`LockClasses`], each with a name that begins with the one given or, without one,
/// with the place in the source.
///
/// # Examples
///
/// For a function that makes items for others, whose classes are the callers':
///
/// ```
/// use crate::abstractions::{
///     delayed_work::{
///         new_lock_classes, DelayedHandler, DelayedWorkHandle, LockClasses, Rearm,
///     },
///     owned_queue::system_percpu,
/// };
///
/// struct Nothing;
///
/// impl DelayedHandler for Nothing {
///     fn run(&self, _: &Rearm<'_, Self>) {}
/// }
///
/// fn make(classes: LockClasses) -> impl PinInit<DelayedWorkHandle<Nothing>, Error> {
///     DelayedWorkHandle::new(system_percpu(), Nothing, classes)
/// }
///
/// let one = KBox::pin_init(make(new_lock_classes!("one")), GFP_KERNEL)?;
/// let other = KBox::pin_init(make(new_lock_classes!("other")), GFP_KERNEL)?;
/// # drop((one, other));
/// # Ok::<(), Error>(())
/// ```
macro_rules! new_lock_classes {
    () => {
        $crate::abstractions::delayed_work::new_lock_classes!(@
            ::kernel::optional_name!(),
            ::core::concat!(::core::file!(), ":", ::core::line!(), "_timer"),
            ::core::concat!(::core::file!(), ":", ::core::line!(), "_control")
        )
    };
    ($name:literal) => {
        $crate::abstractions::delayed_work::new_lock_classes!(@
            ::kernel::optional_name!($name),
            ::core::concat!($name, "_timer"),
            ::core::concat!($name, "_control")
        )
    };
    (@ $work:expr, $timer:expr, $control:expr) => {
        $crate::abstractions::delayed_work::LockClasses {
            work: ($work, ::kernel::static_lock_class!()),
            timer: (::kernel::c_str!($timer), ::kernel::static_lock_class!()),
            control: (::kernel::c_str!($control), ::kernel::static_lock_class!()),
        }
    };
}
pub(crate) use new_lock_classes;

/// An initialiser of a [`DelayedWorkHandle`] with newly-created lock classes and, if one is given,
/// this name for them: [`DelayedWorkHandle::new`]. May sleep.
///
/// # Examples
///
/// In a struct of one's own:
///
/// ```
/// use crate::abstractions::{
///     delayed_work::{new_delayed_work_handle, DelayedHandler, DelayedWorkHandle, Rearm},
///     owned_queue::system_percpu,
/// };
///
/// struct Timeout;
///
/// impl DelayedHandler for Timeout {
///     fn run(&self, _: &Rearm<'_, Self>) {}
/// }
///
/// #[pin_data]
/// struct Driver {
///     #[pin]
///     timeout: DelayedWorkHandle<Timeout>,
/// }
///
/// let driver = try_pin_init!(Driver {
///     timeout <- new_delayed_work_handle!(system_percpu(), Timeout, "timeout"),
/// });
/// # drop(KBox::pin_init(driver, GFP_KERNEL)?);
/// # Ok::<(), Error>(())
/// ```
macro_rules! new_delayed_work_handle {
    ($queue:expr, $handler:expr $(, $name:literal)? $(,)?) => {
        $crate::abstractions::delayed_work::DelayedWorkHandle::new(
            $queue,
            $handler,
            $crate::abstractions::delayed_work::new_lock_classes!($($name)?),
        )
    };
}
pub(crate) use new_delayed_work_handle;

/// The owner of a delayed work item, and of the queue it runs on or a share in it.
///
/// The queue cannot go while the timer is armed: `destroy_workqueue()` would not wait for it.
///
/// # Locking and context
///
/// All of it sleeps. The item is cancelled and stopped under a mutex, through the [`Control`] that
/// [`lock`](Self::lock) returns; [`enqueue_delayed`](Self::enqueue_delayed) takes it where C
/// refuses the item. [`flush`](Self::flush), [`flush_delayed`](Self::flush_delayed) and the
/// destructor wait for the handler, so the handler must not call them (lockdep tells); nor
/// [`lock`](Self::lock) and [`enqueue_delayed`](Self::enqueue_delayed), for whoever has the mutex
/// may be waiting for it (lockdep tells once somebody has, and C has refused the item). What
/// [`WorkHandle`] says of the items of other handles, of ordered queues, and of handles that are
/// forgotten, holds here too.
///
/// # Examples
///
/// ```
/// use kernel::time::Delta;
/// use crate::abstractions::{
///     delayed_work::{jiffies_at_least, new_delayed_work_handle, DelayedHandler, Rearm},
///     owned_queue::system_percpu,
/// };
///
/// /// Tries again in a second until it has worked.
/// struct Retry;
///
/// impl Retry {
///     fn done(&self) -> bool {
///         true
///     }
/// }
///
/// impl DelayedHandler for Retry {
///     fn run(&self, rearm: &Rearm<'_, Self>) {
///         if !self.done() {
///             rearm.after(jiffies_at_least(Delta::from_secs(1)));
///         }
///     }
/// }
///
/// let retry = new_delayed_work_handle!(system_percpu(), Retry, "retry");
/// let retry = KBox::pin_init(retry, GFP_KERNEL)?;
/// retry.enqueue_delayed(jiffies_at_least(Delta::from_millis(50)));
/// // Something else came up: not now.
/// let was_armed = retry.lock().cancel_sync();
/// # let _ = was_armed;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The item is queued through the handle, [`Control`] and [`Rearm`] alone. While nobody holds
/// [`Control`], it is disabled in C exactly when `stopped` is true.
///
/// [`WorkHandle`]: super::work::WorkHandle
#[pin_data(PinnedDrop)]
pub(crate) struct DelayedWorkHandle<H: DelayedHandler, Q: QueueOwner = SystemQueue> {
    item: Arc<Item<H>>,
    #[pin]
    stopped: Mutex<bool>,
    // Dropped after the destructor has taken the item back.
    _queue: Q,
}

impl<H: DelayedHandler, Q: QueueOwner> DelayedWorkHandle<H, Q> {
    /// Makes an item that runs `handler` on `queue`, which is one or an initialiser of one: what
    /// [`new_delayed_work_handle!`] expands to. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and those of `handler`.
    pub(crate) fn new<E>(
        queue: Q,
        handler: impl PinInit<H, E>,
        classes: LockClasses,
    ) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        let raw_queue = RawQueue(queue.as_raw());
        let LockClasses {
            work,
            timer,
            control,
        } = classes;
        try_pin_init!(Self {
            item: Arc::pin_init::<Error>(
                try_pin_init!(Item {
                    work <- DelayedWork::new(work.0, work.1, timer.0, timer.1),
                    // INVARIANT: The handle keeps `_queue` until it has stopped the item.
                    queue: raw_queue,
                    handler <- handler,
                }),
                GFP_KERNEL,
            )?,
            // INVARIANT: A new item is not disabled, not queued, and private to this handle.
            stopped <- Mutex::new(false, control.0, control.1),
            _queue: queue,
        })
    }

    /// Arms the item to run after `delay` jiffies, [`LONGEST_DELAY`] at most; `false` if it is
    /// armed or queued already.
    /// Starts it again if it was stopped. Where C refuses the item it waits for whoever has
    /// [`Control`], for they may be taking it back. Sleeps.
    ///
    /// [`Control::arm`] is for those who keep counts of the item, and costs a mutex each time.
    ///
    /// C: `queue_delayed_work()`, `enable_delayed_work()`.
    pub(crate) fn enqueue_delayed(&self, delay: Jiffies) -> bool {
        // The mutex is taken only where C refuses: tell each time.
        might_sleep();
        // SAFETY: The handle is borrowed.
        let is_accepted = unsafe { self.item.arm(delay) };
        is_accepted || self.enqueue_refused(delay)
    }

    #[cold]
    fn enqueue_refused(&self, delay: Jiffies) -> bool {
        self.lock().arm(delay)
    }

    /// Takes control of the item: until the result is dropped nobody else takes it back, and
    /// nobody arms it but its own handler and [`enqueue_delayed`](Self::enqueue_delayed). Sleeps.
    pub(crate) fn lock(&self) -> Control<'_, H> {
        Control {
            item: &self.item,
            stopped: self.stopped.lock(),
        }
    }

    /// Whether its timer runs: the item is armed, and its time has not come. Any context. Unless
    /// the caller knows better, the answer may be out of date by the time it is looked at.
    ///
    /// C: `timer_pending()` on the item's timer.
    pub(crate) fn is_armed(&self) -> bool {
        // SAFETY: The item is valid, and so is its timer, which C initialised with it. C writes
        // the pointer as one word, whenever it likes, and so is it read: `timer_pending()` does
        // the same.
        let link = unsafe {
            ptr::read_volatile(&raw const (*delayed_work_of(&self.item)).timer.entry.pprev)
        };
        !link.is_null()
    }

    /// Waits until the item, if its time has come, has run. An armed timer is left alone.
    /// `false` if there was nothing to wait for. Sleeps.
    ///
    /// C: `flush_work()` on the item.
    pub(crate) fn flush(&self) -> bool {
        self.item.flush_queued()
    }

    /// Waits until the item has run, which an armed one does now and not when its time has come.
    /// `false` if there was nothing left to wait for. Sleeps.
    ///
    /// C: `flush_delayed_work()`.
    pub(crate) fn flush_delayed(&self) -> bool {
        self.item.flush_delayed()
    }
}

/// Control over a delayed item: whoever holds it decides whether it is armed, where everybody
/// arms it this way.
///
/// C refuses to queue an item while it is being cancelled, and the caller cannot tell that from
/// an item that is armed already: what was accepted would be lost. Holding a mutex over both
/// rules that out, and lets the holder keep counts that agree with C. (Who does not ask for it, but
/// calls [`DelayedWorkHandle::enqueue_delayed`], loses nothing either, but may arm the item at any
/// moment.)
///
/// The handler must not wait for it: whoever holds it may be waiting for the handler (lockdep
/// tells, as soon as somebody has once waited).
///
/// # Examples
///
/// To put off what is armed:
///
/// ```
/// use crate::abstractions::delayed_work::{Control, DelayedHandler};
///
/// fn put_off<H: DelayedHandler>(mut control: Control<'_, H>) -> bool {
///     control.cancel_sync() && control.arm(100)
/// }
/// ```
pub(crate) struct Control<'a, H: DelayedHandler> {
    item: &'a Arc<Item<H>>,
    stopped: Guard<'a, bool, MutexBackend>,
}

impl<H: DelayedHandler> Control<'_, H> {
    /// Arms the item to run after `delay` jiffies, [`LONGEST_DELAY`] at most; `false` if it is
    /// armed or queued already.
    /// Starts it again if it was stopped. Does not sleep.
    ///
    /// C: `queue_delayed_work()`, `enable_delayed_work()`.
    pub(crate) fn arm(&mut self, delay: Jiffies) -> bool {
        if *self.stopped {
            // SAFETY: The item is valid. By the type invariants it is disabled, once.
            unsafe { bindings::enable_delayed_work(delayed_work_of(self.item)) };
            // INVARIANT: It has just been enabled.
            *self.stopped = false;
        }
        // SAFETY: The handle is borrowed for as long as `self` exists.
        unsafe { self.item.arm(delay) }
    }

    /// Takes the item back if it is armed or queued, and waits for it if it runs; whether it was
    /// taken back. Sleeps.
    ///
    /// C: `cancel_delayed_work_sync()`; [`CancelDelayedWork::cancel_delayed_sync`] says what it
    /// returns when.
    pub(crate) fn cancel_sync(&mut self) -> bool {
        self.item.cancel_delayed_sync().is_some()
    }

    /// Stops the item until it is armed again through its handle: like
    /// [`cancel_sync`](Self::cancel_sync), but C keeps refusing it afterwards. Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`.
    pub(crate) fn stop(&mut self) -> bool {
        if *self.stopped {
            return false;
        }
        // INVARIANT: The item is disabled below, and was not before.
        *self.stopped = true;
        self.item.disable_delayed_sync().is_some()
    }
}

#[pinned_drop]
impl<H: DelayedHandler, Q: QueueOwner> PinnedDrop for DelayedWorkHandle<H, Q> {
    /// Stops the item for good. Sleeps.
    fn drop(self: Pin<&mut Self>) {
        // INVARIANT: Nobody holds `Control`, nor will anybody look at `stopped` again.
        drop(self.item.disable_delayed_sync());
    }
}

impl<H: DelayedHandler, Q: QueueOwner> Deref for DelayedWorkHandle<H, Q> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.item.handler
    }
}
