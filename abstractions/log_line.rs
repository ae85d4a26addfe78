// SPDX-License-Identifier: GPL-2.0

//! A line for the kernel's log, put together before it is printed.
//!
//! printk formats what it is given twice, once to know how long it is. What is dear to format is
//! better formatted once, into one of these, and printed from there.

use core::str;

use kernel::fmt;

/// How many bytes a record of the log holds (C's `PRINTKRB_RECORD_MAX`).
const RECORD_MAX: usize = 1024;

/// Text for one record of the log. Any context.
///
/// # Examples
///
/// ```
/// use kernel::fmt::Write;
/// use crate::abstractions::log_line::LogLine;
///
/// let mut line = LogLine::new();
/// for number in 0..3 {
///     line.clear();
///     write!(line, "number {number}\n")?;
///     pr_info!("{}", line.text());
/// }
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The first `len` bytes are UTF-8.
pub(crate) struct LogLine {
    bytes: [u8; RECORD_MAX],
    len: usize,
}

impl LogLine {
    /// An empty line. It takes 1 KiB where it is put: mind the stack, of which there are 16.
    pub(crate) fn new() -> Self {
        // INVARIANT: There is no text.
        Self {
            bytes: [0; RECORD_MAX],
            len: 0,
        }
    }

    /// Removes the text.
    pub(crate) fn clear(&mut self) {
        // INVARIANT: There is no text.
        self.len = 0;
    }

    /// What has been written since it was empty.
    pub(crate) fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or(&[]);
        // SAFETY: By the type invariants these are UTF-8.
        unsafe { str::from_utf8_unchecked(bytes) }
    }
}

impl fmt::Write for LogLine {
    /// Appends text.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] where it does not fit; nothing of it has been appended then.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        // INVARIANT: Text behind text is UTF-8.
        self.len = end;
        Ok(())
    }
}
