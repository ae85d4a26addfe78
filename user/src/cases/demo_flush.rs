// SPDX-License-Identifier: GPL-2.0

//! Waiting for what is queued.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::SIGKILL;

use super::cases;
use crate::harness::child::{Report, Signals, Writer};
use crate::harness::cpus::TwoCpus;
use crate::harness::demo::{send, table};
use crate::harness::held_cpu::HeldCpu;
use crate::harness::loaded::loaded_with;
use crate::harness::queueing::Queueing;
use crate::harness::restore::Setting;
use crate::harness::{ensure, ensure_eq, fail, skip, Harness, Outcome};
use crate::kmsg::{Log, Record};
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

/// Longer than what is queued takes, shorter than what must not be waited for.
const SOON: Duration = Duration::from_secs(10);

fn demo_flush_returns_when_all_before_it_has_run(_: &Harness) -> Outcome {
    send("custom 8\ndata 1\nimmediate\n")?;
    send("flush\n")?;
    let table = table()?;
    ensure!(table.at_rest(), "outstanding after a flush: {table:?}");
    Ok(())
}

fn demo_flush_waits_within_its_own_write(_: &Harness) -> Outcome {
    send("custom 8\ndata 1\nimmediate\nflush\n")?;
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
    let started = Instant::now();
    send("flush\n")?;
    let enough = 10 * started.elapsed() + Duration::from_millis(200);

    let cpus = TwoCpus::of_this_machine()?;
    let queueing = Queueing::from_now()?;
    let mut held = HeldCpu::hold(cpus, "delayed 1\n")?;
    let cpu = queueing.cpu_of_next("workqueue_demo")?;
    ensure_eq!(cpu, cpus.busy, "the CPU whose worker is to run the item");

    let flushed = thread::spawn(|| -> Outcome<u64> {
        send("flush\n")?;
        Ok(table()?.row("delayed").executed)
    });
    // Nothing tells that somebody waits on: he has longer than it takes not to.
    thread::sleep(enough);
    ensure_eq!(table()?.row("delayed").executed, before, "executed by a CPU that is held");
    ensure!(!flushed.is_finished(), "the flush is over, the item has yet to run");
    held.release()?;
    let executed = flushed.join().unwrap_or_else(|_| fail("the thread that flushed panicked"))?;
    ensure_eq!(executed, before + 1, "executed when the flush was over");
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

/// A process that writes `lines`, of which the last is a flush, and sleeps in
/// it behind more work than a case has time for. The module has to be loaded
/// anew afterwards: nothing else takes that work back.
fn sleeping_flusher(signals: Signals, lines: &str) -> Outcome<Writer> {
    send("custom 1000\n")?;
    let flusher = Writer::start(signals, DEMO_NODE, lines)?;
    flusher.wait_until_asleep()?;
    Ok(flusher)
}

fn demo_flush_is_interrupted_by_a_signal(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.demo, "")?;
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
    let reload = loaded_with(&harness.demo, "")?;
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
    let reload = loaded_with(&harness.demo, "")?;
    let flusher = sleeping_flusher(Signals::Deadly, "flush\n")?;
    ensure_eq!(flusher.kill()?.signal(), Some(SIGKILL), "the signal that ended the writer");
    ensure!(table()?.row("custom").outstanding() > 0, "nothing was left to wait for");
    reload.finish()
}

/// How many workers the kernel has.
fn kworkers() -> Outcome<usize> {
    let is_kworker = |entry: std::io::Result<fs::DirEntry>| {
        // A thread may be gone by the time its name is read.
        let name = entry.and_then(|entry| fs::read_to_string(entry.path().join("comm")));
        name.is_ok_and(|name| name.starts_with("kworker/"))
    };
    Ok(fs::read_dir("/proc")?.map(is_kworker).filter(|&is| is).count())
}

fn demo_flush_leaves_no_worker_behind_whoever_is_killed(harness: &Harness) -> Outcome {
    const FLUSHERS: usize = 40;
    let reload = loaded_with(&harness.demo, "")?;
    // The first one has brought the workers that run the items.
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

fn demo_flush_is_no_hung_task_however_long_it_takes(_: &Harness) -> Outcome {
    const HUNG_AFTER: &str = "/proc/sys/kernel/hung_task_timeout_secs";
    const QUEUE: &str = "/sys/devices/virtual/workqueue/workqueue_demo/max_active";
    if !Path::new(HUNG_AFTER).exists() {
        return skip("needs a kernel that looks for hung tasks (CONFIG_DETECT_HUNG_TASK)");
    }
    // A second is to the kernel here what two minutes are otherwise.
    let _settings = [
        Setting::change("/proc/sys/kernel/hung_task_panic", "0")?,
        Setting::change("/proc/sys/kernel/hung_task_warnings", "-1")?,
        Setting::change("/proc/sys/kernel/hung_task_check_interval_secs", "1")?,
        Setting::change(HUNG_AFTER, "1")?,
        Setting::change(QUEUE, "1")?,
    ];
    let mut log = Log::from_now()?;
    send("custom 40\nflush\n")?;
    let is_report = |record: &Record| {
        let text = record.lossy();
        let who = ["kworker", "wqtest"].iter().any(|name| text.contains(name));
        who && text.contains("blocked for more than")
    };
    let reports: Vec<Record> = log.drain()?.into_iter().filter(is_report).collect();
    ensure!(reports.is_empty(), "the kernel takes it for hung: {}", reports[0].lossy());
    Ok(())
}

fn demo_flush_holds_up_nobody_else(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.demo, "")?;
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
