// SPDX-License-Identifier: GPL-2.0

//! Log lines that a user can provoke, kept from flooding the log.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use kernel::{
    bindings,
    prelude::*,
    time::Delta,
    types::Opaque,
    ModuleMetadata, //
};

use super::jiffies;

/// A budget of log lines: so many in an interval, five seconds for example, and no more.
///
/// Only its owner's lines use it up. An interval begins with the first line that comes when none
/// runs. C then logs how many lines the one before has kept back, in the name of the module:
/// `my_driver: 7 callbacks suppressed`.
///
/// C: `struct ratelimit_state`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::ratelimit::RateLimit;
///
/// struct Driver {
///     bad_requests: RateLimit,
/// }
///
/// impl Driver {
///     fn refuse(&self) -> Error {
///         if self.bad_requests.may_log() {
///             pr_warn!("bad request\n");
///         }
///         EINVAL
///     }
/// }
///
/// let driver = Driver {
///     bad_requests: RateLimit::new(RateLimit::DEFAULT_BURST, RateLimit::DEFAULT_INTERVAL)?,
/// };
/// let refused = driver.refuse();
/// # let _ = refused;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The state has been initialised.
pub(crate) struct RateLimit(Pin<KBox<Opaque<bindings::ratelimit_state>>>);

// SAFETY: A budget belongs to no thread: all of it but the lock is plain numbers.
unsafe impl Send for RateLimit {}

// SAFETY: `___ratelimit()`, which is all that `&RateLimit` offers, is serialised by the lock in it.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// How many lines C allows by default.
    ///
    /// C: `DEFAULT_RATELIMIT_BURST`.
    pub(crate) const DEFAULT_BURST: u32 = bindings::DEFAULT_RATELIMIT_BURST;

    /// In what time C allows them: five seconds.
    ///
    /// C: `DEFAULT_RATELIMIT_INTERVAL`.
    pub(crate) const DEFAULT_INTERVAL: Delta = {
        // CAST: It is a small number.
        let seconds = bindings::DEFAULT_RATELIMIT_INTERVAL / bindings::CONFIG_HZ;
        Delta::from_millis(seconds as i64 * 1_000)
    };

    /// A budget of `burst` lines in each `interval`; a burst of 0 allows none. An interval is a
    /// jiffy at least, and [`LONGEST_DELAY`](jiffies::LONGEST_DELAY) at most. May sleep.
    ///
    /// C: `ratelimit_state_init()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(burst: u32, interval: Delta) -> Result<Self> {
        // To C an interval of 0 means no limit.
        let interval = jiffies::at_least(interval).max(1);
        let state = Opaque::ffi_init(move |state: *mut bindings::ratelimit_state| {
            // SAFETY: `state` is memory for one, which is pinned; all zeroes are a value of its
            // type, in which the lock is still to be initialised.
            unsafe {
                state.write(pin_init::zeroed());
                // CAST: A timer takes no more than 24 days; at 1,000 Hz they fit.
                (*state).interval = interval as c_int;
                // CAST: It is not negative after that.
                (*state).burst = burst.min(c_int::MAX as u32) as c_int;
                init_lock(&raw mut (*state).lock);
            }
        });
        // INVARIANT: It is initialised before it is there.
        Ok(Self(KBox::pin_init(state, GFP_KERNEL)?))
    }

    /// Whether a line may be logged now; if so, it counts. Any context.
    ///
    /// C: `__ratelimit()`.
    pub(crate) fn may_log(&self) -> bool {
        let name = <crate::LocalModule as ModuleMetadata>::NAME;
        // SAFETY: By the type invariants the state is initialised. The name lives for as long as
        // the module, and C uses it in the call alone.
        unsafe { bindings::___ratelimit(self.0.get(), name.as_char_ptr()) != 0 }
    }
}

/// Makes an unlocked lock of zeroes.
///
/// C: `raw_spin_lock_init()`, a macro.
///
/// # Safety
///
/// `lock` must be pinned, all zeroes and not in use.
#[cfg(CONFIG_DEBUG_SPINLOCK)]
unsafe fn init_lock(lock: *mut bindings::raw_spinlock_t) {
    // One class for all of a module's budgets, as in C. No other lock is taken under such a lock.
    let class = kernel::static_lock_class!();
    // SAFETY: By this function's contract. The class and the name are static.
    unsafe {
        bindings::__raw_spin_lock_init(
            lock,
            c"RateLimit".as_char_ptr(),
            class.as_ptr(),
            // CAST: It is a small number, of which lockdep keeps a byte.
            bindings::lockdep_wait_type_LD_WAIT_SPIN as c_short,
        )
    }
}

/// As above. Where C does not debug such locks, one is only the architecture's lock. Unlocked, that
/// is all zeroes on all architectures that support Rust (`__ARCH_SPIN_LOCK_UNLOCKED`).
///
/// # Safety
///
/// As above.
#[cfg(not(CONFIG_DEBUG_SPINLOCK))]
unsafe fn init_lock(_lock: *mut bindings::raw_spinlock_t) {}
