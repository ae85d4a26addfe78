// SPDX-License-Identifier: GPL-2.0

//! A line for the kernel's log, put together before it is printed.
//!
//! printk formats its arguments twice, first to know the length. What is costly to format is better
//! formatted once, into one of these, and printed from there.

use core::str;

use kernel::{
    bindings,
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

/// How many bytes a record of the log holds (C's `PRINTKRB_RECORD_MAX`), without the NUL that
/// printk puts behind what it formats.
pub(crate) const RECORD_MAX: usize = 1024 - 1;

/// The most bytes of a record that readers of `/dev/kmsg` get, escapes included (C's
/// `PRINTK_MESSAGE_MAX`), without the NUL.
pub(crate) const KMSG_MAX: usize = 2048 - 1;

/// How many of those the longest header of a record takes (C's `info_print_ext_header()`) and the
/// line end behind the record.
pub(crate) const KMSG_HEADER_MAX: usize =
    "191,18446744073709551615,18446744073709551,-,caller=T2147483647;\n".len();

/// The prefix that says how important a record is (C's `KERN_INFO`).
pub(crate) const LEVEL: &str = text_of(bindings::KERN_INFO);

/// The text of a string of C's: evaluated when it is compiled, which fails if there is none.
///
/// # Examples
///
/// ```
/// use crate::abstractions::log_line::text_of;
///
/// const NAME: &str = text_of(b"my_driver\0");
/// # let _ = NAME;
/// ```
pub(crate) const fn text_of(nul_terminated: &'static [u8]) -> &'static str {
    match CStr::from_bytes_with_nul(nul_terminated) {
        Ok(text) => match text.to_str() {
            Ok(text) => text,
            Err(_) => panic!("not UTF-8"),
        },
        Err(_) => panic!("no NUL, or one within"),
    }
}

/// An empty [`LogLine`] that begins with the module's name, as lines of [`pr_info!`] do.
///
/// # Examples
///
/// ```
/// use kernel::fmt::Write;
/// use crate::abstractions::log_line::new_log_line;
///
/// let mut line = new_log_line!();
/// writeln!(line, "ready")?;
/// line.print();
/// # Ok::<(), Error>(())
/// ```
#[allow(clippy::crate_in_macro_def)]
macro_rules! new_log_line {
    () => {{
        // The name of the crate that this is used in, as in `pr_info!`.
        const NAME: &str = $crate::abstractions::log_line::text_of(crate::__LOG_PREFIX);
        $crate::abstractions::log_line::LogLine::new(NAME)
    }};
}
pub(crate) use new_log_line;

/// Text for one record of the log, of the level of information, behind a module's name.
///
/// It prints the same as [`pr_info!`] of the text, and costs less. The level and the name are kept
/// in front of the text, so the format that C's `printk()` goes through twice is one argument. Any
/// context.
///
/// # Examples
///
/// ```
/// use kernel::fmt::Write;
/// use crate::abstractions::log_line::new_log_line;
///
/// let mut line = new_log_line!();
/// for number in 0..3 {
///     line.clear();
///     write!(line, "number {number}\n")?;
///     line.print();
/// }
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The first `len` bytes are UTF-8. The first `header` of them, which are no more, are the level
/// and the name.
pub(crate) struct LogLine {
    bytes: [u8; RECORD_MAX],
    header: usize,
    len: usize,
}

impl LogLine {
    /// An empty line behind this name, of less than a hundred bytes: what [`new_log_line!`] expands
    /// to. It takes 1 KiB where it is put: mind the stack, which has 16.
    pub(crate) fn new(name: &str) -> Self {
        // INVARIANT: There is no text.
        let mut line = Self {
            bytes: [0; RECORD_MAX],
            header: 0,
            len: 0,
        };
        for part in [LEVEL, name, ": "] {
            // It fits, unless there is no end to the name.
            let _ = line.write_str(part);
        }
        // INVARIANT: This is what has been written so far.
        line.header = line.len;
        line
    }

    /// Removes the text.
    pub(crate) fn clear(&mut self) {
        // INVARIANT: What is in front of the text remains.
        self.len = self.header;
    }

    /// The record: what has been written, behind the module's name.
    pub(crate) fn record(&self) -> &str {
        self.text().strip_prefix(LEVEL).unwrap_or("")
    }

    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or(&[]);
        // SAFETY: By the type invariants these are UTF-8.
        unsafe { str::from_utf8_unchecked(bytes) }
    }

    /// Appends a number, in a quarter of the instructions of `write!`.
    ///
    /// # Errors
    ///
    /// Those of `write_str`.
    pub(crate) fn write_decimal(&mut self, number: u8) -> fmt::Result {
        let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit);
        let leading_zeros = usize::from(number < 100) + usize::from(number < 10);
        // SAFETY: Digits are ASCII.
        self.write_str(unsafe { str::from_utf8_unchecked(&digits[leading_zeros..]) })
    }

    /// Prints what has been written since it was empty: C's `_printk()`.
    pub(crate) fn print(&self) {
        call_printk(fmt!("{}", AsItIs(self.text())));
    }
}

/// Text that is printed without padding. `str` would look whether it is to be padded.
struct AsItIs<'a>(&'a str);

impl fmt::Display for AsItIs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Prints a record that begins with its level. As in the `kernel` crate there is nothing to call
/// in a kernel without a log.
#[cfg_attr(not(CONFIG_PRINTK), allow(unused_variables))]
fn call_printk(record: fmt::Arguments<'_>) {
    #[cfg(CONFIG_PRINTK)]
    // SAFETY: The format is a C string and wants what is passed: a pointer to `fmt::Arguments`,
    // which is valid until the call returns.
    unsafe {
        bindings::_printk(
            c"%pA".as_char_ptr(),
            core::ptr::from_ref(&record).cast::<kernel::ffi::c_void>(),
        )
    };
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
