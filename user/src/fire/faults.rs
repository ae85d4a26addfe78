// SPDX-License-Identifier: GPL-2.0

//! A fault at each step of each system call: every allocation fails once, and every copy from or to
//! user memory.
//!
//! A call that fails returns a fitting errno, has done nothing, and has broken nothing. A call that
//! succeeds nevertheless has done all of it.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::write;

use crate::cases::cases;
use crate::demo_model::{Kind, KIND_WORDS};
use crate::demo_node;
use crate::demo_table::{Table, KINDS};
use crate::echo_device::EchoDevice;
use crate::error::Error;
use crate::harness::demo::{send, table, Change};
use crate::harness::echo::{counters_at_rest, expect_messages};
use crate::harness::echo_log::EchoLog;
use crate::harness::fail_nth::{FailNth, Hit};
use crate::harness::loaded::{loaded_with, reloaded_afterwards, removed};
use crate::harness::wait::wait_until;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::modules::Module;
use crate::paths::{DEMO_NODE, ECHO_COUNTERS, ECHO_DEVICE};

cases! {
    echo_survives_a_fault_at_each_step_of_its_opening,
    echo_survives_a_fault_at_each_step_of_a_write,
    echo_survives_a_fault_at_each_step_of_reading_its_counters,
    demo_survives_a_fault_at_each_step_of_its_opening,
    demo_survives_a_fault_at_each_step_of_a_read,
    demo_survives_a_fault_at_each_step_of_every_command,
    demo_survives_a_fault_at_each_step_of_the_first_use_of_each_kind,
    echo_survives_a_fault_at_each_step_of_its_init,
    demo_survives_a_fault_at_each_step_of_its_init,
    echo_survives_faults_all_over_its_loading,
    demo_survives_faults_all_over_its_loading,
    echo_survives_a_fault_at_each_step_of_its_removal,
    demo_survives_a_fault_at_each_step_of_its_removal,
}

/// More steps than any call has.
const MANY: u32 = 20_000;

/// The errors that a call with a failed step may return.
const CLEAN: [Errno; 2] = [Errno::ENOMEM, Errno::EFAULT];

fn expect_clean(errno: Option<Errno>, what: &str, n: u32) -> Outcome {
    match errno {
        Some(errno) if CLEAN.contains(&errno) => Ok(()),
        _ => fail(format!("{what} with a fault at step {n}: {errno:?}")),
    }
}

/// Does `call` with a fault at its first step, its second and so on, until it has no more steps.
/// `check` looks at each result.
fn sweep<T>(
    harness: &Harness,
    what: &str,
    faults: &FailNth,
    mut call: impl FnMut() -> T,
    mut check: impl FnMut(u32, T) -> Outcome,
) -> Outcome {
    for n in 1..MANY {
        let Hit { result, hit } = faults.nth(n, &mut call)?;
        check(n, result)?;
        harness.progress.step();
        if !hit {
            ensure!(n > 1, "{what} has no step that can fail");
            harness.progress.note(format!("{what}: {} steps", n - 1));
            return Ok(());
        }
    }
    fail(format!("{what} has more than {MANY} steps"))
}

fn echo_survives_a_fault_at_each_step_of_its_opening(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    let before = counters_at_rest()?;
    sweep(harness, "open(2)", &faults, EchoDevice::open, |n, result| match result {
        Ok(device) => {
            let count = harness.echo.reference_count();
            ensure_eq!(count, Some(1), "references with a file open, step {n}");
            drop(device);
            Ok(())
        }
        Err(error) => expect_clean(error.errno(), "open(2)", n),
    })?;
    ensure_eq!(counters_at_rest()?, before, "the counters");
    expect_unused(&harness.echo)
}

/// The last step of closing a file may happen in another thread.
fn expect_unused(module: &Module) -> Outcome {
    wait_until("the module to be unused", || {
        let count = module.reference_count();
        Ok(if count == Some(0) { Ok(()) } else { Err(format!("{count:?} references")) })
    })
}

/// Each kind of write to a module just loaded, which has no memory for messages yet. Later it keeps
/// some.
fn echo_survives_a_fault_at_each_step_of_a_write(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    let long = [b'l'; 600];
    type Write<'a> = &'a dyn Fn(&EchoDevice) -> Result<usize, Errno>;
    let text = &b"william wq test"[..];
    let parts = [&b"one "[..], b"two ", b"three\n"];
    let whole = parts.concat();
    let writes: [(&str, &[u8], Errno, Write<'_>); 5] = [
        ("a write of 15 bytes", text, Errno::ENOMEM, &|device| device.write(text)),
        ("a write of 600 bytes", &long, Errno::ENOMEM, &|device| device.write(&long)),
        ("a write of three parts", &whole, Errno::ENOMEM, &|device| device.write_vectored(&parts)),
        ("a write of a line end", b"\n", Errno::ENOMEM, &|device| device.write(b"\n")),
        // It does not wait for memory either.
        ("a write with RWF_NOWAIT", text, Errno::EAGAIN, &|device| device.write_nowait(text)),
    ];
    for (what, whole, no_memory, write) in writes {
        let reload = loaded_with(&harness.echo, "")?;
        let device = EchoDevice::open()?;
        let mut log = EchoLog::from_now()?;
        let (expected, text) = crate::model::accept(whole);
        let mut printed = Vec::new();
        let mut starved = 0;
        let mut accepted = counters_at_rest()?.accepted;
        sweep(
            harness,
            what,
            &faults,
            || write(&device),
            |n, result| {
                let now = counters_at_rest()?.accepted;
                match result {
                    Ok(taken) => {
                        ensure!(taken == expected || taken == 255, "{taken} bytes taken, step {n}");
                        ensure_eq!(now, accepted + 1, "accepted, step {n}");
                        printed.extend(text);
                    }
                    Err(errno) => {
                        if errno != no_memory {
                            ensure_eq!(errno, Errno::EFAULT, "{what} with a fault at step {n}");
                        }
                        starved += u32::from(errno == no_memory);
                        ensure_eq!(now, accepted, "accepted by a write that failed, step {n}");
                    }
                }
                accepted = now;
                Ok(())
            },
        )?;
        expect_messages(&log.printed_already()?, &printed)?;
        ensure!(!printed.is_empty(), "no write has succeeded in the end");
        ensure!(starved > 0, "{what} has not failed for lack of memory");
        drop(device);
        reload.finish()?;
    }
    Ok(())
}

fn read_whole(path: &str) -> Result<Vec<u8>, Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let mut text = vec![0; 8192];
    let mut file = File::open(path).map_err(errno)?;
    let mut length = 0;
    loop {
        match file.read(&mut text[length..]).map_err(errno)? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(text)
}

fn echo_survives_a_fault_at_each_step_of_reading_its_counters(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    let path = format!("{ECHO_COUNTERS}/accepted");
    let expected = read_whole(&path)?;
    sweep(
        harness,
        "a counter",
        &faults,
        || read_whole(&path),
        |n, result| match result {
            Ok(text) => {
                ensure_eq!(text, expected, "a counter, step {n}");
                Ok(())
            }
            Err(errno) => expect_clean(Some(errno), "a counter", n),
        },
    )
}

fn demo_survives_a_fault_at_each_step_of_its_opening(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    sweep(harness, "open(2)", &faults, demo_node::open, |n, result| match result {
        Ok(_) => Ok(()),
        Err(error) => expect_clean(error.errno(), "open(2)", n),
    })
}

fn demo_survives_a_fault_at_each_step_of_a_read(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    let expected = read_whole(DEMO_NODE)?;
    sweep(
        harness,
        "the table",
        &faults,
        || read_whole(DEMO_NODE),
        |n, result| match result {
            Ok(text) => {
                ensure_eq!(text, expected, "the table, step {n}");
                Ok(())
            }
            Err(errno) => expect_clean(Some(errno), "the table", n),
        },
    )
}

/// A command line, the kind whose counts it changes, and by how much.
type Effect = (&'static str, &'static str, Change);

const NOTHING: Change = Change { queued: 0, coalesced: 0, cancelled: 0, executed: 0 };

const fn queued(count: u64) -> Change {
    Change { queued: count, ..NOTHING }
}

const fn ran(count: u64) -> Change {
    Change { queued: count, executed: count, ..NOTHING }
}

const TAKEN_BACK: Change = Change { cancelled: 1, ..NOTHING };

/// What is written before each attempt, and the lines of one write.
const WRITES: &[(&str, &[Effect])] = &[
    ("", &[("immediate\n", "immediate", ran(1))]),
    ("cancel\n", &[("delayed 60000\n", "delayed", queued(1))]),
    ("delayed 60000\n", &[("cancel\n", "delayed", TAKEN_BACK)]),
    ("", &[("custom 3\n", "custom", ran(3))]),
    ("custom ordered\nflush\n", &[("custom 3 ordered\n", "custom", ran(3))]),
    ("", &[("data 7\n", "data", ran(1))]),
    ("stop\n", &[("start 60000\n", "periodic", queued(1))]),
    ("start 60000\n", &[("stop\n", "periodic", TAKEN_BACK)]),
    ("", &[("flush\n", "custom", NOTHING)]),
    (
        "cancel\n",
        &[
            ("data 1\n", "data", ran(1)),
            ("custom 2\n", "custom", ran(2)),
            ("delayed 60000\n", "delayed", queued(1)),
            ("immediate\n", "immediate", ran(1)),
        ],
    ),
];

fn demo_survives_a_fault_at_each_step_of_every_command(harness: &Harness) -> Outcome {
    let faults = FailNth::anywhere()?;
    let node = demo_node::open()?;
    for (first, lines) in WRITES {
        let text: String = lines.iter().map(|(line, ..)| *line).collect();
        // `first` precedes every call, which the loop of `sweep` would not do.
        for n in 1..MANY {
            if !first.is_empty() {
                send(first)?;
            }
            let before = table()?;
            let Hit { result, hit } = faults.nth(n, || write(&node, text.as_bytes()))?;
            let taken = match result {
                Ok(taken) => taken,
                Err(errno) => {
                    expect_clean(Some(errno), &text, n)?;
                    0
                }
            };
            send("flush\n")?;
            expect_effects(lines, taken, &before, &table()?, n)?;
            harness.progress.step();
            if !hit {
                ensure_eq!(taken, text.len(), "taken of {text:?} without a fault");
                ensure!(n > 1, "{text:?} has no step that can fail");
                harness.progress.note(format!("{text:?}: {} steps", n - 1));
                break;
            }
        }
        send("stop\ncancel\n")?;
    }
    for n in 1..MANY {
        send("data 1\nflush\n")?;
        let before = table()?;
        let Hit { result, hit } = faults.nth(n, || write(&node, b"reset\n"))?;
        match result {
            Ok(_) => {
                let queued: u64 = table()?.rows.iter().map(|row| row.queued).sum();
                ensure_eq!(queued, 0, "queued after a reset, step {n}");
            }
            Err(errno) => {
                expect_clean(Some(errno), "reset", n)?;
                ensure_eq!(table()?, before, "the table after a reset that failed, step {n}");
            }
        }
        harness.progress.step();
        if !hit {
            ensure!(n > 1, "reset has no step that can fail");
            harness.progress.note(format!("reset: {} steps", n - 1));
            break;
        }
    }
    Ok(())
}

fn demo_survives_a_fault_at_each_step_of_the_first_use_of_each_kind(harness: &Harness) -> Outcome {
    // The first queue is made with the module.
    Kind::ALL[1..].iter().try_for_each(|kind| sweep_first_use(harness, *kind))
}

/// Faults in the first use of a kind: at all steps if the load allows that many.
///
/// A use that fails before the queue has been made can be repeated. After that, the module has to
/// be loaded again for the next first use.
fn sweep_first_use(harness: &Harness, kind: Kind) -> Outcome {
    let faults = FailNth::anywhere()?;
    let word = KIND_WORDS[kind.0];
    let text = format!("custom 1 {word}\n");
    let mut fresh = loaded_with(&harness.demo, "")?;
    let node = demo_node::open()?;
    let (_, steps) = faults.count(|| write(&node, text.as_bytes()))?;
    drop(node);
    fresh.finish()?;
    let is_whole = steps <= harness.load.steps;
    fresh = loaded_with(&harness.demo, "")?;
    let (mut faulted, mut made, mut starved) = (0, 0, 0);
    for n in steps_to_fault(harness, steps, harness.load.steps, word) {
        let node = demo_node::open()?;
        let Hit { result, hit } = faults.nth(n, || write(&node, text.as_bytes()))?;
        drop(node);
        send("flush\n")?;
        let is_there = expect_first_use(kind, result, &text, n)?;
        harness.progress.step();
        if is_whole && !hit {
            break;
        }
        faulted += u32::from(hit);
        starved += u32::from(result == Err(Errno::ENOMEM) && !is_there);
        if is_there {
            made += 1;
            fresh.finish()?;
            fresh = loaded_with(&harness.demo, "")?;
        }
    }
    harness
        .progress
        .note(format!("{word}: faults at {faulted} of {steps} steps, {starved} left no queue"));
    ensure!(faulted > 0, "no step of the first use of {word} was hit");
    ensure!(!is_whole || starved > 0, "no fault has kept the {word} queue from being made");
    ensure!(!is_whole || made > 0, "no fault came behind the making of the {word} queue");
    fresh.finish()
}

/// A failed use has queued nothing. Returns whether the queue has been made.
fn expect_first_use(kind: Kind, result: Result<usize, Errno>, text: &str, n: u32) -> Outcome<bool> {
    let now = table()?;
    let is_there = now.queue(&kind.queue_name()).is_some();
    let custom = now.row("custom");
    match result {
        Ok(taken) => {
            ensure_eq!(taken, text.len(), "taken of {text:?}, step {n}");
            ensure_eq!((is_there, custom.executed), (true, 1), "the queue, and executed, step {n}");
        }
        Err(errno) => {
            expect_clean(Some(errno), text, n)?;
            ensure_eq!(custom.queued, 0, "queued by {text:?}, step {n}");
        }
    }
    Ok(is_there)
}

/// The lines within the bytes taken have had their effects, the others none.
fn expect_effects(
    lines: &[Effect],
    taken: usize,
    before: &Table,
    after: &Table,
    n: u32,
) -> Outcome {
    let mut end = 0;
    let mut done = Vec::new();
    for effect in lines {
        end += effect.0.len();
        if end <= taken {
            done.push(effect);
        }
    }
    let whole: usize = done.iter().map(|(line, ..)| line.len()).sum();
    ensure_eq!(taken, whole, "bytes taken, in whole lines, step {n}");
    for kind in KINDS {
        let expected = done.iter().find(|(_, of, _)| *of == kind).map_or(&NOTHING, |done| &done.2);
        let change = Change::of(kind, before, after)?;
        ensure_eq!(change, *expected, "{kind} after {taken} bytes of {lines:?}, step {n}");
    }
    Ok(())
}

/// A module that has been loaded works and can be removed. One that has not has left nothing.
fn expect_whole_or_nothing(module: &Module, result: Result<(), Error>, n: u32) -> Outcome {
    let node = match module.name() {
        "wq_echo" => ECHO_DEVICE,
        _ => DEMO_NODE,
    };
    let queue = format!("/sys/devices/virtual/workqueue/{}", module.name());
    match result {
        Ok(()) => {
            ensure!(module.is_live(), "the module is {:?}, step {n}", module.state());
            ensure!(Path::new(node).exists(), "loaded without {node}, step {n}");
            use_once(module)?;
            ensure_eq!(module.remove(), Ok(()), "removing it, step {n}");
        }
        Err(error) => {
            expect_clean(error.errno(), "loading", n)?;
            ensure_eq!(module.state(), None, "the state of what was not loaded, step {n}");
        }
    }
    for path in [node, &queue, ECHO_COUNTERS] {
        let is_the_others = path == ECHO_COUNTERS && module.name() != "wq_echo";
        ensure!(is_the_others || !Path::new(path).exists(), "{path} has stayed, step {n}");
    }
    Ok(())
}

fn use_once(module: &Module) -> Outcome {
    match module.name() {
        "wq_echo" => {
            let mut log = EchoLog::from_now()?;
            EchoDevice::open()?.write_all(b"still there", |_| ())?;
            let message = log.next()?;
            ensure!(message.is(b"still there"), "{message:?}");
            expect_unused(module)
        }
        _ => {
            send("data 1\nflush\n")?;
            ensure_eq!(table()?.row("data").executed, 1, "executed");
            Ok(())
        }
    }
}

/// Which of `steps` steps to fault: one after the other until none is hit any more if there are at
/// most `most`, otherwise `most` of them.
fn steps_to_fault(harness: &Harness, steps: u32, most: u32, name: &str) -> Vec<u32> {
    match steps <= most {
        true => (1..MANY).collect(),
        false => chosen_steps(harness, steps, most, name),
    }
}

/// Which of `steps` steps to fault when there is no time for all: some of each part.
fn chosen_steps(harness: &Harness, steps: u32, most: u32, name: &str) -> Vec<u32> {
    let mut random = harness.load.random(name);
    (0..most)
        .map(|part| {
            let (low, high) = (part * steps / most + 1, (part + 1) * steps / most);
            // CAST: Between two numbers of the type.
            random.between(low as usize, high as usize) as u32
        })
        .collect()
}

/// Faults while the module is loaded, at the steps that `faults` covers: one after the other until
/// none is hit any more, or at `most` of them.
fn sweep_loading(harness: &Harness, module: &Module, faults: FailNth, most: u32) -> Outcome {
    let reload = removed(module)?;
    let (result, steps) = faults.count(|| module.load(""))?;
    expect_whole_or_nothing(module, result, 0)?;
    let is_whole = steps <= most;
    let (mut faulted, mut failed) = (0, 0);
    for n in steps_to_fault(harness, steps, most, module.name()) {
        let Hit { result, hit } = faults.nth(n, || module.load(""))?;
        faulted += u32::from(hit);
        failed += u32::from(result.is_err());
        ensure!(hit || result.is_ok(), "loading without a fault: {result:?}");
        expect_whole_or_nothing(module, result, n)?;
        harness.progress.step();
        if is_whole && !hit {
            break;
        }
    }
    harness.progress.note(format!("faults at {faulted} of {steps} steps, {failed} fatal"));
    ensure!(faulted > 0, "no step of the loading was hit");
    ensure!(!is_whole || failed > 0, "no fault has kept the module from being loaded");
    drop(faults);
    reload.finish()
}

/// Faults in the module's own init function: ten times as many as in loading as a whole, because
/// each of these steps is the module's.
fn sweep_init(harness: &Harness, module: &Module) -> Outcome {
    let most = harness.load.steps.saturating_mul(10);
    sweep_loading(harness, module, FailNth::below("do_one_initcall")?, most)
}

fn echo_survives_a_fault_at_each_step_of_its_init(harness: &Harness) -> Outcome {
    sweep_init(harness, &harness.echo)
}

fn demo_survives_a_fault_at_each_step_of_its_init(harness: &Harness) -> Outcome {
    sweep_init(harness, &harness.demo)
}

/// Faults in finit_module(2), where most steps are the kernel's own: at all of them if the load
/// allows that many.
fn sweep_whole_loading(harness: &Harness, module: &Module) -> Outcome {
    sweep_loading(harness, module, FailNth::anywhere()?, harness.load.steps)
}

fn echo_survives_faults_all_over_its_loading(harness: &Harness) -> Outcome {
    sweep_whole_loading(harness, &harness.echo)
}

fn demo_survives_faults_all_over_its_loading(harness: &Harness) -> Outcome {
    sweep_whole_loading(harness, &harness.demo)
}

/// Faults in a removal. `first` brings the module into a state before it.
fn sweep_removal(harness: &Harness, module: &Module, first: impl Fn() -> Outcome) -> Outcome {
    let faults = FailNth::anywhere()?;
    let reload = reloaded_afterwards(module)?;
    first()?;
    let (result, steps) = faults.count(|| module.remove())?;
    ensure_eq!(result, Ok(()), "removing {}", module.name());
    module.load("")?;
    let mut faulted = 0;
    for n in 1..MANY {
        first()?;
        let Hit { result, hit } = faults.nth(n, || module.remove())?;
        match result {
            Ok(()) => {
                ensure_eq!(module.state(), None, "the state of what was removed, step {n}");
                module.load("")?;
            }
            Err(errno) => {
                expect_clean(Some(errno), "delete_module(2)", n)?;
                ensure!(module.is_live(), "the module is {:?}, step {n}", module.state());
            }
        }
        harness.progress.step();
        if !hit {
            ensure_eq!(result, Ok(()), "removing {} without a fault", module.name());
            break;
        }
        faulted += 1;
    }
    harness.progress.note(format!("faults at {faulted} of {steps} steps"));
    ensure!(faulted > 0, "removing {} has no step that can fail", module.name());
    drop(faults);
    reload.finish()
}

fn echo_survives_a_fault_at_each_step_of_its_removal(harness: &Harness) -> Outcome {
    let mut log = EchoLog::from_now()?;
    let written = Cell::new(0);
    sweep_removal(harness, &harness.echo, || {
        EchoDevice::open()?.write_all(b"before removal", |_| ())?;
        written.set(written.get() + 1);
        expect_unused(&harness.echo)
    })?;
    expect_messages(&log.printed_already()?, &vec!["before removal"; written.get()])
}

fn demo_survives_a_fault_at_each_step_of_its_removal(harness: &Harness) -> Outcome {
    sweep_removal(harness, &harness.demo, || {
        send("custom 6\ncustom 2 percpu\ncustom 2 ordered\nimmediate\ndelayed 60000\nstart 10\n")
    })
}
