// SPDX-License-Identifier: GPL-2.0

//! Plain items: who gets a cancelled item back, and when.

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::Arc,
    workqueue::{
        system_long,
        Work,
        WorkItem, //
    }, //
};

use crate::{
    abstractions::cancel::CancelWork,
    probe::{
        Probe,
        Subject, //
    }, //
};

#[pin_data]
struct Job {
    #[pin]
    work: Work<Job>,
    subject: Subject,
    /// Whether its run queues it again.
    restless: bool,
}

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.subject.run();
        if this.restless {
            let _ = system_long().enqueue(this);
        }
    }
}

impl Job {
    fn new(probe: &Arc<Probe>, restless: bool) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                work <- new_work!("Job"),
                subject: Subject::new(probe),
                restless,
            }),
            GFP_KERNEL,
        )
    }
}

type Take = fn(&Work<Job>) -> Option<Arc<Job>>;

#[kunit_tests(abstractions_cancel)]
mod tests {
    use super::*;
    use kernel::time::{
        delay::fsleep,
        Delta, //
    };

    use crate::{
        abstractions::owned_queue::{
            spawn,
            OwnedQueue, //
        },
        probe::{
            at_last,
            ensure,
            BlockedQueue,
            Count, //
        }, //
    };

    const TAKES: [Take; 3] = [
        CancelWork::cancel,
        CancelWork::cancel_sync,
        CancelWork::disable_sync,
    ];
    const WAITING_TAKES: [Take; 2] = [CancelWork::cancel_sync, CancelWork::disable_sync];

    /// Whether this is the last reference, and dropping it drops what the item owns, once.
    fn is_last(job: Arc<Job>, probe: &Probe) -> bool {
        probe.dropped.get() == 0
            && Arc::into_unique_or_drop(job).is_some()
            && probe.dropped.get() == 1
    }

    #[test]
    fn a_pending_item_comes_back_once_and_never_runs() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let job = Job::new(&probe, false)?;
            let blocked = BlockedQueue::new()?;
            ensure!(blocked.queue.enqueue(job.clone()).is_ok());
            ensure!(take(&job.work).is_some_and(|taken| Arc::ptr_eq(&taken, &job)));
            ensure!(take(&job.work).is_none());
            // This runs what is left on the queue.
            drop(blocked);
            ensure!(probe.started.get() == 0);
            ensure!(is_last(job, &probe));
        }
        Ok(())
    }

    #[test]
    fn nothing_comes_back_from_an_idle_item() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let job = Job::new(&probe, false)?;
            ensure!(take(&job.work).is_none());
            ensure!(!job.work.flush());
            ensure!(is_last(job, &probe));
        }
        Ok(())
    }

    #[test]
    fn nothing_comes_back_from_an_item_that_has_run() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let job = Job::new(&probe, false)?;
            ensure!(system_long().enqueue(job.clone()).is_ok());
            probe.finished.wait_for(1)?;
            job.work.flush();
            ensure!(take(&job.work).is_none());
            ensure!(is_last(job, &probe));
        }
        Ok(())
    }

    #[test]
    fn cancel_does_not_wait_for_a_run() -> Result {
        let probe = Probe::closed()?;
        let job = Job::new(&probe, false)?;
        ensure!(system_long().enqueue(job.clone()).is_ok());
        probe.started.wait_for(1)?;
        let taken = job.work.cancel();
        let finished = probe.finished.get();
        probe.open();
        job.work.flush();
        ensure!(taken.is_none());
        ensure!(finished == 0);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn the_sync_variants_wait_for_a_run_and_return_nothing() -> Result {
        for take in WAITING_TAKES {
            let probe = Probe::closed()?;
            let job = Job::new(&probe, false)?;
            ensure!(system_long().enqueue(job.clone()).is_ok());
            probe.started.wait_for(1)?;
            probe.open();
            ensure!(take(&job.work).is_none());
            ensure!(probe.finished.get() == 1);
            ensure!(is_last(job, &probe));
        }
        Ok(())
    }

    #[test]
    fn an_item_that_is_queued_while_it_runs_comes_back_after_the_run() -> Result {
        for take in WAITING_TAKES {
            ensure!(at_last(|| {
                let probe = Probe::closed()?;
                let job = Job::new(&probe, false)?;
                ensure!(system_long().enqueue(job.clone()).is_ok());
                probe.started.wait_for(1)?;
                ensure!(system_long().enqueue(job.clone()).is_ok());
                probe.open();
                let in_time = take(&job.work).is_some();
                ensure!(probe.started.get() == if in_time { 1 } else { 2 });
                ensure!(probe.finished.get() == probe.started.get());
                ensure!(is_last(job, &probe));
                Ok(in_time)
            })?);
        }
        Ok(())
    }

    #[test]
    fn a_pending_item_is_not_queued_twice_and_its_reference_comes_back() -> Result {
        let probe = Probe::opened()?;
        let job = Job::new(&probe, false)?;
        let blocked = BlockedQueue::new()?;
        ensure!(blocked.queue.enqueue(job.clone()).is_ok());
        ensure!(blocked
            .queue
            .enqueue(job.clone())
            .is_err_and(|refused| Arc::ptr_eq(&refused, &job)));
        drop(blocked);
        ensure!(probe.finished.get() == 1);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn a_cancelled_item_can_be_queued_again() -> Result {
        let probe = Probe::opened()?;
        let job = Job::new(&probe, false)?;
        let blocked = BlockedQueue::new()?;
        for take in [CancelWork::cancel, CancelWork::cancel_sync] as [Take; 2] {
            ensure!(blocked.queue.enqueue(job.clone()).is_ok());
            ensure!(take(&job.work).is_some());
        }
        ensure!(blocked.queue.enqueue(job.clone()).is_ok());
        drop(blocked);
        ensure!(probe.finished.get() == 1);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn a_disabled_item_cannot_be_queued_again() -> Result {
        let probe = Probe::opened()?;
        let job = Job::new(&probe, false)?;
        ensure!(job.work.disable_sync().is_none());
        ensure!(system_long().enqueue(job.clone()).is_err());
        ensure!(!job.work.flush());
        ensure!(probe.started.get() == 0);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn a_disabled_item_cannot_be_queued_again_by_its_own_handler() -> Result {
        for _ in 0..20 {
            let probe = Probe::opened()?;
            let job = Job::new(&probe, true)?;
            ensure!(system_long().enqueue(job.clone()).is_ok());
            probe.started.wait_for(3)?;
            drop(job.work.disable_sync());
            let runs = probe.finished.get();
            ensure!(probe.started.get() == runs);
            ensure!(!job.work.flush());
            ensure!(probe.started.get() == runs);
            ensure!(is_last(job, &probe));
        }
        Ok(())
    }

    #[test]
    fn a_disabled_item_cannot_be_queued_again_by_others() -> Result {
        let probe = Probe::opened()?;
        let job = Job::new(&probe, false)?;
        let others = OwnedQueue::unbound(c"kunit_others").build()?;
        let (tries, enough) = (Count::new_shared()?, Count::new_shared()?);
        let (of_job, of_tries, of_enough) = (job.clone(), tries.clone(), enough.clone());
        let try_again = move || {
            while of_enough.get() == 0 && of_tries.increment() < 10_000 {
                let _ = system_long().enqueue(of_job.clone());
                fsleep(Delta::from_micros(500));
            }
        };
        spawn!(others, GFP_KERNEL, try_again)?;
        probe.started.wait_for(2)?;
        drop(job.work.disable_sync());
        let runs = probe.finished.get();
        tries.wait_for(tries.get() + 3)?;
        enough.increment();
        drop(others);
        ensure!(!job.work.flush());
        ensure!(probe.started.get() == runs);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn flush_waits_for_a_pending_item() -> Result {
        let probe = Probe::opened()?;
        let job = Job::new(&probe, false)?;
        let blocked = BlockedQueue::new()?;
        ensure!(blocked.queue.enqueue(job.clone()).is_ok());
        blocked.unblock();
        job.work.flush();
        ensure!(probe.finished.get() == 1);
        ensure!(is_last(job, &probe));
        Ok(())
    }

    #[test]
    fn flush_waits_for_a_running_item_and_says_so() -> Result {
        ensure!(at_last(|| {
            let probe = Probe::closed()?;
            let job = Job::new(&probe, false)?;
            ensure!(system_long().enqueue(job.clone()).is_ok());
            probe.started.wait_for(1)?;
            probe.open();
            let waited = job.work.flush();
            ensure!(probe.finished.get() == 1);
            ensure!(is_last(job, &probe));
            Ok(waited)
        })?);
        Ok(())
    }
}
