// SPDX-License-Identifier: GPL-2.0

//! Messages one behind the other in pages of memory. Appending one seldom allocates, and never
//! under the lock that protects the messages.

use core::mem;

use kernel::{
    alloc::Flags,
    error::Error,
    prelude::*, //
};

use super::message::Message;

/// How many bytes of messages a page holds: a page of 4 KiB, less what else is in it.
const PAGE_BYTES: usize = 4096 - mem::size_of::<Option<KBox<Page>>>() - mem::size_of::<usize>();

/// Messages in the order in which they were appended.
///
/// # Invariants
///
/// The first `used` bytes are messages, each as one byte with its length and then its text.
struct Page {
    next: Option<KBox<Page>>,
    used: usize,
    bytes: [u8; PAGE_BYTES],
}

/// A page without messages.
pub(crate) struct Memory(KBox<Page>);

impl Memory {
    /// May sleep if the flags say so.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[cold]
    pub(crate) fn new(flags: Flags) -> Result<Self> {
        let page = init!(Page {
            next: None,
            // INVARIANT: No messages take up no bytes.
            used: 0,
            bytes <- pin_init::init_zeroed(),
        }? Error);
        Ok(Self(KBox::init(page, flags)?))
    }
}

impl Page {
    /// Appends a message, if there is room for it.
    fn push(&mut self, message: Message<'_>) -> bool {
        let text = message.text();
        let end = self.used + 1 + text.len();
        let Some(to) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        // INVARIANT: One message more, behind the others.
        to[0] = message.len();
        to[1..].copy_from_slice(text);
        self.used = end;
        true
    }

    fn messages(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// A list of pages. A loop frees them one by one, however many they are. Freeing a box in a box
/// would nest the calls, and a kernel's stack is too small for that.
#[derive(Default)]
struct Pages(Option<KBox<Page>>);

impl Pages {
    fn push(&mut self, mut page: KBox<Page>) {
        page.next = self.0.take();
        self.0 = Some(page);
    }

    fn pop(&mut self) -> Option<KBox<Page>> {
        let mut page = self.0.take()?;
        self.0 = page.next.take();
        Some(page)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// Messages to which more are appended.
#[derive(Default)]
pub(crate) struct Batch {
    /// The page that was begun last comes first.
    pages: Pages,
    len: usize,
}

impl Batch {
    /// A batch without messages, which begins on the page in `memory` if there is one.
    pub(crate) fn new(memory: Option<Memory>) -> Self {
        Self {
            pages: Pages(memory.map(|Memory(page)| page)),
            len: 0,
        }
    }

    /// Appends a message, if there is room for it on the page that was begun last.
    pub(crate) fn push(&mut self, message: Message<'_>) -> bool {
        let has_room = self.pages.0.as_mut().is_some_and(|page| page.push(message));
        if has_room {
            self.len += 1;
        }
        has_room
    }

    /// Begins another page, which has room for any message.
    pub(crate) fn extend(&mut self, memory: Memory) {
        self.pages.push(memory.0);
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts the pages in order, for the messages to be read.
    pub(crate) fn finish(mut self) -> Messages {
        let mut pages = Pages::default();
        while let Some(page) = self.pages.pop() {
            pages.push(page);
        }
        Messages {
            pages,
            len: self.len,
        }
    }
}

/// Messages to be read.
pub(crate) struct Messages {
    /// The oldest page comes first.
    pages: Pages,
    len: usize,
}

impl Messages {
    /// The texts, first to last.
    pub(crate) fn texts(&self) -> Texts<'_> {
        Texts {
            bytes: &[],
            pages: self.pages.0.as_deref(),
        }
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Drops them, but keeps the memory of one page.
    pub(crate) fn into_memory(mut self) -> Option<Memory> {
        let mut page = self.pages.pop()?;
        // INVARIANT: No messages take up no bytes.
        page.used = 0;
        Some(Memory(page))
    }
}

/// The texts of [`Messages`], first to last.
pub(crate) struct Texts<'a> {
    /// What is left of one page.
    bytes: &'a [u8],
    /// The pages behind it.
    pages: Option<&'a Page>,
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.bytes.is_empty() {
            let page = self.pages?;
            self.bytes = page.messages();
            self.pages = page.next.as_deref();
        }
        let (&len, rest) = self.bytes.split_first()?;
        let (text, rest) = rest.split_at_checked(len.into())?;
        self.bytes = rest;
        Some(text)
    }
}

#[kunit_tests(wq_echo_batch)]
mod tests {
    use super::*;
    use crate::wq_echo::message::split;

    fn push(batch: &mut Batch, text: &[u8]) -> Result {
        let message = split(text).0;
        if !batch.push(message) {
            batch.extend(Memory::new(GFP_KERNEL)?);
            assert!(batch.push(message));
        }
        Ok(())
    }

    #[test]
    fn messages_come_out_as_they_went_in() -> Result {
        let longest = [b'x'; 255];
        let texts: [&[u8]; 5] = [b"one", b"", &longest, b"\n\0", b"last"];
        let mut batch = Batch::default();
        for text in texts {
            push(&mut batch, text)?;
        }
        let messages = batch.finish();
        assert_eq!(messages.len(), texts.len());
        assert!(messages.texts().eq(texts));
        Ok(())
    }

    #[test]
    fn messages_of_many_pages_come_out_in_order() -> Result {
        // Of lengths that do not fill a page to the last byte.
        let texts = || (0..=255).cycle().take(1000).map(|byte: u8| [byte; 201]);
        let mut batch = Batch::default();
        for text in texts() {
            push(&mut batch, &text)?;
        }
        let messages = batch.finish();
        assert_eq!(messages.len(), 1000);
        for (text, expected) in messages.texts().zip(texts()) {
            assert_eq!(text, split(&expected).0.text());
        }
        assert_eq!(messages.texts().count(), 1000);
        Ok(())
    }

    #[test]
    fn a_page_that_nobody_used_is_passed_over() -> Result {
        let mut batch = Batch::default();
        for text in [&b"one"[..], b"two"] {
            batch.extend(Memory::new(GFP_KERNEL)?);
            batch.extend(Memory::new(GFP_KERNEL)?);
            push(&mut batch, text)?;
        }
        assert!(batch.finish().texts().eq([b"one", b"two"]));
        Ok(())
    }

    #[test]
    fn a_full_page_takes_no_more() -> Result {
        let mut batch = Batch::new(Some(Memory::new(GFP_KERNEL)?));
        let empty = split(b"").0;
        assert!((0..PAGE_BYTES).all(|_| batch.push(empty)));
        assert!(!batch.push(empty));
        assert_eq!(batch.len, PAGE_BYTES);
        assert_eq!(batch.finish().texts().count(), PAGE_BYTES);
        Ok(())
    }
}
