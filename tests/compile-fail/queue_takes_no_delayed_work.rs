// SPDX-License-Identifier: GPL-2.0

//! A module's own queue takes no delayed items: their timers could outlive it.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        DelayedWork,
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
    pub(crate) mod owned_queue;
}

use abstractions::owned_queue::OwnedQueue;

#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}

fn enqueue_now(queue: &OwnedQueue, item: Arc<Item>) -> bool {
    queue.enqueue(item).is_ok()
}

fn new() -> Result<Arc<Item>> {
    Arc::pin_init(
        pin_init!(Item { work <- new_delayed_work!("Item") }),
        GFP_KERNEL,
    )
}

#[cfg(misuse)]
fn enqueue_later(queue: &OwnedQueue, item: Arc<Item>) {
    let _ = queue.enqueue_delayed(item, 100); //~ E0599 no method named `enqueue_delayed`
}
