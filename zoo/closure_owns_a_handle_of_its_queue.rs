// SPDX-License-Identifier: GPL-2.0

//! Hole 12: a closure owns a handle, which has a share in the closure's own queue.
//!
//! So dropping the module's share, not the last one, does not destroy the queue. Nobody
//! waits for the closure. It ends in a module that has gone. Nothing here is unsafe.
//!
//! RUN insmod /closure_owns_a_handle_of_its_queue.ko $FIXED && {
//! RUN rmmod closure_owns_a_handle_of_its_queue & }
//! RUN sleep 14; ! kill -0 $! || echo "rmmod still waits"
//! EXPECT debian: cannot be unloaded: still alive: queue "zoo_shared", item "zoo_followup"$
//! EXPECT debian: rmmod still waits

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
    pub(crate) mod cancel;
    pub(crate) mod owned_queue;
    pub(crate) mod work;
}

use abstractions::{
    owned_queue::{
        spawn,
        OwnedQueue, //
    },
    work::{
        new_work_handle,
        Handler,
        WorkHandle, //
    }, //
};

struct Followup;

impl Handler for Followup {
    fn run(&self) {
        pr_info!("the followup runs\n");
    }
}

type Handle = WorkHandle<Followup, Arc<OwnedQueue>>;

fn queue() -> Result<Arc<OwnedQueue>> {
    let queue = OwnedQueue::unbound(c"zoo_shared").build()?;
    Ok(Arc::new(queue, GFP_KERNEL)?)
}

fn work(followup: &Handle) {
    fsleep(Delta::from_millis(5000));
    followup.enqueue();
    pr_info!("the closure ends\n");
}

/// The module's state, in the order in which it is dropped.
struct Specimen {
    _closures: Arc<OwnedQueue>,
    _followup: Option<Arc<Handle>>,
}

fn broken() -> Result<Specimen> {
    let queue = queue()?;
    let followup = new_work_handle!(queue.clone(), Followup, "zoo_followup")?;
    // WRONG: the handle has a share in the queue.
    spawn!(queue, GFP_KERNEL, move || work(&followup))?;
    Ok(Specimen {
        _closures: queue,
        _followup: None,
    })
}

fn fixed() -> Result<Specimen> {
    let followup = new_work_handle!(queue()?, Followup, "zoo_followup")?;
    let followup = Arc::new(followup, GFP_KERNEL)?;
    let of_closure = followup.clone();
    // A queue that nobody else has a share in: dropping it waits for the closure.
    let closures = queue()?;
    spawn!(closures, GFP_KERNEL, move || work(&of_closure))?;
    Ok(Specimen {
        _closures: closures,
        _followup: Some(followup),
    })
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "closure_owns_a_handle_of_its_queue",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a closure owns a handle of its own queue",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
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
