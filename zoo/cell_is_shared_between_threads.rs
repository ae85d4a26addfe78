// SPDX-License-Identifier: GPL-2.0

//! Hole 14: what is not `Sync` is shared between threads.
//!
//! A hand-written `unsafe impl` is all that it takes, which is why `OwnedQueue` says what its own
//! are founded on. No detector sees this one: KCSAN does not instrument Rust, and there is nothing
//! wrong with the memory. What shows it is a count that does not add up.
//!
//! RUN insmod /cell_is_shared_between_threads.ko $FIXED
//! EXPECT kasan: [1-9][0-9]* of 2000000 increments are lost

use core::cell::Cell;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod owned_queue;
}

use abstractions::owned_queue::{
    spawn,
    OwnedQueue, //
};

const EACH: u32 = 1_000_000;

trait Count: Send + Sync + 'static {
    fn increment(&self);
    fn get(&self) -> u32;
}

struct Shared(Cell<u32>);

// SAFETY: A `Cell<u32>` may go to another thread.
unsafe impl Send for Shared {}
// SAFETY: NOT SAFE: a `Cell` must not be used by two threads at the same time.
unsafe impl Sync for Shared {}

impl Count for Shared {
    fn increment(&self) {
        // The black box stands for whatever else a real handler does in between.
        self.0.set(core::hint::black_box(self.0.get()) + 1);
    }

    fn get(&self) -> u32 {
        self.0.get()
    }
}

impl Count for Atomic<u32> {
    fn increment(&self) {
        self.fetch_add(1, Relaxed);
    }

    fn get(&self) -> u32 {
        self.load(Relaxed)
    }
}

fn count(count: impl Count) -> Result {
    let count = Arc::new(count, GFP_KERNEL)?;
    let queue = OwnedQueue::unbound(c"zoo_cell").build()?;
    for _ in 0..2 {
        let count = count.clone();
        spawn!(queue, GFP_KERNEL, move || {
            for _ in 0..EACH {
                count.increment();
            }
        })?;
    }
    queue.flush();
    let lost = 2 * EACH - count.get();
    pr_info!("{lost} of {} increments are lost\n", 2 * EACH);
    Ok(())
}

fn broken() -> Result {
    count(Shared(Cell::new(0)))
}

fn fixed() -> Result {
    count(Atomic::new(0))
}

module! {
    type: Specimen,
    name: "cell_is_shared_between_threads",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a type that must stay on one thread is sent to another",
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
