// SPDX-License-Identifier: GPL-2.0

//! The bound on pending messages, reached while the queue is held.

use std::thread;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::cases;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::child::{Signals, Writer};
use crate::harness::echo::{counters_at_rest, counters_when, expect_messages, EchoFixture};
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{loaded_with, Reload};
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::paths::ECHO_DEVICE;

cases! {
    echo_refuses_at_the_bound_when_opened_with_o_nonblock,
    echo_refuses_at_the_bound_when_fcntl_sets_o_nonblock,
    echo_lets_a_writer_sleep_at_the_bound_until_there_is_room,
    echo_lets_all_writers_on_who_sleep_at_the_bound,
    echo_wakes_all_writers_for_whom_there_is_room_at_once,
    echo_waits_or_refuses_as_fcntl_last_set_o_nonblock,
    echo_holds_one_message_with_max_pending_1,
    echo_holds_1024_messages_by_default,
    echo_prints_all_that_is_pending_in_one_batch,
    echo_makes_no_message_of_0_bytes_at_the_bound_either,
}

/// `wq_echo` with as many messages pending as it allows, and its queue held.
pub struct FullQueue<'a> {
    // Dropped in this order: the queue runs, the file is closed, the module is loaded again.
    pub held: HeldQueue,
    pub echo: EchoFixture,
    pub texts: Vec<String>,
    /// The counters at the bound.
    pub counters: EchoCounters,
    reload: Reload<'a>,
}

impl<'a> FullQueue<'a> {
    /// Loads the module with room for `max_pending` messages and fills it.
    pub fn new(harness: &'a Harness, max_pending: u64) -> Outcome<FullQueue<'a>> {
        let reload = loaded_with(&harness.echo, &format!("max_pending={max_pending}"))?;
        FullQueue::fill(max_pending, reload)
    }

    fn fill(max_pending: u64, reload: Reload<'a>) -> Outcome<FullQueue<'a>> {
        let mut echo = None;
        let held = HeldQueue::hold_after("wq_echo", || {
            // A pool's first worker makes a second one before it runs an item. kthreadd needs a
            // CPU for that, and `release_and_look` may leave it none.
            ensure_eq!(EchoDevice::open()?.write(b"first"), Ok(5), "bytes taken");
            counters_at_rest()?;
            // Open it before the queue is held, while nothing is pending.
            echo = Some(EchoFixture::with_flags(OFlag::O_NONBLOCK)?);
            Ok(())
        })?;
        let echo = echo.expect("it was opened");
        let texts: Vec<String> =
            (0..max_pending).map(|number| format!("pending {number}")).collect();
        for text in &texts {
            echo.write(text.as_bytes(), text.len())?;
        }
        let counters = EchoCounters::read()?;
        ensure_eq!(counters.pending, max_pending, "pending in a full queue that is held");
        Ok(FullQueue { held, echo, texts, counters, reload })
    }

    /// Lets the queue run and closes the device. The module stays unchanged until the result is
    /// dropped.
    pub fn close(self) -> Reload<'a> {
        self.reload
    }

    /// Closes the device while the queue is held.
    pub fn close_device(self) -> (HeldQueue, Reload<'a>) {
        (self.held, self.reload)
    }

    /// Lets the queue run. It prints what filled it, then `more`.
    pub fn release_and_expect(&mut self, more: &[&str]) -> Outcome {
        self.held.release()?;
        counters_at_rest()?;
        let texts: Vec<&str> =
            self.texts.iter().map(String::as_str).chain(more.iter().copied()).collect();
        expect_messages(&self.echo.log.printed_already()?, &texts)
    }

    /// Waits until this many writers sleep at the bound.
    pub fn wait_for_sleepers(&self, writers: u64) -> Outcome {
        counters_when("writers to sleep at the bound", |now| now.waiting == writers)?;
        Ok(())
    }

    /// How many messages have been accepted since the bound was reached. Waits until all are
    /// printed.
    fn accepted_since(&self) -> Outcome<u64> {
        Ok(counters_at_rest()?.accepted - self.counters.accepted)
    }

    /// Nothing has been accepted or printed since the bound was reached.
    pub fn expect_nothing_accepted(&self) -> Outcome {
        let now = EchoCounters::read()?;
        ensure_eq!(now.accepted, self.counters.accepted, "accepted at the bound");
        ensure_eq!(now.pending, self.counters.pending, "pending at the bound");
        ensure_eq!(now.printed, self.counters.printed, "printed by a held queue");
        Ok(())
    }
}

fn echo_refuses_at_the_bound_when_opened_with_o_nonblock(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    for _ in 0..3 {
        ensure_eq!(full.echo.device.write(b"too much"), Err(Errno::EAGAIN), "write at the bound");
    }
    let now = EchoCounters::read()?;
    ensure_eq!(now.refused - full.counters.refused, 3, "refused");
    ensure_eq!(now.blocked, full.counters.blocked, "blocked");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}

fn echo_refuses_at_the_bound_when_fcntl_sets_o_nonblock(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open()?;
    device.set_nonblocking(true)?;
    ensure_eq!(device.write(b"too much"), Err(Errno::EAGAIN), "write at the bound");
    ensure_eq!(EchoCounters::read()?.refused - full.counters.refused, 1, "refused");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}

fn echo_lets_a_writer_sleep_at_the_bound_until_there_is_room(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let writer = thread::spawn(|| EchoDevice::open()?.write_all(b"waited", |_| ()));
    full.wait_for_sleepers(1)?;
    full.expect_nothing_accepted()?;
    ensure!(!writer.is_finished(), "the writer did not wait");
    full.held.release()?;
    match writer.join() {
        Ok(result) => result?,
        Err(_) => return fail("the writer panicked"),
    }
    full.release_and_expect(&["waited"])
}

fn echo_lets_all_writers_on_who_sleep_at_the_bound(harness: &Harness) -> Outcome {
    const WRITERS: u64 = 6;
    let mut full = FullQueue::new(harness, 2)?;
    let releaser = full.held.releaser();
    thread::scope(|scope| -> Outcome {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let device = EchoDevice::open().expect("the device was there");
                device.write_all(format!("waited {writer}").as_bytes(), |_| ()).expect("a write");
            });
        }
        let all_asleep =
            full.wait_for_sleepers(WRITERS).and_then(|()| full.expect_nothing_accepted());
        // Whatever was seen, the writers have to finish.
        releaser.release();
        all_asleep
    })?;
    full.held.release()?;
    let after = counters_at_rest()?;
    ensure_eq!(after.accepted - full.counters.accepted, WRITERS, "accepted of those who waited");
    ensure_eq!(after.blocked - full.counters.blocked, WRITERS, "blocked");
    ensure_eq!(after.refused, full.counters.refused, "refused");

    let printed = full.echo.log.printed_already()?;
    expect_messages(&printed[..2.min(printed.len())], &full.texts)?;
    let mut waited: Vec<String> = printed[2..]
        .iter()
        .map(|message| String::from_utf8_lossy(&message.text()).into_owned())
        .collect();
    waited.sort();
    let expected: Vec<String> = (0..WRITERS).map(|writer| format!("waited {writer}")).collect();
    ensure_eq!(waited, expected, "messages of those who waited");
    Ok(())
}

fn echo_wakes_all_writers_for_whom_there_is_room_at_once(harness: &Harness) -> Outcome {
    const WRITERS: usize = 6;
    let texts: Vec<String> = (0..WRITERS).map(|writer| format!("waited {writer}")).collect();
    let mut full = FullQueue::new(harness, WRITERS as u64)?;
    let start = |text: &String| Writer::start(Signals::Deadly, ECHO_DEVICE, text);
    let writers: Vec<Writer> = texts.iter().map(start).collect::<Outcome<_>>()?;
    full.wait_for_sleepers(WRITERS as u64)?;
    writers.iter().try_for_each(Writer::wait_until_asleep)?;
    // No writer gets as far as writing. So printing has to wake them all: no further message could
    // wake another writer when it is printed.
    full.held.release_and_look("all writers to be woken", || {
        let asleep: Vec<bool> = writers.iter().map(Writer::is_asleep).collect::<Outcome<_>>()?;
        Ok(if asleep.contains(&true) { Err(format!("asleep: {asleep:?}")) } else { Ok(()) })
    })?;
    for (writer, text) in writers.into_iter().zip(&texts) {
        ensure_eq!(writer.report()?.result, Ok(text.len()), "what the write of {text:?} took");
    }
    ensure_eq!(full.accepted_since()?, WRITERS as u64, "accepted of those who waited");
    Ok(())
}

fn echo_waits_or_refuses_as_fcntl_last_set_o_nonblock(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 8)?;
    let device = EchoDevice::open_with(OFlag::O_NONBLOCK)?;
    ensure_eq!(device.write(b"too much"), Err(Errno::EAGAIN), "write with O_NONBLOCK");
    device.set_nonblocking(false)?;
    let writer = thread::spawn(move || (device.write(b"waited"), device));
    full.wait_for_sleepers(1)?;
    full.held.release()?;
    let Ok((taken, device)) = writer.join() else {
        return fail("the writer panicked");
    };
    ensure_eq!(taken, Ok(6), "write without O_NONBLOCK, which waits");
    counters_at_rest()?;
    // And back, with a file whose writer has waited.
    let _held = HeldQueue::hold("wq_echo")?;
    for text in &full.texts {
        ensure_eq!(device.write(text.as_bytes()), Ok(text.len()), "bytes taken");
    }
    device.set_nonblocking(true)?;
    ensure_eq!(device.write(b"too much"), Err(Errno::EAGAIN), "write with O_NONBLOCK again");
    Ok(())
}

fn echo_holds_one_message_with_max_pending_1(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 1)?;
    ensure_eq!(full.echo.device.write(b"too much"), Err(Errno::EAGAIN), "the second message");
    full.release_and_expect(&[])
}

fn echo_holds_1024_messages_by_default(harness: &Harness) -> Outcome {
    let mut full = FullQueue::fill(1024, loaded_with(&harness.echo, "")?)?;
    ensure_eq!(full.echo.device.write(b"too much"), Err(Errno::EAGAIN), "message 1,025");
    full.release_and_expect(&[])
}

fn echo_prints_all_that_is_pending_in_one_batch(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 100)?;
    full.release_and_expect(&[])?;
    // The first message queued the item, and its run found the others too.
    ensure_eq!(counters_at_rest()?.batches - full.counters.batches, 1, "runs of the work item");
    Ok(())
}

fn echo_makes_no_message_of_0_bytes_at_the_bound_either(harness: &Harness) -> Outcome {
    let mut full = FullQueue::new(harness, 2)?;
    ensure_eq!(EchoDevice::open()?.write(b""), Ok(0), "a write of 0 bytes");
    ensure_eq!(full.echo.device.write(b""), Ok(0), "a write of 0 bytes with O_NONBLOCK");
    full.expect_nothing_accepted()?;
    full.release_and_expect(&[])
}
