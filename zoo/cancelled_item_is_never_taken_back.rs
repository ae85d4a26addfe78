// SPDX-License-Identifier: GPL-2.0

//! Hole 5: a cancelled item is never taken back.
//!
//! Queueing an `Arc` hands a reference to C, and the run takes it back. If cancel returns
//! `true`, no run follows, so the canceller owns the reference. Here the canceller forgets it.
//!
//! APPEND slab_debug=F
//! RUN insmod /cancelled_item_is_never_taken_back.ko $FIXED && leaks
//! EXPECT kasan: unreferenced object 0x
//! EXPECT kasan: cancelled_item_is_never_taken_back.*Specimen

use kernel::{
    bindings,
    container_of,
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::msecs_to_jiffies,
    workqueue::{
        system_long,
        DelayedWork,
        HasWork,
        Work,
        WorkItem, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod cancel;
}

use abstractions::cancel::CancelWork;

#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}

/// Returns an item that is armed to run in a minute.
fn armed() -> Result<Arc<Item>> {
    let item = Arc::pin_init(
        pin_init!(Item { work <- new_delayed_work!("Item") }),
        GFP_KERNEL,
    )?;
    let _ = system_long().enqueue_delayed(item.clone(), msecs_to_jiffies(60_000));
    Ok(item)
}

fn broken() -> Result {
    // Several, because the scan may find a stale pointer to one on a stack.
    for _ in 0..8 {
        let item = armed()?;
        // SAFETY: An `Arc` points at a valid value, whose `work` is that of a `delayed_work`.
        unsafe {
            let work = Work::raw_get(Item::raw_get_work(Arc::as_ptr(&item).cast_mut()));
            // WRONG: C returns true, and nobody listens.
            bindings::cancel_delayed_work_sync(container_of!(work, bindings::delayed_work, work));
        }
    }
    Ok(())
}

fn fixed() -> Result {
    for _ in 0..8 {
        // Returns the `Arc` that queueing gave away.
        drop(armed()?.work.cancel_sync());
    }
    Ok(())
}

module! {
    type: Specimen,
    name: "cancelled_item_is_never_taken_back",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a cancelled item is never taken back",
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
