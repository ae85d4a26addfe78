// SPDX-License-Identifier: GPL-2.0

//! A boxed item belongs to C once it has been queued. It can then not be queued again, cancelled or
//! disabled.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    impl_has_work,
    prelude::*,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

// `module!` would define these.
const __LOG_PREFIX: &[u8] = b"compile_fail\0";
type LocalModule = abstractions::alive::Guarded<()>;

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod owned_queue;
}

use abstractions::{
    cancel::CancelWork,
    owned_queue::OwnedQueue, //
};

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Pin<KBox<Self>>;

    fn run(_: Pin<KBox<Self>>) {}
}

fn once(queue: &OwnedQueue, item: Pin<KBox<Item>>) {
    queue.enqueue(item);
}

#[cfg(misuse)]
fn twice(queue: &OwnedQueue, item: Pin<KBox<Item>>) {
    queue.enqueue(item);
    queue.enqueue(item); //~ E0382 use of moved value: `item`
}

fn stop(item: &impl CancelWork) {
    item.disable_sync();
}

#[cfg(misuse)]
fn disable(item: &Pin<KBox<Item>>) {
    stop(item); //~ E0277 is not satisfied
}
