// SPDX-License-Identifier: GPL-2.0

//! Which of the written bytes are a message. It does not know where they come from.

use kernel::prelude::*;

/// The most bytes that a message holds.
pub(crate) const MAX_LEN: usize = 255;

/// How many bytes of a write decide what its message is: those of the message and of the longest
/// line end behind it.
pub(crate) const LOOKAHEAD: usize = MAX_LEN + 2;

/// A message: the text of one write, without its line end. At most [`MAX_LEN`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    pub(crate) fn text(self) -> &'a [u8] {
        self.0
    }

    /// How many bytes of text there are.
    pub(crate) fn len(self) -> u8 {
        // CAST: `split` has cut it at `MAX_LEN`.
        self.0.len() as u8
    }
}

/// Splits the first message off a write. `bytes` are the first [`LOOKAHEAD`] bytes of the write, or
/// all if it is shorter. Returns the message, and how many bytes of the write it takes up.
///
/// A line end right behind a message of full length belongs to it. A shorter message is the whole
/// write.
pub(crate) fn split(bytes: &[u8]) -> (Message<'_>, usize) {
    let (text, rest) = bytes.split_at(bytes.len().min(MAX_LEN));
    let message = Message(strip_line_end(text));
    (message, text.len() + line_end_len(rest))
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

    fn text_and_taken(bytes: &[u8]) -> (&[u8], usize) {
        let (message, taken) = split(bytes);
        (message.text(), taken)
    }

    fn taken(len: usize, line_end: &[u8]) -> usize {
        let mut bytes = [b'a'; LOOKAHEAD + 8];
        bytes[len..len + line_end.len()].copy_from_slice(line_end);
        split(&bytes[..LOOKAHEAD.min(len + line_end.len())]).1
    }

    #[test]
    fn a_short_write_is_one_message() {
        assert_eq!(text_and_taken(b"abc"), (&b"abc"[..], 3));
    }

    #[test]
    fn the_trailing_run_of_line_ends_is_stripped() {
        assert_eq!(text_and_taken(b"a\nb\n\r\r\n\n"), (&b"a\nb"[..], 8));
        assert_eq!(text_and_taken(b"\r\n\n"), (&b""[..], 3));
    }

    #[test]
    fn blanks_are_kept() {
        assert_eq!(text_and_taken(b" a \t\n"), (&b" a \t"[..], 5));
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
