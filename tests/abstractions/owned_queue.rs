// SPDX-License-Identifier: GPL-2.0

//! Queues that a module owns, and closures on them.

use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    abstractions::{
        owned_queue::{
            spawn,
            OwnedQueue, //
        },
        worker::Name, //
    },
    probe::{
        Probe,
        Subject, //
    }, //
};

/// Queues a closure that runs `probe`.
fn spawn_run(queue: &OwnedQueue, probe: &Arc<Probe>) -> Result {
    let subject = Subject::new(probe);
    Ok(spawn!(queue, GFP_KERNEL, move || subject.run(), "run")?)
}

/// The name of the worker that runs a closure of `queue`.
fn worker_of(queue: &OwnedQueue) -> Result<CString> {
    let seen = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
    let by_worker: Arc<Mutex<Option<Name>>> = seen.clone();
    let look = move || *by_worker.lock() = Some(Name::current());
    spawn!(queue, GFP_KERNEL, look, "look")?;
    queue.flush();
    let name = (*seen.lock()).ok_or(EINVAL)?;
    CString::try_from_fmt(fmt!("{name}"))
}

#[kunit_tests(abstractions_owned_queue)]
mod tests {
    use super::*;
    use kernel::{
        cpu::CpuId,
        new_spinlock,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            }, //
        },
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use crate::{
        abstractions::owned_queue::NotSpawned,
        probe::{
            ensure,
            fail_next_allocation,
            BlockedQueue,
            Count,
            Subject, //
        },
    };

    #[test]
    fn the_builder_refuses_a_max_active_that_c_would_clamp() -> Result {
        for refused in [0, 2049, u32::MAX] {
            ensure!(OwnedQueue::unbound(c"kunit_bound")
                .max_active(refused)
                .build()
                .is_err_and(|error| error == EINVAL));
            ensure!(OwnedQueue::percpu(c"kunit_bound")
                .max_active(refused)
                .build()
                .is_err_and(|error| error == EINVAL));
        }
        for accepted in [1, 2048] {
            OwnedQueue::unbound(c"kunit_bound")
                .max_active(accepted)
                .build()?;
            OwnedQueue::percpu(c"kunit_bound")
                .max_active(accepted)
                .build()?;
        }
        Ok(())
    }

    #[test]
    fn each_kind_of_queue_runs_its_items_on_workers_of_that_kind() -> Result {
        let unbound = worker_of(&OwnedQueue::unbound(c"kunit_unbound").build()?)?;
        ensure!(unbound.to_bytes().starts_with(b"kworker/u"));
        let ordered = worker_of(&OwnedQueue::ordered(c"kunit_ordered").build()?)?;
        ensure!(ordered.to_bytes().starts_with(b"kworker/u"));

        let percpu = worker_of(&OwnedQueue::percpu(c"kunit_percpu").build()?)?;
        ensure!(percpu.to_bytes()[b"kworker/".len()].is_ascii_digit());
        ensure!(!percpu.to_bytes().ends_with(b"H"));
        let highpri = worker_of(&OwnedQueue::percpu(c"kunit_highpri").highpri().build()?)?;
        ensure!(highpri.to_bytes()[b"kworker/".len()].is_ascii_digit());
        ensure!(highpri.to_bytes().ends_with(b"H"));
        Ok(())
    }

    // C keeps the flags to itself. Only a suspend would show what `freezable` does. `wqtest fire`
    // shows what `mem_reclaim` does, on the demo's queue.
    #[test]
    fn a_queue_with_every_flag_runs_its_items() -> Result {
        let all = [
            OwnedQueue::unbound(c"kunit_all_unbound")
                .mem_reclaim()
                .highpri()
                .freezable()
                .sysfs()
                .build()?,
            OwnedQueue::percpu(c"kunit_all_percpu")
                .mem_reclaim()
                .highpri()
                .freezable()
                .cpu_intensive()
                .sysfs()
                .build()?,
            OwnedQueue::ordered(c"kunit_all_ordered")
                .mem_reclaim()
                .highpri()
                .freezable()
                .build()?,
        ];
        for queue in &all {
            let probe = Probe::opened()?;
            spawn_run(queue, &probe)?;
            queue.flush();
            ensure!(probe.finished.get() == 1);
        }
        Ok(())
    }

    #[test]
    fn an_item_of_a_percpu_queue_runs_on_the_cpu_that_queued_it() -> Result {
        let queue = OwnedQueue::percpu(c"kunit_percpu").build()?;
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        for _ in 0..20 {
            let ran_on = Arc::new(Atomic::new(u32::MAX), GFP_KERNEL)?;
            let by_worker = ran_on.clone();
            let note = move || by_worker.store(CpuId::current().as_u32(), Relaxed);
            // The holder of a spinlock is not moved to another CPU.
            let on_one_cpu = lock.lock();
            let queued_on = CpuId::current().as_u32();
            let spawned = spawn!(queue, GFP_ATOMIC, note);
            drop(on_one_cpu);
            spawned?;
            queue.flush();
            ensure!(ran_on.load(Relaxed) == queued_on);
        }
        Ok(())
    }

    #[test]
    fn an_ordered_queue_runs_one_item_at_a_time_in_the_order_of_queueing() -> Result {
        const ITEMS: usize = 100;
        let queue = OwnedQueue::ordered(c"kunit_ordered").build()?;
        let order = Arc::pin_init(
            new_mutex!(KVec::with_capacity(ITEMS, GFP_KERNEL)?),
            GFP_KERNEL,
        )?;
        let running = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
        let overlaps = Count::new_shared()?;
        for number in 0..ITEMS {
            let (order, running, overlaps): (Arc<Mutex<KVec<usize>>>, _, _) =
                (order.clone(), running.clone(), overlaps.clone());
            let note = move || {
                if running.fetch_add(1, Relaxed) != 0 {
                    overlaps.increment();
                }
                let _ = order.lock().push(number, GFP_KERNEL);
                fsleep(Delta::from_micros(200));
                running.fetch_sub(1, Relaxed);
            };
            spawn!(queue, GFP_KERNEL, note, "note")?;
        }
        queue.flush();
        ensure!(overlaps.get() == 0);
        ensure!(order.lock().iter().copied().eq(0..ITEMS));
        Ok(())
    }

    #[test]
    fn as_many_items_as_max_active_run_at_once_and_no_more() -> Result {
        for (active, queue) in [
            (
                3,
                OwnedQueue::unbound(c"kunit_three").max_active(3).build()?,
            ),
            (1, OwnedQueue::ordered(c"kunit_one").build()?),
        ] {
            let probe = Probe::closed()?;
            for _ in 0..8 {
                spawn_run(&queue, &probe)?;
            }
            probe.started.wait_for(active)?;
            // If one more could start, it would do so at once.
            fsleep(Delta::from_millis(100));
            let started = probe.started.get();
            probe.open();
            queue.flush();
            ensure!(started == active);
            ensure!(probe.finished.get() == 8);
        }
        Ok(())
    }

    #[test]
    fn flush_waits_for_what_was_queued_before() -> Result {
        let queue = OwnedQueue::unbound(c"kunit_flush").build()?;
        let probe = Probe::closed()?;
        for _ in 0..4 {
            spawn_run(&queue, &probe)?;
        }
        probe.open();
        queue.flush();
        ensure!(probe.finished.get() == 4);
        Ok(())
    }

    #[test]
    fn dropping_a_queue_runs_what_is_pending_and_waits_for_it() -> Result {
        let blocked = BlockedQueue::new()?;
        let probe = Probe::opened()?;
        for _ in 0..10 {
            spawn_run(&blocked.queue, &probe)?;
        }
        ensure!(probe.started.get() == 0);
        // This unblocks the queue and destroys it.
        drop(blocked);
        ensure!(probe.finished.get() == 10);
        ensure!(probe.dropped.get() == 10);
        Ok(())
    }

    #[test]
    fn a_closure_runs_once_and_what_it_owns_is_dropped_once() -> Result {
        let queue = OwnedQueue::percpu(c"kunit_once").build()?;
        let probe = Probe::opened()?;
        spawn_run(&queue, &probe)?;
        queue.flush();
        drop(queue);
        ensure!(probe.started.get() == 1);
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn a_closure_that_is_not_queued_comes_back() -> Result {
        let queue = OwnedQueue::percpu(c"kunit_memory").build()?;
        let probe = Probe::opened()?;
        let subject = Subject::new(&probe);
        fail_next_allocation();
        let Err(NotSpawned(func)) = spawn!(queue, GFP_NOWAIT, move || subject.run()) else {
            return Err(EINVAL);
        };
        queue.flush();
        ensure!(probe.started.get() == 0);
        ensure!(probe.dropped.get() == 0);
        func();
        ensure!(probe.started.get() == 1);
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn a_queue_can_be_used_and_dropped_by_another_thread() -> Result {
        let here = OwnedQueue::unbound(c"kunit_here").build()?;
        let there = OwnedQueue::unbound(c"kunit_there").build()?;
        let probe = Probe::opened()?;
        let of_there = probe.clone();
        let move_there = move || {
            // `finished` says whether this worked.
            let _ = spawn_run(&there, &of_there);
            drop(there);
            of_there.run();
        };
        spawn!(here, GFP_KERNEL, move_there, "move_there")?;
        here.flush();
        ensure!(probe.finished.get() == 2);
        ensure!(probe.dropped.get() == 1);
        Ok(())
    }
}
