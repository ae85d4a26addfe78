// SPDX-License-Identifier: GPL-2.0

//! Hole 2, the other half: a queue is destroyed between two runs of an item that arms itself.
//!
//! Draining waits for the run, which arms the item's timer again. Then the queue is
//! empty and C frees it. When the timer fires, the memory belongs to somebody else.
//!
//! RUN insmod /queue_with_armed_item_looks_drained.ko $FIXED && sleep 3
//! EXPECT kasan: BUG: KASAN: slab-use-after-free in __queue_work
//! EXPECT kasan: call_timer_fn

use kernel::{
    bindings,
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    },
    workqueue::{
        DelayedWork,
        Queue,
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
    work: DelayedWork<Item>,
    queue: &'static Queue,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let queue = this.queue;
        let _ = queue.enqueue_delayed(this, msecs_to_jiffies(1000));
    }
}

fn broken() -> Result {
    let queue = raw_queue::alloc(c"zoo_again", bindings::wq_flags_WQ_UNBOUND)?;
    let item = Arc::pin_init(
        pin_init!(Item {
            work <- new_delayed_work!("Item"),
            // SAFETY: NOT SAFE: the queue does not exist for ever.
            queue: unsafe { Queue::from_raw(queue) },
        }),
        GFP_KERNEL,
    )?;
    let _ = item.queue.enqueue_delayed(item.clone(), 0);
    // SAFETY: NOT SAFE: the item has armed itself, or will in the run that is waited for here.
    unsafe { bindings::destroy_workqueue(queue) };
    Ok(())
}

struct Again;

impl DelayedHandler for Again {
    fn run(&self) -> Option<Delta> {
        Some(Delta::from_secs(1))
    }
}

fn fixed() -> Result {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_again").build()?, GFP_KERNEL)?;
    let handle = new_delayed_work_handle!(queue, Again)?;
    handle.enqueue_delayed(Delta::ZERO);
    fsleep(Delta::from_millis(100));
    // The handle goes here: it takes the timer back, and only then lets go of the queue.
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "queue_with_armed_item_looks_drained",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a queue goes between two runs of an item that arms itself",
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
