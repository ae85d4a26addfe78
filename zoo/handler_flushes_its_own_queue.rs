// SPDX-License-Identifier: GPL-2.0

//! Hole 11, another way: an item waits for the queue that it runs on.
//!
//! RUN hung_after 3; insmod /handler_flushes_its_own_queue.ko $FIXED && sleep 9
//! EXPECT kasan: WARNING: possible recursive locking detected
//! EXPECT kasan: \(wq_completion\)zoo_flushed
//! EXPECT kasan: INFO: task kworker/.* blocked for more than

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}

use abstractions::owned_queue::{
    spawn,
    OwnedQueue, //
};

fn broken() -> Result {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_flushed").build()?, GFP_KERNEL)?;
    let of_item = queue.clone();
    // WRONG: the item is one of those that are waited for.
    spawn!(queue, GFP_KERNEL, move || of_item.flush())?;
    fsleep(Delta::from_millis(500));
    Ok(())
}

fn fixed() -> Result {
    let flushed = Arc::new(OwnedQueue::unbound(c"zoo_flushed").build()?, GFP_KERNEL)?;
    spawn!(flushed, GFP_KERNEL, || fsleep(Delta::from_millis(500)))?;
    // On another queue.
    let flushers = OwnedQueue::unbound(c"zoo_flushers").build()?;
    spawn!(flushers, GFP_KERNEL, move || flushed.flush())?;
    flushers.flush();
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "handler_flushes_its_own_queue",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: an item waits for the queue that it runs on",
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
