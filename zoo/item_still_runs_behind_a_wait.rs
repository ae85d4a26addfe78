// SPDX-License-Identifier: GPL-2.0

//! Hole 15, in Rust: data is freed after a wait for the item that uses it.
//!
//! A handle cancels its item, waits for it and goes. Then the data lent to the item is given
//! away. But on an ordered queue, C misses a run if the CPUs of unbound queues changed during
//! it and the item was queued again. (`ordered_item_is_not_waited_for` is the same in C.)
//!
//! RUN insmod /item_still_runs_behind_a_wait.ko $FIXED
//! RUN echo 1 >/sys/devices/virtual/workqueue/cpumask
//! RUN echo >/dev/zoo_stop
//! RUN echo 3 >/sys/devices/virtual/workqueue/cpumask
//! EXPECT kasan: BUG: KASAN: slab-use-after-free in .*item_still_runs_behind_a_wait
//! EXPECT kasan: Workqueue: zoo_ordered .*item_still_runs_behind_a_wait

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Completion,
        Mutex, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod cancel;
    pub(crate) mod misc_device;
    pub(crate) mod owned_queue;
    pub(crate) mod user_result;
    pub(crate) mod work;
}

use abstractions::{
    misc_device::{
        Bytes,
        Device,
        FileOperations,
        MayWaitFor, //
    },
    owned_queue::OwnedQueue,
    work::{
        new_work_handle,
        Handler,
        WorkHandle, //
    }, //
};

type Data = [u8; 100];

fn look_at(data: &Data) {
    let first = data[0];
    pr_info!("the data is {first:#x}\n");
}

/// The length of a run.
#[pin_data]
struct Run {
    #[pin]
    started: Completion,
    #[pin]
    may_end: Completion,
}

impl Run {
    fn pass(&self) {
        self.started.complete_all();
        self.may_end.wait_for_completion();
    }
}

struct Borrower {
    run: Arc<Run>,
    data: *const Data,
}

// SAFETY: The data is only read.
unsafe impl Send for Borrower {}
// SAFETY: The data is only read.
unsafe impl Sync for Borrower {}

impl Handler for Borrower {
    fn run(&self) {
        self.run.pass();
        // SAFETY: NOT SAFE: that the item has been waited for is no proof that it does not run.
        look_at(unsafe { &*self.data });
    }
}

struct Owner {
    run: Arc<Run>,
    data: KBox<Data>,
}

impl Handler for Owner {
    fn run(&self) {
        self.run.pass();
        look_at(&self.data);
    }
}

enum Item {
    Borrows(WorkHandle<Borrower, Arc<OwnedQueue>>, KBox<Data>),
    Owns(WorkHandle<Owner, Arc<OwnedQueue>>),
}

impl Item {
    fn new(queue: Arc<OwnedQueue>, run: Arc<Run>, fixed: bool) -> Result<Self> {
        let data = KBox::new([0x5a; 100], GFP_KERNEL)?;
        if fixed {
            return Ok(Self::Owns(new_work_handle!(queue, Owner { run, data })?));
        }
        let borrower = Borrower { run, data: &*data };
        Ok(Self::Borrows(new_work_handle!(queue, borrower)?, data))
    }

    fn enqueue(&self) {
        match self {
            Self::Borrows(handle, _) => handle.enqueue(),
            Self::Owns(handle) => handle.enqueue(),
        };
    }

    fn stop(self) {
        match self {
            Self::Borrows(handle, data) => {
                drop(handle);
                // WRONG: the item runs.
                drop(data);
            }
            // The run owns a share in its handler, and that the data.
            Self::Owns(handle) => drop(handle),
        }
    }
}

/// `/dev/zoo_stop`: a write stops the item.
#[pin_data]
struct Stop {
    #[pin]
    item: Mutex<Option<Item>>,
    run: Arc<Run>,
    queue: Arc<OwnedQueue>,
}

impl FileOperations for Stop {
    fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
        let item = self.item.lock().take();
        if let Some(item) = item {
            item.enqueue();
            item.stop();
            self.run.may_end.complete_all();
            self.queue.flush();
        }
        Ok(bytes.len())
    }
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "item_still_runs_behind_a_wait",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: data is freed behind a wait for the item that uses it",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen {
    _device: Pin<KBox<Device<Stop>>>,
}

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let queue = Arc::new(OwnedQueue::ordered(c"zoo_ordered").build()?, GFP_KERNEL)?;
        let run = Arc::pin_init(
            pin_init!(Run {
                started <- Completion::new(),
                may_end <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let item = Item::new(queue.clone(), run.clone(), module_parameters::fixed.value())?;
        item.enqueue();
        run.started.wait_for_completion();
        let stop = Arc::pin_init(
            pin_init!(Stop {
                item <- new_mutex!(Some(item)),
                run,
                queue,
            }),
            GFP_KERNEL,
        )?;
        Ok(Self {
            _device: KBox::pin_init(Device::register(c"zoo_stop", stop), GFP_KERNEL)?,
        })
    }
}
