// SPDX-License-Identifier: GPL-2.0

//! poll(2), select(2) and epoll(7): asking before a write.

use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sys::epoll::EpollFlags;
use nix::unistd::{gettid, Pid};

use super::cases;
use super::echo_bound::FullQueue;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::echo::{counters_at_rest, EchoFixture};
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{loaded_with, reloaded_afterwards};
use crate::harness::polling::{
    events_now, told, told_now, wait_by_poll, watch, writable, Way, WAYS,
};
use crate::harness::process::status_field;
use crate::harness::wait::wait_until;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};

cases! {
    echo_polls_writable_exactly_while_there_is_room,
    echo_wakes_who_polls_when_there_is_room,
    echo_tells_epoll_by_level_as_long_as_there_is_room,
    echo_tells_epoll_by_edge_once_each_time_that_there_is_room_again,
    echo_lets_a_nonblocking_writer_on_without_a_failed_write,
    echo_lets_many_nonblocking_writers_on_who_poll,
    echo_can_be_removed_while_an_epoll_set_is_there_that_had_its_file,
}

fn echo_polls_writable_exactly_while_there_is_room(harness: &Harness) -> Outcome {
    const BOUND: usize = 8;
    let reload = loaded_with(&harness.echo, &format!("max_pending={BOUND}"))?;
    let echo = EchoFixture::new()?;
    let file = echo.device.file();
    let mut held = HeldQueue::hold("wq_echo")?;
    for pending in 0..BOUND {
        ensure_eq!(events_now(file)?, writable(), "events with {pending} of {BOUND} pending");
        echo.write(b"x", 1)?;
    }
    ensure_eq!(events_now(file)?, PollFlags::empty(), "events at the bound");
    held.release()?;
    counters_at_rest()?;
    ensure_eq!(events_now(file)?, writable(), "events with room again");
    drop(echo);
    reload.finish()
}

/// The ID of the waiting thread, set right before it waits.
static WAITING: AtomicI32 = AtomicI32::new(0);

/// Waits in one of the available ways, at a bound that another file has reached.
fn wait_by((name, way): &(&str, Way), device: &EchoDevice) -> Outcome {
    WAITING.store(gettid().as_raw(), Ordering::Release);
    ensure!(way(device.file())?, "{name}: nobody said that there was room");
    Ok(())
}

/// Waits until the thread in [`WAITING`] sleeps.
fn wait_for_sleeper() -> Outcome {
    wait_until("a thread to sleep until there is room", || {
        let waiting = WAITING.load(Ordering::Acquire);
        if waiting == 0 {
            return Ok(Err("it has not begun".to_owned()));
        }
        let state = status_field(Pid::from_raw(waiting), "State")?;
        Ok(if state.starts_with('S') { Ok(()) } else { Err(state) })
    })
}

fn echo_wakes_who_polls_when_there_is_room(harness: &Harness) -> Outcome {
    for way in WAYS {
        let mut full = FullQueue::new(harness, 8)?;
        let device = EchoDevice::open()?;
        WAITING.store(0, Ordering::Release);
        let waiter = thread::spawn(move || wait_by(&way, &device));
        let slept = wait_for_sleeper();
        full.held.release()?;
        slept?;
        match waiter.join() {
            Ok(result) => result?,
            Err(_) => return fail("the thread panicked"),
        }
        full.close().finish()?;
    }
    Ok(())
}

fn echo_tells_epoll_by_level_as_long_as_there_is_room(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let epoll = watch(full.echo.device.file(), EpollFlags::empty())?;
    ensure_eq!(told_now(&epoll)?, None, "told at the bound");
    full.held.release()?;
    counters_at_rest()?;
    for _ in 0..3 {
        ensure_eq!(told(&epoll)?, EpollFlags::EPOLLOUT, "told with room");
    }
    Ok(())
}

fn echo_tells_epoll_by_edge_once_each_time_that_there_is_room_again(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let epoll = watch(full.echo.device.file(), EpollFlags::EPOLLET)?;
    ensure_eq!(told_now(&epoll)?, None, "told at the bound");
    full.held.release()?;
    counters_at_rest()?;
    ensure_eq!(told(&epoll)?, EpollFlags::EPOLLOUT, "told with room again");
    ensure_eq!(told_now(&epoll)?, None, "told again");
    // There is room before and after, so no event is due.
    for _ in 0..3 {
        full.echo.write(b"less than the bound", 19)?;
        counters_at_rest()?;
        ensure_eq!(told_now(&epoll)?, None, "told though there has always been room");
    }
    let mut held = HeldQueue::hold("wq_echo")?;
    for text in &full.texts {
        full.echo.write(text.as_bytes(), text.len())?;
    }
    held.release()?;
    counters_at_rest()?;
    ensure_eq!(told(&epoll)?, EpollFlags::EPOLLOUT, "told the next time");
    Ok(())
}

/// Enough writes for a few hundred bounds.
const WRITES: usize = 1000;

fn write_when_told(device: &EchoDevice, refused: impl Fn() -> Outcome) -> Outcome {
    for _ in 0..WRITES {
        loop {
            ensure!(wait_by_poll(device.file())?, "nobody said that there was room");
            match device.write(b"polled") {
                Ok(6) => break,
                Err(Errno::EAGAIN) => refused()?,
                other => return fail(format!("a write after poll(2): {other:?}")),
            }
        }
    }
    Ok(())
}

fn echo_lets_a_nonblocking_writer_on_without_a_failed_write(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.echo, "max_pending=4 quiet=1")?;
    let device = EchoDevice::open_with(OFlag::O_NONBLOCK)?;
    write_when_told(&device, || fail("refused, though there was room and nobody else"))?;
    let now = counters_at_rest()?;
    ensure_eq!((now.accepted, now.refused), (WRITES as u64, 0), "accepted and refused");
    drop(device);
    reload.finish()
}

fn echo_lets_many_nonblocking_writers_on_who_poll(harness: &Harness) -> Outcome {
    const WRITERS: usize = 8;
    let reload = loaded_with(&harness.echo, "max_pending=4 quiet=1")?;
    thread::scope(|scope| {
        let write = || -> Outcome {
            let device = EchoDevice::open_with(OFlag::O_NONBLOCK)?;
            // Another writer was faster.
            write_when_told(&device, || Ok(()))
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        writers.into_iter().try_for_each(|writer| match writer.join() {
            Ok(result) => result,
            Err(_) => fail("a writer panicked"),
        })
    })?;
    let now = counters_at_rest()?;
    ensure_eq!(now.accepted, (WRITERS * WRITES) as u64, "accepted");
    reload.finish()
}

fn echo_can_be_removed_while_an_epoll_set_is_there_that_had_its_file(harness: &Harness) -> Outcome {
    let guard = reloaded_afterwards(&harness.echo)?;
    let device = EchoDevice::open()?;
    let epoll = watch(device.file(), EpollFlags::empty())?;
    ensure_eq!(told(&epoll)?, EpollFlags::EPOLLOUT, "told with room");
    drop(device);
    ensure_eq!(told_now(&epoll)?, None, "told of a file that is closed");
    ensure_eq!(harness.echo.remove(), Ok(()), "removing it when the file is closed");
    ensure_eq!(told_now(&epoll)?, None, "told of a module that is gone");
    drop(epoll);
    harness.echo.load("")?;
    ensure_eq!(EchoCounters::read()?.accepted, 0, "accepted by the module loaded last");
    guard.finish()
}
