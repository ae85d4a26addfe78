// SPDX-License-Identifier: GPL-2.0

//! Queues for CPU-intensive items. User-mode Linux does not build this suite: there no interrupt
//! preempts kernel code.

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
        time::{
            Delta,
            Instant,
            Monotonic, //
        }, //
    };

    use crate::{
        abstractions::owned_queue::{
            spawn,
            OwnedQueue, //
        },
        probe::{
            ensure,
            Count, //
        }, //
    };

    /// Spins until `flag` is set, for `most` at most. Returns whether it was set.
    fn spin_until(flag: &Atomic<bool>, most: Delta) -> bool {
        let begin = Instant::<Monotonic>::now();
        while begin.elapsed() < most {
            if flag.load(Acquire) {
                return true;
            }
        }
        false
    }

    /// Queues an item on `spinning` that spins, then a second item on another queue, both on the
    /// same CPU. Returns whether the second ran while the first spun.
    fn runs_meanwhile(spinning: OwnedQueue, most: Delta) -> Result<bool> {
        let other = OwnedQueue::percpu(c"kunit_other").build()?;
        let lock: Pin<KBox<SpinLock<()>>> = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let flag = Arc::new(Atomic::new(false), GFP_KERNEL)?;
        let seen = Count::new_shared()?;
        let (awaited, by_spinner) = (flag.clone(), seen.clone());
        let spin = move || {
            if spin_until(&awaited, most) {
                by_spinner.increment();
            }
        };
        let on_one_cpu = lock.lock();
        let first = spawn!(spinning, GFP_ATOMIC, spin, "spin");
        let second = spawn!(other, GFP_ATOMIC, move || flag.store(true, Release), "set");
        drop(on_one_cpu);
        first?;
        second?;
        spinning.flush();
        Ok(seen.get() == 1)
    }

    // By default C treats any item as CPU-intensive once it has run for 10 ms. scripts/kunit.sh
    // boots with a workqueue.cpu_intensive_thresh_us= of more than these five seconds.
    #[test]
    fn a_cpu_intensive_item_does_not_hold_up_others_of_its_cpu() -> Result {
        let intensive = OwnedQueue::percpu(c"kunit_intensive")
            .cpu_intensive()
            .build()?;
        ensure!(runs_meanwhile(intensive, Delta::from_secs(5))?);
        Ok(())
    }

    #[test]
    fn an_item_of_another_percpu_queue_that_uses_the_cpu_holds_up_others_of_its_cpu() -> Result {
        let percpu = OwnedQueue::percpu(c"kunit_percpu").build()?;
        ensure!(!runs_meanwhile(percpu, Delta::from_millis(200))?);
        Ok(())
    }
}
