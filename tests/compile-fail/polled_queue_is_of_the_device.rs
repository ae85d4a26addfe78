// SPDX-License-Identifier: GPL-2.0

//! The queue that a device lends to those who poll cannot be dropped before the file is closed.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    prelude::*,
    sync::{
        poll::PollCondVar,
        Mutex, //
    }, //
};

module! {
    type: abstractions::alive::Guarded<Empty>,
    name: "polled_queue_is_of_the_device",
    authors: ["The workqueue-rs authors"],
    description: "Lends a queue to those who poll",
    license: "GPL",
}

struct Empty;

impl kernel::Module for Empty {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod misc_device;
    pub(crate) mod user_result;
}

use abstractions::misc_device::{
    Bytes,
    FileOperations,
    MayWaitFor, //
};

type Answered = Pin<KBox<PollCondVar>>;

/// There is a queue to wait on only while a request is under way.
#[pin_data]
struct Requests {
    #[pin]
    current: Mutex<Option<Answered>>,
}

impl FileOperations for Requests {
    fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
        // This drops the queue.
        *self.current.lock() = None;
        Ok(bytes.len())
    }

    #[cfg(misuse)]
    fn writable(&self) -> Option<&PollCondVar> {
        self.current.lock().as_deref() //~ E0515 cannot return value referencing temporary value
    }
}
