// SPDX-License-Identifier: GPL-2.0

//! Many processes that do anything to both nodes, alone and while the machine loses a processor or
//! runs out of memory. All that was accepted has to be done.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::anything::MAX_PENDING;
use super::children::{Job, Process};
use super::hog::{free_memory, low_watermark, Reclaimed};
use super::signals::follow;
use crate::cases::cases;
use crate::harness::demo::{send, table};
use crate::harness::demo_log::DemoLog;
use crate::harness::echo::counters_at_rest;
use crate::harness::echo_log::EchoLog;
use crate::harness::load::Load;
use crate::harness::loaded::loaded_with;
use crate::harness::processor::Processor;
use crate::harness::restore::Setting;
use crate::harness::{ensure, ensure_eq, fail, skip, Harness, Outcome, Stop};
use crate::paths::DEBUGFS;

cases! {
    all_that_64_processes_ask_for_is_counted_and_done,
    it_balances_while_64_processes_ask_for_anything_and_for_resets,
    all_is_done_while_a_processor_comes_and_goes,
    all_is_done_while_memory_is_short,
    demo_items_run_on_the_rescuer_when_no_worker_can_be_made,
}

/// Processes, and how many random actions each of them does.
struct Crowd {
    processes: usize,
    actions: usize,
    resets: bool,
}

impl Crowd {
    /// Runs them beside `meanwhile`, which is told when they are done. Checks the effects of all
    /// that they have done.
    fn run(
        &self,
        harness: &Harness,
        meanwhile: impl FnOnce(&AtomicBool) -> Outcome + Send,
    ) -> Outcome {
        self.run_when(harness, || Ok(()), meanwhile).map(drop)
    }

    /// Like [`Crowd::run`], with `first` after the processes have started and before they work.
    /// Returns how much of each kind they have done, and the result of `first`.
    fn run_when<T>(
        &self,
        harness: &Harness,
        first: impl FnOnce() -> Outcome<T>,
        meanwhile: impl FnOnce(&AtomicBool) -> Outcome + Send,
    ) -> Outcome<(HashMap<String, u64>, T)> {
        let reload_echo = loaded_with(&harness.echo, &format!("max_pending={MAX_PENDING}"))?;
        let reload_demo = loaded_with(&harness.demo, "")?;
        let jobs: Vec<Job> = (0..self.processes)
            .map(|writer| Job::Anything {
                writer,
                seed: harness.load.seed,
                actions: self.actions,
                resets: self.resets,
            })
            .collect();
        let mut processes = Process::start_all(&jobs)?;
        harness.progress.step();
        let mut log = EchoLog::from_now()?;
        let mut next = vec![0; self.processes];
        let over = AtomicBool::new(false);
        let mut totals: HashMap<String, u64> = HashMap::new();
        let first = first()?;
        processes.iter_mut().try_for_each(Process::go)?;
        thread::scope(|scope| -> Outcome {
            let meanwhile = scope.spawn(|| meanwhile(&over));
            let follower = scope.spawn(|| -> Outcome {
                while !over.load(Ordering::Relaxed) {
                    follow(&mut log, &mut next)?;
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            });
            let reported = processes.iter_mut().try_for_each(|process| -> Outcome {
                for (name, count) in process.report()? {
                    *totals.entry(name).or_default() += count;
                }
                harness.progress.step();
                Ok(())
            });
            over.store(true, Ordering::Relaxed);
            let panicked = |_| Err(Stop::Fail("a thread panicked".into()));
            let followed = follower.join().unwrap_or_else(panicked);
            let meanwhile = meanwhile.join().unwrap_or_else(panicked);
            reported.and(followed).and(meanwhile)
        })?;
        // They hold the device open.
        drop(processes);
        let echo = counters_at_rest()?;
        follow(&mut log, &mut next)?;
        let total = |name: &str| totals.get(name).copied().unwrap_or(0);
        let printed = next.iter().sum::<usize>() as u64;
        ensure_eq!(printed, total("echo"), "messages printed, of those accepted");
        ensure_eq!((echo.accepted, echo.printed), (printed, printed), "accepted and printed");
        send("stop\ncancel\nflush\n")?;
        let now = table()?;
        ensure!(now.at_rest(), "outstanding at the end: {now:?}");
        if !self.resets {
            for (kind, may_coalesce) in
                [("custom", false), ("data", false), ("immediate", true), ("delayed", true)]
            {
                let row = now.row(kind);
                ensure_eq!(row.queued + row.coalesced, total(kind), "{kind} queued: {now:?}");
                ensure!(may_coalesce || row.coalesced == 0, "{kind} coalesced: {now:?}");
                ensure!(
                    kind == "delayed" || row.executed == row.queued,
                    "{kind} not all executed: {now:?}"
                );
            }
        }
        let mut told: Vec<String> = totals
            .iter()
            .filter(|(name, _)| *name != "end")
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        told.sort();
        harness.progress.note(told.join(", "));
        reload_echo.finish()?;
        reload_demo.finish()?;
        Ok((totals, first))
    }
}

fn all_that_64_processes_ask_for_is_counted_and_done(harness: &Harness) -> Outcome {
    Crowd { processes: 64, actions: harness.load.actions, resets: false }.run(harness, |_| Ok(()))
}

fn it_balances_while_64_processes_ask_for_anything_and_for_resets(harness: &Harness) -> Outcome {
    Crowd { processes: 64, actions: harness.load.actions, resets: true }.run(harness, |_| Ok(()))
}

fn all_is_done_while_a_processor_comes_and_goes(harness: &Harness) -> Outcome {
    let processor = Processor::second()?;
    let actions = harness.load.actions.max(20) * 3 / 2;
    // A slow machine takes long to turn a processor off. A short run has time for one round.
    let enough = if actions < 60 { 2 } else { 4 };
    let mut switched = 0;
    Crowd { processes: 64, actions, resets: false }.run(harness, |over| {
        switched = processor.comes_and_goes(harness, over)?;
        Ok(())
    })?;
    ensure!(switched >= enough, "the processor was turned off and on {switched} times only");
    Ok(())
}

fn all_is_done_while_memory_is_short(harness: &Harness) -> Outcome {
    // Raise the kernel's reserve for allocations that cannot wait, so that only those that can wait
    // are short of memory.
    let _reserve = Setting::change("/proc/sys/vm/min_free_kbytes", "16384")?;
    let said = (free_memory(), low_watermark(), Reclaimed::so_far());
    let (Some(before), Some(leave), Some(_)) = said else {
        return skip("/proc does not say how much memory is free, or what the kernel reclaims");
    };
    let Some(hog) = Process::start_all(&[Job::Hog { leave }])?.pop() else {
        return fail("not one process");
    };
    let hog = Mutex::new(hog);
    let say = || hog.lock().unwrap_or_else(PoisonError::into_inner);
    let fill = || {
        let mut hog = say();
        hog.go()?;
        hog.report()?;
        harness.progress.step();
        Ok(Reclaimed::so_far())
    };
    let mut least = before;
    // A short run, too, must need more memory than there is.
    let crowd = Crowd { processes: 8, actions: 3 * Load::ACTIONS, resets: false };
    let mut at_last = None;
    let (done, at_first) = crowd.run_when(harness, fill, |over| {
        while !over.load(Ordering::Relaxed) {
            least = least.min(free_memory().unwrap_or(before));
            thread::sleep(Duration::from_millis(5));
        }
        at_last = Reclaimed::so_far();
        let mut hog = say();
        hog.signal(Signal::SIGTERM)?;
        hog.report().map(drop)
    })?;
    let (Some(at_first), Some(at_last)) = (at_first, at_last) else {
        return fail("/proc/vmstat cannot be read any more");
    };
    let reclaimed = at_last.since(at_first);
    let items = done.get("custom").copied().unwrap_or(0);
    harness.progress.note(format!(
        "{least} of {before} KiB were left, {leave} are little; {items} custom items ran, \
         {reclaimed:?}"
    ));
    // Their queue has WQ_MEM_RECLAIM.
    ensure!(items > 0, "no custom items ran while memory was short");
    let pages = reclaimed.by_kswapd + reclaimed.direct;
    ensure!(pages > 0, "the kernel had no need to take memory back");
    Ok(())
}

/// A queue with `WQ_MEM_RECLAIM` has a rescuer for when no worker can be made. Here none can be
/// made because every allocation fails in the thread that creates threads.
fn demo_items_run_on_the_rescuer_when_no_worker_can_be_made(harness: &Harness) -> Outcome {
    const KTHREADD: &str = "/proc/2/make-it-fail";
    const QUEUE: &str = "/sys/devices/virtual/workqueue/workqueue_demo/nice";
    let failslab = Path::new(DEBUGFS).join("failslab");
    if !failslab.exists() || !Path::new(KTHREADD).exists() {
        return skip("the kernel does not inject faults (CONFIG_FAULT_INJECTION)");
    }
    let reload = loaded_with(&harness.demo, "")?;
    let mut log = DemoLog::from_now()?;
    {
        // Workers of a priority that no other queue asks for: only one exists.
        let _nice = Setting::change(QUEUE, "-7")?;
        let mut settings = Vec::new();
        for (name, value) in [
            ("verbose", "0"),
            ("ignore-gfp-wait", "N"),
            ("cache-filter", "N"),
            ("task-filter", "Y"),
            ("interval", "1"),
            ("space", "0"),
            ("times", "-1"),
        ] {
            settings.push(Setting::change(failslab.join(name), value)?);
        }
        settings.push(Setting::change(KTHREADD, "1")?);
        settings.push(Setting::change(failslab.join("probability"), "100")?);
        send("custom 8\n")?;
        send("flush\n")?;
    }
    let now = table()?;
    ensure_eq!(now.row("custom").executed, 8, "executed");
    let runs = log.runs_already()?;
    let rescued = runs.iter().filter(|run| run.was_rescued()).count();
    harness.progress.note(format!("{rescued} of 8 items ran on the rescuer"));
    if rescued == 0 {
        return fail(format!("no item ran on the rescuer: {runs:?}"));
    }
    reload.finish()
}
