// SPDX-License-Identifier: GPL-2.0

//! Pattern: queues of one's own, for work that must not wait for others' work or hold it up. Each
//! is of the kind that its work needs. The first is made at the start, each other one when it is
//! first needed: an idle queue costs memory, and a rescuer a thread.
//!
//! C: `alloc_workqueue("workqueue_demo", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_SYSFS, 4)`,
//! `alloc_ordered_workqueue("workqueue_demo_ordered", 0)` and so on, under a mutex where two
//! might need it at once, and `destroy_workqueue(queue)`, which waits for what is queued.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Mutex,
        SetOnce, //
    }, //
};

use super::super::queue_kind::QueueKind;
use crate::abstractions::owned_queue::OwnedQueue;

/// How many items of a queue may run at once, if that may be chosen: in all, or per CPU.
const MAX_ACTIVE: u32 = 4;

/// Makes the queue of a kind. May sleep.
///
/// - Only the first has a rescuer: the module frees no memory that others wait for, so one is
///   enough to show.
/// - The queue of high priority is per CPU. So the names of its workers show it: they end in `H`.
/// - An ordered queue has no `max_active`, and is not in sysfs, where that could be changed: two
///   items at once would break the order.
///
/// # Errors
///
/// `ENOMEM`.
fn build(kind: QueueKind) -> Result<OwnedQueue> {
    let (name, most) = (kind.name(), MAX_ACTIVE);
    let unbound = || OwnedQueue::unbound(name).sysfs().max_active(most);
    let percpu = || OwnedQueue::percpu(name).sysfs().max_active(most);
    match kind {
        QueueKind::Unbound => unbound().mem_reclaim().build(),
        QueueKind::PerCpu => percpu().build(),
        QueueKind::HighPri => percpu().highpri().build(),
        QueueKind::CpuIntensive => percpu().cpu_intensive().build(),
        QueueKind::Freezable => unbound().freezable().build(),
        QueueKind::Ordered => OwnedQueue::ordered(name).build(),
    }
}

/// The flags of a queue that [`build`] makes, as they are shown.
pub(crate) fn flags(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Unbound => "unbound,mem_reclaim,sysfs",
        QueueKind::PerCpu => "percpu,sysfs",
        QueueKind::HighPri => "percpu,highpri,sysfs",
        QueueKind::CpuIntensive => "percpu,cpu_intensive,sysfs",
        QueueKind::Freezable => "unbound,freezable,sysfs",
        QueueKind::Ordered => "unbound,ordered",
    }
}

/// How many items of a queue that [`build`] makes may run at once.
pub(crate) fn max_active(kind: QueueKind) -> u32 {
    match kind {
        QueueKind::Ordered => 1,
        _ => MAX_ACTIVE,
    }
}

/// The module's own queues. They come down in the order of [`QueueKind::ALL`]: each waits for what
/// is queued on it, then it is destroyed.
#[pin_data]
pub(crate) struct Queues {
    made: [SetOnce<OwnedQueue>; QueueKind::ALL.len()],
    /// Held by whoever makes a queue: sysfs would refuse a second queue of the same name, with a
    /// warning.
    #[pin]
    making: Mutex<()>,
}

impl Queues {
    /// Makes the first queue; the others are made when they are needed. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Pin<KBox<Self>>> {
        let queues = KBox::pin_init(
            pin_init!(Self {
                made: QueueKind::ALL.map(|_| SetOnce::new()),
                making <- new_mutex!((), "workqueue_demo::queues::making"),
            }),
            GFP_KERNEL,
        )?;
        queues.get(QueueKind::Unbound)?;
        Ok(queues)
    }

    /// The queue of a kind, if there is one by now.
    pub(crate) fn made(&self, kind: QueueKind) -> Option<&OwnedQueue> {
        self.made[kind as usize].as_ref()
    }

    /// The queue of a kind, which is made if there is none. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: there is none, as before.
    pub(crate) fn get(&self, kind: QueueKind) -> Result<&OwnedQueue> {
        if let Some(queue) = self.made(kind) {
            return Ok(queue);
        }
        let making = self.making.lock();
        if self.made(kind).is_none() {
            self.made[kind as usize].populate(build(kind)?);
        }
        drop(making);
        self.made(kind).ok_or(ENOMEM)
    }
}

#[kunit_tests(workqueue_demo_queues)]
mod tests {
    use super::*;

    /// Whether `flag` is among the flags that are shown for a kind.
    fn is_shown(kind: QueueKind, flag: &[u8]) -> bool {
        let mut flags = flags(kind).as_bytes().split(|&byte| byte == b',');
        flags.any(|shown| shown == flag)
    }

    #[test]
    fn each_queue_is_unbound_or_percpu_and_shows_the_flag_that_it_is_called_after() {
        for kind in QueueKind::ALL {
            assert!(is_shown(kind, b"unbound") != is_shown(kind, b"percpu"));
        }
        assert!(is_shown(QueueKind::HighPri, b"highpri"));
        assert!(is_shown(QueueKind::CpuIntensive, b"cpu_intensive"));
        assert!(is_shown(QueueKind::Freezable, b"freezable"));
        assert!(is_shown(QueueKind::Ordered, b"ordered"));
    }
}
