// SPDX-License-Identifier: GPL-2.0

//! Hole 12: a queue is in a static, and nobody drops a static.
//!
//! So nobody waits for its items. Here a closure still
//! sleeps when its module goes. Nothing here is unsafe.
//!
//! RUN insmod /queue_is_in_a_static.ko $FIXED && { rmmod queue_is_in_a_static & }
//! RUN sleep 14; ! kill -0 $! || echo "rmmod still waits"
//! EXPECT debian: queue_is_in_a_static: cannot be unloaded: still alive: queue "zoo_static"$
//! EXPECT debian: rmmod still waits

use kernel::{
    prelude::*,
    sync::SetOnce,
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

static QUEUE: SetOnce<OwnedQueue> = SetOnce::new();

fn busy_queue() -> Result<OwnedQueue> {
    let queue = OwnedQueue::unbound(c"zoo_static").build()?;
    spawn!(queue, GFP_KERNEL, || {
        fsleep(Delta::from_millis(5000));
        pr_info!("the closure ends\n");
    })?;
    Ok(queue)
}

fn broken() -> Result<Option<OwnedQueue>> {
    // WRONG: nobody takes it out again.
    QUEUE.populate(busy_queue()?);
    Ok(None)
}

fn fixed() -> Result<Option<OwnedQueue>> {
    // Destroyed with the module's state, which waits for the closure.
    Ok(Some(busy_queue()?))
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "queue_is_in_a_static",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a queue is in a static",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen {
    _queue: Option<OwnedQueue>,
}

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let queue = if module_parameters::fixed.value() {
            fixed()?
        } else {
            broken()?
        };
        Ok(Self { _queue: queue })
    }
}
