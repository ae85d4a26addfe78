// SPDX-License-Identifier: GPL-2.0

//! Messages one behind the other in one piece of memory: appending one allocates nothing, most of
//! the time, and freeing them all is one call.

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use super::message::Message;

/// How many bytes a batch without messages may hold on to.
const SMALL: usize = 4096;

/// Messages in the order in which they were appended.
///
/// # Invariants
///
/// The first `used` bytes of `memory` are `len` messages, each as one byte with its length and
/// then its text.
#[derive(Default)]
pub(crate) struct Batch {
    memory: KVVec<u8>,
    used: usize,
    len: usize,
}

impl Batch {
    /// Appends a message. May sleep.
    ///
    /// # Errors
    ///
    /// [`AllocError`]; nothing has been appended then.
    pub(crate) fn push(&mut self, message: Message<'_>) -> Result<(), AllocError> {
        let text = message.text();
        let end = self.used + 1 + text.len();
        if end > self.memory.len() {
            self.grow(end)?;
        }
        // INVARIANT: One message more, behind the others.
        self.memory[self.used] = message.len();
        self.memory[self.used + 1..end].copy_from_slice(text);
        self.used = end;
        self.len += 1;
        Ok(())
    }

    /// Gets memory for `least` bytes: in powers of two, so that it is not asked for often.
    fn grow(&mut self, least: usize) -> Result<(), AllocError> {
        self.memory
            .resize(least.next_power_of_two(), 0, GFP_KERNEL)
    }

    /// The texts of the messages.
    pub(crate) fn texts(&self) -> Texts<'_> {
        Texts(&self.memory[..self.used])
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes of memory are held.
    pub(crate) fn memory(&self) -> usize {
        self.memory.len()
    }

    /// Drops all messages and keeps the memory.
    pub(crate) fn clear(&mut self) {
        // INVARIANT: No messages take up no bytes.
        self.used = 0;
        self.len = 0;
    }

    /// Frees the memory if there are no messages, and it is more than is worth keeping.
    pub(crate) fn trim(&mut self) {
        if self.is_empty() && self.memory() > SMALL {
            *self = Self::default();
        }
    }
}

/// The texts of a [`Batch`], first to last.
pub(crate) struct Texts<'a>(&'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.0.split_first()?;
        let (text, rest) = rest.split_at_checked(len.into())?;
        self.0 = rest;
        Some(text)
    }
}

#[kunit_tests(wq_echo_batch)]
mod tests {
    use super::*;
    use crate::wq_echo::message::split;

    #[test]
    fn messages_come_out_as_they_went_in() -> Result {
        let longest = [b'x'; 255];
        let texts: [&[u8]; 5] = [b"one", b"", &longest, b"\n\0", b"last"];
        let mut batch = Batch::default();
        for text in texts {
            batch.push(split(text).0)?;
        }
        assert_eq!(batch.len(), texts.len());
        assert!(batch.texts().eq(texts));
        Ok(())
    }
}
