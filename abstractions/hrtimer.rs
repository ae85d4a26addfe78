// SPDX-License-Identifier: GPL-2.0

//! How precise short sleeps are.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use kernel::time::Delta;

/// The distance between the moments at which a sleep can end. It is a nanosecond with
/// high-resolution timers, and a jiffy while these are not in use, for example with `highres=off`
/// or for a while at boot. Any context.
///
/// C: `hrtimer_resolution`.
///
/// # Examples
///
/// ```
/// use kernel::time::{delay::fsleep, Delta};
/// use crate::abstractions::hrtimer;
///
/// const MOMENT: Delta = Delta::from_micros(20);
///
/// if hrtimer::resolution() < MOMENT {
///     fsleep(MOMENT);
/// }
/// ```
#[cfg(CONFIG_HIGH_RES_TIMERS)]
pub(crate) fn resolution() -> Delta {
    // SAFETY: It is valid for ever. C writes it as one word, and it is read as one.
    let nanoseconds =
        unsafe { core::ptr::read_volatile(&raw const kernel::bindings::hrtimer_resolution) };
    Delta::from_nanos(nanoseconds.into())
}

/// A jiffy: this kernel has no high-resolution timers. Any context.
///
/// C: `hrtimer_resolution`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::hrtimer;
///
/// pr_info!("sleeps end every {} ns\n", hrtimer::resolution().as_nanos());
/// ```
#[cfg(not(CONFIG_HIGH_RES_TIMERS))]
pub(crate) fn resolution() -> Delta {
    super::jiffies::JIFFY
}
