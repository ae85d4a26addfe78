// SPDX-License-Identifier: GPL-2.0

//! Pattern: work with data.
//!
//! C: a struct that embeds a `work_struct` beside the data, allocated for each job. The handler
//! finds the struct with `container_of()` and frees it. Here `run` gets the whole item, and owns
//! it.

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

use super::{
    super::{
        ledger::{
            Entry,
            Kind,
            Ledger,
            Times, //
        },
        queue_kind::QueueKind, //
    },
    custom::MAX_OUTSTANDING,
    queues::Queues, //
};

/// An item that carries a number to its handler.
#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    value: i32,
    ledger: Arc<Ledger>,
    entry: Entry,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

/// Queues an item that prints `value`, on the module's first queue.
///
/// # Errors
///
/// `EAGAIN` if too many would be outstanding, `ENOMEM`, `ENODEV` while the module goes.
pub(crate) fn queue_item(queues: &Queues, ledger: &Arc<Ledger>, value: i32) -> Result {
    let times = Times::due_now();
    let queue = queues.get(QueueKind::Unbound)?;
    let memory = KBox::<Item>::new_uninit(GFP_KERNEL)?;
    // Nothing can fail any more.
    let entry = ledger.admit(Kind::Data, QueueKind::Unbound, 1, MAX_OUTSTANDING, times)?;
    let Ok(item) = memory.write_pin_init(pin_init!(Item {
        work <- new_work!("workqueue_demo::data"),
        value,
        ledger: ledger.clone(),
        entry,
    }));
    queue.enqueue(item);
    Ok(())
}

impl WorkItem for Item {
    type Pointer = Pin<KBox<Self>>;

    fn run(this: Pin<KBox<Self>>) {
        this.ledger.run(Kind::Data, Some(this.entry), || {
            pr_info!("Data: {}\n", this.value);
        });
    }
}
