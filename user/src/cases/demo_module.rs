// SPDX-License-Identifier: GPL-2.0

//! Loading `workqueue_demo`, and removing it, whatever it is doing.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::write;

use super::cases;
use crate::demo_node;
use crate::harness::child::{Signals, Writer};
use crate::harness::demo::{send, table, table_when};
use crate::harness::demo_log::DemoLog;
use crate::harness::loaded::{load_refused, loaded_with, reloaded_afterwards, removed};
use crate::harness::{ensure, ensure_eq, Harness, Outcome};
use crate::paths::DEMO_NODE;

cases! {
    demo_can_be_removed_with_everything_under_way,
    demo_can_be_removed_with_1000_items_pending,
    demo_can_be_removed_with_a_timer_armed,
    demo_can_be_removed_while_it_ticks,
    demo_can_be_removed_while_somebody_flushes,
    demo_can_be_removed_while_readers_and_writers_are_at_work,
    demo_can_be_removed_while_files_are_open,
    demo_runs_nothing_after_its_removal,
    demo_shows_its_parameters_in_sysfs,
    demo_refuses_to_load_with_parameters_that_make_no_sense,
    demo_takes_its_files_with_it,
}

/// A handler sleeps for 100 ms. In each case, what is queued behind it would take longer than this.
const NO_LONGER_THAN_A_HANDLER: Duration = Duration::from_secs(10);

/// Removes the module, loads it again and uses it.
fn expect_quick_removal(harness: &Harness) -> Outcome {
    let started = Instant::now();
    ensure_eq!(harness.demo.remove(), Ok(()), "removing the module");
    let took = started.elapsed();
    ensure!(took < NO_LONGER_THAN_A_HANDLER, "the removal took {took:?}");
    ensure!(!Path::new(DEMO_NODE).exists(), "{DEMO_NODE} has stayed");
    harness.demo.load("")?;
    send("data 1\ndata 2\ndelayed 1\n")?;
    table_when("the module loaded anew to run what is queued", |table| {
        table.row("data").executed == 2 && table.row("delayed").executed == 1
    })?;
    Ok(())
}

fn demo_can_be_removed_with_everything_under_way(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    send("custom 1000\nimmediate\ndata 1\ndelayed 60000\nstart 10\n")?;
    table_when("items to run and ticks to come", |table| {
        table.row("custom").running > 0
            && table.row("custom").pending > 0
            && table.row("periodic").executed > 0
    })?;
    expect_quick_removal(harness)?;
    guard.finish()
}

fn demo_can_be_removed_with_1000_items_pending(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    send("custom 1000\n")?;
    expect_quick_removal(harness)?;
    guard.finish()
}

fn demo_can_be_removed_with_a_timer_armed(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    send("delayed 60000\n")?;
    expect_quick_removal(harness)?;
    guard.finish()
}

fn demo_can_be_removed_while_it_ticks(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    for _ in 0..3 {
        send("start 10\n")?;
        table_when("ticks", |table| table.row("periodic").executed > 0)?;
        expect_quick_removal(harness)?;
    }
    guard.finish()
}

fn demo_can_be_removed_while_somebody_flushes(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    send("custom 1000\n")?;
    let flusher = Writer::start(Signals::Deadly, DEMO_NODE, "flush\n")?;
    flusher.wait_until_asleep()?;
    expect_quick_removal(harness)?;
    // The flusher has ended, with success or an error.
    flusher.report()?;
    guard.finish()
}

fn demo_can_be_removed_while_readers_and_writers_are_at_work(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // The node comes and goes. Any error will do. A read returns a whole table or
                    // fails.
                    let _ = demo_node::read_table();
                    let _ = demo_node::write_once("custom 2\ndelayed 1\nstart 10\ndata 1\n");
                }
            });
        }
        let removed = (0..3).try_for_each(|_| {
            table_when("work", |table| table.row("data").executed > 0)?;
            let started = Instant::now();
            ensure_eq!(harness.demo.remove(), Ok(()), "removing the module");
            let took = started.elapsed();
            harness.demo.load("")?;
            ensure!(took < NO_LONGER_THAN_A_HANDLER, "the removal took {took:?}");
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        removed
    })?;
    guard.finish()
}

fn demo_can_be_removed_while_files_are_open(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    let mut fresh = File::open(DEMO_NODE)?;
    let mut half_read = File::open(DEMO_NODE)?;
    let writer = OpenOptions::new().write(true).open(DEMO_NODE)?;
    half_read.read_exact(&mut [0; 20])?;
    ensure_eq!(write(&writer, b"data 1\n"), Ok(7), "a write before the removal");

    ensure_eq!(harness.demo.remove(), Ok(()), "removing the module");
    let mut buffer = [0; 4096];
    for file in [&mut fresh, &mut half_read] {
        let error = file.read(&mut buffer).map_err(|error| error.raw_os_error());
        ensure_eq!(error, Err(Some(Errno::EIO as i32)), "a read after the removal");
    }
    ensure_eq!(write(&writer, b"data 1\n"), Err(Errno::EIO), "a write after the removal");
    ensure!(half_read.seek(SeekFrom::Start(0)).is_err(), "a seek after the removal");

    // The old files stay dead when the node is back.
    harness.demo.load("")?;
    ensure!(fresh.read(&mut buffer).is_err(), "a read through a file of the old module");
    ensure_eq!(
        write(&writer, b"data 1\n"),
        Err(Errno::EIO),
        "a write through a file of the old module"
    );
    ensure_eq!(table()?.row("data").queued, 0, "queued through a file of the old module");
    guard.finish()
}

fn demo_runs_nothing_after_its_removal(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    send("custom 100\ndelayed 100\nstart 10\n")?;
    ensure_eq!(harness.demo.remove(), Ok(()), "removing the module");
    // The reloaded module serves as the clock. The old one's timer would have fired, and its items
    // run, before the new one's.
    let mut log = DemoLog::from_now()?;
    harness.demo.load("")?;
    send("delayed 200\n")?;
    log.next_run("delayed")?;
    send("flush\n")?;
    let row = |kind: &str| table().map(|table| table.row(kind).executed);
    ensure_eq!(
        (row("custom")?, row("periodic")?, row("delayed")?),
        (0, 0, 1),
        "executed by the new module"
    );
    ensure_eq!(log.lines_already()?, [""; 0], "lines logged");
    guard.finish()
}

fn demo_shows_its_parameters_in_sysfs(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.demo, "")?;
    for (name, default) in [("refusals_logged", "10\n"), ("refusals_interval_ms", "5000\n")] {
        let path = harness.demo.parameter(name);
        ensure_eq!(fs::read_to_string(&path)?, default, "{name} by default");
        ensure_eq!(fs::metadata(&path)?.mode() & 0o7777, 0o444, "who may read and write {name}");
    }
    reload.finish()
}

fn demo_refuses_to_load_with_parameters_that_make_no_sense(harness: &Harness) -> Outcome {
    let reload = removed(&harness.demo)?;
    for (parameters, why) in [
        ("refusals_interval_ms=0", "refusals_interval_ms=0 is not a number from 1 to 3600000"),
        ("refusals_interval_ms=3600001", "refusals_interval_ms=3600001 is not a number from 1"),
        ("refusals_interval_ms=soon", "`soon' invalid for parameter `refusals_interval_ms'"),
        ("refusals_logged=-1", "`-1' invalid for parameter `refusals_logged'"),
    ] {
        let refused = load_refused(&harness.demo, parameters)?;
        ensure_eq!(refused.errno, Some(Errno::EINVAL), "loading with {parameters}");
        ensure_eq!(refused.lines.len(), 1, "lines logged, {refused:?}");
        ensure!(refused.lines[0].contains(why), "the line does not say why: {refused:?}");
        ensure!(!Path::new(DEMO_NODE).exists(), "{DEMO_NODE} is there without its module");
    }
    reload.finish()
}

fn demo_takes_its_files_with_it(harness: &Harness) -> Outcome {
    let guard = removed(&harness.demo)?;
    ensure!(!Path::new(DEMO_NODE).exists(), "{DEMO_NODE} has stayed");
    let queue = Path::new("/sys/devices/virtual/workqueue/workqueue_demo");
    ensure!(!queue.exists(), "{} has stayed", queue.display());
    ensure_eq!(
        File::open(DEMO_NODE).map_err(|e| e.raw_os_error()).err(),
        Some(Some(Errno::ENOENT as i32)),
        "opening it"
    );
    guard.finish()
}
