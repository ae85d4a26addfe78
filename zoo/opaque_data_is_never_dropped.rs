// SPDX-License-Identifier: GPL-2.0

//! Hole 6: an item's data in an `Opaque` loses its destructor.
//!
//! `Opaque` is for what C owns, and never drops its content. Item data in it,
//! for a handler to use while others hold the item, must be dropped by hand.
//!
//! APPEND slab_debug=F
//! RUN insmod /opaque_data_is_never_dropped.ko $FIXED && leaks
//! EXPECT kasan: unreferenced object 0x
//! EXPECT kasan: opaque_data_is_never_dropped.*Specimen

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    types::Opaque,
    workqueue::{
        system_long,
        Work,
        WorkItem, //
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
    owned_queue::system_percpu,
    work::{
        new_work_handle,
        Handler, //
    }, //
};

#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    // WRONG: nobody calls `drop_in_place()` on what is in there.
    data: Opaque<KVec<u8>>,
}

// SAFETY: Only the handler looks at the data, and it never runs twice at once.
unsafe impl Sync for Item {}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // SAFETY: The data is initialised, and nobody else looks at it.
        let data = unsafe { &mut *this.data.get() };
        data.clear();
    }
}

fn data() -> Result<KVec<u8>> {
    Ok(KVec::from_elem(0x5a, 100, GFP_KERNEL)?)
}

fn broken() -> Result {
    // Several, because the scan may find a stale pointer to one on a stack.
    for _ in 0..8 {
        let data = data()?;
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_work!("Item"),
                data: Opaque::new(data),
            }),
            GFP_KERNEL,
        )?;
        let _ = system_long().enqueue(item);
    }
    Ok(())
}

struct HasData(KVec<u8>);

impl Handler for HasData {
    fn run(&self) {
        pr_info!("a run with {} bytes\n", self.0.len());
    }
}

fn fixed() -> Result {
    for _ in 0..8 {
        // The handler is a plain field of the item, and is dropped with it.
        new_work_handle!(system_percpu(), HasData(data()?))?.enqueue();
    }
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "opaque_data_is_never_dropped",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: what an item wraps in Opaque loses its destructor",
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
