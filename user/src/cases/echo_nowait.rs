// SPDX-License-Identifier: GPL-2.0

//! Writes that never wait, whatever the file's flags: `RWF_NOWAIT`, and io_uring.

use std::fs;

use nix::errno::Errno;

use super::cases;
use super::echo_bound::FullQueue;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::echo::EchoFixture;
use crate::harness::wait::wait_until;
use crate::harness::{ensure_eq, fail, skip, Harness, Outcome};
use crate::raw::Ring;

cases! {
    echo_takes_a_write_with_rwf_nowait,
    echo_refuses_a_write_with_rwf_nowait_at_the_bound,
    echo_takes_a_write_by_io_uring,
    echo_lets_a_write_by_io_uring_wait_for_room_without_a_thread,
    echo_lets_a_write_by_io_uring_wait_for_room_with_o_nonblock_too,
    echo_refuses_a_write_by_io_uring_with_rwf_nowait_at_the_bound,
    echo_cannot_be_removed_while_somebody_polls,
    echo_forgets_a_write_by_io_uring_whose_ring_goes,
}

fn echo_takes_a_write_with_rwf_nowait(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    ensure_eq!(echo.device.write_nowait(b"at once\n"), Ok(8), "bytes taken");
    echo.expect(&["at once"])
}

fn echo_refuses_a_write_with_rwf_nowait_at_the_bound(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open()?;
    ensure_eq!(device.write_nowait(b"too much"), Err(Errno::EAGAIN), "write at the bound");
    let now = EchoCounters::read()?;
    ensure_eq!(now.refused - full.counters.refused, 1, "refused");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}

fn ring() -> Outcome<Ring> {
    match Ring::new() {
        Ok(ring) => Ok(ring),
        Err(error) => skip(format!("the kernel offers no io_uring: {error}")),
    }
}

/// Waits until the ring's write is over.
fn result(ring: &mut Ring) -> Outcome<Result<usize, Errno>> {
    wait_until("a write by io_uring to end", || {
        Ok(ring.result().ok_or_else(|| "it has not ended".to_owned()))
    })
}

fn echo_takes_a_write_by_io_uring(_: &Harness) -> Outcome {
    let mut ring = ring()?;
    let mut echo = EchoFixture::new()?;
    ring.begin(echo.device.file(), b"by a ring", false)?;
    ensure_eq!(ring.result(), Some(Ok(9)), "when it was submitted");
    echo.expect(&["by a ring"])
}

/// The threads of this process that do what a ring could not do without waiting.
fn ring_workers() -> Outcome<Vec<String>> {
    let mut workers = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let name = fs::read_to_string(task?.path().join("comm"))?;
        if name.starts_with("iou-wrk") {
            workers.push(name);
        }
    }
    Ok(workers)
}

fn echo_lets_a_write_by_io_uring_wait_for_room_without_a_thread(harness: &Harness) -> Outcome {
    let mut ring = ring()?;
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open()?;
    ring.begin(device.file(), b"waited in a ring", false)?;
    ensure_eq!(ring.result(), None, "when it was submitted at the bound");
    ensure_eq!(ring_workers()?, Vec::<String>::new(), "threads that wait for it");
    full.expect_nothing_accepted()?;
    full.held.release()?;
    ensure_eq!(result(&mut ring)?, Ok(16), "with room");
    full.release_and_expect(&["waited in a ring"])
}

/// As in the kernel: a caller that does not want this sets `RWF_NOWAIT`.
fn echo_lets_a_write_by_io_uring_wait_for_room_with_o_nonblock_too(harness: &Harness) -> Outcome {
    let mut ring = ring()?;
    let mut full = FullQueue::new(harness, 8)?;
    ring.begin(full.echo.device.file(), b"waited all the same", false)?;
    ensure_eq!(ring.result(), None, "when it was submitted at the bound");
    full.held.release()?;
    ensure_eq!(result(&mut ring)?, Ok(19), "with room");
    full.release_and_expect(&["waited all the same"])
}

fn echo_refuses_a_write_by_io_uring_with_rwf_nowait_at_the_bound(harness: &Harness) -> Outcome {
    let mut ring = ring()?;
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open()?;
    ring.begin(device.file(), b"too much", true)?;
    ensure_eq!(ring.result(), Some(Err(Errno::EAGAIN)), "at the bound");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}

/// The ring polls for room, and holds the only reference to the file.
fn echo_cannot_be_removed_while_somebody_polls(harness: &Harness) -> Outcome {
    let mut ring = ring()?;
    let full = FullQueue::new(harness, 8)?;
    ring.begin(full.echo.device.file(), b"polled", false)?;
    ensure_eq!(ring.result(), None, "when it was submitted at the bound");
    let (mut held, reload) = full.close_device();
    let references = harness.echo.reference_count();
    let removal = harness.echo.remove();
    held.release()?;
    ensure_eq!(references, Some(1), "references with every descriptor closed");
    ensure_eq!(removal, Err(Errno::EWOULDBLOCK), "removing it while a ring polls");
    ensure_eq!(result(&mut ring)?, Ok(6), "with room");
    wait_until("the file to be closed", || {
        let count = harness.echo.reference_count();
        Ok(if count == Some(0) { Ok(()) } else { Err(format!("{count:?} references")) })
    })?;
    ensure_eq!(harness.echo.remove(), Ok(()), "removing it when nobody polls any more");
    reload.finish()
}

fn echo_forgets_a_write_by_io_uring_whose_ring_goes(harness: &Harness) -> Outcome {
    let mut ring = ring()?;
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open()?;
    ring.begin(device.file(), b"never", false)?;
    ensure_eq!(ring.result(), None, "at the bound");
    drop(ring);
    drop(device);
    full.release_and_expect(&[])?;
    match full.close().finish() {
        Ok(()) => Ok(()),
        Err(stop) => fail(format!("with a ring that is gone: {stop:?}")),
    }
}
