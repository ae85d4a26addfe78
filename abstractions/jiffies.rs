// SPDX-License-Identifier: GPL-2.0

//! The kernel's own clock, which ticks `CONFIG_HZ` times a second, and what its timers hold.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use core::ptr;

use kernel::{
    bindings,
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies,
        Msecs, //
    }, //
};

/// How long a jiffy takes, to the nanosecond. (`bindings::HZ` is no help: it is the 100 that
/// programs are told, whatever the kernel's own is.)
///
/// C: `TICK_NSEC`.
pub(crate) const JIFFY: Delta = Delta::from_nanos(bindings::TICK_NSEC as i64);

/// What C's timer wheel holds: 48 days at 250 Hz. It shortens a longer delay to this, so the timer
/// would fire early.
///
/// C: `WHEEL_TIMEOUT_MAX` in `kernel/time/timer.c`.
pub(crate) const WHEEL_HOLDS: Jiffies = {
    let levels = if bindings::CONFIG_HZ > 100 { 9 } else { 8 };
    (63 << (3 * (levels - 1))) - (1 << (3 * (levels - 1)))
};

/// The longest delay of a timer: 24 days, or less where C's timer wheel holds less (12 days at
/// 1,000 Hz, 15 at 100 Hz).
///
/// C: `WHEEL_TIMEOUT_MAX`, and the `int` of `msecs_to_jiffies()`.
pub(crate) const LONGEST_DELAY: Delta = {
    // CAST: It is far less.
    let wheel = WHEEL_HOLDS as i64 * JIFFY.as_nanos() / 1_000_000;
    let days = 24 * 24 * 60 * 60 * 1_000;
    Delta::from_millis(if days < wheel { days } else { wheel })
};

/// The number of ticks so far; it wraps. Any context.
///
/// One load: the cheapest clock there is, and the coarsest. Two equal readings are less than a tick
/// apart (1 to 10 ms).
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
    // likes. It is read as one, anew each time.
    unsafe { ptr::read_volatile(&raw const bindings::jiffies) }
}

/// How many jiffies a timer takes for `delay`: rounded up, from no time to [`LONGEST_DELAY`]. Any
/// context.
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
/// use crate::abstractions::jiffies;
///
/// // 10 where a jiffy takes 10 ms.
/// pr_info!("{} jiffies\n", jiffies::at_least(Delta::from_millis(100)));
/// ```
pub(crate) fn at_least(delay: Delta) -> Jiffies {
    let ms = delay.clamp(Delta::ZERO, LONGEST_DELAY).as_millis_ceil();
    // CAST: It is neither negative nor too large.
    msecs_to_jiffies(ms as Msecs)
}
