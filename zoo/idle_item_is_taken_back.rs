// SPDX-License-Identifier: GPL-2.0

//! Hole 5, the other half: an item is taken back, though C said that it was not pending.
//!
//! Then no reference exists to take back. The item is freed
//! while its owner has it, and again when the owner drops it.
//!
//! RUN insmod /idle_item_is_taken_back.ko $FIXED
//! EXPECT kasan: BUG: KASAN: slab-use-after-free in
//! EXPECT kasan: idle_item_is_taken_back.*Specimen

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        HasWork,
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
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}

fn broken() -> Result {
    let item = Arc::pin_init(pin_init!(Item { work <- new_work!("Item") }), GFP_KERNEL)?;
    // SAFETY: An `Arc` points at a valid value.
    let work = unsafe { Work::raw_get(Item::raw_get_work(Arc::as_ptr(&item).cast_mut())) };
    // SAFETY: The item is valid.
    unsafe { bindings::cancel_work_sync(work) };
    // SAFETY: NOT SAFE: C returned false, no reference was leaked.
    drop(unsafe { Arc::from_raw(Arc::as_ptr(&item)) });
    Ok(())
}

struct Nothing;

impl Handler for Nothing {
    fn run(&self) {}
}

fn fixed() -> Result {
    let handle = new_work_handle!(system_percpu(), Nothing)?;
    // Takes a reference back exactly when C says so: here it does not.
    handle.cancel_sync();
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "idle_item_is_taken_back",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: an item is taken back though C said that it was not pending",
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
