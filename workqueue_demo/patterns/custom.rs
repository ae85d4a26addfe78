// SPDX-License-Identifier: GPL-2.0

//! Pattern: a queue of one's own, for work that must not wait for others' or hold them up.
//!
//! C: `alloc_workqueue("workqueue_demo", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_SYSFS, 4)`,
//! `queue_work(queue, &item)`, and `destroy_workqueue(queue)`, which waits for what is queued.

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

use super::super::ledger::{
    Entry,
    Kind,
    Ledger,
    Times, //
};
use crate::abstractions::owned_queue::OwnedQueue;

/// How many items of the queue may run at once.
pub(crate) const MAX_ACTIVE: u32 = 4;

/// How many items of a kind may be outstanding.
pub(crate) const MAX_OUTSTANDING: u64 = 4096;

pub(crate) fn queue() -> Result<OwnedQueue> {
    OwnedQueue::unbound(c"workqueue_demo")
        .mem_reclaim()
        .sysfs()
        .max_active(MAX_ACTIVE)
        .build()
}

/// An item that is queued once: its memory is its own, and its run frees it.
#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    ledger: Arc<Ledger>,
    entry: Entry,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl Item {
    fn new(ledger: Arc<Ledger>, entry: Entry) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- new_work!("workqueue_demo::custom"),
            ledger,
            entry,
        })
    }
}

/// Queues `count` items, or none.
///
/// # Errors
///
/// `EAGAIN` if too many would be outstanding, `ENOMEM`, `ENODEV` while the module goes.
pub(crate) fn queue_items(queue: &OwnedQueue, ledger: &Arc<Ledger>, count: u32) -> Result {
    let times = Times::due_now();
    let mut memory = KVec::with_capacity(count as usize, GFP_KERNEL)?;
    for _ in 0..count {
        memory.push(KBox::<Item>::new_uninit(GFP_KERNEL)?, GFP_KERNEL)?;
    }
    // Nothing can fail any more.
    let entry = ledger.admit(Kind::Custom, count.into(), MAX_OUTSTANDING, times)?;
    for item in memory {
        let Ok(item) = item.write_pin_init(Item::new(ledger.clone(), entry));
        queue.enqueue(item);
    }
    Ok(())
}

impl WorkItem for Item {
    type Pointer = Pin<KBox<Self>>;

    fn run(this: Pin<KBox<Self>>) {
        this.ledger.run(Kind::Custom, Some(this.entry), || {
            fsleep(Delta::from_millis(100));
        });
    }
}
