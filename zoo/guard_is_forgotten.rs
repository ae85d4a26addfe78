// SPDX-License-Identifier: GPL-2.0

//! Hole 8: a guard is forgotten, though its destructor must run.
//!
//! The guard lets an item borrow from its caller's stack and takes the item back on drop. It
//! looks sound. But `mem::forget()` is safe: it ends the borrow, and the item stays armed.
//!
//! RUN insmod /guard_is_forgotten.ko $FIXED && sleep 3
//! EXPECT kasan: BUG: KASAN: slab-use-after-free in .*guard_is_forgotten
//! EXPECT kasan: Workqueue: events_long .*guard_is_forgotten

use core::{
    marker::PhantomData,
    mem, //
};

use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    },
    workqueue::{
        system_long,
        DelayedWork,
        WorkItem, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
}

use abstractions::{
    cancel::CancelWork,
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler, //
    },
    owned_queue::system_percpu, //
};

type Data = [u8; 100];

fn look_at(data: &Data) {
    let first = data[0];
    pr_info!("the data is {first:#x}\n");
}

#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
    data: *const Data,
}

// SAFETY: The data is only read.
unsafe impl Send for Item {}
// SAFETY: The data is only read.
unsafe impl Sync for Item {}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // SAFETY: NOT SAFE: `Guard` is no proof that its destructor will run.
        look_at(unsafe { &*this.data });
    }
}

/// While this exists, the item may look at what it borrows.
struct Guard<'a> {
    item: Arc<Item>,
    data: PhantomData<&'a Data>,
}

impl<'a> Guard<'a> {
    fn arm(data: &'a Data) -> Result<Self> {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_delayed_work!("Item"),
                data,
            }),
            GFP_KERNEL,
        )?;
        let _ = system_long().enqueue_delayed(item.clone(), msecs_to_jiffies(1000));
        Ok(Self {
            item,
            data: PhantomData,
        })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        drop(self.item.work.disable_sync());
    }
}

fn broken() -> Result {
    let data = KBox::new([0x5a; 100], GFP_KERNEL)?;
    // Not one line of this function is unsafe.
    mem::forget(Guard::arm(&data)?);
    drop(data);
    Ok(())
}

struct Owner(KBox<Data>);

impl DelayedHandler for Owner {
    fn run(&self) -> Option<Delta> {
        look_at(&self.0);
        None
    }
}

fn fixed() -> Result {
    let data = KBox::new([0x5a; 100], GFP_KERNEL)?;
    let handle = new_delayed_work_handle!(system_percpu(), Owner(data))?;
    handle.enqueue_delayed(Delta::from_secs(1));
    // Forgotten until after the run: the item owns what it looks at, and is there to be run.
    let forgotten = mem::ManuallyDrop::new(handle);
    fsleep(Delta::from_millis(2000));
    drop(mem::ManuallyDrop::into_inner(forgotten));
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "guard_is_forgotten",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a guard whose destructor has to run is forgotten",
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
