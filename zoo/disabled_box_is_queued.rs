// SPDX-License-Identifier: GPL-2.0

//! Hole 9: a boxed item is disabled and then queued.
//!
//! The `kernel` crate assumes that C accepts a box, because nobody else has it.
//! On refusal it calls `unreachable_unchecked()`. But C refuses disabled items.
//! The crate notices with debug assertions. Without them anything may happen.
//!
//! RUN insmod /disabled_box_is_queued.ko $FIXED
//! EXPECT kasan: hint::unreachable_unchecked must never be reached
//! EXPECT kasan: kernel BUG at

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    workqueue::{
        system_long,
        HasWork,
        Work,
        WorkItem, //
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
    type Pointer = Pin<KBox<Self>>;

    fn run(_: Pin<KBox<Self>>) {}
}

fn new() -> Result<Pin<KBox<Item>>> {
    KBox::pin_init(pin_init!(Item { work <- new_work!("Item") }), GFP_KERNEL)
}

fn broken() -> Result {
    let mut item = new()?;
    // SAFETY: The item is valid, and nothing is moved out of it. NOT SAFE: `enqueue` relies on
    // nobody doing this to a box.
    unsafe {
        let item: *mut Item = item.as_mut().get_unchecked_mut();
        bindings::disable_work_sync(Work::raw_get(Item::raw_get_work(item)));
    }
    system_long().enqueue(item);
    Ok(())
}

fn fixed() -> Result {
    // Nothing here disables a box.
    system_long().enqueue(new()?);
    Ok(())
}

impl Drop for Specimen {
    fn drop(&mut self) {
        // The run ends in this module's code, so wait for it.
        kernel::time::delay::fsleep(kernel::time::Delta::from_millis(100));
    }
}

module! {
    type: Specimen,
    name: "disabled_box_is_queued",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a boxed item is disabled and then queued",
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
