// SPDX-License-Identifier: GPL-2.0

//! Hole 7: one queue is neither per CPU nor unbound, another is both.
//!
//! C warns, chooses one kind, and goes on.
//!
//! APPEND panic_on_warn=0
//! RUN insmod /queue_is_of_no_kind_or_both.ko $FIXED
//! EXPECT kasan: workqueue: zoo_neither is using neither WQ_PERCPU or WQ_UNBOUND
//! EXPECT kasan: workqueue: zoo_both uses both WQ_PERCPU and WQ_UNBOUND

use kernel::{
    bindings,
    prelude::*, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}
mod raw_queue;

use abstractions::owned_queue::OwnedQueue;

fn broken() -> Result {
    let both = bindings::wq_flags_WQ_PERCPU | bindings::wq_flags_WQ_UNBOUND;
    for (name, flags) in [(c"zoo_neither", 0), (c"zoo_both", both)] {
        let queue = raw_queue::alloc(name, flags)?;
        // SAFETY: The queue is new, and nothing has been queued on it.
        unsafe { bindings::destroy_workqueue(queue) };
    }
    Ok(())
}

fn fixed() -> Result {
    // A builder's type is the kind of queue: exactly one.
    OwnedQueue::percpu(c"zoo_percpu").build()?;
    OwnedQueue::unbound(c"zoo_unbound").build()?;
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "queue_is_of_no_kind_or_both",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a queue is neither per CPU nor unbound, and another is both",
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
