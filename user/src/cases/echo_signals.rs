// SPDX-License-Identifier: GPL-2.0

//! Signals that hit a writer who sleeps at the bound.

use std::os::unix::process::ExitStatusExt;

use nix::errno::Errno;
use nix::libc::SIGKILL;

use super::cases;
use super::echo_bound::FullQueue;
use crate::harness::child::{Report, Signals, Writer};
use crate::harness::{ensure_eq, Harness, Outcome};
use crate::paths::ECHO_DEVICE;

cases! {
    echo_interrupts_a_sleeping_writer_with_eintr,
    echo_lets_a_sleeping_writer_sleep_on_after_sa_restart,
    echo_lets_a_sleeping_writer_be_killed,
}

/// A process that sleeps in a write at the bound.
fn sleeping_writer(full: &FullQueue, signals: Signals) -> Outcome<Writer> {
    let writer = Writer::start(signals, ECHO_DEVICE, "signalled")?;
    full.wait_for_blocked(1)?;
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

fn echo_lets_a_sleeping_writer_be_killed(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 4)?;
    let writer = sleeping_writer(&full, Signals::Deadly)?;
    ensure_eq!(writer.kill()?.signal(), Some(SIGKILL), "the signal that ended the writer");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}
