// SPDX-License-Identifier: GPL-2.0

//! Queues for CPU-intensive items.

use kernel::prelude::*;

#[kunit_tests(abstractions_cpu_intensive)]
mod tests {
    use super::*;
    use kernel::{
        new_spinlock,
        sync::{
            atomic::{
                Acquire,
                Atomic,
                Release, //
            },
            Arc,
            SpinLock, //
        },
        time::Delta, //
    };

    use crate::{
        abstractions::owned_queue::{
            spawn,
            OwnedQueue, //
        },
        probe::{
            at_last,
            cpu_time,
            ensure,
            let_others_run,
            Count, //
        }, //
    };

    /// C looks at each tick, and takes any item for CPU-intensive that has used the CPU for 10 ms
    /// (longer on a slow processor), or for `workqueue.cpu_intensive_thresh_us`.
    const BEFORE_C_STEPS_IN: Delta = Delta::from_millis(5);

    /// Stays runnable until `flag` is set, and lets whatever else is runnable have the CPU. Returns
    /// whether it was set before C stepped in.
    fn runnable_until(flag: &Atomic<bool>) -> bool {
        let begin = cpu_time();
        loop {
            let set = flag.load(Acquire);
            if cpu_time() - begin >= BEFORE_C_STEPS_IN {
                return false;
            }
            if set {
                return true;
            }
            let_others_run();
        }
    }

    /// Queues an item on `queue` that does not sleep, then a second item on another queue, both on
    /// the same CPU. Returns whether the second began before the end of the first.
    fn second_runs_meanwhile(queue: &OwnedQueue) -> Result<bool> {
        let other = OwnedQueue::percpu(c"kunit_other").build()?;
        let lock: Pin<KBox<SpinLock<()>>> = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let flag = Arc::new(Atomic::new(false), GFP_KERNEL)?;
        let seen = Count::new_shared()?;
        let (awaited, by_first) = (flag.clone(), seen.clone());
        let wait = move || {
            if runnable_until(&awaited) {
                by_first.increment();
            }
        };
        let on_one_cpu = lock.lock();
        let first = spawn!(queue, GFP_ATOMIC, wait, "wait");
        let second = spawn!(other, GFP_ATOMIC, move || flag.store(true, Release), "set");
        drop(on_one_cpu);
        first?;
        second?;
        queue.flush();
        Ok(seen.get() == 1)
    }

    #[test]
    fn a_cpu_intensive_item_does_not_hold_up_others_of_its_cpu() -> Result {
        let intensive = OwnedQueue::percpu(c"kunit_intensive")
            .cpu_intensive()
            .build()?;
        ensure!(at_last(|| second_runs_meanwhile(&intensive))?);
        Ok(())
    }

    #[test]
    fn an_item_of_another_percpu_queue_that_uses_the_cpu_holds_up_others_of_its_cpu() -> Result {
        let percpu = OwnedQueue::percpu(c"kunit_percpu").build()?;
        ensure!(!at_last(|| second_runs_meanwhile(&percpu))?);
        Ok(())
    }
}
