// SPDX-License-Identifier: GPL-2.0

//! A handle shares its item with nobody, and takes only a queue that it owns or that always stays.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    prelude::*,
    time::Delta, //
};

// `module!` would define these.
const __LOG_PREFIX: &[u8] = b"compile_fail\0";
type LocalModule = abstractions::alive::Guarded<()>;

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
    pub(crate) mod work;
}

use abstractions::{
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler,
        DelayedWorkHandle, //
    },
    owned_queue::{
        system_percpu,
        OwnedQueue,
        QueueOwner, //
    }, //
};

struct Handler;

impl DelayedHandler for Handler {
    fn run(&self) -> Option<Delta> {
        None
    }
}

fn handle() -> Result<DelayedWorkHandle<Handler>> {
    new_delayed_work_handle!(system_percpu(), Handler)
}

#[cfg(misuse)]
fn item(handle: &DelayedWorkHandle<Handler>) {
    let _ = handle.item.clone(); //~ E0616 field `item` of struct
}

#[cfg(misuse)]
fn system_queue() {
    system_percpu().try_spawn(GFP_KERNEL, || ()); //~ E0599 no method named `try_spawn`
}

#[cfg(misuse)]
fn bottom_half() {
    let queue = kernel::workqueue::system_bh();
    let _ = new_delayed_work_handle!(queue, Handler); //~ E0277 `&Queue: QueueOwner` is not satisfied
}

#[cfg(misuse)]
fn borrowed_queue(queue: &OwnedQueue) {
    let _ = new_delayed_work_handle!(queue, Handler); //~ E0277 `&OwnedQueue: QueueOwner` is not satisfied
}
