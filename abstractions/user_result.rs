// SPDX-License-Identifier: GPL-2.0

//! What a file operation may tell the process that called.
//!
//! Some errors are for the kernel alone, and the kernel assumes that file operations know them.
//! `EIOCBQUEUED` from one that did not queue anything ends in `BUG_ON()`. So does a count of more
//! than was offered, if it is negative as a C integer.
//!
//! C header: [`include/linux/errno.h`](srctree/include/linux/errno.h)

use kernel::{
    error::{
        code,
        Error, //
    },
    ffi::c_int,
    pr_err_once,
    prelude::*, //
};

/// The largest error that has a name in user space (`include/uapi/asm-generic/errno.h`), and some
/// room for more.
const MAX_USER_ERRNO: c_int = 511;

/// Errors for the kernel that restart the call after a signal, or end it in `EINTR`.
const RESTARTS: [Error; 3] = [
    code::ERESTARTSYS,
    code::ERESTARTNOINTR,
    code::ERESTARTNOHAND,
];

/// An error that is for user space stays as it is. Any other becomes `EIO`, with a line in the log.
/// An error that restarts the call becomes `EINTR` if no signal is pending. Process context: it
/// looks at the calling task.
///
/// # Examples
///
/// ```
/// use crate::abstractions::user_result::error_for_user;
///
/// assert!(error_for_user(EAGAIN) == EAGAIN);
/// ```
pub(crate) fn error_for_user(error: Error) -> Error {
    if -error.to_errno() <= MAX_USER_ERRNO {
        return error;
    }
    if RESTARTS.contains(&error) {
        // Without a signal nobody would translate it.
        return if current!().signal_pending() {
            error
        } else {
            EINTR
        };
    }
    pr_err_once!(
        "a file operation failed with {}, which is no error for user space: EIO\n",
        error.to_errno()
    );
    EIO
}

/// How many of the offered bytes were taken, or an error: `EIO` with a line in the log if they are
/// more than offered. [`error_for_user`] says what becomes of an error. Process context.
///
/// # Examples
///
/// ```
/// use crate::abstractions::user_result::count_for_user;
///
/// assert!(count_for_user(Ok(3), 4) == Ok(3));
/// assert!(count_for_user(Ok(5), 4) == Err(EIO));
/// ```
#[inline]
pub(crate) fn count_for_user(result: Result<usize>, offered: usize) -> Result<usize> {
    match result {
        Ok(taken) if taken <= offered => Ok(taken),
        other => Err(no_count(other, offered)),
    }
}

#[cold]
fn no_count(result: Result<usize>, offered: usize) -> Error {
    match result {
        Ok(taken) => {
            pr_err_once!("a file operation took {taken} of {offered} bytes: EIO\n");
            EIO
        }
        Err(error) => error_for_user(error),
    }
}
