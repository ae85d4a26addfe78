// SPDX-License-Identifier: GPL-2.0

//! The kernel's own clock, which ticks `CONFIG_HZ` times a second.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use core::ptr;

use kernel::{
    bindings,
    time::{
        Delta,
        Jiffies, //
    }, //
};

/// How long a jiffy takes, to the nanosecond. (`bindings::HZ` is no help: it is the 100 that
/// programs are told, whatever the kernel's own is.)
///
/// C: `TICK_NSEC`.
pub(crate) const JIFFY: Delta = Delta::from_nanos(bindings::TICK_NSEC as i64);

/// The longest delay that C's timer wheel holds: 48 days at 250 Hz, 12 at 1,000 Hz, 15 at 100 Hz.
/// What is longer comes after that.
///
/// C: `WHEEL_TIMEOUT_MAX` in `kernel/time/timer.c`.
pub(crate) const LONGEST_DELAY: Jiffies = {
    let levels = if bindings::CONFIG_HZ > 100 { 9 } else { 8 };
    (63 << (3 * (levels - 1))) - (1 << (3 * (levels - 1)))
};

/// The number of ticks so far; it wraps. Any context.
///
/// One load: the cheapest clock there is, and the coarsest. Two readings that are the same are
/// less than a tick apart (1 to 10 ms).
///
/// C: `jiffies`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::jiffies;
///
/// let before = jiffies::now();
/// if jiffies::now() == before {
///     pr_info!("less than a tick has passed\n");
/// }
/// ```
pub(crate) fn now() -> Jiffies {
    // SAFETY: `jiffies` is valid for ever. The timer interrupt writes it as one word, whenever it
    // likes, and so is it read, anew each time.
    unsafe { ptr::read_volatile(&raw const bindings::jiffies) }
}
