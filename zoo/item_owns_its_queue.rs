// SPDX-License-Identifier: GPL-2.0

//! Hole 11: a queue's last owner is one of its own items.
//!
//! Dropping the queue there destroys it, and that waits for the item, which
//! is waiting. Lockdep reports it at once, the hung-task detector later.
//! Nothing here is unsafe: memory stays sound, but nothing moves any more.
//!
//! RUN hung_after 3; insmod /item_owns_its_queue.ko $FIXED && sleep 9
//! EXPECT kasan: WARNING: possible recursive locking detected
//! EXPECT kasan: \(wq_completion\)zoo_owned
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
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_owned").build()?, GFP_KERNEL)?;
    let of_item = queue.clone();
    spawn!(queue, GFP_KERNEL, move || {
        fsleep(Delta::from_millis(500));
        // WRONG: by now this is the last one.
        drop(of_item);
    })?;
    Ok(())
}

fn fixed() -> Result {
    let queue = OwnedQueue::unbound(c"zoo_owned").build()?;
    spawn!(queue, GFP_KERNEL, move || fsleep(Delta::from_millis(500)))?;
    // The queue goes here, after the item.
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "item_owns_its_queue",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: the last owner of a queue is one of its own items",
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
