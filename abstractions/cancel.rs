// SPDX-License-Identifier: GPL-2.0

//! Taking work items back, and waiting for them.
//!
//! Queueing an `Arc` hands one reference to C, which comes back when the item runs. A cancelled
//! item never runs: whoever cancels gets that reference instead, exactly when C says that the item
//! was pending. A reference that is not taken back is leaked; one that is taken back though C said
//! no is freed twice.
//!
//! Boxed items cannot be cancelled: once queued they belong to C until they run, and nobody else
//! has a pointer to them. Neither can they be disabled: the `kernel` crate takes it for granted
//! that C accepts a box. Items behind an `ARef` could be taken back like those behind an `Arc`;
//! none of the modules has any, and so they are only queued ([`OwnedQueue::enqueue`]).
//!
//! [`OwnedQueue::enqueue`]: super::owned_queue::OwnedQueue::enqueue
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use kernel::{
    bindings,
    container_of,
    sync::Arc,
    workqueue::{
        HasDelayedWork,
        HasWork,
        Work,
        WorkItem, //
    }, //
};

/// Implements [`HasWork`] for a struct, like the `kernel` crate's macro of that name, and
/// [`HasPlainWork`].
///
/// # Examples
///
/// A struct with two items tells them apart by an ID.
///
/// ```
/// use kernel::{sync::Arc, workqueue::{Work, WorkItem}};
/// use crate::abstractions::cancel::impl_has_plain_work;
///
/// #[pin_data]
/// struct Link {
///     #[pin]
///     up: Work<Link, 0>,
///     #[pin]
///     down: Work<Link, 1>,
/// }
///
/// impl_has_plain_work! {
///     impl HasPlainWork<Self, 0> for Link { self.up }
///     impl HasPlainWork<Self, 1> for Link { self.down }
/// }
///
/// impl WorkItem<0> for Link {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {
///         pr_info!("the link is up\n");
///     }
/// }
///
/// impl WorkItem<1> for Link {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {
///         pr_info!("the link is down\n");
///     }
/// }
/// ```
macro_rules! impl_has_plain_work {
    ($(impl$({$($generics:tt)*})?
       HasPlainWork<$work_type:ty $(, $id:tt)?>
       for $self:ty
       { self.$field:ident }
    )*) => {$(
        ::kernel::impl_has_work! {
            impl$({$($generics)*})? HasWork<$work_type $(, $id)?> for $self { self.$field }
        }

        // SAFETY: The implementation of `HasWork` above is the one for this type and ID, and its
        // field is a `Work`, or it would not compile; so there is no timer beside it.
        unsafe impl$(<$($generics)+>)?
            $crate::abstractions::cancel::HasPlainWork<$work_type $(, $id)?> for $self {}
    )*};
}
pub(crate) use impl_has_plain_work;

/// A struct with a work item that is not part of a `delayed_work`.
///
/// `cancel_work_sync()` on a delayed item does not know of its timer (in 7.3 it spins until that
/// fires), so that a plain item has to be known to be one. [`impl_has_plain_work!`] implements
/// this.
///
/// # Examples
///
/// ```
/// use kernel::{sync::Arc, workqueue::WorkItem};
/// use crate::abstractions::cancel::{CancelWork, HasPlainWork};
///
/// fn stop<T: WorkItem<Pointer = Arc<T>> + HasPlainWork<T>>(item: &Arc<T>) {
///     drop(item.disable_sync());
/// }
/// ```
///
/// # Safety
///
/// The work item that [`HasWork`] finds must not be the `work` field of a `delayed_work`.
pub(crate) unsafe trait HasPlainWork<T, const ID: u64 = 0>: HasWork<T, ID> {}

/// A plain work item behind an `Arc`: it can be taken back and waited for.
///
/// The `_sync` functions wait for the handler if it runs, and so must not be called by it
/// (lockdep tells). Items of ordered queues may run on all the same, see [`OwnedQueue::ordered`].
///
/// [`OwnedQueue::ordered`]: super::owned_queue::OwnedQueue::ordered
///
/// # Examples
///
/// ```
/// use kernel::{
///     new_work,
///     sync::Arc,
///     workqueue::{Work, WorkItem},
/// };
/// use crate::abstractions::{
///     cancel::{impl_has_plain_work, CancelWork},
///     owned_queue::OwnedQueue,
/// };
///
/// #[pin_data]
/// struct Job {
///     #[pin]
///     work: Work<Job>,
/// }
///
/// impl_has_plain_work! {
///     impl HasPlainWork<Self> for Job { self.work }
/// }
///
/// impl WorkItem for Job {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {}
/// }
///
/// let queue = OwnedQueue::unbound(c"jobs").build()?;
/// let job = Arc::pin_init(pin_init!(Job { work <- new_work!("Job") }), GFP_KERNEL)?;
/// let _ = queue.enqueue(job.clone());
/// if let Some(_taken_back) = job.cancel_sync() {
///     pr_info!("it had not run\n");
/// }
/// # Ok::<(), Error>(())
/// ```
pub(crate) trait CancelWork<const ID: u64 = 0>: Sized {
    /// Takes the item back if it is pending. It may be running, and still be when this returns.
    /// Any context.
    ///
    /// C: `cancel_work()`.
    fn cancel(&self) -> Option<Self>;

    /// Takes the item back if it is pending, and waits for it if it runs. Sleeps.
    ///
    /// C refuses to queue the item meanwhile; a caller who queues it cannot tell that from an item
    /// that is pending already.
    ///
    /// C: `cancel_work_sync()`.
    fn cancel_sync(&self) -> Option<Self>;

    /// Like [`cancel_sync`](Self::cancel_sync), and the item cannot be queued any more, not even
    /// by its own handler: it has been stopped for good. Sleeps.
    ///
    /// C: `disable_work_sync()`.
    fn disable_sync(&self) -> Option<Self>;

    /// Waits until the item, if it is queued or running, has run; `false` if it was idle. Sleeps.
    ///
    /// C: `flush_work()`.
    fn flush(&self) -> bool;
}

/// A delayed work item behind an `Arc`: [`CancelWork`] for those that have a timer.
///
/// # Examples
///
/// ```
/// use kernel::{
///     impl_has_delayed_work, new_delayed_work,
///     sync::Arc,
///     workqueue::{system_long, DelayedWork, WorkItem},
/// };
/// use crate::abstractions::cancel::CancelDelayedWork;
///
/// #[pin_data]
/// struct Timeout {
///     #[pin]
///     work: DelayedWork<Timeout>,
/// }
///
/// impl_has_delayed_work! {
///     impl HasDelayedWork<Self> for Timeout { self.work }
/// }
///
/// impl WorkItem for Timeout {
///     type Pointer = Arc<Self>;
///
///     fn run(_: Arc<Self>) {
///         pr_warn!("no answer\n");
///     }
/// }
///
/// let timeout = Arc::pin_init(
///     pin_init!(Timeout { work <- new_delayed_work!("Timeout") }),
///     GFP_KERNEL,
/// )?;
/// let _ = system_long().enqueue_delayed(timeout.clone(), 100);
/// // The answer came.
/// drop(timeout.disable_delayed_sync());
/// # Ok::<(), Error>(())
/// ```
pub(crate) trait CancelDelayedWork<const ID: u64 = 0>: Sized {
    /// Takes the item back if it is armed or queued. It may be running, and still be when this
    /// returns. Any context.
    ///
    /// C: `cancel_delayed_work()`.
    fn cancel_delayed(&self) -> Option<Self>;

    /// Takes the item back if it is armed or queued, and waits for it if it runs. Sleeps.
    ///
    /// | the item is | returns |
    /// | --- | --- |
    /// | armed, its timer running | `Some` |
    /// | queued, its timer expired | `Some` |
    /// | running | `None`, after the run |
    /// | idle | `None` |
    ///
    /// C: `cancel_delayed_work_sync()`.
    fn cancel_delayed_sync(&self) -> Option<Self>;

    /// Like [`cancel_delayed_sync`](Self::cancel_delayed_sync), and the item cannot be armed or
    /// queued any more, not even by its own handler: it has been stopped for good. Sleeps.
    ///
    /// C: `disable_delayed_work_sync()`.
    fn disable_delayed_sync(&self) -> Option<Self>;

    /// Waits until the item, if its time has come, has run. An armed timer is left alone. `false`
    /// if there was nothing to wait for. Sleeps.
    ///
    /// C: `flush_work()` on the item.
    fn flush_queued(&self) -> bool;

    /// Waits until the item has run, which an armed one does now: its timer is stopped and the item
    /// queued where it was to be queued. `false` if there was nothing left to wait for. Sleeps.
    ///
    /// C: `flush_delayed_work()`.
    fn flush_delayed(&self) -> bool;
}

/// The work item of what an `Arc` points at.
fn work_of<T, const ID: u64>(item: &Arc<T>) -> *mut bindings::work_struct
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasWork<T, ID>,
{
    // SAFETY: An `Arc` points at a valid value, and `raw_get_work` returns a pointer to a field of
    // it.
    unsafe { Work::raw_get(T::raw_get_work(Arc::as_ptr(item).cast_mut())) }
}

/// The delayed work item of what an `Arc` points at.
pub(super) fn delayed_work_of<T, const ID: u64>(item: &Arc<T>) -> *mut bindings::delayed_work
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID>,
{
    // SAFETY: `HasDelayedWork` promises that this work item is the `work` field of a
    // `delayed_work`.
    unsafe { container_of!(work_of(item), bindings::delayed_work, work) }
}

/// Takes back the reference that queueing leaked, if `taken`.
///
/// # Safety
///
/// `taken` must be what C returned when it was asked to take this very item off, and nobody else
/// must take that answer for leave to do so.
unsafe fn reclaim<T>(item: &Arc<T>, taken: bool) -> Option<Arc<T>> {
    // SAFETY: C says that the item was pending: an `Arc` to it was leaked by `RawWorkItem` for
    // `Arc`, which would have become one again in the run that now does not come.
    taken.then(|| unsafe { Arc::from_raw(Arc::as_ptr(item)) })
}

impl<T, const ID: u64> CancelWork<ID> for Arc<T>
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasPlainWork<T, ID>,
{
    fn cancel(&self) -> Option<Self> {
        // SAFETY: The work item is valid, and the answer of C is used once.
        unsafe { reclaim(self, bindings::cancel_work(work_of(self))) }
    }

    fn cancel_sync(&self) -> Option<Self> {
        // SAFETY: As in `cancel`.
        unsafe { reclaim(self, bindings::cancel_work_sync(work_of(self))) }
    }

    fn disable_sync(&self) -> Option<Self> {
        // SAFETY: As in `cancel`. An `Arc` copes with C refusing it from now on.
        unsafe { reclaim(self, bindings::disable_work_sync(work_of(self))) }
    }

    fn flush(&self) -> bool {
        // SAFETY: The work item is valid, and stays so for as long as `self` is borrowed.
        unsafe { bindings::flush_work(work_of(self)) }
    }
}

impl<T, const ID: u64> CancelDelayedWork<ID> for Arc<T>
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID>,
{
    fn cancel_delayed(&self) -> Option<Self> {
        // SAFETY: The delayed work item is valid, and the answer of C is used once.
        unsafe { reclaim(self, bindings::cancel_delayed_work(delayed_work_of(self))) }
    }

    fn cancel_delayed_sync(&self) -> Option<Self> {
        let work = delayed_work_of(self);
        // SAFETY: As in `cancel_delayed`.
        unsafe { reclaim(self, bindings::cancel_delayed_work_sync(work)) }
    }

    fn disable_delayed_sync(&self) -> Option<Self> {
        let work = delayed_work_of(self);
        // SAFETY: As in `cancel_delayed`. An `Arc` copes with C refusing it from now on.
        unsafe { reclaim(self, bindings::disable_delayed_work_sync(work)) }
    }

    fn flush_queued(&self) -> bool {
        // SAFETY: The work item is valid, and stays so for as long as `self` is borrowed.
        unsafe { bindings::flush_work(work_of(self)) }
    }

    fn flush_delayed(&self) -> bool {
        // SAFETY: As in `flush_queued`. The queue that C puts an armed item on is valid: it is one
        // of the system's, which stay, or that of a handle, by the invariants of the handle's item.
        unsafe { bindings::flush_delayed_work(delayed_work_of(self)) }
    }
}
