// SPDX-License-Identifier: GPL-2.0

//! Signals to a writer that sleeps at the bound.

use std::os::unix::process::ExitStatusExt;

use nix::errno::Errno;
use nix::libc::SIGKILL;

use super::cases;
use super::echo_bound::FullQueue;
use crate::echo_counters::EchoCounters;
use crate::harness::child::{Report, Signals, Writer};
use crate::harness::echo::counters_at_rest;
use crate::harness::{ensure_eq, Harness, Outcome};
use crate::paths::ECHO_DEVICE;

cases! {
    echo_interrupts_a_sleeping_writer_with_eintr,
    echo_lets_a_sleeping_writer_sleep_on_after_sa_restart,
    echo_counts_a_message_that_waited_once_however_often_its_writer_is_stopped,
    echo_counts_no_wait_for_a_write_that_begins_anew_when_there_is_room,
    echo_lets_a_sleeping_writer_be_killed,
}

/// A process that sleeps in a write at the bound.
fn sleeping_writer(full: &FullQueue, signals: Signals) -> Outcome<Writer> {
    let writer = Writer::start(signals, ECHO_DEVICE, "signalled")?;
    full.wait_for_sleepers(1)?;
    writer.wait_until_asleep()?;
    Ok(writer)
}

fn echo_interrupts_a_sleeping_writer_with_eintr(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Interrupt)?;
    writer.signal()?;
    let expected = Report { result: Err(Errno::EINTR), signals: 1 };
    ensure_eq!(writer.report()?, expected, "the writer");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}

fn echo_lets_a_sleeping_writer_sleep_on_after_sa_restart(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Restart)?;
    writer.signal()?;
    writer.wait_until_asleep()?;
    full.expect_nothing_accepted()?;
    full.held.release()?;
    ensure_eq!(writer.report()?, Report { result: Ok(9), signals: 1 }, "the writer");
    full.release_and_expect(&["signalled"])
}

fn echo_counts_a_message_that_waited_once_however_often_its_writer_is_stopped(
    harness: &Harness,
) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Restart)?;
    for _ in 0..3 {
        writer.stop()?;
        full.wait_for_sleepers(0)?;
        writer.go_on()?;
        full.wait_for_sleepers(1)?;
        ensure_eq!(EchoCounters::read()?.blocked, full.counters.blocked, "blocked, of a sleeper");
    }
    writer.signal()?;
    full.wait_for_sleepers(1)?;
    full.held.release()?;
    ensure_eq!(writer.report()?, Report { result: Ok(9), signals: 1 }, "the writer");
    full.release_and_expect(&["signalled"])?;
    let now = EchoCounters::read()?;
    ensure_eq!(now.blocked - full.counters.blocked, 1, "blocked, of one message");
    ensure_eq!(now.waiting, 0, "writers that wait");
    Ok(())
}

fn echo_counts_no_wait_for_a_write_that_begins_anew_when_there_is_room(
    harness: &Harness,
) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Restart)?;
    writer.stop()?;
    full.wait_for_sleepers(0)?;
    full.held.release()?;
    counters_at_rest()?;
    writer.go_on()?;
    ensure_eq!(writer.report()?, Report { result: Ok(9), signals: 0 }, "the writer");
    full.release_and_expect(&["signalled"])?;
    ensure_eq!(EchoCounters::read()?.blocked, full.counters.blocked, "blocked");
    Ok(())
}

fn echo_lets_a_sleeping_writer_be_killed(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Deadly)?;
    ensure_eq!(writer.kill()?.signal(), Some(SIGKILL), "the signal that ended the writer");
    full.expect_nothing_accepted()?;
    full.wait_for_sleepers(0)?;
    full.release_and_expect(&[])?;
    ensure_eq!(EchoCounters::read()?.blocked, full.counters.blocked, "blocked, with none let in");
    Ok(())
}
