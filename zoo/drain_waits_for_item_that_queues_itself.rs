// SPDX-License-Identifier: GPL-2.0

//! Hole 2: a queue is drained while an item queues itself on it.
//!
//! `destroy_workqueue()` drains: it flushes until the queue is empty. Meanwhile C accepts
//! what the queue's own items queue, so this never ends. The hung-task detector misses
//! it, because the task wakes up for each flush. The workqueue code counts its tries.
//!
//! RUN insmod /drain_waits_for_item_that_queues_itself.ko $FIXED & sleep 5
//! EXPECT kasan: workqueue zoo_drain: drain_workqueue\(\) isn't complete after 100 tries

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        Queue,
        Work,
        WorkItem, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
}
mod raw_queue;

use abstractions::{
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler, //
    },
    owned_queue::OwnedQueue, //
};

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    queue: &'static Queue,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let queue = this.queue;
        let _ = queue.enqueue(this);
    }
}

fn broken() -> Result {
    let queue = raw_queue::alloc(c"zoo_drain", bindings::wq_flags_WQ_UNBOUND)?;
    let item = Arc::pin_init(
        pin_init!(Item {
            work <- new_work!("Item"),
            // SAFETY: NOT SAFE: the queue does not exist for ever.
            queue: unsafe { Queue::from_raw(queue) },
        }),
        GFP_KERNEL,
    )?;
    let _ = item.queue.enqueue(item.clone());
    // SAFETY: NOT SAFE: whoever destroys a queue has to stop those who queue on it.
    unsafe { bindings::destroy_workqueue(queue) };
    Ok(())
}

struct Again;

impl DelayedHandler for Again {
    fn run(&self) -> Option<Delta> {
        Some(Delta::ZERO)
    }
}

fn fixed() -> Result {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_drain").build()?, GFP_KERNEL)?;
    let handle = new_delayed_work_handle!(queue, Again)?;
    handle.enqueue_delayed(Delta::ZERO);
    fsleep(Delta::from_millis(100));
    // The handle goes here: it disables the item first, and only then lets go of the queue.
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "drain_waits_for_item_that_queues_itself",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a queue is drained on which an item queues itself",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen;

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if module_parameters::fixed.value() {
            fixed()?;
        } else {
            broken()?;
        }
        Ok(Self)
    }
}
