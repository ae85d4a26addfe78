// SPDX-License-Identifier: GPL-2.0

//! Hole 14: threads share a value that is not `Sync`.
//!
//! A hand-written `unsafe impl` is enough, so `OwnedQueue` states what
//! justifies its own. No detector sees this: KCSAN does not instrument Rust,
//! and memory stays valid. Only a count that does not add up shows it.
//!
//! RUN insmod /cell_is_shared_between_threads.ko $FIXED
//! EXPECT kasan: 1 of 2 increments is lost

use core::cell::Cell;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Completion, //
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

/// Where two threads meet. A real handler needs bad luck for both
/// to be between reading and writing at once. Here it is certain.
#[pin_data]
struct Meeting {
    arrived: Atomic<u32>,
    #[pin]
    both_are_here: Completion,
}

impl Meeting {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            arrived: Atomic::new(0),
            both_are_here <- Completion::new(),
        })
    }

    fn attend(&self) {
        if self.arrived.fetch_add(1, Relaxed) == 1 {
            self.both_are_here.complete_all();
        }
        self.both_are_here.wait_for_completion();
    }
}

trait Count: Send + Sync + 'static {
    fn increment(&self, meeting: &Meeting);
    fn get(&self) -> u32;
}

struct Shared(Cell<u32>);

// SAFETY: A `Cell<u32>` may go to another thread.
unsafe impl Send for Shared {}
// SAFETY: NOT SAFE: a `Cell` must not be used by two threads at the same time.
unsafe impl Sync for Shared {}

impl Count for Shared {
    fn increment(&self, meeting: &Meeting) {
        let count = self.0.get();
        meeting.attend();
        self.0.set(count + 1);
    }

    fn get(&self) -> u32 {
        self.0.get()
    }
}

impl Count for Atomic<u32> {
    fn increment(&self, meeting: &Meeting) {
        meeting.attend();
        self.fetch_add(1, Relaxed);
    }

    fn get(&self) -> u32 {
        self.load(Relaxed)
    }
}

fn count(count: impl Count) -> Result {
    let count = Arc::new(count, GFP_KERNEL)?;
    let meeting = Arc::pin_init(Meeting::new(), GFP_KERNEL)?;
    let queue = OwnedQueue::unbound(c"zoo_cell").build()?;
    for _ in 0..2 {
        let (count, meeting) = (count.clone(), meeting.clone());
        spawn!(queue, GFP_KERNEL, move || count.increment(&meeting))?;
    }
    queue.flush();
    pr_info!("{} of 2 increments is lost\n", 2 - count.get());
    Ok(())
}

fn broken() -> Result {
    count(Shared(Cell::new(0)))
}

fn fixed() -> Result {
    count(Atomic::new(0))
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
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
