// SPDX-License-Identifier: GPL-2.0

//! Loading and removing `wq_echo`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::cases;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::echo::{counters_at_rest, expect_messages, EchoFixture};
use crate::harness::echo_log::EchoLog;
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{load_refused, loaded_with, reloaded_afterwards, removed, Refused};
use crate::harness::removal::removal_of_held_echo;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::paths::{ECHO_COUNTERS, ECHO_DEVICE};

cases! {
    echo_refuses_to_load_with_max_pending_0,
    echo_refuses_to_load_with_parameters_that_make_no_sense,
    echo_counts_without_printing_when_quiet,
    echo_takes_the_last_value_of_a_parameter_given_twice,
    echo_shows_its_parameters_in_sysfs,
    echo_can_be_made_quiet_and_loud_while_it_runs,
    echo_cannot_be_removed_while_a_file_is_open,
    echo_prints_all_that_was_accepted_before_it_is_removed,
    echo_prints_a_held_queue_before_it_is_removed,
    echo_takes_its_files_with_it,
    echo_can_be_loaded_again_and_again,
}

/// The result of loading with `parameters`, which leaves nothing behind.
fn refused(harness: &Harness, parameters: &str) -> Outcome<Refused> {
    let refused = load_refused(&harness.echo, parameters)?;
    ensure!(!Path::new(ECHO_DEVICE).exists(), "{ECHO_DEVICE} is there without its module");
    ensure!(!Path::new(ECHO_COUNTERS).exists(), "{ECHO_COUNTERS} is there without its module");
    Ok(refused)
}

fn echo_refuses_to_load_with_max_pending_0(harness: &Harness) -> Outcome {
    let reload = removed(&harness.echo)?;
    let Refused { errno, lines } = refused(harness, "max_pending=0")?;
    ensure_eq!(errno, Some(Errno::EINVAL), "loading with max_pending=0");
    ensure_eq!(lines.len(), 1, "lines logged, {lines:?}");
    ensure!(lines[0].contains("max_pending"), "the line does not say why: {lines:?}");
    reload.finish()
}

fn echo_refuses_to_load_with_parameters_that_make_no_sense(harness: &Harness) -> Outcome {
    let reload = removed(&harness.echo)?;
    for parameters in [
        "max_pending=many",
        "max_pending=-1",
        "max_pending=",
        "max_pending",
        "max_pending=32 max_pending=many",
        "quiet=perhaps",
        "quiet=",
    ] {
        ensure_eq!(
            refused(harness, parameters)?.errno,
            Some(Errno::EINVAL),
            "loading with {parameters}"
        );
    }
    reload.finish()
}

fn echo_counts_without_printing_when_quiet(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.echo)?;
    for on in ["quiet=1", "quiet=y", "quiet"] {
        reload.with(on)?;
        let mut log = EchoLog::from_now()?;
        let device = EchoDevice::open()?;
        for _ in 0..10 {
            ensure_eq!(device.write(b"unseen\n"), Ok(7), "bytes taken");
        }
        let counters = counters_at_rest()?;
        ensure_eq!((counters.accepted, counters.printed), (10, 10), "accepted and printed");
        expect_messages::<&str>(&log.printed_already()?, &[])?;
        drop(device);
    }
    reload.finish()
}

/// What sysfs shows of `max_pending` and `quiet`.
fn parameters(harness: &Harness) -> Outcome<[String; 2]> {
    let shown = |name| fs::read_to_string(harness.echo.parameter(name));
    Ok([shown("max_pending")?, shown("quiet")?])
}

fn echo_takes_the_last_value_of_a_parameter_given_twice(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.echo)?;
    // In the order of modprobe(8): first modprobe.d's, then the command line's.
    for (given, expected) in [
        ("quiet=1 quiet=0", ["1024\n", "N\n"]),
        ("quiet=0 quiet", ["1024\n", "Y\n"]),
        ("max_pending=32 quiet=1 max_pending=64", ["64\n", "Y\n"]),
        ("max_pending=0 max_pending=1", ["1\n", "N\n"]),
    ] {
        reload.with(given)?;
        ensure_eq!(parameters(harness)?, expected, "the parameters with {given}");
    }
    reload.finish()
}

fn echo_shows_its_parameters_in_sysfs(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.echo, "")?;
    ensure_eq!(parameters(harness)?, ["1024\n", "N\n"], "the parameters by default");
    let mode = |name| Ok(fs::metadata(harness.echo.parameter(name))?.mode() & 0o7777);
    let modes: [Outcome<u32>; 2] = [mode("max_pending"), mode("quiet")];
    let [bound, quiet] = modes;
    ensure_eq!((bound?, quiet?), (0o444, 0o644), "who may read and write max_pending and quiet");
    reload.finish()
}

fn echo_can_be_made_quiet_and_loud_while_it_runs(harness: &Harness) -> Outcome {
    let quiet = harness.echo.parameter("quiet");
    let mut echo = EchoFixture::new()?;
    let mut said = Vec::new();
    for (value, is_quiet) in [("1", true), ("N\n", false), ("on\n", true), ("0\n", false)] {
        fs::write(&quiet, value)?;
        let text = format!("after {value:?}");
        echo.write(text.as_bytes(), text.len())?;
        counters_at_rest()?;
        said.extend((!is_quiet).then_some(text));
    }
    for nonsense in ["perhaps\n", "\n", "\n1"] {
        let error = fs::write(&quiet, nonsense).err().and_then(|error| error.raw_os_error());
        ensure_eq!(error, Some(Errno::EINVAL as i32), "writing {nonsense:?} to quiet");
        ensure_eq!(fs::read_to_string(&quiet)?, "N\n", "quiet after {nonsense:?}");
    }
    echo.expect(&said)
}

fn echo_cannot_be_removed_while_a_file_is_open(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.echo)?;
    let mut echo = EchoFixture::new()?;
    ensure_eq!(harness.echo.reference_count(), Some(1), "references with one open file");
    // delete_module(2) returns EWOULDBLOCK for a module in use, and EBUSY only for one that is
    // being loaded or removed. rmmod(8) says "in use" for both.
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
    let guard = reloaded_afterwards(&harness.echo)?;
    for _ in 0..5 {
        guard.with("")?;
        let mut echo = EchoFixture::new()?;
        echo.write(b"anew", 4)?;
        echo.expect(&["anew"])?;
    }
    guard.finish()
}
