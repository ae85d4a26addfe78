// SPDX-License-Identifier: GPL-2.0

//! Waiting for what is queued.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::sync::{mpsc, Arc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::unistd::{gettid, write, Pid};

use super::cases;
use crate::demo_node;
use crate::harness::child::{Report, Signals, Writer};
use crate::harness::cpus::TwoCpus;
use crate::harness::demo::{send, table};
use crate::harness::held_cpu::HeldCpu;
use crate::harness::hung_tasks::HungTasks;
use crate::harness::loaded::reloaded_afterwards;
use crate::harness::process::status_field;
use crate::harness::queueing::Queueing;
use crate::harness::wait::wait_until;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::paths::DEMO_NODE;

cases! {
    demo_flush_returns_when_all_before_it_has_run,
    demo_flush_waits_within_its_own_write,
    demo_flush_returns_at_once_where_nothing_is_queued,
    demo_flush_waits_for_a_delayed_item_that_is_due,
    demo_flush_does_not_wait_for_armed_timers_and_ticks,
    demo_flush_is_interrupted_by_a_signal,
    demo_flush_that_is_interrupted_counts_the_lines_before_it,
    demo_flush_can_be_killed,
    demo_flush_leaves_no_worker_behind_whoever_is_killed,
    demo_flush_is_no_hung_task_however_long_it_takes,
    demo_flush_holds_up_nobody_else,
}

/// Longer than what is queued takes, shorter than what a flush must not wait for.
const SOON: Duration = Duration::from_secs(10);

fn demo_flush_returns_when_all_before_it_has_run(_: &Harness) -> Outcome {
    // Some items run, and one has to wait for them.
    send("custom 5\ndata 1\nimmediate\n")?;
    send("flush\n")?;
    let table = table()?;
    ensure!(table.at_rest(), "outstanding after a flush: {table:?}");
    Ok(())
}

fn demo_flush_waits_within_its_own_write(_: &Harness) -> Outcome {
    send("custom 4\ndata 1\nimmediate\nflush\n")?;
    let table = table()?;
    ensure!(table.at_rest(), "outstanding after a flush: {table:?}");
    Ok(())
}

fn demo_flush_returns_at_once_where_nothing_is_queued(_: &Harness) -> Outcome {
    let started = Instant::now();
    send("flush\nflush\nflush\n")?;
    ensure!(started.elapsed() < SOON, "three flushes of nothing took {:?}", started.elapsed());
    Ok(())
}

fn demo_flush_waits_for_a_delayed_item_that_is_due(_: &Harness) -> Outcome {
    let before = table()?.row("delayed").executed;
    let flush = || -> Outcome<u64> {
        send("flush\n")?;
        Ok(table()?.row("delayed").executed)
    };
    let joined = |flushed: JoinHandle<Outcome<u64>>| {
        flushed.join().unwrap_or_else(|_| fail("the thread that flushed panicked"))
    };
    let started = Instant::now();
    ensure_eq!(joined(thread::spawn(flush))?, before, "executed with nothing queued");
    let enough = 10 * started.elapsed() + Duration::from_millis(50);

    let cpus = TwoCpus::of_this_machine()?;
    let queueing = Queueing::from_now()?;
    let mut held = HeldCpu::hold(cpus, "delayed 1\n")?;
    let cpu = queueing.cpu_of_next("workqueue_demo")?;
    ensure_eq!(cpu, cpus.busy, "the CPU whose worker is to run the item");

    let flushed = thread::spawn(flush);
    // Nothing shows that the thread still waits, so give it more time than it needs to return.
    thread::sleep(enough);
    ensure_eq!(table()?.row("delayed").executed, before, "executed by a CPU that is held");
    ensure!(!flushed.is_finished(), "the flush is over, the item has yet to run");
    held.release()?;
    ensure_eq!(joined(flushed)?, before + 1, "executed when the flush was over");
    Ok(())
}

fn demo_flush_does_not_wait_for_armed_timers_and_ticks(_: &Harness) -> Outcome {
    let started = Instant::now();
    send("delayed 60000\nstart 60000\n")?;
    send("custom 2\nflush\n")?;
    ensure!(started.elapsed() < SOON, "the flush took {:?}", started.elapsed());
    let now = table()?;
    ensure_eq!(now.row("delayed").pending, 1, "delayed pending");
    ensure_eq!(now.row("periodic").pending, 1, "periodic pending");
    ensure_eq!(now.row("custom").outstanding(), 0, "custom outstanding");
    send("start 10\n")?;
    send("flush\n")?;
    ensure!(started.elapsed() < SOON, "the flush took {:?}", started.elapsed());
    send("stop\ncancel\n")
}

/// A process that writes `lines`, the last of which is a flush. It sleeps in the flush behind more
/// work than a case has time for. The caller has to load the module again afterwards: nothing else
/// cancels that work.
fn sleeping_flusher(signals: Signals, lines: &str) -> Outcome<Writer> {
    send("custom 1000\n")?;
    let flusher = Writer::start(signals, DEMO_NODE, lines)?;
    flusher.wait_until_asleep()?;
    Ok(flusher)
}

fn demo_flush_is_interrupted_by_a_signal(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let flusher = sleeping_flusher(Signals::Interrupt, "flush\n")?;
    flusher.signal()?;
    let expected = Report { result: Err(Errno::EINTR), signals: 1 };
    ensure_eq!(flusher.report()?, expected, "the flush");
    let now = table()?;
    ensure!(now.row("custom").outstanding() > 0, "nothing was left to wait for");
    ensure_eq!(now.row("custom").cancelled, 0, "cancelled by the signal");
    reload.finish()
}

fn demo_flush_that_is_interrupted_counts_the_lines_before_it(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let flusher = sleeping_flusher(Signals::Interrupt, "delayed 60000\nflush\ndata 1\n")?;
    flusher.signal()?;
    let expected = Report { result: Ok("delayed 60000\n".len()), signals: 1 };
    ensure_eq!(flusher.report()?, expected, "a write of three lines, the second a flush");
    let now = table()?;
    ensure_eq!(now.row("delayed").pending, 1, "delayed pending");
    ensure_eq!(now.row("data").queued, 0, "queued by the line behind the flush");
    reload.finish()
}

fn demo_flush_can_be_killed(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let flusher = sleeping_flusher(Signals::Deadly, "flush\n")?;
    ensure_eq!(flusher.kill()?.signal(), Some(SIGKILL), "the signal that ended the writer");
    ensure!(table()?.row("custom").outstanding() > 0, "nothing was left to wait for");
    reload.finish()
}

/// How many workers the kernel has.
fn kworkers() -> Outcome<usize> {
    let is_kworker = |entry: std::io::Result<fs::DirEntry>| {
        // The thread may have ended before its name is read.
        let name = entry.and_then(|entry| fs::read_to_string(entry.path().join("comm")));
        name.is_ok_and(|name| name.starts_with("kworker/"))
    };
    Ok(fs::read_dir("/proc")?.map(is_kworker).filter(|&is| is).count())
}

fn demo_flush_leaves_no_worker_behind_whoever_is_killed(harness: &Harness) -> Outcome {
    const FLUSHERS: usize = 24;
    let reload = reloaded_afterwards(&harness.demo)?;
    // The first flusher creates the workers that run the items.
    sleeping_flusher(Signals::Deadly, "flush\n")?.kill()?;
    let before = kworkers()?;
    for _ in 0..FLUSHERS {
        let flusher = Writer::start(Signals::Deadly, DEMO_NODE, "flush\n")?;
        flusher.wait_until_asleep()?;
        flusher.kill()?;
    }
    let more = kworkers()?.saturating_sub(before);
    ensure!(table()?.row("custom").outstanding() > 0, "nothing was left to wait for");
    ensure!(more < FLUSHERS / 2, "{more} workers more after {FLUSHERS} flushes that were killed");
    reload.finish()
}

/// A thread that writes `text` through `file` again and again, until a write fails.
fn writing_thread(file: &Arc<File>, text: &'static str) -> Outcome<Pid> {
    let (file, (tell, told)) = (file.clone(), mpsc::channel());
    thread::spawn(move || {
        let _ = tell.send(gettid());
        while write(&file, text.as_bytes()).is_ok() {}
    });
    told.recv().or_else(|_| fail("a thread that writes has not started"))
}

/// A thread that sleeps in a flush, and one that the kernel considers hung meanwhile: it sleeps for
/// the lock of the file that both share. Both end when the module is removed.
fn flusher_and_hung_task() -> Outcome<(Pid, Pid)> {
    let file = Arc::new(demo_node::open()?);
    let flusher = writing_thread(&file, "flush\n")?;
    let hung = writing_thread(&file, "\n")?;
    wait_until("a thread to sleep in a flush, and another one behind it", || {
        let states = (status_field(flusher, "State")?, status_field(hung, "State")?);
        let are_asleep = states.0.starts_with(['S', 'D']) && states.1.starts_with('D');
        Ok(if are_asleep { Ok(()) } else { Err(format!("{states:?}")) })
    })?;
    Ok((flusher, hung))
}

fn demo_flush_is_no_hung_task_however_long_it_takes(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    send("custom 1000\n")?;
    let (flusher, hung) = flusher_and_hung_task()?;
    // Here the kernel reports a hung task after one second instead of two minutes. When it reports
    // the second thread, it has looked at the first for as long.
    let found = HungTasks::from_now()?.found_with(hung)?;
    let is_flush = |(name, pid): &&(String, Pid)| *pid == flusher || name.starts_with("kworker");
    let flushing: Vec<_> = found.iter().filter(is_flush).collect();
    ensure!(flushing.is_empty(), "the kernel takes it for hung: {flushing:?}");
    ensure!(table()?.row("custom").outstanding() > 0, "nothing was left to wait for");
    reload.finish()
}

fn demo_flush_holds_up_nobody_else(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let flusher = sleeping_flusher(Signals::Deadly, "flush\n")?;
    let before = table()?;
    for _ in 0..10 {
        send("immediate\ndelayed 60000\ncancel\nstart 60000\nstop\ncustom 1\ndata 1\n")?;
    }
    let after = table()?;
    ensure_eq!(after.row("delayed").cancelled, before.row("delayed").cancelled + 10, "cancelled");
    ensure!(flusher.is_asleep()?, "the flush is over");
    drop(flusher);
    reload.finish()
}
