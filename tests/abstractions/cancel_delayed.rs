// SPDX-License-Identifier: GPL-2.0

//! Delayed items: the table of what their cancel functions return, row by row.

use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::Jiffies,
    workqueue::{
        system_long,
        DelayedWork,
        WorkItem, //
    }, //
};

use crate::{
    abstractions::{
        cancel::CancelWork,
        jiffies, //
    },
    probe::{
        Probe,
        Subject,
        AN_HOUR, //
    }, //
};

#[pin_data]
struct Alarm {
    #[pin]
    work: DelayedWork<Alarm>,
    subject: Subject,
    /// Whether its run arms it again.
    restless: bool,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Alarm { self.work }
}

impl WorkItem for Alarm {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.subject.run();
        if this.restless {
            let _ = system_long().enqueue_delayed(this, 1);
        }
    }
}

impl Alarm {
    fn new(probe: &Arc<Probe>, restless: bool) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                work <- new_delayed_work!("Alarm"),
                subject: Subject::new(probe),
                restless,
            }),
            GFP_KERNEL,
        )
    }
}

fn an_hour() -> Jiffies {
    jiffies::at_least(AN_HOUR)
}

type Take = fn(&DelayedWork<Alarm>) -> Option<Arc<Alarm>>;

#[kunit_tests(abstractions_cancel_delayed)]
mod tests {
    use super::*;
    use crate::probe::{
        ensure,
        BlockedQueue, //
    };

    const TAKES: [Take; 3] = [
        CancelWork::cancel,
        CancelWork::cancel_sync,
        CancelWork::disable_sync,
    ];
    const WAITING_TAKES: [Take; 2] = [CancelWork::cancel_sync, CancelWork::disable_sync];

    /// Whether this is the last reference, and dropping it drops what the item owns, once.
    fn is_last(alarm: Arc<Alarm>, probe: &Probe) -> bool {
        probe.dropped.get() == 0
            && Arc::into_unique_or_drop(alarm).is_some()
            && probe.dropped.get() == 1
    }

    #[test]
    fn an_armed_item_comes_back_once_and_never_runs() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let alarm = Alarm::new(&probe, false)?;
            ensure!(system_long()
                .enqueue_delayed(alarm.clone(), an_hour())
                .is_ok());
            ensure!(take(&alarm.work).is_some_and(|taken| Arc::ptr_eq(&taken, &alarm)));
            ensure!(take(&alarm.work).is_none());
            ensure!(probe.started.get() == 0);
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn a_queued_item_comes_back_once_and_never_runs() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let alarm = Alarm::new(&probe, false)?;
            let blocked = BlockedQueue::new()?;
            ensure!(blocked.queue.enqueue(alarm.clone()).is_ok());
            ensure!(take(&alarm.work).is_some_and(|taken| Arc::ptr_eq(&taken, &alarm)));
            ensure!(take(&alarm.work).is_none());
            drop(blocked);
            ensure!(probe.started.get() == 0);
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn a_running_item_is_waited_for_and_does_not_come_back() -> Result {
        for take in WAITING_TAKES {
            let probe = Probe::closed()?;
            let alarm = Alarm::new(&probe, false)?;
            ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_ok());
            probe.started.wait_for(1)?;
            probe.open();
            ensure!(take(&alarm.work).is_none());
            ensure!(probe.finished.get() == 1);
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn cancel_does_not_wait_for_a_run_of_a_delayed_item() -> Result {
        let probe = Probe::closed()?;
        let alarm = Alarm::new(&probe, false)?;
        ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_ok());
        probe.started.wait_for(1)?;
        let taken = alarm.work.cancel();
        let finished = probe.finished.get();
        probe.open();
        alarm.work.flush();
        ensure!(taken.is_none());
        ensure!(finished == 0);
        ensure!(is_last(alarm, &probe));
        Ok(())
    }

    #[test]
    fn nothing_comes_back_from_an_idle_item() -> Result {
        for take in TAKES {
            let probe = Probe::opened()?;
            let alarm = Alarm::new(&probe, false)?;
            ensure!(take(&alarm.work).is_none());
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn an_item_that_is_armed_while_it_runs_comes_back_after_the_run() -> Result {
        for take in WAITING_TAKES {
            let probe = Probe::closed()?;
            let alarm = Alarm::new(&probe, false)?;
            ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_ok());
            probe.started.wait_for(1)?;
            ensure!(system_long()
                .enqueue_delayed(alarm.clone(), an_hour())
                .is_ok());
            probe.open();
            ensure!(take(&alarm.work).is_some());
            ensure!(probe.finished.get() == 1);
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn a_disabled_item_cannot_be_armed_again_by_its_own_handler() -> Result {
        for _ in 0..20 {
            let probe = Probe::opened()?;
            let alarm = Alarm::new(&probe, true)?;
            ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_ok());
            probe.started.wait_for(3)?;
            drop(alarm.work.disable_sync());
            ensure!(probe.started.get() == probe.finished.get());
            ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_err());
            // An armed timer would hold a reference.
            ensure!(is_last(alarm, &probe));
        }
        Ok(())
    }

    #[test]
    fn flush_runs_an_armed_item_now_and_waits_for_it() -> Result {
        let probe = Probe::opened()?;
        let alarm = Alarm::new(&probe, false)?;
        ensure!(!alarm.work.flush());
        ensure!(system_long()
            .enqueue_delayed(alarm.clone(), an_hour())
            .is_ok());
        alarm.work.flush();
        ensure!(probe.finished.get() == 1);
        // Its timer has been stopped.
        ensure!(alarm.work.cancel().is_none());
        ensure!(is_last(alarm, &probe));
        Ok(())
    }

    #[test]
    fn an_item_can_be_disabled_more_often_than_c_counts() -> Result {
        let probe = Probe::opened()?;
        let alarm = Alarm::new(&probe, false)?;
        for _ in 0..70_000 {
            ensure!(alarm.work.disable_sync().is_none());
        }
        ensure!(system_long().enqueue_delayed(alarm.clone(), 1).is_err());
        ensure!(is_last(alarm, &probe));
        Ok(())
    }
}
