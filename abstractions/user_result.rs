// SPDX-License-Identifier: GPL-2.0

//! What a file operation may tell the process that called.
//!
//! The kernel has errors that are for itself alone, and takes it for granted that file operations
//! know them: `EIOCBQUEUED` of one that did not queue anything ends in `BUG_ON()`, and so does a
//! count that is more than was offered where it is negative as a C integer.
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

/// Errors that are for the kernel, and lead to what user space knows: the call is taken up again
/// after a signal, or ends in `EINTR`.
const RESTARTS: [Error; 3] = [
    code::ERESTARTSYS,
    code::ERESTARTNOINTR,
    code::ERESTARTNOHAND,
];

/// An error as it is where it is for user space, `EIO` with a line in the log where it is not. To
/// be asked to take the call up again without a signal is `EINTR`. Process context: it looks at the
/// calling task.
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

/// How many bytes were taken of those that were offered, or an error: `EIO` with a line in the log
/// where they are more; [`error_for_user`] says what becomes of an error. Process context.
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
