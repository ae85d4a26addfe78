// SPDX-License-Identifier: GPL-2.0

//! Hole 4: the function for plain items cancels a delayed one.
//!
//! `cancel_work_sync()` does not know about the timer. It finds a pending item on no
//! queue, assumes that someone is queueing it, and retries: it spins until the
//! timer fires. No detector objects to a running task. Only the CPU time shows it.
//!
//! RUN time insmod /delayed_item_is_cancelled_as_plain.ko $FIXED
//! EXPECT kasan: sys[[:space:]]+0m [3-9]\.

use kernel::{
    bindings,
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

/// Returns an item that is armed to run in four seconds.
fn armed() -> Result<Arc<Item>> {
    let item = Arc::pin_init(
        pin_init!(Item { work <- new_delayed_work!("Item") }),
        GFP_KERNEL,
    )?;
    let _ = system_long().enqueue_delayed(item.clone(), msecs_to_jiffies(4000));
    Ok(item)
}

fn broken() -> Result {
    let item = armed()?;
    // SAFETY: An `Arc` points at a valid value.
    let work = unsafe { Work::raw_get(Item::raw_get_work(Arc::as_ptr(&item).cast_mut())) };
    // SAFETY: The item is valid. WRONG: it is part of a `delayed_work`.
    if unsafe { bindings::cancel_work_sync(work) } {
        // SAFETY: C says that the item was pending: the reference that queueing leaked is ours.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(&item)) });
    }
    Ok(())
}

fn fixed() -> Result {
    // The item's type says that it has a timer.
    drop(armed()?.work.cancel_sync());
    Ok(())
}

module! {
    type: Specimen,
    name: "delayed_item_is_cancelled_as_plain",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a delayed item is cancelled by the function for plain ones",
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
