// SPDX-License-Identifier: GPL-2.0

//! Hole 12: a closure has still to run when its module goes.
//!
//! The `kernel` crate wants a `'static` closure, and all of a module's code is `'static`. But
//! the code goes with the module, here while the closure sleeps. (It sleeps long: a kernel with
//! CONFIG_DEBUG_KOBJECT_RELEASE takes up to 8 s to unload a module.) Nothing here is unsafe.
//!
//! RUN insmod /closure_outlives_module.ko $FIXED && rmmod closure_outlives_module; sleep 13
//! EXPECT debian: BUG: unable to handle page fault for address: ffffffff
//! EXPECT debian: Workqueue: events_long 0xffffffff
//! EXPECT kasan: last unloaded: closure_outlives_module
//! EXPECT kasan: Workqueue: events_long 0xffffffff

use kernel::{
    prelude::*,
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

fn closure() {
    fsleep(Delta::from_millis(12_000));
    pr_info!("the closure ends\n");
}

fn broken() -> Result<Option<OwnedQueue>> {
    // WRONG: nobody waits for it.
    workqueue::system_long().try_spawn(GFP_KERNEL, closure)?;
    Ok(None)
}

fn fixed() -> Result<Option<OwnedQueue>> {
    let queue = OwnedQueue::percpu(c"zoo_closure").build()?;
    spawn!(queue, GFP_KERNEL, closure)?;
    // Destroyed with the module's state, which waits for the closure.
    Ok(Some(queue))
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "closure_outlives_module",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a closure is still to run when its module goes",
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
