// SPDX-License-Identifier: GPL-2.0

//! Counts what may still run a module's code, and keeps the code until nothing can.
//!
//! `'static` keeps data in memory, not code: an item that runs after its module has gone ends in a
//! page fault. Dropping an owner waits for its items. But nobody can be made to drop an owner: it
//! may be in a static, be part of a cycle of `Arc`s, or be forgotten. So each owner is counted
//! here, and the module's exit does not return before the last one has gone.

use core::ptr;

use kernel::{
    bindings,
    fmt,
    prelude::*,
    str::BStr,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
    InPlaceModule, //
};

/// What an owner owns: something that runs the module's code until the owner has been dropped.
///
/// # Examples
///
/// ```
/// use crate::abstractions::alive::{Alive, Kind};
///
/// /// A timer, say, that runs until this is dropped.
/// struct Timer {
///     // Declared last, and so dropped last.
///     _alive: Alive,
/// }
///
/// impl Timer {
///     fn new(name: &'static CStr) -> Self {
///         Self {
///             _alive: Alive::new(Kind::Item, name),
///         }
///     }
/// }
/// # drop(Timer::new(c"refresh"));
/// ```
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A workqueue, and the closures on it.
    Queue,
    /// A work item, with a timer or without.
    Item,
    /// A misc device.
    Device,
    /// A file in /proc.
    File,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Queue, Self::Item, Self::Device, Self::File];

    fn text(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Item => "item",
            Self::Device => "device",
            Self::File => "file in /proc",
        }
    }

    fn slots(self) -> &'static [Slot; SLOTS] {
        // CAST: The kinds are numbered from 0.
        &NAMES[self as usize]
    }
}

/// How many owners of each kind are known by name. The others are only counted.
///
/// # Examples
///
/// ```
/// use crate::abstractions::alive::{self, SLOTS};
///
/// let all_have_names = alive::count() <= SLOTS;
/// # let _ = all_have_names;
/// ```
pub(crate) const SLOTS: usize = 32;

/// Room for a name.
///
/// # Invariants
///
/// It is null, or the address of a string that is `'static`.
struct Slot(Atomic<*const c_char>);

impl Slot {
    const fn empty() -> Self {
        // INVARIANT: It is null.
        Self(Atomic::new(ptr::null()))
    }

    /// Takes the slot for this name, if nobody has it.
    fn claim(&self, name: &'static CStr) -> bool {
        // INVARIANT: The name is `'static`.
        self.0
            .cmpxchg(ptr::null(), name.as_char_ptr(), Relaxed)
            .is_ok()
    }

    /// Only whoever has claimed the slot may call this.
    fn free(&self) {
        // INVARIANT: It is null.
        self.0.store(ptr::null(), Relaxed);
    }

    fn name(&self) -> Option<&'static CStr> {
        let name = self.0.load(Relaxed);
        // SAFETY: By the type invariants this is a string that is `'static`. It is part of the
        // module, whose code this is, and never written to.
        (!name.is_null()).then(|| unsafe { CStr::from_char_ptr(name) })
    }
}

/// The names of the owners that are alive, by kind. This file is compiled into each module, so each
/// has its own.
static NAMES: [[Slot; SLOTS]; Kind::ALL.len()] =
    [const { [const { Slot::empty() }; SLOTS] }; Kind::ALL.len()];

/// How many owners are alive, in a slot or not.
static COUNT: Atomic<usize> = Atomic::new(0);

/// The task that removes the module, from the beginning of its exit on.
static REMOVER: Atomic<*mut bindings::task_struct> = Atomic::new(ptr::null_mut());

/// Whether another task has ever dropped an owner: it may still be in the module's code.
static DROPPED_ELSEWHERE: Atomic<bool> = Atomic::new(false);

/// How many owners are alive in this module. Any context.
///
/// # Examples
///
/// ```
/// use crate::abstractions::{alive, owned_queue::OwnedQueue};
///
/// let before = alive::count();
/// let queue = OwnedQueue::unbound(c"my_driver").build()?;
/// pr_info!("{} more\n", alive::count() - before); // 1
/// # drop(queue);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn count() -> usize {
    // Whoever sees that an owner has gone sees all that it did: see `Alive::drop`.
    COUNT.load(Acquire)
}

/// A part of each owner: as long as it is there the module's code stays in memory.
///
/// It has to be the last field of the owner. Fields are dropped after the owner's destructor, in
/// the order of their declaration. So this one goes last: the queue is destroyed by then, the item
/// disabled and its run over, the file removed. A token that is forgotten with its owner keeps the
/// module for ever.
///
/// Any context may make or drop one. It costs nothing when items are queued and run.
///
/// # Examples
///
/// See [`Kind`].
///
/// ```
/// use crate::abstractions::alive::{Alive, Kind};
///
/// let alive = Alive::new(Kind::Device, c"my_device");
/// # drop(alive);
/// ```
#[must_use = "what it stands for is taken for gone when it is dropped"]
pub(crate) struct Alive(Option<&'static Slot>);

impl Alive {
    /// Counts an owner of this kind, and notes its name if there is a slot for it.
    pub(crate) fn new(kind: Kind, name: &'static CStr) -> Self {
        COUNT.add(1, Relaxed);
        Self(kind.slots().iter().find(|slot| slot.claim(name)))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.free();
        }
        // Before the count goes down: whoever sees that it has gone down sees this too.
        if REMOVER.load(Relaxed) != Task::current_raw() {
            DROPPED_ELSEWHERE.store(true, Relaxed);
        }
        // After all that the owner's destructor has done.
        COUNT.fetch_sub(1, Release);
    }
}

/// The owners that are alive, as the log shows them: `queue "x", item "y" and 3 more`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::alive::Owners;
///
/// pr_debug!("still there: {Owners}\n");
/// ```
pub(crate) struct Owners;

impl Owners {
    /// How many are named. So many names of the usual length fit one record of the log.
    const NAMED: usize = 16;

    fn named() -> impl Iterator<Item = (Kind, &'static CStr)> {
        let of = |kind: Kind| {
            let names = kind.slots().iter().filter_map(Slot::name);
            names.map(move |name| (kind, name))
        };
        Kind::ALL.into_iter().flat_map(of).take(Self::NAMED)
    }
}

impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = count();
        let mut named = 0;
        for (kind, name) in Self::named() {
            let separator = if named == 0 { "" } else { ", " };
            let name = BStr::from_bytes(name.to_bytes());
            write!(f, "{separator}{} {name:?}", kind.text())?;
            named += 1;
        }
        match count.saturating_sub(named) {
            0 if named > 0 => Ok(()),
            more if named > 0 => write!(f, " and {more} more"),
            all => write!(f, "{all} without a name"),
        }
    }
}

/// A module that C does not free as long as an owner is alive: the type that a crate with these
/// abstractions gives to `module!`. No other type compiles.
///
/// After the module's exit, or an init that has failed, it checks that all owners have been
/// dropped. They have if each was in the module's state or in what that drops. If not, it logs who
/// is alive, again each minute, and waits for them in the module's own exit or init: rmmod(8) or
/// insmod(8) hangs, for ever if need be, and cannot be killed. The rest of the system goes on.
/// Built-in code is never freed, and waits for nobody.
///
/// # Examples
///
/// `module!` gets `type: Guarded<MyDriver>`. What it wraps is a module like any other:
///
/// ```
/// use kernel::{InPlaceModule, ThisModule};
/// use crate::abstractions::alive::Guarded;
///
/// struct MyDriver;
///
/// impl kernel::Module for MyDriver {
///     fn init(_: &'static ThisModule) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// fn init(module: &'static ThisModule) -> impl PinInit<Guarded<MyDriver>, Error> {
///     Guarded::init(module)
/// }
/// ```
#[pin_data]
pub(crate) struct Guarded<M> {
    // Declared first and dropped first: before the module's exit.
    _leave: Leave,
    #[pin]
    module: M,
    // Declared last and dropped last: behind the module's exit.
    _guard: Guard,
}

impl<M: InPlaceModule> InPlaceModule for Guarded<M> {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // First: if the module's init fails this is dropped, behind all that the init has made.
            _guard: Guard,
            module <- M::init(module),
            _leave: Leave,
        })
    }
}

/// The module's type is a [`Guarded`].
#[diagnostic::on_unimplemented(
    message = "nothing keeps the code of this module as long as it may run",
    label = "not guarded",
    note = "write `type: Guarded<{Self}>` in `module!`: see `abstractions/alive.rs`"
)]
trait IsGuarded {}

impl<M> IsGuarded for Guarded<M> {}

const fn check_that_it_is_guarded<M: IsGuarded>() {}

const _: () = check_that_it_is_guarded::<crate::LocalModule>();

/// Notes, when it is dropped, who removes the module.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        REMOVER.store(Task::current_raw(), Relaxed);
    }
}

/// Waits, when it is dropped, until nothing is alive.
struct Guard;

impl Guard {
    /// How long it sleeps before it looks again. Short: a task that sleeps for minutes is reported
    /// as hung.
    const STEP: Delta = Delta::from_millis(100);

    /// After how many steps it says again what it waits for: a minute.
    const STEPS_PER_MESSAGE: usize = 600;

    fn wait_for_owners() {
        let mut steps = 0;
        while count() != 0 {
            if steps % Self::STEPS_PER_MESSAGE == 0 {
                pr_err!("cannot be unloaded: still alive: {Owners}\n");
            }
            fsleep(Self::STEP);
            steps += 1;
        }
    }

    /// Waits for those who have dropped an owner and may still be in the module's code.
    ///
    /// An owner covers what runs in an item, a closure on an [`OwnedQueue`], or a file's callback:
    /// it waits until that has returned to C, before its [`Alive`] goes. This waits for somebody
    /// else: for example a closure that the `kernel` crate has queued on a system queue, and nobody
    /// waits for. Such a closure only has to free what the owner was in, and to return to C.
    ///
    /// `synchronize_rcu_tasks()` waits until each task that is running, or was preempted, has given
    /// up the processor of its own accord, is idle or in user space. By then no task is in its tail
    /// any more, unless it has slept there. (Waiting for a lock on a real-time kernel is not
    /// sleeping in this sense.) Some kernels lack it. If their tasks are not preempted in the
    /// kernel, `synchronize_rcu()` waits for the same. If they have neither tracing nor BPF, a task
    /// that was preempted in its tail may be missed. Nothing can be known of a tail that sleeps.
    ///
    /// If only the module's exit has dropped owners, there is no tail to wait for.
    ///
    /// [`OwnedQueue`]: super::owned_queue::OwnedQueue
    fn wait_for_the_tail() {
        #[cfg(CONFIG_TASKS_RCU)]
        // SAFETY: It may be called wherever one may sleep: in a module's exit and init.
        unsafe {
            bindings::synchronize_rcu_tasks()
        };
        #[cfg(not(CONFIG_TASKS_RCU))]
        // SAFETY: As above.
        unsafe {
            bindings::synchronize_rcu()
        };
    }
}

impl Drop for Guard {
    /// Sleeps, if an owner is alive, or if any task but the one that removes the module has ever
    /// dropped one.
    ///
    /// In exit and init all that C knows of the module is still there: the names for traces,
    /// lockdep's classes, the modules that it uses. (In the `free` of a parameter, the last
    /// function of a module that C calls, some of that is gone. So are, on some processors, the
    /// thunks of the module's indirect calls.)
    fn drop(&mut self) {
        if !cfg!(MODULE) {
            return;
        }
        if count() != 0 {
            Self::wait_for_owners();
            pr_info!("can be unloaded: nothing is alive any more\n");
        }
        if DROPPED_ELSEWHERE.load(Relaxed) {
            Self::wait_for_the_tail();
        }
    }
}
