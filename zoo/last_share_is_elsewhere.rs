// SPDX-License-Identifier: GPL-2.0

//! Hole 12: a closure that nobody waits for has the last share in a queue, and init fails.
//!
//! The closure is on a system queue. C frees a module whose init
//! fails, while the closure still sleeps. Nothing here is unsafe.
//!
//! RUN insmod /last_share_is_elsewhere.ko $FIXED; sleep 3
//! EXPECT kasan: last_share_is_elsewhere: cannot be unloaded: still alive: queue "zoo_share"$
//! EXPECT kasan: last_share_is_elsewhere: can be unloaded: nothing is alive any more
//! EXPECT kasan: insmod: can't insert '/last_share_is_elsewhere.ko'

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
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

fn closure(queue: &OwnedQueue) {
    // Longer than unloading takes with CONFIG_DEBUG_KOBJECT_RELEASE.
    fsleep(Delta::from_millis(12_000));
    queue.flush();
    pr_info!("the closure ends\n");
}

fn broken() -> Result<Specimen> {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_share").build()?, GFP_KERNEL)?;
    // WRONG: nobody waits for it.
    workqueue::system_long().try_spawn(GFP_KERNEL, move || closure(&queue))?;
    Err(ENODEV)
}

fn fixed() -> Result<Specimen> {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_share").build()?, GFP_KERNEL)?;
    let closures = OwnedQueue::unbound(c"zoo_closures").build()?;
    spawn!(closures, GFP_KERNEL, move || closure(&queue))?;
    // Dropping the queue would wait for the closure where init fails, too.
    Ok(Specimen {
        _closures: closures,
    })
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "last_share_is_elsewhere",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: the last share in a queue is elsewhere",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen {
    _closures: OwnedQueue,
}

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if module_parameters::fixed.value() {
            fixed()
        } else {
            broken()
        }
    }
}
