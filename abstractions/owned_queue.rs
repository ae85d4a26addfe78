// SPDX-License-Identifier: GPL-2.0

//! Workqueues that a module creates, owns and destroys.
//!
//! The `kernel` crate can put work on the system's queues. It cannot create a queue, wait for one
//! or destroy one. [`OwnedQueue`] does, and [`Builder`] makes the choices that C leaves to flag
//! words: what cannot be combined does not compile.
//!
//! *Any context* is any but NMI, here and in the other files. Queueing takes raw spinlocks with
//! interrupts off, and an NMI may interrupt their holder.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    alloc::Flags,
    bindings,
    impl_has_work,
    prelude::*,
    sync::{
        Arc,
        LockClassKey, //
    },
    workqueue::{
        Queue,
        RawWorkItem,
        Work,
        WorkItem, //
    }, //
};

use super::alive::{
    self,
    Alive, //
};

/// One of the queues that exist from boot on, for the handles of items.
///
/// It is not the `kernel` crate's [`Queue`], on which a module can put what nobody waits for:
/// closures, and items that nobody takes back. It cannot be made of one either: some of those are
/// bottom-half queues, where handlers must not sleep. [`system_percpu`] returns one.
///
/// # Examples
///
/// Whose queue a handle uses is in its type:
///
/// ```
/// use crate::abstractions::{
///     owned_queue::SystemQueue,
///     work::{Handler, WorkHandle},
/// };
///
/// struct Driver<H: Handler> {
///     refresh: WorkHandle<H, SystemQueue>,
/// }
/// ```
///
/// # Invariants
///
/// The queue's workers are threads.
#[derive(Clone, Copy)]
pub(crate) struct SystemQueue {
    queue: &'static Queue,
    name: &'static CStr,
}

impl SystemQueue {
    /// C's name for it, which traces and the workers that run its items show. `struct
    /// workqueue_struct` is private to C, so the name is here once more. Any context.
    pub(crate) fn name(self) -> &'static CStr {
        self.name
    }
}

/// Returns the queue that C's `schedule_work()` uses (`system_percpu_wq`). Any context.
///
/// Items run on the CPU that queued them. `kernel::workqueue::system()` is the older queue of
/// that kind, which is deprecated.
///
/// # Examples
///
/// An item that nobody waits for may outlive its module: use this for items that are taken back.
///
/// ```
/// use crate::abstractions::{
///     owned_queue::system_percpu,
///     work::{new_work_handle, Handler},
/// };
///
/// struct Refresh;
///
/// impl Handler for Refresh {
///     fn run(&self) {}
/// }
///
/// let refresh = new_work_handle!(system_percpu(), Refresh, "refresh")?;
/// refresh.enqueue();
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn system_percpu() -> SystemQueue {
    // SAFETY: `system_percpu_wq` is set up before any module can be loaded, never changes after
    // that, and the queue is never destroyed.
    let queue = unsafe { Queue::from_raw(bindings::system_percpu_wq) };
    // INVARIANT: It is not one of the bottom-half queues.
    SystemQueue {
        queue,
        // As in `workqueue_init_early()`.
        name: c"events",
    }
}

/// A queue, and whoever keeps it alive: a [`SystemQueue`], which nobody destroys, or an
/// [`OwnedQueue`] that is shared.
///
/// # Examples
///
/// For a type whose users choose the queue:
///
/// ```
/// use crate::abstractions::{
///     owned_queue::QueueOwner,
///     work::{new_work_handle, Handler, WorkHandle},
/// };
///
/// struct Refresh;
///
/// impl Handler for Refresh {
///     fn run(&self) {}
/// }
///
/// fn refresh_on<Q: QueueOwner>(queue: Q) -> Result<WorkHandle<Refresh, Q>> {
///     new_work_handle!(queue, Refresh, "refresh")
/// }
/// ```
///
/// # Safety
///
/// The queue's workers must be threads, and not bottom halves: handlers may sleep. `as_raw` must
/// return the same queue each time. That queue must stay valid until the owner is dropped, also
/// when the owner is moved, and for ever if it is forgotten.
pub(crate) unsafe trait QueueOwner: Send + Sync + 'static {
    /// The queue as C knows it. A pointer, not a `&Queue`: that would offer to arm timers which
    /// the queue need not outlive.
    fn as_raw(&self) -> *mut bindings::workqueue_struct;
}

// SAFETY: A `&'static Queue` is valid for ever, and by the type invariants this one has threads.
unsafe impl QueueOwner for SystemQueue {
    fn as_raw(&self) -> *mut bindings::workqueue_struct {
        // CAST: `Queue` is a transparent wrapper.
        core::ptr::from_ref::<Queue>(self.queue).cast_mut().cast()
    }
}

// SAFETY: By the type invariants of `OwnedQueue` its queue is valid until it is dropped, which is
// not before this `Arc` is. None of its kinds is `WQ_BH`.
unsafe impl QueueOwner for Arc<OwnedQueue> {
    fn as_raw(&self) -> *mut bindings::workqueue_struct {
        self.queue.as_ptr()
    }
}

/// Nobody else implements [`Kind`] and [`Concurrent`]: an ordered queue must not run items side by
/// side.
mod sealed {
    pub(crate) trait Kind {}

    impl Kind for super::Unbound {}
    impl Kind for super::PerCpu {}
    impl Kind for super::Ordered {}

    pub(crate) trait Concurrent {}

    impl Concurrent for super::Unbound {}
    impl Concurrent for super::PerCpu {}
}

/// A kind of queue: where its workers run, and what else it offers.
///
/// # Examples
///
/// For queues of whatever kind:
///
/// ```
/// use crate::abstractions::owned_queue::{Builder, Kind, OwnedQueue};
///
/// fn for_reclaim<K: Kind>(builder: Builder<K>) -> Result<OwnedQueue> {
///     builder.mem_reclaim().build()
/// }
/// ```
pub(crate) trait Kind: sealed::Kind {
    /// The `WQ_*` flags that make a queue one of this kind.
    const FLAGS: bindings::wq_flags;
}

/// A [`Kind`] whose `max_active` may be chosen: all but [`Ordered`].
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{Builder, Concurrent};
///
/// fn two_at_once<K: Concurrent>(builder: Builder<K>) -> Builder<K> {
///     builder.max_active(2)
/// }
/// ```
pub(crate) trait Concurrent: Kind + sealed::Concurrent {}

/// Workers run where the scheduler puts them (`WQ_UNBOUND`).
///
/// # Examples
///
/// The kinds are named where a builder is passed on:
///
/// ```
/// use crate::abstractions::owned_queue::{Builder, OwnedQueue, Unbound};
///
/// fn four_at_once(builder: Builder<Unbound>) -> Result<OwnedQueue> {
///     builder.max_active(4).build()
/// }
///
/// let queue = four_at_once(OwnedQueue::unbound(c"my_driver"))?;
/// # drop(queue);
/// # Ok::<(), Error>(())
/// ```
pub(crate) enum Unbound {}

/// Workers run on the CPU that queued the item (`WQ_PERCPU`).
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{Builder, PerCpu};
///
/// fn for_checksums(builder: Builder<PerCpu>) -> Builder<PerCpu> {
///     builder.cpu_intensive()
/// }
/// ```
pub(crate) enum PerCpu {}

/// One item at a time, in the order of queueing (`alloc_ordered_workqueue()`).
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{Builder, Ordered, OwnedQueue};
///
/// fn for_a_log(builder: Builder<Ordered>) -> Result<OwnedQueue> {
///     builder.mem_reclaim().build()
/// }
/// ```
pub(crate) enum Ordered {}

impl Kind for Unbound {
    const FLAGS: bindings::wq_flags = bindings::wq_flags_WQ_UNBOUND;
}

impl Kind for PerCpu {
    const FLAGS: bindings::wq_flags = bindings::wq_flags_WQ_PERCPU;
}

impl Kind for Ordered {
    const FLAGS: bindings::wq_flags =
        bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags___WQ_ORDERED;
}

impl Concurrent for Unbound {}
impl Concurrent for PerCpu {}

/// What a queue is to be, before it is created.
///
/// The kind is a type parameter. So a queue is always exactly one of `WQ_PERCPU` and `WQ_UNBOUND`
/// (C warns about anything else), and the methods of one kind do not exist on another:
/// `cpu_intensive` means nothing on an unbound queue, `max_active` and `sysfs` would break the
/// order of an ordered one.
///
/// Bottom-half queues (`WQ_BH`) are not offered: their items must not sleep, and the type of a work
/// item does not say that.
///
/// All methods but [`build`](Self::build) only note what is asked for: any context.
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::OwnedQueue;
///
/// let writeback = OwnedQueue::unbound(c"my_driver")
///     .mem_reclaim()
///     .max_active(4)
///     .build()?;
/// let checksums = OwnedQueue::percpu(c"my_driver_sums").cpu_intensive().build()?;
/// let log = OwnedQueue::ordered(c"my_driver_log").freezable().build()?;
/// # drop((writeback, checksums, log));
/// # Ok::<(), Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub(crate) struct Builder<K: Kind> {
    name: &'static CStr,
    flags: bindings::wq_flags,
    max_active: u32,
    kind: PhantomData<K>,
}

impl<K: Kind> Builder<K> {
    fn new(name: &'static CStr, max_active: u32) -> Self {
        Self {
            name,
            flags: K::FLAGS,
            max_active,
            kind: PhantomData,
        }
    }

    fn flag(mut self, flag: bindings::wq_flags) -> Self {
        self.flags |= flag;
        self
    }

    /// Promises forward progress under memory pressure: the queue gets a rescuer thread
    /// (`WQ_MEM_RECLAIM`).
    pub(crate) fn mem_reclaim(self) -> Self {
        self.flag(bindings::wq_flags_WQ_MEM_RECLAIM)
    }

    /// Uses workers of high scheduling priority (`WQ_HIGHPRI`).
    pub(crate) fn highpri(self) -> Self {
        self.flag(bindings::wq_flags_WQ_HIGHPRI)
    }

    /// A system suspend freezes the queue too (`WQ_FREEZABLE`): its items do not run until the
    /// system is thawed. Until then whoever flushes or drops the queue waits, if anything is
    /// pending on it.
    pub(crate) fn freezable(self) -> Self {
        self.flag(bindings::wq_flags_WQ_FREEZABLE)
    }

    /// Creates the queue. May sleep.
    ///
    /// C: `alloc_workqueue()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the name is empty, or is a path where sysfs is to show it (`.`, `..`, or with a
    /// `/`), or if `max_active` is 0 or above `WQ_MAX_ACTIVE` (2048), which C would clamp with a
    /// warning; `ENOMEM` if C returns no queue, also because sysfs has the name already.
    pub(crate) fn build(self) -> Result<OwnedQueue> {
        let name = self.name.to_bytes();
        let in_sysfs = self.flags & bindings::wq_flags_WQ_SYSFS != 0;
        let is_path = name.contains(&b'/') || matches!(name, b"." | b"..");
        if name.is_empty() || (in_sysfs && is_path) {
            return Err(EINVAL);
        }
        if !(1..=bindings::wq_consts_WQ_MAX_ACTIVE).contains(&self.max_active) {
            return Err(EINVAL);
        }
        // SAFETY: The format takes one string, and `name` is one. C copies what it formats.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                self.flags,
                self.max_active as c_int,
                self.name.as_char_ptr(),
            )
        };
        // INVARIANT: C returned a new queue, which nobody but `OwnedQueue::drop` destroys.
        Ok(OwnedQueue {
            queue: NonNull::new(queue).ok_or(ENOMEM)?,
            _alive: Alive::new(alive::Kind::Queue, self.name),
        })
    }
}

impl<K: Concurrent> Builder<K> {
    /// Lets at most `max_active` items run at once: per CPU on a [`PerCpu`] queue, in all on an
    /// [`Unbound`] one. There each NUMA node may always have up to 8 of them (C's
    /// `WQ_DFL_MIN_ACTIVE`), so a smaller `max_active` holds for each node.
    pub(crate) fn max_active(mut self, max_active: u32) -> Self {
        self.max_active = max_active;
        self
    }

    /// Shows the queue under `/sys/devices/virtual/workqueue/`, where its `max_active` and, for
    /// an [`Unbound`] one, its CPUs and niceness can be changed (`WQ_SYSFS`).
    pub(crate) fn sysfs(self) -> Self {
        self.flag(bindings::wq_flags_WQ_SYSFS)
    }
}

impl Builder<PerCpu> {
    /// An item that uses the CPU does not hold up others of that CPU (`WQ_CPU_INTENSIVE`).
    pub(crate) fn cpu_intensive(self) -> Self {
        self.flag(bindings::wq_flags_WQ_CPU_INTENSIVE)
    }
}

/// A closure, and the work item that calls it.
#[pin_data]
struct ClosureWork<F> {
    #[pin]
    work: Work<ClosureWork<F>>,
    func: Option<F>,
}

impl_has_work! {
    impl{F} HasWork<Self> for ClosureWork<F> { self.work }
}

impl<F: FnOnce()> ClosureWork<F> {
    fn new(func: F, class: LockClass) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- Work::new(class.0, class.1),
            func: Some(func),
        })
    }
}

impl<F: FnOnce()> WorkItem for ClosureWork<F> {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        if let Some(func) = this.as_mut().project().func.take() {
            func();
        }
    }
}

/// A closure that was not queued for lack of memory. It comes back, because the caller may be where
/// what it owns cannot be dropped: in atomic context, for example.
///
/// As an [`Error`] it is `ENOMEM`, and the closure is dropped.
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{spawn, NotSpawned, OwnedQueue};
///
/// fn later_or_now(queue: &OwnedQueue, job: impl FnOnce() + Send + 'static) {
///     if let Err(NotSpawned(job)) = spawn!(queue, GFP_NOWAIT, job) {
///         job();
///     }
/// }
/// ```
pub(crate) struct NotSpawned<F>(pub(crate) F);

impl<F> From<NotSpawned<F>> for Error {
    fn from(_: NotSpawned<F>) -> Self {
        ENOMEM
    }
}

/// A lock class: what lockdep's reports call it, and its key. [`lock_class!`] makes one.
///
/// # Examples
///
/// For a function that makes items for others, whose classes are the callers':
///
/// ```
/// use crate::abstractions::{
///     owned_queue::{system_percpu, LockClass},
///     work::{Handler, WorkHandle},
/// };
///
/// struct Refresh;
///
/// impl Handler for Refresh {
///     fn run(&self) {}
/// }
///
/// fn refresh(class: LockClass) -> Result<WorkHandle<Refresh>> {
///     WorkHandle::new(system_percpu(), Refresh, class)
/// }
/// ```
pub(crate) type LockClass = (&'static CStr, Pin<&'static LockClassKey>);

/// A newly-created [`LockClass`]. Its name is the one given, or else the place in the source, and a
/// suffix in both cases.
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{lock_class, LockClass};
///
/// let class: LockClass = lock_class!("_timer", "retry");
/// assert!(class.0 == c"retry_timer");
/// ```
macro_rules! lock_class {
    ($suffix:literal) => {
        $crate::abstractions::owned_queue::lock_class!(@
            ::core::concat!(::core::file!(), ":", ::core::line!(), $suffix)
        )
    };
    ($suffix:literal, $name:literal) => {
        $crate::abstractions::owned_queue::lock_class!(@ ::core::concat!($name, $suffix))
    };
    (@ $name:expr) => {
        (::kernel::c_str!($name), ::kernel::static_lock_class!())
    };
}
pub(crate) use lock_class;

/// Queues a closure on an [`OwnedQueue`], with a newly-created lock class and, if one is given,
/// this name for it: [`OwnedQueue::spawn`]. May sleep if the flags say so.
///
/// Whatever the flags, do not use it in hard interrupts or under a raw spinlock: it allocates
/// memory, and the allocator takes locks that sleep on `PREEMPT_RT`. (Lockdep says so on other
/// kernels too.) `GFP_ATOMIC` is for softirqs and under spinlocks. In a hard interrupt queue an
/// item that exists already: [`OwnedQueue::enqueue`].
///
/// All closures that one such line queues have one class.
///
/// # Examples
///
/// A closure may wait for others, on another queue: lockdep tells them apart.
///
/// ```
/// use kernel::sync::Arc;
/// use crate::abstractions::owned_queue::{spawn, OwnedQueue};
///
/// let parts = Arc::new(OwnedQueue::unbound(c"parts").build()?, GFP_KERNEL)?;
/// for part in 0..4 {
///     spawn!(parts, GFP_KERNEL, move || pr_info!("part {part}\n"), "part")?;
/// }
/// let whole = OwnedQueue::unbound(c"whole").build()?;
/// spawn!(whole, GFP_KERNEL, move || parts.flush(), "whole")?;
/// # Ok::<(), Error>(())
/// ```
macro_rules! spawn {
    ($queue:expr, $flags:expr, $func:expr $(, $name:literal)? $(,)?) => {
        $queue.spawn(
            $flags,
            $func,
            $crate::abstractions::owned_queue::lock_class!("" $(, $name)?),
        )
    };
}
pub(crate) use spawn;

/// A workqueue that is destroyed when this is dropped.
///
/// It does not deref to [`Queue`]: that would offer `enqueue_delayed`, and `destroy_workqueue()`
/// does not wait for an armed timer, which would then fire into freed memory. Delayed work goes
/// through [`DelayedWorkHandle`], which takes the timer back.
///
/// There is no `drain`: while a queue drains, C discards what others queue and says that it queued
/// it. The owner of such an item would be leaked.
///
/// # Locking and context
///
/// [`enqueue`] may be called in any context. [`flush`] and the destructor sleep; [`spawn!`] may. An
/// item of this very queue must call neither `flush` nor the destructor: they would wait for the
/// item itself (lockdep tells). So items must never own their queue. Keep it, and each `Arc` of it,
/// in the module's state and in what that drops: the last one waits for what is queued when it
/// goes. A module that cannot drop its queue, because it is in a static, is shared with a closure,
/// or is forgotten, cannot be unloaded: see [`Alive`].
///
/// # Examples
///
/// ```
/// use crate::abstractions::owned_queue::{spawn, OwnedQueue};
///
/// let queue = OwnedQueue::unbound(c"my_driver").build()?;
/// let answer = 42;
/// spawn!(queue, GFP_KERNEL, move || pr_info!("The answer is {answer}.\n"))?;
/// queue.flush();
/// // It has been printed. Dropping the queue destroys it.
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is a queue from `alloc_workqueue()` that has not been destroyed, and it is
/// destroyed by [`Drop`] alone.
///
/// [`DelayedWorkHandle`]: super::delayed_work::DelayedWorkHandle
/// [`enqueue`]: OwnedQueue::enqueue
/// [`flush`]: OwnedQueue::flush
pub(crate) struct OwnedQueue {
    queue: NonNull<bindings::workqueue_struct>,
    // Declared last and dropped last: the queue has been destroyed by then.
    _alive: Alive,
}

// SAFETY: A workqueue belongs to no thread: by the type invariants it stays valid wherever the
// owner goes, and `destroy_workqueue()` may be called by any of them.
unsafe impl Send for OwnedQueue {}

// SAFETY: All that `&OwnedQueue` offers (queueing and flushing) is serialised by C.
unsafe impl Sync for OwnedQueue {}

impl OwnedQueue {
    /// Starts to describe a queue whose workers are bound to no CPU. Unless
    /// [`max_active`](Builder::max_active) says otherwise, as many items run at once as C allows by
    /// default (`WQ_DFL_ACTIVE`, 1024). C keeps 31 bytes of the name, and warns of more.
    pub(crate) fn unbound(name: &'static CStr) -> Builder<Unbound> {
        Builder::new(name, bindings::wq_consts_WQ_DFL_ACTIVE)
    }

    /// Starts to describe a queue whose items run on the CPU that queued them, otherwise like
    /// [`unbound`](Self::unbound).
    pub(crate) fn percpu(name: &'static CStr) -> Builder<PerCpu> {
        Builder::new(name, bindings::wq_consts_WQ_DFL_ACTIVE)
    }

    /// Starts to describe a queue that runs one item at a time, in the order of queueing. C keeps
    /// 31 bytes of the name, and warns of more.
    ///
    /// In 7.3 a wait for an item of such a queue may be too short. Somebody may change on which
    /// CPUs unbound queues run while the item runs. If it is then queued again, cancelling,
    /// disabling or flushing it does not see the run (`start_flush_work()` looks for it in the new
    /// pool). What the run works on stays valid, because the run owns a reference.
    /// [`flush`](Self::flush) on the queue, and dropping it, wait for all runs.
    pub(crate) fn ordered(name: &'static CStr) -> Builder<Ordered> {
        Builder::new(name, 1)
    }

    fn queue(&self) -> &Queue {
        // SAFETY: By the type invariants the queue is valid for as long as `self` is.
        unsafe { Queue::from_raw(self.queue.as_ptr()) }
    }

    /// Queues a work item. If it is pending already, its pointer type decides what comes back: an
    /// `Arc` comes back in `Err`, a box is never pending. Any context.
    ///
    /// C: `queue_work()`.
    pub(crate) fn enqueue<W, const ID: u64>(&self, work: W) -> W::EnqueueOutput
    where
        W: RawWorkItem<ID> + Send + 'static,
    {
        self.queue().enqueue(work)
    }

    /// Queues a closure, in memory of its own that its run frees: what [`spawn!`] expands to, and
    /// for the same contexts.
    ///
    /// Each kind of closure needs its own `class`: lockdep assumes that what one closure of a class
    /// waits for, any other may wait for. So it comes from the place that knows what the closure
    /// does. A static in here would be one for all of them, as the one in `Queue::try_spawn()` is.
    /// Two modules even share that one, under a name in each.
    ///
    /// The queue can neither refuse nor discard it, which would leak the closure, or worse. C
    /// refuses an item that is pending or disabled: this one is new and known to nobody. C discards
    /// what comes to a queue that is being drained or destroyed: by the type invariants this one is
    /// not while it is borrowed.
    ///
    /// # Errors
    ///
    /// [`NotSpawned`] if there is no memory, with the closure.
    pub(crate) fn spawn<F>(
        &self,
        flags: Flags,
        func: F,
        class: LockClass,
    ) -> Result<(), NotSpawned<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let Ok(memory) = KBox::<ClosureWork<F>>::new_uninit(flags) else {
            return Err(NotSpawned(func));
        };
        let Ok(work) = memory.write_pin_init(ClosureWork::new(func, class));
        self.enqueue(work);
        Ok(())
    }

    /// Waits until everything queued before has run. Sleeps, and no signal ends it. C warns if an
    /// item of a queue that frees memory ([`mem_reclaim`](Builder::mem_reclaim)) waits for one
    /// that does not.
    ///
    /// C: `flush_workqueue()`.
    pub(crate) fn flush(&self) {
        // SAFETY: By the type invariants the queue is valid.
        unsafe { bindings::__flush_workqueue(self.queue.as_ptr()) }
    }
}

impl Drop for OwnedQueue {
    /// Runs what is still pending, waits for it, and destroys the queue. Sleeps.
    ///
    /// C: `destroy_workqueue()`.
    fn drop(&mut self) {
        // SAFETY: By the type invariants the queue is valid and destroyed here alone. Nothing can
        // be queued any more, because that takes a reference to `self`; no timer is aimed at it,
        // because those who arm one keep the queue (`QueueOwner`) until they have taken it back;
        // and C waits for what is queued.
        unsafe { bindings::destroy_workqueue(self.queue.as_ptr()) }
    }
}
