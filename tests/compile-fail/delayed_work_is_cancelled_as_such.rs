// SPDX-License-Identifier: GPL-2.0

//! `cancel_work_sync()` on a delayed item does not know of its timer: it cannot be called.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    impl_has_delayed_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        DelayedWork,
        WorkItem, //
    }, //
};

#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod cancel;
}

use abstractions::cancel::{
    CancelDelayedWork,
    CancelWork, //
};

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

fn stop(item: &Arc<Item>) -> Option<Arc<Item>> {
    item.disable_delayed_sync()
}

fn plain(item: &impl CancelWork) {
    item.cancel_sync();
}

#[cfg(misuse)]
fn cancel(item: &Arc<Item>) {
    plain(item); //~ E0277 the trait bound `Item: HasPlainWork` is not satisfied
}
