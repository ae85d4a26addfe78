// SPDX-License-Identifier: GPL-2.0

//! What write(2) to `/dev/wq_echo` does.

use core::mem::MaybeUninit;

use kernel::{
    prelude::*,
    sync::{
        poll::PollCondVar,
        Arc, //
    }, //
};

use super::{
    echo::Echo,
    message, //
};
use crate::abstractions::{
    misc_device::{
        Bytes,
        FileOperations,
        MayWaitFor, //
    },
    owned_queue::OwnedQueue, //
};

/// The device: puts messages into the backlog, and the work item that prints them on a queue.
pub(crate) struct EchoDevice {
    // Dropped first: that runs a pending item once more.
    queue: OwnedQueue,
    echo: Arc<Echo>,
}

impl EchoDevice {
    pub(crate) fn new(echo: Arc<Echo>) -> Result<Self> {
        // Unbound, because printing to a slow console keeps a CPU busy for long.
        let queue = OwnedQueue::unbound(c"wq_echo").sysfs().build()?;
        Ok(Self { queue, echo })
    }
}

impl FileOperations for EchoDevice {
    /// Makes one message of one write. If the write is longer than 255 bytes it takes those, and
    /// the short count tells the caller to write the rest again.
    fn write(&self, bytes: &mut impl Bytes, may_wait: MayWaitFor) -> Result<usize> {
        let mut buffer = [MaybeUninit::uninit(); message::LOOKAHEAD];
        let len = bytes.len().min(buffer.len());
        if len == 0 {
            return Ok(0);
        }
        let bytes = bytes.copy_into(&mut buffer[..len]);
        // A line end behind the message need not be readable.
        if bytes.len() < len.min(message::MAX_LEN) {
            return Err(EFAULT);
        }

        let (message, taken) = message::split(bytes);
        self.echo.backlog.push(message, may_wait, || {
            // It is not pending: otherwise it would not be called.
            let _ = self.queue.enqueue(self.echo.clone());
        })?;
        Ok(taken)
    }

    fn is_writable(&self) -> bool {
        self.echo.backlog.has_room()
    }

    fn writable(&self) -> Option<&PollCondVar> {
        Some(self.echo.backlog.room())
    }
}
