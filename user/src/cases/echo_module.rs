// SPDX-License-Identifier: GPL-2.0

//! Loading and removing `wq_echo`.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::cases;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::echo::{counters_at_rest, expect_messages, EchoBench};
use crate::harness::echo_log::EchoLog;
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{loaded_with, reloaded_afterwards, removed};
use crate::harness::removal::removal_of_held_echo;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::kmsg::Log;
use crate::model::PREFIX;
use crate::paths::{ECHO_COUNTERS, ECHO_DEVICE};

cases! {
    echo_refuses_to_load_with_max_pending_0,
    echo_refuses_to_load_with_parameters_that_make_no_sense,
    echo_counts_without_printing_when_quiet,
    echo_cannot_be_removed_while_a_file_is_open,
    echo_prints_all_that_was_accepted_before_it_is_removed,
    echo_prints_a_held_queue_before_it_is_removed,
    echo_takes_its_files_with_it,
    echo_can_be_loaded_again_and_again,
}

/// What loading with `parameters` says, and the module's own log lines.
fn load_refused(harness: &Harness, parameters: &str) -> Outcome<(Option<Errno>, Vec<String>)> {
    let mut log = Log::from_now()?;
    let Err(error) = harness.echo.load(parameters) else {
        return fail(format!("loaded with {parameters}"));
    };
    ensure_eq!(harness.echo.state(), None, "the state of a module that did not load");
    ensure!(!Path::new(ECHO_DEVICE).exists(), "{ECHO_DEVICE} is there without its module");
    ensure!(!Path::new(ECHO_COUNTERS).exists(), "{ECHO_COUNTERS} is there without its module");
    let records = log.drain()?.into_iter().filter(|record| record.is_from(PREFIX));
    Ok((error.errno(), records.map(|record| record.lossy().into_owned()).collect()))
}

fn echo_refuses_to_load_with_max_pending_0(harness: &Harness) -> Outcome {
    let reload = removed(&harness.echo)?;
    let (errno, lines) = load_refused(harness, "max_pending=0")?;
    ensure_eq!(errno, Some(Errno::EINVAL), "loading with max_pending=0");
    ensure_eq!(lines.len(), 1, "lines logged, {lines:?}");
    ensure!(lines[0].contains("max_pending"), "the line does not say why: {lines:?}");
    reload.finish()
}

fn echo_refuses_to_load_with_parameters_that_make_no_sense(harness: &Harness) -> Outcome {
    let reload = removed(&harness.echo)?;
    for parameters in ["max_pending=many", "max_pending=-1", "max_pending=", "quiet=perhaps"] {
        let (errno, _) = load_refused(harness, parameters)?;
        ensure_eq!(errno, Some(Errno::EINVAL), "loading with {parameters}");
    }
    reload.finish()
}

fn echo_counts_without_printing_when_quiet(harness: &Harness) -> Outcome {
    for on in ["quiet=1", "quiet=y"] {
        let reload = loaded_with(&harness.echo, on)?;
        let mut log = EchoLog::from_now()?;
        let device = EchoDevice::open()?;
        for _ in 0..10 {
            ensure_eq!(device.write(b"unseen\n"), Ok(7), "bytes taken");
        }
        let counters = counters_at_rest()?;
        ensure_eq!((counters.accepted, counters.printed), (10, 10), "accepted and printed");
        expect_messages::<&str>(&log.printed_already()?, &[])?;
        drop(device);
        reload.finish()?;
    }
    Ok(())
}

fn echo_cannot_be_removed_while_a_file_is_open(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.echo)?;
    let mut echo = EchoBench::new()?;
    ensure_eq!(harness.echo.reference_count(), Some(1), "references with one open file");
    // delete_module(2) says EWOULDBLOCK of a module in use, and EBUSY only of
    // one that is being loaded or removed; rmmod(8) says "in use" of both.
    match harness.echo.remove() {
        Err(Errno::EBUSY | Errno::EWOULDBLOCK) => {}
        other => return fail(format!("removing the module of an open file: {other:?}")),
    }
    ensure!(harness.echo.is_live(), "the module is {:?}", harness.echo.state());
    echo.write(b"still there", 11)?;
    echo.expect(&["still there"])?;
    drop(echo);
    ensure_eq!(harness.echo.remove(), Ok(()), "removing it when the file is closed");
    guard.finish()
}

fn echo_prints_all_that_was_accepted_before_it_is_removed(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.echo)?;
    let mut log = EchoLog::from_now()?;
    let texts: Vec<String> = (0..500).map(|number| format!("before removal {number}")).collect();
    let device = EchoDevice::open()?;
    for text in &texts {
        ensure_eq!(device.write(text.as_bytes()), Ok(text.len()), "bytes taken");
    }
    drop(device);
    ensure_eq!(harness.echo.remove(), Ok(()), "removing the module");
    expect_messages(&log.printed_already()?, &texts)?;
    guard.finish()
}

fn echo_prints_a_held_queue_before_it_is_removed(harness: &Harness) -> Outcome {
    let guard = loaded_with(&harness.echo, "")?;
    let mut log = EchoLog::from_now()?;
    let device = EchoDevice::open_with(OFlag::O_NONBLOCK)?;
    let mut held = HeldQueue::hold("wq_echo")?;
    let texts: Vec<String> = (0..100).map(|number| format!("held {number}")).collect();
    for text in &texts {
        ensure_eq!(device.write(text.as_bytes()), Ok(text.len()), "bytes taken");
    }
    ensure_eq!(EchoCounters::read()?.pending, 100, "pending in a queue that is held");
    drop(device);

    removal_of_held_echo(&harness.echo, &mut held)?;
    expect_messages(&log.printed_already()?, &texts)?;
    guard.finish()
}

fn echo_takes_its_files_with_it(harness: &Harness) -> Outcome {
    let guard = removed(&harness.echo)?;
    ensure!(!Path::new(ECHO_DEVICE).exists(), "{ECHO_DEVICE} has stayed");
    ensure!(!Path::new(ECHO_COUNTERS).exists(), "{ECHO_COUNTERS} has stayed");
    let queue = Path::new("/sys/devices/virtual/workqueue/wq_echo");
    ensure!(!queue.exists(), "{} has stayed", queue.display());
    guard.finish()
}

fn echo_can_be_loaded_again_and_again(harness: &Harness) -> Outcome {
    for _ in 0..5 {
        let guard = loaded_with(&harness.echo, "")?;
        let mut echo = EchoBench::new()?;
        echo.write(b"anew", 4)?;
        echo.expect(&["anew"])?;
        drop(echo);
        guard.finish()?;
    }
    Ok(())
}
