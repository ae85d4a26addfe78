// SPDX-License-Identifier: GPL-2.0

//! Many signals, while writers sleep at the bound of `wq_echo`.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::children::{Caught, Job, Process};
use super::numbered::{numbered, numbers_of};
use crate::cases::cases;
use crate::cases::echo_bound::FullQueue;
use crate::harness::echo::{counters_at_rest, counters_when, expect_messages};
use crate::harness::echo_log::EchoLog;
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::loaded_with;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};

cases! {
    echo_lets_writers_at_its_bound_be_killed_and_interrupted_in_numbers,
    echo_takes_whole_messages_only_of_writers_who_are_killed_and_interrupted,
}

/// How a writer treats signals, and which one it gets. It dies, gets EINTR, or sleeps on.
const FATES: [(Caught, Signal); 6] = [
    (Caught::Neither, Signal::SIGKILL),
    (Caught::Neither, Signal::SIGINT),
    (Caught::Interrupting, Signal::SIGINT),
    (Caught::Interrupting, Signal::SIGALRM),
    (Caught::Restarting, Signal::SIGINT),
    (Caught::Restarting, Signal::SIGALRM),
];

fn echo_lets_writers_at_its_bound_be_killed_and_interrupted_in_numbers(
    harness: &Harness,
) -> Outcome {
    const OF_EACH: usize = 4;
    for _ in 0..harness.load.cycles.div_ceil(10) {
        let jobs: Vec<Job> = (0..OF_EACH * FATES.len())
            .map(|writer| Job::Once {
                caught: FATES[writer % FATES.len()].0,
                text: numbered(writer, 0),
            })
            .collect();
        let pinned = HeldQueue::beside()?;
        let mut writers = Process::start_all(&jobs)?;
        let mut full = FullQueue::new(harness, 8)?;
        writers.iter_mut().try_for_each(Process::go)?;
        full.wait_for_sleepers(jobs.len() as u64)?;
        for (number, writer) in writers.iter().enumerate() {
            writer.signal(FATES[number % FATES.len()].1)?;
        }
        let mut sleep_on = Vec::new();
        for (number, mut writer) in writers.into_iter().enumerate() {
            match FATES[number % FATES.len()].0 {
                Caught::Neither => {
                    let ended_by = writer.wait()?.signal();
                    let signal = FATES[number % FATES.len()].1;
                    ensure_eq!(ended_by, Some(signal as i32), "what ended writer {number}");
                }
                Caught::Interrupting => {
                    let report = writer.report()?;
                    ensure_eq!(report["errno"], Errno::EINTR as u64, "what writer {number} gets");
                    ensure_eq!(report["signals"], 1, "signals that writer {number} caught");
                }
                Caught::Restarting => sleep_on.push((number, writer)),
            }
        }
        full.expect_nothing_accepted()?;
        full.held.release()?;
        let mut texts = Vec::new();
        for (number, writer) in &mut sleep_on {
            let report = writer.report()?;
            ensure_eq!(report["errno"], 0, "what writer {number} gets");
            ensure_eq!(report["signals"], 1, "signals that writer {number} caught");
            texts.push(numbered(*number, 0));
        }
        let now = counters_at_rest()?;
        let expected = full.counters.accepted + texts.len() as u64;
        ensure_eq!((now.accepted, now.printed), (expected, expected), "accepted and printed");
        let mut printed = full.echo.log.printed_already()?;
        let waited = printed.split_off(full.texts.len().min(printed.len()));
        expect_messages(&printed, &full.texts)?;
        let mut waited: Vec<String> = waited
            .iter()
            .map(|message| String::from_utf8_lossy(&message.text()).into_owned())
            .collect();
        waited.sort();
        texts.sort();
        ensure_eq!(waited, texts, "messages of those who slept on");
        drop(sleep_on);
        full.close().finish()?;
        drop(pinned);
        harness.progress.step();
    }
    Ok(())
}

/// The writers of a round; `None` for one that has been killed.
type Writers = Vec<Option<Process>>;

/// What writer `number` does about signals.
fn caught_by(number: usize) -> Caught {
    [Caught::Neither, Caught::Interrupting, Caught::Restarting][number % 3]
}

fn echo_takes_whole_messages_only_of_writers_who_are_killed_and_interrupted(
    harness: &Harness,
) -> Outcome {
    const WRITERS: usize = 12;
    const MOST: usize = 60;
    let mut random = harness.load.random("writers who are killed and interrupted");
    let (mut interrupted, mut killed) = (0, 0);
    for _ in 0..harness.load.cycles.div_ceil(10) {
        let pinned = HeldQueue::beside()?;
        let reload = loaded_with(&harness.echo, "max_pending=1")?;
        let jobs: Vec<Job> = (0..WRITERS)
            .map(|writer| Job::Numbered { caught: caught_by(writer), writer, most: MOST })
            .collect();
        let mut writers: Writers = Process::start_all(&jobs)?.into_iter().map(Some).collect();
        let mut log = EchoLog::from_now()?;
        let mut next = [0; WRITERS];
        hit_them_asleep(&mut writers)?;
        drop(pinned);
        writers.iter().flatten().try_for_each(Process::run_where_this_does)?;
        // Signals at any moment: before, during and after the sleep.
        for _ in 0..240 {
            let number = random.below(WRITERS);
            match &writers[number] {
                Some(_) if caught_by(number) == Caught::Neither => {
                    if random.one_in(12) {
                        drop(writers[number].take());
                    }
                }
                // A signal to a writer that has ended is lost, which does no harm.
                Some(writer) => {
                    writer.signal(random.pick(&[Signal::SIGINT, Signal::SIGALRM]))?;
                }
                None => {}
            }
            follow(&mut log, &mut next)?;
            thread::sleep(Duration::from_micros(random.below(500) as u64));
        }
        killed += writers.iter().filter(|writer| writer.is_none()).count();
        for (number, writer) in writers.iter_mut().enumerate() {
            let Some(writer) = writer else { continue };
            let report = writer.report()?;
            ensure_eq!(report["written"], MOST as u64, "written by writer {number}");
            interrupted += report["interrupted"];
            let (restarts, interrupts) = (Caught::Restarting, Caught::Interrupting);
            let is_hit = report["interrupted"] > 0;
            ensure!(caught_by(number) != restarts || !is_hit, "a write was not taken up again");
            ensure!(caught_by(number) != interrupts || is_hit, "writer {number} was never hit");
            follow(&mut log, &mut next)?;
        }
        drop(writers);
        let now = counters_at_rest()?;
        follow(&mut log, &mut next)?;
        let printed: usize = next.iter().sum();
        ensure_eq!(
            (now.accepted, now.printed),
            (printed as u64, printed as u64),
            "accepted and printed, of the messages in the log"
        );
        ensure!(next[KILLED_ASLEEP] <= 1, "{} messages of a writer killed", next[KILLED_ASLEEP]);
        for (number, printed) in next.iter().enumerate() {
            let whole = caught_by(number) != Caught::Neither;
            ensure!(!whole || *printed == MOST, "{printed} messages of writer {number} printed");
        }
        reload.finish()?;
        harness.progress.step();
    }
    harness
        .progress
        .note(format!("{interrupted} writes were interrupted, {killed} writers killed"));
    Ok(())
}

/// The writer that [`hit_them_asleep`] kills.
const KILLED_ASLEEP: usize = 0;

/// Lets all writers begin and fall asleep at a bound of one message. The bound stays until one
/// writer is dead and each writer that catches signals has had one.
fn hit_them_asleep(writers: &mut Writers) -> Outcome {
    let mut held = HeldQueue::hold("wq_echo")?;
    writers.iter_mut().flatten().try_for_each(Process::go)?;
    // The first message fills the queue. Then all have to wait, including its writer.
    let asleep = writers.len() as u64;
    counters_when("all writers to sleep at the bound", |now| now.waiting == asleep)?;
    drop(writers[KILLED_ASLEEP].take());
    for (number, writer) in writers.iter().enumerate() {
        if let (Some(writer), true) = (writer, caught_by(number) != Caught::Neither) {
            writer.signal_and_wait(Signal::SIGINT)?;
        }
    }
    let alive = asleep - 1;
    let now = counters_when("those hit to sleep again", |now| now.waiting == alive)?;
    ensure_eq!((now.accepted, now.pending), (1, 1), "accepted and pending, with all asleep");
    held.release()
}

/// Each printed message is whole, and is the next of its writer.
pub fn follow(log: &mut EchoLog, next: &mut [usize]) -> Outcome {
    for message in log.printed_already()? {
        match numbers_of(&message.text()) {
            Some((writer, number)) if next.get(writer) == Some(&number) => next[writer] += 1,
            _ => return fail(format!("{message:?} is not next, which were {next:?}")),
        }
    }
    Ok(())
}
