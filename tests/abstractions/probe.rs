// SPDX-License-Identifier: GPL-2.0

//! What the suites share: items under observation, and events to wait for.

use kernel::{
    bindings,
    error::from_err_ptr,
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    task::Task,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    }, //
};

use crate::abstractions::{
    delayed_work::DelayedHandler,
    owned_queue::{
        spawn,
        OwnedQueue, //
    },
    work::Handler, //
};

/// Fails the test if the condition does not hold, and logs the condition.
///
/// KUnit's `assert!` ends the thread without running destructors. Items would stay queued, and
/// workers would wait for ever.
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            pr_err!(
                "{}:{}: not so: {}\n",
                ::core::module_path!(),
                ::core::line!(),
                ::core::stringify!($condition)
            );
            return Err(EINVAL);
        }
    };
}
pub(crate) use ensure;

/// Opens a file for writing, as open(2) does, and closes it again. Sleeps. Only the module's init
/// may call it: KUnit's threads see no files.
pub(crate) fn open(path: &CStr) -> Result {
    // SAFETY: The path is a string. The flags are those of open(2).
    let file = unsafe { bindings::filp_open(path.as_char_ptr(), bindings::O_WRONLY as i32, 0) };
    let file = from_err_ptr(file)?;
    // SAFETY: It has been opened here, and nobody else has it.
    unsafe { bindings::filp_close(file, core::ptr::null_mut()) };
    Ok(())
}

/// Makes the calling thread's next allocation fail that does not wait for memory (`GFP_NOWAIT`).
pub(crate) fn fail_next_allocation() {
    let task = Task::current_raw();
    // SAFETY: The current task is valid, and nobody else writes the field.
    unsafe { (*task).fail_nth = 1 };
}

/// Lets another runnable thread have the CPU (`yield()`), if there is one. Does not sleep: to C, a
/// worker that calls it uses the CPU.
pub(crate) fn let_others_run() {
    // SAFETY: C asks for no more than a thread that may be scheduled.
    unsafe { bindings::yield_() }
}

/// How long the calling thread has used the CPU, as C's scheduler counts it.
pub(crate) fn cpu_time() -> Delta {
    let task = Task::current_raw();
    // SAFETY: The current task is valid. C may write the field meanwhile, in an interrupt.
    let ns = unsafe { (&raw const (*task).se.sum_exec_runtime).read_volatile() };
    // CAST: 292 years fit.
    Delta::from_nanos(ns as i64)
}

/// How long to wait for what must not happen.
pub(crate) fn patience() -> Delta {
    Delta::from_millis(crate::parameters::patience_ms.get().into())
}

/// Longer than any test takes.
pub(crate) const AN_HOUR: Delta = Delta::from_secs(3600);

/// A count that one can wait for.
#[pin_data]
pub(crate) struct Count {
    #[pin]
    value: Mutex<u32>,
    #[pin]
    changed: CondVar,
}

impl Count {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            value <- new_mutex!(0, "Count::value"),
            changed <- new_condvar!("Count::changed"),
        })
    }

    pub(crate) fn new_shared() -> Result<Arc<Self>> {
        Arc::pin_init(Self::new(), GFP_KERNEL)
    }

    /// Returns the new value.
    pub(crate) fn increment(&self) -> u32 {
        let mut value = self.value.lock();
        *value += 1;
        self.changed.notify_all();
        *value
    }

    pub(crate) fn get(&self) -> u32 {
        *self.value.lock()
    }

    /// Waits until it is at least `wanted`.
    ///
    /// # Errors
    ///
    /// `ETIME` after a minute, so that a failing test does not hang.
    pub(crate) fn wait_for(&self, wanted: u32) -> Result {
        let mut left = msecs_to_jiffies(60_000);
        let mut value = self.value.lock();
        while *value < wanted {
            match self.changed.wait_interruptible_timeout(&mut value, left) {
                CondVarTimeoutResult::Woken { jiffies }
                | CondVarTimeoutResult::Signal { jiffies } => left = jiffies,
                CondVarTimeoutResult::Timeout => {
                    pr_err!("{} of {wanted} after a minute\n", *value);
                    return Err(ETIME);
                }
            }
        }
        Ok(())
    }
}

/// Repeats an attempt for which a slow machine may be too late. Returns whether one succeeded.
pub(crate) fn at_last(mut attempt: impl FnMut() -> Result<bool>) -> Result<bool> {
    for _ in 0..10 {
        if attempt()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is known of a [`Subject`] and of the item that owns it.
#[pin_data]
pub(crate) struct Probe {
    /// How many runs have started.
    #[pin]
    pub(crate) started: Count,
    /// Runs wait until this is not 0.
    #[pin]
    opened: Count,
    /// How long a run takes after that.
    takes: Delta,
    /// How many runs are over.
    #[pin]
    pub(crate) finished: Count,
    /// How many subjects have been dropped.
    #[pin]
    pub(crate) dropped: Count,
}

impl Probe {
    fn new(takes: Delta) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                started <- Count::new(),
                opened <- Count::new(),
                takes,
                finished <- Count::new(),
                dropped <- Count::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// A probe whose runs wait until [`Probe::open`] is called. They then take long enough to
    /// expose whoever claims to have waited for their end.
    pub(crate) fn closed() -> Result<Arc<Self>> {
        Self::new(Delta::from_millis(100))
    }

    /// A probe whose runs are short.
    pub(crate) fn opened() -> Result<Arc<Self>> {
        let probe = Self::new(Delta::from_millis(2))?;
        probe.open();
        Ok(probe)
    }

    pub(crate) fn open(&self) {
        self.opened.increment();
    }

    pub(crate) fn run(&self) {
        self.started.increment();
        // A failed test does not open it.
        let _ = self.opened.wait_for(1);
        fsleep(self.takes);
        self.finished.increment();
    }
}

/// What an item owns: its handler.
pub(crate) struct Subject(Arc<Probe>);

impl Subject {
    pub(crate) fn new(probe: &Arc<Probe>) -> Self {
        Self(probe.clone())
    }

    pub(crate) fn run(&self) {
        self.0.run();
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.0.dropped.increment();
    }
}

impl Handler for Subject {
    fn run(&self) {
        self.0.run();
    }
}

impl DelayedHandler for Subject {
    fn run(&self) -> Option<Delta> {
        self.0.run();
        None
    }
}

/// A queue that runs nothing until it is unblocked or dropped.
pub(crate) struct BlockedQueue {
    probe: Arc<Probe>,
    pub(crate) queue: Arc<OwnedQueue>,
}

impl BlockedQueue {
    pub(crate) fn new() -> Result<Self> {
        let queue = OwnedQueue::ordered(c"kunit_blocked").build()?;
        let blocked = Self {
            probe: Probe::closed()?,
            queue: Arc::new(queue, GFP_KERNEL)?,
        };
        let probe = blocked.probe.clone();
        spawn!(blocked.queue, GFP_KERNEL, move || probe.run(), "block")?;
        blocked.probe.started.wait_for(1)?;
        Ok(blocked)
    }

    pub(crate) fn unblock(&self) {
        self.probe.open();
    }
}

impl Drop for BlockedQueue {
    fn drop(&mut self) {
        self.unblock();
    }
}

/// Whether lockdep has reported nothing since the kernel booted. It stops at its first report.
pub(crate) fn lockdep_is_content() -> bool {
    // SAFETY: It is an `int` of C's, which others may write at any time; hence volatile.
    unsafe { core::ptr::read_volatile(&raw const bindings::debug_locks) != 0 }
}
