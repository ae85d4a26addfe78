// SPDX-License-Identifier: GPL-2.0

//! Work items that their owner lends to C, and takes back before they go.
//!
//! An `Arc` that is queued gives C a share in the item, which comes back when it runs. An owner who
//! waits for the item before it goes need not share: nothing is counted, and there is nothing to
//! hand back when the item is cancelled.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    bindings,
    workqueue::{
        HasDelayedWork,
        HasWork,
        RawDelayedWorkItem,
        RawWorkItem,
        Work,
        WorkItem,
        WorkItemPointer, //
    }, //
};

/// A work item on its way to C, or in its run.
///
/// # Invariants
///
/// The item is valid and does not move until it has run, or somebody has taken it back and waited
/// for it.
pub(super) struct Lent<T>(NonNull<T>);

// SAFETY: It is used as a reference is.
unsafe impl<T: Sync> Send for Lent<T> {}

impl<T> Lent<T> {
    /// Lends `item` out.
    ///
    /// # Safety
    ///
    /// Before `item` becomes invalid or moves, its owner has to see to it that nobody queues it any
    /// more, to take it back from C if it is queued, and to wait for it if it runs.
    pub(super) unsafe fn new(item: &T) -> Self {
        // INVARIANT: That is what the caller promises.
        Self(NonNull::from(item))
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants it is valid: `self` exists before the item is queued, and
        // during its run.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: By the type invariants the `work_struct` is valid until its run, if it was queued, and
// throughout the call, for `self` exists so long.
unsafe impl<T, const ID: u64> RawWorkItem<ID> for Lent<T>
where
    T: WorkItem<ID, Pointer = Self> + HasWork<T, ID>,
{
    /// Whether it was queued; if not it is pending already, or C refuses it.
    type EnqueueOutput = bool;

    unsafe fn __enqueue<F>(self, queue_work_on: F) -> bool
    where
        F: FnOnce(*mut bindings::work_struct) -> bool,
    {
        // SAFETY: By the type invariants the item is valid, and `raw_get_work` returns a pointer to
        // a field of it.
        queue_work_on(unsafe { Work::raw_get(T::raw_get_work(self.0.as_ptr())) })
    }
}

// SAFETY: `HasDelayedWork` promises that this `work_struct` is the `work` field of a
// `delayed_work`, which is valid for as long as the item is.
unsafe impl<T, const ID: u64> RawDelayedWorkItem<ID> for Lent<T> where
    T: WorkItem<ID, Pointer = Self> + HasDelayedWork<T, ID>
{
}

// SAFETY: `__enqueue` queues the `Work` of the item, which `Work::new` has initialised with the
// function below: it asks for that of the item's `Pointer`.
unsafe impl<T, const ID: u64> WorkItemPointer<ID> for Lent<T>
where
    T: WorkItem<ID, Pointer = Self> + HasWork<T, ID>,
{
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: `__enqueue` got the `work_struct` from the `Work` of an item.
        let item = unsafe { T::work_container_of(work.cast::<Work<T, ID>>()) };
        // SAFETY: An item is not at address 0.
        // INVARIANT: It was lent before it was queued, and stays valid until it has run.
        T::run(Self(unsafe { NonNull::new_unchecked(item) }));
    }
}
