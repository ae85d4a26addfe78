// SPDX-License-Identifier: GPL-2.0

//! What of the bytes written is a message: knows nothing of where they come from.

use kernel::prelude::*;

/// The most bytes that a message holds.
pub(crate) const MAX_LEN: usize = 255;

/// How many bytes of a write decide what its message is: those of the message and of the longest
/// line end behind it.
pub(crate) const LOOKAHEAD: usize = MAX_LEN + 2;

/// A message: the text of one write, without its line end, in memory for just that text.
pub(crate) struct Message(KVec<u8>);

impl Message {
    /// Copies `text`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(text: &[u8]) -> Result<Self> {
        let mut bytes = KVec::with_capacity(text.len(), GFP_KERNEL)?;
        bytes.extend_from_slice(text, GFP_KERNEL)?;
        Ok(Self(bytes))
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.0
    }
}

/// Splits the first message off a write of which `bytes` are the first [`LOOKAHEAD`] (or all, if
/// it is shorter): its text, and how many bytes of the write it takes up.
///
/// A line end right behind a message of full length belongs to it. A shorter message is the whole
/// write.
pub(crate) fn split(bytes: &[u8]) -> (&[u8], usize) {
    let (message, rest) = bytes.split_at(bytes.len().min(MAX_LEN));
    (strip_line_end(message), message.len() + line_end_len(rest))
}

/// Strips the trailing run of newlines and carriage returns.
fn strip_line_end(bytes: &[u8]) -> &[u8] {
    let len = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
        .map_or(0, |last| last + 1);
    &bytes[..len]
}

fn line_end_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

#[kunit_tests(wq_echo_message)]
mod tests {
    use super::*;

    fn taken(len: usize, line_end: &[u8]) -> usize {
        let mut bytes = [b'a'; LOOKAHEAD + 8];
        bytes[len..len + line_end.len()].copy_from_slice(line_end);
        split(&bytes[..LOOKAHEAD.min(len + line_end.len())]).1
    }

    #[test]
    fn a_short_write_is_one_message() {
        assert_eq!(split(b"abc"), (&b"abc"[..], 3));
    }

    #[test]
    fn the_trailing_run_of_line_ends_is_stripped() {
        assert_eq!(split(b"a\nb\n\r\r\n\n"), (&b"a\nb"[..], 8));
        assert_eq!(split(b"\r\n\n"), (&b""[..], 3));
    }

    #[test]
    fn blanks_are_kept() {
        assert_eq!(split(b" a \t\n"), (&b" a \t"[..], 5));
    }

    #[test]
    fn a_line_end_behind_a_full_message_belongs_to_it() {
        assert_eq!(taken(MAX_LEN, b""), 255);
        assert_eq!(taken(MAX_LEN, b"\n"), 256);
        assert_eq!(taken(MAX_LEN, b"\r\n"), 257);
    }

    #[test]
    fn nothing_else_behind_a_full_message_belongs_to_it() {
        assert_eq!(taken(MAX_LEN, b"x\n"), 255);
        assert_eq!(taken(MAX_LEN, b"\r"), 255);
        assert_eq!(taken(MAX_LEN, b"\rx"), 255);
        assert_eq!(taken(MAX_LEN, b"\n\n"), 256);
    }
}
