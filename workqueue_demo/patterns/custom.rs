// SPDX-License-Identifier: GPL-2.0

//! Pattern: items that are queued once, and free themselves.
//!
//! C: an item that is allocated for each job, `queue_work(queue, &item)`, and `kfree()` at the end
//! of the handler. The kind of queue makes the difference: see [`queues`](super::queues).

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    processor::cpu_relax,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
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
    queues::Queues, //
};

/// How many items of a kind of work may be outstanding, on all queues.
pub(crate) const MAX_OUTSTANDING: u64 = 4096;

/// How long an item runs.
const RUN: Delta = Delta::from_millis(100);

/// An item that is queued once: its memory is its own, and its run frees it.
#[pin_data]
struct Item {
    #[pin]
    work: Work<Item>,
    ledger: Arc<Ledger>,
    entry: Entry,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl Item {
    fn new(ledger: Arc<Ledger>, entry: Entry) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- new_work!("workqueue_demo::custom"),
            ledger,
            entry,
        })
    }
}

/// Queues `count` items on the queue of a kind, or none. May sleep.
///
/// # Errors
///
/// `EAGAIN` if too many would be outstanding, `ENOMEM`, `ENODEV` while the module goes.
pub(crate) fn queue_items(
    queues: &Queues,
    ledger: &Arc<Ledger>,
    count: u32,
    kind: QueueKind,
) -> Result {
    let times = Times::due_now();
    // No queue is made for a module that goes.
    ledger.check_open()?;
    let queue = queues.get(kind)?;
    let mut memory = KVec::with_capacity(count as usize, GFP_KERNEL)?;
    for _ in 0..count {
        memory.push(KBox::<Item>::new_uninit(GFP_KERNEL)?, GFP_KERNEL)?;
    }
    // Nothing can fail any more.
    let entry = ledger.admit(Kind::Custom, kind, count.into(), MAX_OUTSTANDING, times)?;
    for item in memory {
        let Ok(item) = item.write_pin_init(Item::new(ledger.clone(), entry));
        queue.enqueue(item);
    }
    Ok(())
}

impl WorkItem for Item {
    type Pointer = Pin<KBox<Self>>;

    fn run(this: Pin<KBox<Self>>) {
        let (ledger, entry) = (&this.ledger, this.entry);
        ledger.run(Kind::Custom, Some(entry), || match entry.queue {
            Some(QueueKind::CpuIntensive) => compute(ledger),
            _ => fsleep(RUN),
        });
    }
}

/// Uses the CPU for as long as other items sleep. It is for the CPU-intensive queue: on another
/// per-CPU queue it would hold up what is queued on its CPU. Ends early when the module goes.
fn compute(ledger: &Ledger) {
    const STEP: Delta = Delta::from_millis(1);
    let begin = Instant::<Monotonic>::now();
    while begin.elapsed() < RUN && ledger.check_open().is_ok() {
        let step = Instant::<Monotonic>::now();
        while step.elapsed() < STEP {
            cpu_relax();
        }
    }
}
