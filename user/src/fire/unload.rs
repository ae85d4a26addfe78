// SPDX-License-Identifier: GPL-2.0

//! Removes the modules again and again, in each of their states, and loads them again.
//!
//! However much is queued, armed or requested: the counters balance, the removal waits neither for
//! a timer nor for pending items, and the next module works and knows nothing of the one before.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::epoll::EpollFlags;
use nix::sys::signal::Signal;

use crate::cases::cases;
use crate::cases::echo_bound::FullQueue;
use crate::demo_model::KIND_WORDS;
use crate::demo_node;
use crate::demo_table::{Queue, Table};
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::harness::child::{Signals, Writer};
use crate::harness::demo::{send, table, table_when};
use crate::harness::demo_log::DemoLog;
use crate::harness::echo::{counters_at_rest, expect_messages};
use crate::harness::echo_log::EchoLog;
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{reloaded_afterwards, removed, Reload};
use crate::harness::polling::{told_now, wait_by_poll, watch};
use crate::harness::processor::Processor;
use crate::harness::removal::{removal, removal_of_held_echo, Bound};
use crate::harness::wait::{wait_until, PATIENCE};
use crate::harness::{ensure, ensure_eq, fail, kmemleak, Harness, Outcome, Stop};
use crate::modules::Module;
use crate::paths::{DEMO_NODE, ECHO_DEVICE};

cases! {
    demo_goes_again_and_again_with_items_pending,
    demo_goes_again_and_again_with_a_timer_armed,
    demo_goes_again_and_again_with_a_timer_firing,
    demo_goes_again_and_again_while_items_run,
    demo_goes_again_and_again_while_it_ticks_every_10_ms,
    demo_goes_again_and_again_with_1000_items_queued,
    demo_goes_again_and_again_with_items_of_all_kinds_of_queues,
    demo_goes_again_and_again_while_queues_are_made,
    demo_goes_again_and_again_while_it_is_read,
    demo_goes_again_and_again_with_all_of_it_at_once,
    demo_goes_again_and_again_while_a_processor_comes_and_goes,
    echo_goes_again_and_again_with_messages_pending,
    echo_stays_again_and_again_while_writers_sleep_at_its_bound,
    echo_goes_again_and_again_while_epoll_sets_outlive_its_files,
    both_go_again_and_again_while_writers_write_to_both,
}

/// The removals of a case.
struct Removals<'a> {
    harness: &'a Harness,
    module: &'a Module,
    bound: Bound,
    took: Vec<Duration>,
}

impl<'a> Removals<'a> {
    fn of(harness: &'a Harness, module: &'a Module) -> Outcome<Removals<'a>> {
        let bound = Bound::of(module)?;
        Ok(Removals { harness, module, bound, took: Vec::new() })
    }

    /// Removes the module, within the bound.
    fn remove(&mut self) -> Outcome {
        let took = removal(self.module)?;
        self.took(took)
    }

    fn took(&mut self, took: Duration) -> Outcome {
        self.took.push(took);
        self.harness.progress.step();
        let Bound { idle, most, .. } = self.bound;
        ensure!(
            took <= most,
            "removal {} took {took:?}, more than {most:?}: an idle module's takes {idle:?}",
            self.took.len()
        );
        Ok(())
    }

    fn tell(&mut self) {
        self.took.sort_unstable();
        let median = self.took.get(self.took.len() / 2);
        let (Some(longest), Some(median)) = (self.took.last(), median) else {
            return;
        };
        self.harness.progress.note(format!(
            "{} removals, the longest took {longest:.0?}, half of them at most {median:.0?}, \
             of an idle module {:.0?}",
            self.took.len(),
            self.bound.idle
        ));
    }
}

/// Brings the module into a state, removes it and loads it again, `cycles` times.
fn cycle_demo(harness: &Harness, mut arrange: impl FnMut(u32) -> Outcome) -> Outcome {
    let guard = reloaded_afterwards(&harness.demo)?;
    let mut removals = Removals::of(harness, &harness.demo)?;
    for cycle in 0..harness.load.cycles {
        arrange(cycle)?;
        // Each read checks that the table balances.
        table()?;
        removals.remove()?;
        harness.demo.load("")?;
    }
    removals.tell();
    guard.finish()
}

/// The module that was loaded last has nothing left from earlier ones.
fn expect_fresh_demo() -> Outcome {
    send("data 1\nimmediate\nflush\n")?;
    let now = table()?;
    let executed = (now.row("data").executed, now.row("immediate").executed);
    ensure_eq!(executed, (1, 1), "executed by the module loaded last");
    Ok(())
}

fn cycle_demo_alone(harness: &Harness, arrange: impl FnMut(u32) -> Outcome) -> Outcome {
    cycle_demo(harness, arrange)?;
    expect_fresh_demo()?;
    expect_nothing_left(harness, &[&harness.demo])
}

/// How many removals are worth a leak check of their own. A check takes longer than a few removals,
/// and everything is checked at the end.
const WORTH_A_LOOK: u32 = 10;

/// Checks that the removed modules have left no memory behind, if the kernel has kmemleak.
fn expect_nothing_left(harness: &Harness, modules: &[&Module]) -> Outcome {
    if harness.load.cycles < WORTH_A_LOOK || !kmemleak::is_there() {
        return Ok(());
    }
    harness.progress.step();
    let gone = modules.iter().map(|module| removed(module)).collect::<Outcome<Vec<_>>>()?;
    kmemleak::expect_no_leaks()?;
    gone.into_iter().try_for_each(Reload::finish)
}

fn demo_goes_again_and_again_with_items_pending(harness: &Harness) -> Outcome {
    cycle_demo_alone(harness, |cycle| {
        // More than could run within the bound of a removal.
        let items = 1000 - cycle % 4;
        send(&format!("immediate\ncustom {items}\ndata {cycle}\n"))?;
        let now = table()?;
        ensure_eq!(now.row("custom").queued, u64::from(items), "custom queued");
        ensure!(now.row("custom").pending + now.row("data").pending > 0, "nothing pends: {now:?}");
        Ok(())
    })
}

fn demo_goes_again_and_again_with_a_timer_armed(harness: &Harness) -> Outcome {
    let mut log = DemoLog::from_now()?;
    cycle_demo_alone(harness, |_| {
        send("delayed 60000\n")?;
        ensure_eq!(table()?.row("delayed").pending, 1, "delayed pending");
        Ok(())
    })?;
    ensure_eq!(delayed_runs(&mut log)?, 0, "items that ran, of timers taken back");
    Ok(())
}

fn demo_goes_again_and_again_with_a_timer_firing(harness: &Harness) -> Outcome {
    /// This many cycles are sure to find the moment.
    const ENOUGH: u32 = 10;
    let mut log = DemoLog::from_now()?;
    let mut moment = Moment::new();
    cycle_demo_alone(harness, |cycle| {
        if cycle > 0 {
            moment.came(delayed_runs(&mut log)? > 0);
        }
        send(&format!("delayed {}\n", moment.delay_ms()))?;
        thread::sleep(moment.pause());
        Ok(())
    })?;
    moment.came(delayed_runs(&mut log)? > 0);
    let Moment { fired, taken_back, .. } = moment;
    harness.progress.note(format!("{fired} timers fired, {taken_back} were taken back"));
    ensure!(
        fired.min(taken_back) > 0 || harness.load.cycles < ENOUGH,
        "{fired} timers fired and {taken_back} were taken back: none did as it was removed"
    );
    Ok(())
}

fn delayed_runs(log: &mut DemoLog) -> Outcome<usize> {
    Ok(log.runs_already()?.iter().filter(|run| run.kind == "delayed").count())
}

/// Searches for the delay with which a timer fires just as the module goes: too early and too late
/// in turn, and the delays between.
struct Moment {
    /// From now to the timer, in ms. A value below 1 is a pause before the removal instead.
    aim: i64,
    step: i64,
    last: Option<bool>,
    fired: u32,
    taken_back: u32,
}

impl Moment {
    fn new() -> Moment {
        Moment { aim: 5, step: 1, last: None, fired: 0, taken_back: 0 }
    }

    fn delay_ms(&self) -> i64 {
        self.aim.max(1)
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(1_i64.saturating_sub(self.aim).max(0).unsigned_abs())
    }

    /// Records whether the timer fired before it could be cancelled.
    fn came(&mut self, fired: bool) {
        self.step = match self.last.replace(fired) {
            Some(before) if before == fired => self.step * 2,
            _ => 1,
        };
        match fired {
            true => (self.fired, self.aim) = (self.fired + 1, self.aim + self.step),
            false => (self.taken_back, self.aim) = (self.taken_back + 1, self.aim - self.step),
        }
    }
}

fn demo_goes_again_and_again_while_items_run(harness: &Harness) -> Outcome {
    cycle_demo_alone(harness, |_| {
        // Repeat until a look finds both running: on a busy machine a look may come too late.
        wait_until("items to run", || {
            send("immediate\ncustom 4\n")?;
            let now = table()?;
            let both = now.row("custom").running > 0 && now.row("immediate").running > 0;
            Ok(if both { Ok(()) } else { Err(format!("{now:?}")) })
        })
    })
}

fn demo_goes_again_and_again_while_it_ticks_every_10_ms(harness: &Harness) -> Outcome {
    cycle_demo_alone(harness, |cycle| {
        send("start 10\n")?;
        let ticks = u64::from(cycle % 3);
        table_when("ticks", |table| {
            table.periodic.started && table.row("periodic").executed >= ticks
        })?;
        Ok(())
    })
}

fn demo_goes_again_and_again_with_1000_items_queued(harness: &Harness) -> Outcome {
    cycle_demo_alone(harness, |_| {
        send("custom 1000\n")?;
        ensure!(table()?.row("custom").pending > 900, "the items do not pend");
        Ok(())
    })
}

fn items_of(kind: &str) -> u32 {
    if kind == "ordered" {
        300
    } else {
        160
    }
}

fn demo_goes_again_and_again_with_items_of_all_kinds_of_queues(harness: &Harness) -> Outcome {
    cycle_demo_alone(harness, |cycle| {
        // A different queue is last each time.
        let mut kinds = KIND_WORDS;
        kinds.rotate_left(cycle as usize % KIND_WORDS.len());
        // The ordered queue runs one item at a time, so its items would outlast a removal's bound.
        let commands = kinds.map(|kind| format!("custom {} {kind}\n", items_of(kind))).concat();
        send(&commands)?;
        table_when("items of all kinds to run", |table| {
            let is_used = |queue: &Queue| queue.peak_running > 0;
            table.queues.iter().filter(|queue| is_used(queue)).count() == KIND_WORDS.len()
        })?;
        ensure!(table()?.row("custom").pending > 0, "nothing pends");
        Ok(())
    })
}

fn demo_goes_again_and_again_while_queues_are_made(harness: &Harness) -> Outcome {
    let writes = Tally::default();
    let run = |stop: &AtomicBool, turn: usize| first_use_on(stop, turn, &writes);
    beside(4, run, || {
        cycle_demo(harness, |_| writes.wait_for_more("commands to be taken beside it"))
    })?;
    expect_fresh_demo()?;
    expect_nothing_left(harness, &[&harness.demo])
}

/// Uses one queue after the other, of whatever module is loaded.
fn first_use_on(stop: &AtomicBool, turn: usize, writes: &Tally) -> Outcome {
    for kind in KIND_WORDS.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match demo_node::write_once(format!("custom 2 {kind}\n")) {
            Ok(_) => writes.count(),
            Err(error) => match error.errno() {
                Some(Errno::EAGAIN) => {}
                errno if comes_and_goes(errno) => {}
                _ => return fail(format!("writer {turn}: {error}")),
            },
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn demo_goes_again_and_again_while_it_is_read(harness: &Harness) -> Outcome {
    let tables = Tally::default();
    let run = |stop: &AtomicBool, _| read_on(stop, &tables);
    beside(2, run, || {
        let mut readers = Vec::new();
        cycle_demo(harness, |_| {
            tables.wait_for_more("tables to be read beside it")?;
            send("custom 2\n")?;
            let mut open = File::open(DEMO_NODE)?;
            open.read_exact(&mut [0; 20])?;
            // It stays open, half read, while the module goes.
            readers.push(thread::spawn(move || expect_eio_in_the_end(open)));
            Ok(())
        })?;
        let failed = |_| fail("a reader panicked");
        readers.into_iter().try_for_each(|reader| reader.join().unwrap_or_else(failed))
    })?;
    expect_fresh_demo()?;
    expect_nothing_left(harness, &[&harness.demo])
}

/// Reads until the module is gone.
fn expect_eio_in_the_end(mut open: File) -> Outcome {
    let mut buffer = [0; 64];
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        let next = match open.read(&mut buffer) {
            Ok(0) => open.seek(SeekFrom::Start(0)).map(|_| ()),
            read => read.map(|_| ()),
        };
        match next {
            Ok(()) => ensure!(Instant::now() < deadline, "the file can still be read"),
            Err(error) => break error,
        }
    };
    // What C returns from read(2), and from lseek(2), on a removed file.
    let errno = error.raw_os_error().map(Errno::from_raw);
    ensure!(matches!(errno, Some(Errno::EIO | Errno::EINVAL)), "a file that is gone: {error}");
    Ok(())
}

fn demo_goes_again_and_again_with_all_of_it_at_once(harness: &Harness) -> Outcome {
    let (tables, writes) = (Tally::default(), Tally::default());
    let run = |stop: &AtomicBool, turn: usize| match turn % 2 {
        0 => read_on(stop, &tables),
        _ => write_on(stop, turn, &writes),
    };
    beside(4, run, || {
        cycle_demo(harness, |_| {
            tables.wait_for_more("tables to be read beside it")?;
            writes.wait_for_more("commands to be taken beside it")?;
            send("start 10\nimmediate\ncustom 1000\ncustom 9 ordered\ndata 1\ndelayed 60000\n")?;
            table_when("items to run and ticks to come", |table| {
                table.row("custom").running > 0
                    && table.row("custom").pending > 0
                    && table.row("periodic").executed > 0
                    && table.row("delayed").pending == 1
            })?;
            Ok(())
        })
    })?;
    expect_nothing_left(harness, &[&harness.demo])
}

fn demo_goes_again_and_again_while_a_processor_comes_and_goes(harness: &Harness) -> Outcome {
    let processor = Processor::second()?;
    let run = |stop: &AtomicBool, _| {
        let switched = processor.comes_and_goes(harness, stop)?;
        ensure!(switched >= 2, "the processor was turned off and on {switched} times only");
        Ok(())
    };
    beside(1, run, || {
        cycle_demo(harness, |_| {
            send("start 10\nimmediate\ncustom 50\ndata 1\ndelayed 60000\n")?;
            table_when("items to run", |table| table.row("custom").running > 0)?;
            Ok(())
        })
    })?;
    expect_fresh_demo()?;
    expect_nothing_left(harness, &[&harness.demo])
}

/// Runs `work` in `threads` threads until `case` is over. A thread returns an error only if it has
/// seen something that must not happen.
fn beside(
    threads: usize,
    work: impl Fn(&AtomicBool, usize) -> Outcome + Sync,
    case: impl FnOnce() -> Outcome,
) -> Outcome {
    let stop = AtomicBool::new(false);
    thread::scope(|scope: &Scope| {
        let threads: Vec<_> = (0..threads)
            .map(|turn| {
                let (stop, work) = (&stop, &work);
                scope.spawn(move || work(stop, turn))
            })
            .collect();
        let outcome = case();
        stop.store(true, Ordering::Relaxed);
        let failed = |_| Err(Stop::Fail("a thread panicked".into()));
        let beside = threads.into_iter().map(|thread| thread.join().unwrap_or_else(failed));
        beside.fold(outcome, |outcome, beside| outcome.and(beside))
    })
}

/// What the threads beside a case get done.
#[derive(Default)]
struct Tally(AtomicU64);

impl Tally {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until they have done more than now.
    fn wait_for_more(&self, what: &str) -> Outcome {
        let before = self.0.load(Ordering::Relaxed);
        wait_until(what, || {
            let now = self.0.load(Ordering::Relaxed);
            Ok(if now > before { Ok(()) } else { Err(format!("{now} in all")) })
        })
    }
}

/// Whether a module's file may return this errno while the module comes and goes.
fn comes_and_goes(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::ENOENT | Errno::EIO | Errno::ENODEV))
}

/// Reads table after table. The node comes and goes. Every table that can be read balances.
fn read_on(stop: &AtomicBool, tables: &Tally) -> Outcome {
    while !stop.load(Ordering::Relaxed) {
        let text = match demo_node::read_text() {
            Ok(text) => text,
            Err(error) if comes_and_goes(error.errno()) => {
                thread::yield_now();
                continue;
            }
            Err(error) => return fail(format!("a reader: {error}")),
        };
        // A read may end early if the module goes between its parts.
        let Ok(table) = text.parse::<Table>() else {
            ensure!(!text.contains("commands: "), "a table that makes no sense: {text}");
            continue;
        };
        crate::harness::demo::expect_balance(&table)?;
        tables.count();
    }
    Ok(())
}

fn write_on(stop: &AtomicBool, turn: usize, writes: &Tally) -> Outcome {
    while !stop.load(Ordering::Relaxed) {
        let lines =
            "immediate\ndelayed 1\nstart 10\ncancel\ndata 1\nstop\nstart 11\ndelayed 60000\n";
        match demo_node::write_once(lines) {
            Ok(taken) => {
                let whole = lines.as_bytes()[..taken.min(lines.len())].ends_with(b"\n");
                ensure!(taken > 0 && whole, "{taken} bytes taken, not of whole lines");
                writes.count();
            }
            Err(error) => match error.errno() {
                Some(Errno::EAGAIN) => {}
                errno if comes_and_goes(errno) => {}
                _ => return fail(format!("writer {turn}: {error}")),
            },
        }
        // Some ticks have to come before they are started again.
        thread::sleep(Duration::from_millis(40));
    }
    Ok(())
}

fn echo_goes_again_and_again_with_messages_pending(harness: &Harness) -> Outcome {
    const MESSAGES: usize = 150;
    let guard = reloaded_afterwards(&harness.echo)?;
    let mut removals = Removals::of(harness, &harness.echo)?;
    for cycle in 0..harness.load.cycles {
        let mut log = EchoLog::from_now()?;
        let texts: Vec<String> =
            (0..MESSAGES).map(|number| format!("cycle {cycle} message {number}")).collect();
        let device = EchoDevice::open()?;
        let mut held = HeldQueue::hold("wq_echo")?;
        for text in &texts {
            ensure_eq!(device.write(text.as_bytes()), Ok(text.len()), "bytes taken");
        }
        drop(device);
        let now = EchoCounters::read()?;
        let all = MESSAGES as u64;
        ensure_eq!((now.accepted, now.pending), (all, all), "accepted, and pending");
        removals.took(removal_of_held_echo(&harness.echo, &mut held)?)?;
        // The CPU is free again, and the queue's own settings have gone with it.
        drop(held);
        expect_messages(&log.printed_already()?, &texts)?;
        harness.echo.load("")?;
    }
    removals.tell();
    guard.finish()?;
    expect_nothing_left(harness, &[&harness.echo])
}

fn echo_stays_again_and_again_while_writers_sleep_at_its_bound(harness: &Harness) -> Outcome {
    let mut removals = Removals::of(harness, &harness.echo)?;
    for _ in 0..harness.load.cycles {
        let mut full = FullQueue::new(harness, 4)?;
        let start = |signals, text| Writer::start(signals, ECHO_DEVICE, text);
        let killed = start(Signals::Deadly, "killed")?;
        let interrupted = start(Signals::Interrupt, "interrupted")?;
        let waiting = start(Signals::Restart, "waited")?;
        full.wait_for_sleepers(3)?;
        for _ in 0..3 {
            // What delete_module(2) returns for a module in use.
            ensure_eq!(harness.echo.remove(), Err(Errno::EWOULDBLOCK), "removing it while in use");
        }
        ensure!(harness.echo.is_live(), "the module is {:?}", harness.echo.state());
        killed.kill()?;
        interrupted.signal_with(Signal::SIGINT)?;
        ensure_eq!(interrupted.report()?.result, Err(Errno::EINTR), "the writer interrupted");
        ensure_eq!(harness.echo.remove(), Err(Errno::EWOULDBLOCK), "removing it with one asleep");
        full.expect_nothing_accepted()?;
        full.held.release()?;
        ensure_eq!(waiting.report()?.result, Ok(6), "the writer that waited");
        full.release_and_expect(&["waited"])?;
        let now = counters_at_rest()?;
        let expected = full.counters.accepted + 1;
        ensure_eq!((now.accepted, now.printed), (expected, expected), "accepted and printed");
        ensure_eq!(now.refused, 0, "refused");
        let reload = full.close();
        removals.remove()?;
        reload.finish()?;
    }
    removals.tell();
    expect_nothing_left(harness, &[&harness.echo])
}

/// Tries to remove `wq_echo` as soon as `is_worth_it` holds. The kernel refuses that while anybody
/// has the device open. Returns how long the removal took.
fn remove_when_unused(
    harness: &Harness,
    mut is_worth_it: impl FnMut() -> Outcome<bool>,
) -> Outcome<Duration> {
    wait_until("a moment when nobody has the device open", || {
        if !is_worth_it()? {
            return Ok(Err("nothing has been done with it yet".into()));
        }
        let started = Instant::now();
        match harness.echo.remove() {
            Ok(()) => Ok(Ok(started.elapsed())),
            Err(Errno::EWOULDBLOCK) => Ok(Err("in use".into())),
            Err(errno) => fail(format!("removing wq_echo: {errno}")),
        }
    })
}

fn echo_goes_again_and_again_while_epoll_sets_outlive_its_files(harness: &Harness) -> Outcome {
    let sets = Tally::default();
    let guard = reloaded_afterwards(&harness.echo)?;
    let mut removals = Removals::of(harness, &harness.echo)?;
    beside(
        4,
        |stop, _| poll_on(stop, &sets),
        || {
            for _ in 0..harness.load.cycles {
                sets.wait_for_more("a set to be polled")?;
                removals.took(remove_when_unused(harness, || Ok(true))?)?;
                harness.echo.load("max_pending=2 quiet=1")?;
            }
            Ok(())
        },
    )?;
    removals.tell();
    guard.finish()?;
    expect_nothing_left(harness, &[&harness.echo])
}

/// Fills the queue, and polls with sets that outlive the file.
fn poll_on(stop: &AtomicBool, sets: &Tally) -> Outcome {
    let mut outlived = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        match EchoDevice::open_with(OFlag::O_NONBLOCK) {
            Ok(device) => {
                let level = watch(device.file(), EpollFlags::empty())?;
                let edge = watch(device.file(), EpollFlags::EPOLLET)?;
                for _ in 0..8 {
                    match device.write(b"polled") {
                        Ok(_) | Err(Errno::EAGAIN) => {}
                        Err(errno) => return fail(format!("a write: {errno}")),
                    }
                    told_now(&level)?;
                    told_now(&edge)?;
                }
                ensure!(wait_by_poll(device.file())?, "nobody said that there was room");
                outlived.extend([level, edge]);
                sets.count();
            }
            Err(error) if comes_and_goes(error.errno()) => {}
            Err(error) => return fail(format!("opening the device: {error}")),
        }
        // There are no events for closed files.
        for set in &outlived {
            ensure_eq!(told_now(set)?, None, "told of a file that is closed");
        }
        while outlived.len() > 16 {
            outlived.pop_front();
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn both_go_again_and_again_while_writers_write_to_both(harness: &Harness) -> Outcome {
    let (written, commands) = (AtomicU64::new(0), Tally::default());
    let run = |stop: &AtomicBool, turn: usize| match turn % 2 {
        0 => echo_on(stop, turn, &written),
        _ => write_on(stop, turn, &commands),
    };
    let echo_guard = reloaded_afterwards(&harness.echo)?;
    let demo_guard = reloaded_afterwards(&harness.demo)?;
    let mut echo = Removals::of(harness, &harness.echo)?;
    let mut demo = Removals::of(harness, &harness.demo)?;
    // Before any of them writes.
    let mut log = EchoLog::from_now()?;
    beside(4, run, || {
        let mut printed = 0;
        for _ in 0..harness.load.cycles {
            let before = printed;
            let took = remove_when_unused(harness, || {
                printed += log.printed_already()?.len() as u64;
                Ok(printed > before)
            })?;
            echo.took(took)?;
            // Nobody can have it open now, so all writes have been counted.
            printed += log.printed_already()?.len() as u64;
            ensure_eq!(printed, written.load(Ordering::Relaxed), "messages printed, of accepted");
            commands.wait_for_more("commands to be taken beside it")?;
            table()?;
            demo.remove()?;
            harness.demo.load("")?;
            harness.echo.load("")?;
        }
        Ok(())
    })?;
    echo.tell();
    demo.tell();
    echo_guard.finish()?;
    demo_guard.finish()?;
    expect_nothing_left(harness, &[&harness.echo, &harness.demo])
}

fn echo_on(stop: &AtomicBool, turn: usize, written: &AtomicU64) -> Outcome {
    while !stop.load(Ordering::Relaxed) {
        match EchoDevice::open() {
            Ok(device) => {
                for number in 0..5 {
                    let text = format!("writer {turn} message {number}");
                    ensure_eq!(device.write(text.as_bytes()), Ok(text.len()), "bytes taken");
                    written.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) if comes_and_goes(error.errno()) => {}
            Err(error) => return fail(format!("writer {turn}: {error}")),
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
