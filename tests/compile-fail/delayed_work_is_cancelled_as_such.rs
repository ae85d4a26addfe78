// SPDX-License-Identifier: GPL-2.0

//! `cancel_work_sync()` on a delayed item does not know of its timer: it cannot be called.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    impl_has_delayed_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        DelayedWork,
        Work,
        WorkItem, //
    }, //
};

#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod cancel;
}

use abstractions::cancel::{
    impl_has_plain_work,
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

/// It has a plain item too, whose runs are another's.
#[pin_data]
struct Both {
    #[pin]
    plain: Work<Item>,
    #[pin]
    delayed: DelayedWork<Both>,
}

impl_has_plain_work! {
    impl HasPlainWork<Item> for Both { self.plain }
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Both { self.delayed }
}

impl WorkItem for Both {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}

#[cfg(misuse)]
fn cancel(item: &Arc<Item>, both: &Arc<Both>) {
    plain(item); //~ E0277 the trait bound `Item: HasPlainWork<Item>` is not satisfied
    plain(both); //~ E0277 the trait bound `Both: HasPlainWork<Both>` is not satisfied
}
