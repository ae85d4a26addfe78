// SPDX-License-Identifier: GPL-2.0

//! Log lines that a user can provoke, kept from flooding the log.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use kernel::{bindings, prelude::*};

/// Whether `caller` may log a line now, within the limits that the sysctls
/// `kernel.printk_ratelimit` and `kernel.printk_ratelimit_burst` set (10 lines in 5 seconds). Any
/// context.
///
/// The budget is one for all callers in the kernel. C drivers have one of their own each, in a
/// `struct ratelimit_state`; its initialiser is a macro, out of the reach of Rust.
///
/// # Examples
///
/// ```
/// use crate::abstractions::ratelimit::printk_ratelimit;
///
/// if printk_ratelimit(c"my_driver") {
///     pr_warn!("bad request\n");
/// }
/// ```
///
/// C: `printk_ratelimit()`.
pub(crate) fn printk_ratelimit(caller: &'static CStr) -> bool {
    // SAFETY: The argument is a string that lives as long as C might use it.
    unsafe { bindings::__printk_ratelimit(caller.as_char_ptr()) != 0 }
}
