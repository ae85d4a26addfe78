// SPDX-License-Identifier: GPL-2.0

//! Who is running a work item: the worker's name.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use kernel::{
    fmt,
    task::Task, //
};

/// The name of a thread at some moment (`comm`), such as `kworker/0:1`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::worker::Name;
///
/// pr_info!("running on {}\n", Name::current());
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Name([u8; 16]);

impl Name {
    /// The name of the calling thread. Any context.
    pub(crate) fn current() -> Self {
        let task = Task::current_raw();
        // SAFETY: The current task is valid, and `comm` is an array that lies within it. The
        // kernel writes it byte by byte without a lock that readers would take, so that, as in C,
        // a name that is just being changed may be seen half old and half new: hence the
        // volatile read, of bytes that are all valid.
        Self(unsafe { core::ptr::read_volatile((&raw const (*task).comm).cast()) })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.iter().position(|&byte| byte == 0);
        f.write_str(core::str::from_utf8(&self.0[..len.unwrap_or(self.0.len())]).unwrap_or("?"))
    }
}
