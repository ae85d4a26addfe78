// SPDX-License-Identifier: GPL-2.0

//! Hole 1: a delayed item's timer outlives its queue.
//!
//! `destroy_workqueue()` waits for queued items. It does not know about
//! timers: the one armed here fires into the memory of a freed queue.
//!
//! RUN insmod /timer_outlives_queue.ko $FIXED && sleep 3
//! EXPECT kasan: BUG: KASAN: slab-use-after-free in __queue_work
//! EXPECT kasan: call_timer_fn

use kernel::{
    bindings,
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::{
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
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}

fn broken() -> Result {
    let queue = raw_queue::alloc(c"zoo_timer", bindings::wq_flags_WQ_UNBOUND)?;
    let item = Arc::pin_init(
        pin_init!(Item { work <- new_delayed_work!("Item") }),
        GFP_KERNEL,
    )?;
    // SAFETY: NOT SAFE: `enqueue_delayed` needs the queue until the timer has fired.
    let borrowed = unsafe { Queue::from_raw(queue) };
    let _ = borrowed.enqueue_delayed(item, msecs_to_jiffies(1000));
    // SAFETY: NOT SAFE: the queue must not have a timer aimed at it.
    unsafe { bindings::destroy_workqueue(queue) };
    Ok(())
}

struct Nothing;

impl DelayedHandler for Nothing {
    fn run(&self) -> Option<Delta> {
        None
    }
}

fn fixed() -> Result {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_timer").build()?, GFP_KERNEL)?;
    let handle = new_delayed_work_handle!(queue, Nothing)?;
    handle.enqueue_delayed(Delta::from_secs(1));
    // The handle goes here, and takes the timer back before it lets go of the queue.
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "timer_outlives_queue",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a delayed item's timer outlives its queue",
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
