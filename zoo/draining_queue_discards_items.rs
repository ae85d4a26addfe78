// SPDX-License-Identifier: GPL-2.0

//! Hole 10: an item is queued on a queue that is being drained.
//!
//! C warns once, throws the item away, and reports it as queued.
//! The item never runs, and its reference never comes back.
//!
//! APPEND panic_on_warn=0 slab_debug=F
//! RUN insmod /draining_queue_discards_items.ko $FIXED && leaks
//! EXPECT kasan: workqueue: cannot queue .* on wq zoo_draining
//! EXPECT kasan: C has queued 8 of 8 items, 0 have run
//! EXPECT kasan: unreferenced object 0x
//! EXPECT kasan: \[draining_queue_discards_items\]$

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        system_long,
        Queue,
        Work,
        WorkItem, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}
mod raw_queue;

use abstractions::owned_queue::OwnedQueue;

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    runs: Arc<Atomic<u32>>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.runs.fetch_add(1, Relaxed);
    }
}

/// Queues eight items and reports what became of them.
fn queue_items(enqueue: impl Fn(Arc<Item>) -> bool, flush: impl Fn()) -> Result {
    let runs = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let mut queued = 0;
    for _ in 0..8 {
        let runs = runs.clone();
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_work!("Item"),
                runs,
            }),
            GFP_KERNEL,
        )?;
        queued += u32::from(enqueue(item));
    }
    flush();
    let runs = runs.load(Relaxed);
    pr_info!("C has queued {queued} of 8 items, {runs} have run\n");
    Ok(())
}

fn broken() -> Result {
    let raw = raw_queue::alloc(c"zoo_draining", bindings::wq_flags_WQ_UNBOUND)?;
    // SAFETY: The queue exists until the end of this function, and so does all that uses it.
    let queue = unsafe { Queue::from_raw(raw) };
    queue.try_spawn(GFP_KERNEL, || fsleep(Delta::from_millis(1500)))?;
    system_long().try_spawn(GFP_KERNEL, || {
        fsleep(Delta::from_millis(500));
        // WRONG: the queue is being drained by now.
        let _ = queue_items(
            |item| queue.enqueue(item).is_ok(),
            || fsleep(Delta::from_millis(2000)),
        );
    })?;
    // SAFETY: The queue is valid.
    unsafe { bindings::drain_workqueue(raw) };
    fsleep(Delta::from_millis(3000));
    // SAFETY: Nobody uses the queue any more.
    unsafe { bindings::destroy_workqueue(raw) };
    Ok(())
}

fn fixed() -> Result {
    let queue = OwnedQueue::unbound(c"zoo_draining").build()?;
    // Flushing lets others queue, and there is no `drain`.
    queue_items(|item| queue.enqueue(item).is_ok(), || queue.flush())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "draining_queue_discards_items",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: an item is queued on a queue that is being drained",
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
