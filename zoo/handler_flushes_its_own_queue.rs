// SPDX-License-Identifier: GPL-2.0

//! Hole 11, the same by another way: an item waits for the queue that it runs on.
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
    pub(crate) mod cancel;
    pub(crate) mod owned_queue;
    pub(crate) mod work;
}

use abstractions::{
    owned_queue::{
        system_percpu,
        OwnedQueue, //
    },
    work::{
        Handler,
        WorkHandle, //
    }, //
};

fn broken() -> Result {
    let queue = Arc::new(OwnedQueue::unbound(c"zoo_flushed").build()?, GFP_KERNEL)?;
    let of_item = queue.clone();
    // WRONG: the item is one of those that are waited for.
    queue.spawn(GFP_KERNEL, move || of_item.flush())?;
    fsleep(Delta::from_millis(500));
    Ok(())
}

struct Flush(Arc<OwnedQueue>);

impl Handler for Flush {
    fn run(&self) {
        self.0.flush();
    }
}

fn fixed() -> Result {
    let flushed = Arc::new(OwnedQueue::unbound(c"zoo_flushed").build()?, GFP_KERNEL)?;
    flushed.spawn(GFP_KERNEL, || fsleep(Delta::from_millis(500)))?;
    // On another queue. An item, for all closures are one and the same to lockdep, which would
    // take this for one that waits for itself.
    let flush = WorkHandle::new(system_percpu(), Flush(flushed))?;
    flush.enqueue();
    flush.flush();
    Ok(())
}

module! {
    type: Specimen,
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
