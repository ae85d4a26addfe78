// SPDX-License-Identifier: GPL-2.0

//! The work item: prints all that waits, and again what has come meanwhile.

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
    backlog::Backlog,
    printer::Printer, //
};
use crate::abstractions::module_param::Param;

/// The backlog and the work item that empties it.
///
/// It does not know its queue: an item that owned its queue could be the last to drop it, and would
/// wait for itself.
#[pin_data]
pub(crate) struct Echo {
    #[pin]
    pub(crate) backlog: Backlog,
    /// It may be switched at any time.
    quiet: &'static Param<bool>,
    #[pin]
    work: Work<Echo>,
}

impl_has_work! {
    impl HasWork<Self> for Echo { self.work }
}

impl Echo {
    pub(crate) fn new(max_pending: u32, quiet: &'static Param<bool>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                backlog <- Backlog::new(max_pending),
                quiet,
                work <- new_work!("wq_echo"),
            }),
            GFP_KERNEL,
        )
    }
}

impl WorkItem for Echo {
    type Pointer = Arc<Self>;

    /// C never runs an item twice at the same time: so the messages keep their order.
    fn run(this: Arc<Self>) {
        let mut printer = Printer::new();
        loop {
            let messages = this.backlog.take();
            if !this.quiet.get() {
                messages.texts().for_each(|text| printer.print(text));
            }
            this.backlog.printed(messages);
            if !this.backlog.expects_more() {
                return;
            }
        }
    }
}
