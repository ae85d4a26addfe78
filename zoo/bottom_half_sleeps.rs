// SPDX-License-Identifier: GPL-2.0

//! Hole 13: an item of a bottom-half queue sleeps.
//!
//! A `WQ_BH` queue runs its items in softirq context, where nothing
//! may sleep. A work item's type does not say whether it sleeps.
//!
//! RUN insmod /bottom_half_sleeps.ko $FIXED && sleep 2
//! EXPECT kasan: BUG: sleeping function called from invalid context
//! EXPECT kasan: softirq

use kernel::{
    bindings,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::Queue, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}
mod raw_queue;

use abstractions::owned_queue::{
    spawn,
    OwnedQueue, //
};

kernel::sync::global_lock! {
    // SAFETY: Initialised by `Specimen::init`, before anything uses it.
    unsafe(uninit) static NUMBER: Mutex<u32> = 0;
}

/// May sleep, as every handler may.
fn handler() {
    *NUMBER.lock() += 1;
}

fn broken() -> Result {
    // SAFETY: This is called once, by `Specimen::init`.
    unsafe { NUMBER.init() };
    let raw = raw_queue::alloc(
        c"zoo_bh",
        bindings::wq_flags_WQ_BH | bindings::wq_flags_WQ_PERCPU,
    )?;
    // SAFETY: The queue is destroyed below, and not used after that. WRONG: `try_spawn` asks for
    // a closure that may run on another thread, not for one that never sleeps.
    unsafe { Queue::from_raw(raw) }.try_spawn(GFP_KERNEL, handler)?;
    fsleep(Delta::from_millis(500));
    // SAFETY: Nobody has a pointer to the queue any more.
    unsafe { bindings::destroy_workqueue(raw) };
    Ok(())
}

fn fixed() -> Result {
    // SAFETY: This is called once, by `Specimen::init`.
    unsafe { NUMBER.init() };
    // The builder has no `bh`.
    let queue = OwnedQueue::percpu(c"zoo_no_bh").build()?;
    spawn!(queue, GFP_KERNEL, handler)?;
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "bottom_half_sleeps",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: an item of a bottom-half queue sleeps",
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
