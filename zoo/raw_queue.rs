// SPDX-License-Identifier: GPL-2.0

//! A raw C queue, for specimens to mistreat.

use kernel::{bindings, prelude::*};

/// C: `alloc_workqueue()`.
pub(crate) fn alloc(
    name: &'static CStr,
    flags: bindings::wq_flags,
) -> Result<*mut bindings::workqueue_struct> {
    // SAFETY: The format takes one string, and `name` is one. C copies the result.
    let queue = unsafe {
        bindings::alloc_workqueue_noprof(c"%s".as_char_ptr(), flags, 0, name.as_char_ptr())
    };
    if queue.is_null() {
        return Err(ENOMEM);
    }
    Ok(queue)
}
