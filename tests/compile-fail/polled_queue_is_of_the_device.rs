// SPDX-License-Identifier: GPL-2.0

//! What a device tells those to who poll cannot be dropped before the file is closed.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    prelude::*,
    sync::{
        poll::PollCondVar,
        Mutex, //
    }, //
};

// What a `module!` makes.
const __LOG_PREFIX: &[u8] = b"compile_fail\0";
type LocalModule = abstractions::alive::Guarded<()>;

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
    MayWait, //
};

type Answered = Pin<KBox<PollCondVar>>;

/// As long as a request is under way, there is something to be told.
#[pin_data]
struct Requests {
    #[pin]
    current: Mutex<Option<Answered>>,
}

impl FileOperations for Requests {
    fn write(&self, bytes: &mut impl Bytes, _: MayWait) -> Result<usize> {
        // It is dropped.
        *self.current.lock() = None;
        Ok(bytes.len())
    }

    #[cfg(misuse)]
    fn writable(&self) -> Option<&PollCondVar> {
        self.current.lock().as_deref() //~ E0515 cannot return value referencing temporary value
    }
}
