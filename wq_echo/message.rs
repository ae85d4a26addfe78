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
