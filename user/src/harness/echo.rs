// SPDX-License-Identifier: GPL-2.0

//! The device, its counters and its part of the log, from some moment on.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::OFlag;

use super::echo_log::{EchoLog, Message};
use super::wait::wait_until;
use super::{ensure, ensure_eq, fail, Outcome};
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::model;

/// An open device, and what has happened since it was opened.
pub struct EchoFixture {
    pub device: EchoDevice,
    pub log: EchoLog,
    before: EchoCounters,
}

impl EchoFixture {
    pub fn new() -> Outcome<EchoFixture> {
        EchoFixture::with_flags(OFlag::empty())
    }

    pub fn with_flags(flags: OFlag) -> Outcome<EchoFixture> {
        let before = counters_at_rest()?;
        Ok(EchoFixture { device: EchoDevice::open_with(flags)?, log: EchoLog::from_now()?, before })
    }

    /// Makes one write, which has to take `count` bytes.
    pub fn write(&self, bytes: &[u8], count: usize) -> Outcome {
        let taken = self.device.write(bytes)?;
        ensure_eq!(taken, count, "bytes taken of {:?}", shown(bytes));
        Ok(())
    }

    /// Writes until all is taken.
    pub fn write_all(&self, bytes: &[u8]) -> Outcome {
        Ok(self.device.write_all(bytes, |_| ())?)
    }

    /// All messages since the last look. Writes a mark and reads up to it: messages are printed in
    /// the order in which they were accepted.
    pub fn printed(&mut self) -> Outcome<Vec<Message>> {
        let mark = new_mark();
        self.write_all(mark.as_bytes())?;
        let mut messages = Vec::new();
        loop {
            let message = self.log.next()?;
            if message.is(mark.as_bytes()) {
                // The next look counts from after the mark.
                self.before.accepted += 1;
                return Ok(messages);
            }
            messages.push(message);
        }
    }

    /// These messages and no others have been printed since the last look.
    pub fn expect<T: AsRef<[u8]>>(&mut self, texts: &[T]) -> Outcome {
        let printed = self.printed()?;
        expect_messages(&printed, texts)
    }

    /// Makes each of these writes and checks it against the model: bytes taken, and the message.
    pub fn expect_as_modelled(&mut self, writes: &[Vec<u8>]) -> Outcome {
        let mut texts = Vec::new();
        for bytes in writes {
            let (count, text) = model::accept(bytes);
            self.write(bytes, count)?;
            texts.extend(text);
        }
        self.expect(&texts)
    }

    /// How many messages have been accepted since this was made, except marks.
    pub fn accepted(&self) -> Outcome<u64> {
        let now = counters_at_rest()?;
        ensure!(
            now.accepted >= self.before.accepted,
            "accepted fell from {} to {}",
            self.before.accepted,
            now.accepted
        );
        Ok(now.accepted - self.before.accepted)
    }

    /// The counters when this was made.
    pub fn before(&self) -> &EchoCounters {
        &self.before
    }
}

/// A text that no other message has.
pub fn new_mark() -> String {
    static MARKS: AtomicU64 = AtomicU64::new(0);
    let number = MARKS.fetch_add(1, Ordering::Relaxed);
    format!("mark {}.{number}", std::process::id())
}

/// Checks that these messages and no others were printed, in this order.
pub fn expect_messages<T: AsRef<[u8]>>(printed: &[Message], texts: &[T]) -> Outcome {
    for (number, text) in texts.iter().enumerate() {
        let text = text.as_ref();
        match printed.get(number) {
            Some(message) if message.is(text) => {}
            Some(message) => {
                return fail(format!(
                    "message {number}: expected {}\ngot {message:?}",
                    model::line(text)
                ))
            }
            None => return fail(format!("message {number} is missing: {}", model::line(text))),
        }
    }
    match printed.get(texts.len()) {
        None => Ok(()),
        Some(message) => fail(format!("nobody wrote {message:?}")),
    }
}

/// Waits until everything accepted has been printed.
pub fn counters_at_rest() -> Outcome<EchoCounters> {
    counters_when("wq_echo to be at rest", EchoCounters::at_rest)
}

/// Waits until the counters are as `wanted`.
pub fn counters_when(what: &str, wanted: impl Fn(&EchoCounters) -> bool) -> Outcome<EchoCounters> {
    wait_until(what, || {
        let counters = EchoCounters::read()?;
        Ok(if wanted(&counters) { Ok(counters) } else { Err(format!("{counters:?}")) })
    })
}

/// The first bytes, for people's eyes.
pub fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(40)];
    match bytes.len() {
        0..=40 => model::escape(start),
        more => format!("{}... ({more} bytes)", model::escape(start)),
    }
}
