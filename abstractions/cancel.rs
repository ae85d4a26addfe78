// SPDX-License-Identifier: GPL-2.0

//! Taking work items back, and waiting for them.
//!
//! Queueing an `Arc` hands one reference to C, which comes back when the item runs. A cancelled
//! item never runs: whoever cancels it gets the reference, exactly when C says that the item was
//! pending. A reference that is not taken back is leaked. One that is taken back though C said no
//! is freed twice.
//!
//! Boxed items cannot be cancelled: once queued they belong to C until they run, and nobody else
//! has a pointer to them. They cannot be disabled either: the `kernel` crate assumes that C accepts
//! a box. Items behind an `ARef` could be taken back like those behind an `Arc`. No module here has
//! any, so they can only be queued ([`OwnedQueue::enqueue`]).
//!
//! [`OwnedQueue::enqueue`]: super::owned_queue::OwnedQueue::enqueue
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ptr;

use kernel::{
    bindings,
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
    workqueue::{
        DelayedWork,
        HasDelayedWork,
        HasWork,
        Work,
        WorkItem, //
    }, //
};

use raw_item::{
    Function,
    Functions, //
};

pub(super) use raw_item::RawItem;

/// A work item behind an `Arc`, which can be taken back and waited for: the [`Work`] or the
/// [`DelayedWork`] in it. The type decides which C function is called. `cancel_work_sync()` on an
/// item with a timer would not know of that timer, and in 7.3 it spins until that fires.
///
/// The `_sync` methods and [`flush`](Self::flush) sleep: they wait for a running handler, so the
/// handler must not call them (lockdep tells). Items of ordered queues may still run after the
/// wait: see [`OwnedQueue::ordered`].
///
/// [`OwnedQueue::ordered`]: super::owned_queue::OwnedQueue::ordered
///
/// # Examples
///
/// ```
/// use kernel::{
///     impl_has_work, new_work,
///     sync::Arc,
///     workqueue::{Work, WorkItem},
/// };
/// use crate::abstractions::{cancel::CancelWork, owned_queue::OwnedQueue};
///
/// #[pin_data]
/// struct Job {
///     #[pin]
///     work: Work<Job>,
/// }
///
/// impl_has_work! {
///     impl HasWork<Self> for Job { self.work }
/// }
///
/// impl WorkItem for Job {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {
///         pr_info!("it runs\n");
///     }
/// }
///
/// let queue = OwnedQueue::unbound(c"jobs").build()?;
/// let job = Arc::pin_init(pin_init!(Job { work <- new_work!("Job") }), GFP_KERNEL)?;
/// let _ = queue.enqueue(job.clone());
/// if let Some(_taken_back) = job.work.cancel_sync() {
///     pr_info!("it had not run\n");
/// }
/// # Ok::<(), Error>(())
/// ```
///
/// A struct with two items, one of them with a timer, names the one that it means:
///
/// ```
/// use kernel::{
///     impl_has_delayed_work, impl_has_work,
///     sync::Arc,
///     workqueue::{DelayedWork, Work, WorkItem},
/// };
/// use crate::abstractions::cancel::CancelWork;
///
/// #[pin_data]
/// struct Request {
///     #[pin]
///     answer: Work<Request, 0>,
///     #[pin]
///     timeout: DelayedWork<Request, 1>,
/// }
///
/// impl_has_work! {
///     impl HasWork<Self, 0> for Request { self.answer }
/// }
///
/// impl_has_delayed_work! {
///     impl HasDelayedWork<Self, 1> for Request { self.timeout }
/// }
///
/// impl WorkItem<0> for Request {
///     type Pointer = Arc<Self>;
///
///     fn run(this: Arc<Self>) {
///         // An answer came in time.
///         drop(this.timeout.disable_sync());
///     }
/// }
///
/// impl WorkItem<1> for Request {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {
///         pr_warn!("no answer\n");
///     }
/// }
/// ```
pub(crate) trait CancelWork: RawItem {
    /// Takes the item back if it is armed or queued. It may still be running when this returns. Any
    /// context, but a hard interrupt must not drop what comes back if that is the last reference.
    ///
    /// C: `cancel_work()`, `cancel_delayed_work()`.
    fn cancel(&self) -> Option<Self::Pointer> {
        // SAFETY: It is one of `C`, and says whether it took the item off.
        unsafe { take_back(self, Self::C.cancel) }
    }

    /// Takes the item back if it is armed or queued, and waits for it if it runs. Sleeps.
    ///
    /// | the item is | returns |
    /// | --- | --- |
    /// | armed, its timer running | `Some` |
    /// | queued | `Some` |
    /// | running | `None`, after the run |
    /// | idle | `None` |
    ///
    /// C refuses to queue the item meanwhile. To a caller who queues it that looks like an item
    /// that is pending already.
    ///
    /// C: `cancel_work_sync()`, `cancel_delayed_work_sync()`.
    fn cancel_sync(&self) -> Option<Self::Pointer> {
        // SAFETY: As in `cancel`.
        unsafe { take_back(self, Self::C.cancel_sync) }
    }

    /// Like [`cancel_sync`](Self::cancel_sync), and the item cannot be queued any more, not even
    /// by its own handler: it has been stopped for good. Sleeps.
    ///
    /// C: `disable_work_sync()`, `disable_delayed_work_sync()`.
    fn disable_sync(&self) -> Option<Self::Pointer> {
        if times_disabled(self) >= MAX_DISABLED {
            return self.cancel_sync();
        }
        // SAFETY: As in `cancel`.
        unsafe { take_back(self, Self::C.disable_sync) }
    }

    /// Waits until the item has run. Returns `false` if there was nothing left to wait for. An
    /// armed item runs now: its timer is stopped, and it is queued where it was to be queued.
    /// Sleeps.
    ///
    /// C: `flush_work()`, `flush_delayed_work()`.
    fn flush(&self) -> bool {
        // SAFETY: By the contract of `RawItem` the function is C's for this kind of item, and the
        // item stays valid for as long as `self` is borrowed. The queue that C puts an armed item
        // on is valid: it is one of the system's, which stay, or that of a handle, by the
        // invariants of the handle's item.
        unsafe { (Self::C.flush)(self.as_raw()) }
    }
}

impl<W: RawItem> CancelWork for W {}

/// How often an item is disabled at most. C counts to 65,535, and warns of more. It also counts
/// each canceller while that one waits. The other half is for them, and there are never so many.
const MAX_DISABLED: usize = 1 << 15;

/// What is behind [`CancelWork`]. Nobody else implements it.
mod raw_item {
    use super::*;

    pub(super) type Function<R> = unsafe extern "C" fn(*mut R) -> bool;

    /// C's functions for items of one kind.
    pub(crate) struct Functions<R> {
        pub(super) cancel: Function<R>,
        pub(super) cancel_sync: Function<R>,
        pub(super) disable: Function<R>,
        pub(super) disable_sync: Function<R>,
        pub(super) enable: Function<R>,
        pub(super) flush: Function<R>,
    }

    /// A work item as C knows it.
    ///
    /// # Safety
    ///
    /// `as_raw` must return a pointer to the item, which is valid for as long as `self` is
    /// borrowed, `as_work` one to the `work_struct` in it, and `C` must be the functions for
    /// items of this kind.
    ///
    /// Whenever C says that the item was pending, there must be a reference that queueing has
    /// leaked, and `pointer` must make it one again.
    pub(crate) unsafe trait RawItem: Sized {
        /// What is queued, and comes back.
        type Pointer;

        /// The item in C.
        type Raw;

        /// C's functions for it.
        const C: Functions<Self::Raw>;

        /// The item in C.
        fn as_raw(&self) -> *mut Self::Raw;

        /// The `work_struct` in it.
        fn as_work(&self) -> *mut bindings::work_struct;

        /// What was queued.
        ///
        /// # Safety
        ///
        /// C must have said that it took this item off, and nobody else may call this for the same
        /// answer.
        unsafe fn pointer(&self) -> Self::Pointer;
    }
}

/// Has C take the item off by one of its functions, and takes back what was queued exactly if C
/// did.
///
/// # Safety
///
/// The function must be one of `W::C`, and return whether it took the item off.
unsafe fn take_back<W: RawItem>(item: &W, function: Function<W::Raw>) -> Option<W::Pointer> {
    // SAFETY: By the contract of `RawItem` the item is valid, and by this function's the function
    // is C's for it. An `Arc` copes with C refusing it from now on.
    let taken = unsafe { function(item.as_raw()) };
    // SAFETY: C has said that it took the item off, and its answer is used here alone.
    taken.then(|| unsafe { item.pointer() })
}

/// How often C has been told to refuse the item. Cancellers that wait count too.
fn times_disabled(item: &impl RawItem) -> usize {
    // SAFETY: By the contract of `RawItem` the item is valid. C writes this as one word, whenever
    // it likes, and it is read as one.
    let data = unsafe { ptr::read_volatile(&raw const (*item.as_work()).data.counter) };
    // CAST: To C too it is a word of flags and numbers without a sign.
    let data = data as usize;
    if data & bindings::work_flags_WORK_STRUCT_PWQ as usize != 0 {
        // A queued item has a pointer there. Those that are disabled are not queued.
        return 0;
    }
    let count = data >> bindings::work_bits_WORK_OFFQ_DISABLE_SHIFT;
    count & ((1 << bindings::work_bits_WORK_OFFQ_DISABLE_BITS) - 1)
}

// SAFETY: A `Work` is a transparent wrapper of a `work_struct`, which is initialised when it is
// made. A safe user has no reference to the one in a `delayed_work`. When C says that it was
// pending, it has been queued, which takes an `Arc<T>` with `HasWork` (the pointer of this type of
// item is no other): `RawWorkItem` has leaked that `Arc`, whose item this is.
unsafe impl<T, const ID: u64> RawItem for Work<T, ID>
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasWork<T, ID>,
{
    type Pointer = Arc<T>;
    type Raw = bindings::work_struct;

    const C: Functions<Self::Raw> = Functions {
        cancel: bindings::cancel_work,
        cancel_sync: bindings::cancel_work_sync,
        disable: bindings::disable_work,
        disable_sync: bindings::disable_work_sync,
        enable: bindings::enable_work,
        flush: bindings::flush_work,
    };

    fn as_raw(&self) -> *mut bindings::work_struct {
        // SAFETY: A reference is neither dangling nor unaligned.
        unsafe { Work::raw_get(self) }
    }

    fn as_work(&self) -> *mut bindings::work_struct {
        self.as_raw()
    }

    unsafe fn pointer(&self) -> Arc<T> {
        let work = ptr::from_ref(self).cast_mut();
        // SAFETY: By this function's contract the item was queued, so that it is the one in what
        // an `Arc` pointed at, and that `Arc` is there to be taken back.
        unsafe { Arc::from_raw(T::work_container_of(work)) }
    }
}

// SAFETY: A `DelayedWork` is a transparent wrapper of a `delayed_work`, which is initialised when
// it is made. When C says that it was pending, it has been queued, be it with a timer or without:
// as above, that has leaked an `Arc`, whose item this is.
unsafe impl<T, const ID: u64> RawItem for DelayedWork<T, ID>
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID>,
{
    type Pointer = Arc<T>;
    type Raw = bindings::delayed_work;

    const C: Functions<Self::Raw> = Functions {
        cancel: bindings::cancel_delayed_work,
        cancel_sync: bindings::cancel_delayed_work_sync,
        disable: bindings::disable_delayed_work,
        disable_sync: bindings::disable_delayed_work_sync,
        enable: bindings::enable_delayed_work,
        flush: bindings::flush_delayed_work,
    };

    fn as_raw(&self) -> *mut bindings::delayed_work {
        // CAST: `DelayedWork` is a transparent wrapper.
        ptr::from_ref(self).cast_mut().cast()
    }

    fn as_work(&self) -> *mut bindings::work_struct {
        // SAFETY: It points into `self`, which is borrowed.
        unsafe { &raw mut (*self.as_raw()).work }
    }

    unsafe fn pointer(&self) -> Arc<T> {
        // SAFETY: As for `Work`: the item is the one in what an `Arc` pointed at. A reference is
        // neither dangling nor unaligned.
        unsafe { Arc::from_raw(T::work_container_of(DelayedWork::raw_as_work(self))) }
    }
}

/// How often the item of a handle has been disabled, and not enabled again.
///
/// C counts that too. But if C enables an item that is not disabled, it takes the item off its
/// queue, forgets what it was queued for, and waits for its timer. So C must not be asked then.
///
/// # Invariants
///
/// It is used with one item, which lies beside it in what a handle owns. While nobody holds the
/// lock, C has disabled that item at least as often.
#[pin_data]
pub(super) struct Disabled {
    #[pin]
    times: SpinLock<usize>,
}

impl Disabled {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // One class for all: under it C's own locks are taken, and nothing is waited for.
            times <- new_spinlock!(0, "Disabled::times"),
        })
    }

    /// Disables the item, takes it back if it is armed or queued, and waits for it if it runs.
    /// Returns whether it was taken back. Sleeps.
    ///
    /// C: `disable_work_sync()`, `disable_delayed_work_sync()`.
    pub(super) fn disable_sync<W: RawItem>(&self, item: &W) -> bool {
        let taken = self.disable(item).is_some();
        // It waits for the run. Another cancel would take off what has been queued after somebody
        // else's `enable`. SAFETY: By the contract of `RawItem` the item is valid.
        unsafe { bindings::flush_work(item.as_work()) };
        taken
    }

    fn disable<W: RawItem>(&self, item: &W) -> Option<W::Pointer> {
        let mut times = self.times.lock();
        if *times == MAX_DISABLED {
            return None;
        }
        // INVARIANT: C disables it here, once more.
        *times += 1;
        // SAFETY: As in `CancelWork::cancel`.
        unsafe { take_back(item, W::C.disable) }
    }

    /// Undoes one [`disable_sync`](Self::disable_sync). Returns whether the item can be queued
    /// again because of that. Process context.
    ///
    /// C: `enable_work()`, `enable_delayed_work()`.
    pub(super) fn enable<W: RawItem>(&self, item: &W) -> bool {
        let mut times = self.times.lock();
        if *times == 0 {
            return false;
        }
        // INVARIANT: C enables it below, once.
        *times -= 1;
        // SAFETY: By the contract of `RawItem` the item is valid, and by the type invariants
        // disabled.
        unsafe { (W::C.enable)(item.as_raw()) };
        *times == 0
    }
}
