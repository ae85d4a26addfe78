// SPDX-License-Identifier: GPL-2.0

//! Arbitrary bytes, written to both nodes. A model predicts what each write returns, how it changes
//! each counter, and each line of the log.

use std::collections::HashMap;

use nix::errno::Errno;

use super::throw::Thrower;
use crate::cases::cases;
use crate::demo_model::{self, Command, Counts, DemoModel};
use crate::demo_node;
use crate::demo_table::Table;
use crate::echo_device::EchoDevice;
use crate::harness::demo::{send, table, QUEUE};
use crate::harness::demo_log::DemoLog;
use crate::harness::echo::counters_at_rest;
use crate::harness::echo_log::EchoLog;
use crate::harness::loaded::{every_refusal_logged, loaded_with};
use crate::harness::restore::Setting;
use crate::harness::{ensure, ensure_eq, Harness, Outcome, Stop};
use crate::model;
use crate::raw::{self, PageEdge, Part};

cases! {
    echo_does_as_the_model_says_whatever_is_thrown_at_it,
    demo_does_as_the_model_says_whatever_is_thrown_at_it,
}

/// How many writes are checked together. The log has to hold them all: the longest takes a
/// kilobyte. Smaller batches would take as long, because the reader may be woken only with the next
/// tick.
fn batch() -> u64 {
    (raw::log_size() / 4096).clamp(32, 256)
}

/// The most parts that writev(2) takes (`UIO_MAXIOV`).
const PARTS_MAX: usize = 1024;

/// With at least this many inputs, the first ones have each length once, whole and readable.
const ENOUGH_FOR_ALL_LENGTHS: u64 = 16_000;

fn lengths_first(harness: &Harness, thrower: &mut Thrower) -> Vec<usize> {
    if harness.load.inputs < ENOUGH_FOR_ALL_LENGTHS {
        return Vec::new();
    }
    let lengths = thrower.all_lengths();
    harness.progress.note(format!("each of {} lengths comes first, in one piece", lengths.len()));
    lengths
}

/// What the kernel returns before either module sees anything.
fn refused_by_the_kernel(parts: &[Part]) -> Option<Errno> {
    if parts.len() > PARTS_MAX {
        return Some(Errno::EINVAL);
    }
    parts.iter().any(|part| matches!(part, Part::Kernel(_))).then_some(Errno::EFAULT)
}

/// The console shows only warnings and worse, so that a report is visible and the serial line is
/// not a bottleneck. The log has everything.
fn quiet_console() -> Outcome<Setting> {
    Setting::change("/proc/sys/kernel/printk", "5")
}

/// Adds the input to a failure, so that it can be repeated.
fn explain(number: u64, parts: &[Part]) -> impl FnOnce(Stop) -> Stop + '_ {
    move |stop| match stop {
        Stop::Fail(reason) => {
            let bytes = |part: &Part| match part {
                Part::Good(bytes) => format!("good \"{}\"", model::escape(bytes)),
                Part::Edge(bytes, beyond) => {
                    format!("edge \"{}\" and {beyond}", model::escape(bytes))
                }
                Part::Bad(len) => format!("bad {len}"),
                Part::Null(len) => format!("null {len}"),
                Part::Kernel(len) => format!("kernel {len}"),
            };
            let parts: Vec<String> = parts.iter().take(20).map(bytes).collect();
            Stop::Fail(format!("input {number}: {reason}\nparts: {}", parts.join(", ")))
        }
        skip => skip,
    }
}

/// What `wq_echo` makes of one call: its result, and the message.
fn echo_predicts(parts: &[Part]) -> (Result<usize, Errno>, Option<Vec<u8>>) {
    if let Some(errno) = refused_by_the_kernel(parts) {
        return (Err(errno), None);
    }
    let total: usize = parts.iter().map(Part::claims).sum();
    let mut readable = Vec::new();
    for part in parts {
        match part {
            Part::Good(bytes) => readable.extend_from_slice(bytes),
            Part::Edge(bytes, 0) => readable.extend_from_slice(bytes),
            Part::Edge(bytes, _) => {
                readable.extend_from_slice(bytes);
                break;
            }
            Part::Bad(0) | Part::Null(0) => {}
            Part::Bad(_) | Part::Null(_) | Part::Kernel(_) => break,
        }
    }
    // A line end after the message need not be readable.
    if readable.len() < total.min(model::MESSAGE_MAX) {
        return (Err(Errno::EFAULT), None);
    }
    let (taken, text) = model::accept(&readable);
    (Ok(taken), text.map(<[u8]>::to_vec))
}

fn echo_does_as_the_model_says_whatever_is_thrown_at_it(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.echo, "")?;
    let _quiet = quiet_console()?;
    let mut thrower = Thrower::new(harness.load.random("bad input for wq_echo"));
    let edge = PageEdge::new()?;
    let device = EchoDevice::open()?;
    let mut log = EchoLog::from_now()?;
    let mut lengths = lengths_first(harness, &mut thrower).into_iter();
    let batch = batch();
    let mut accepted = 0;
    let mut expected: Vec<(u64, Vec<Part>, Vec<u8>)> = Vec::new();
    for number in 0..harness.load.inputs {
        let parts = match lengths.next() {
            Some(length) => vec![Part::Good(thrower.message_of(length))],
            None => {
                let text = thrower.message();
                thrower.parts(text)
            }
        };
        let (result, message) = echo_predicts(&parts);
        let seen = edge.write_parts(device.file(), &parts);
        check(seen, result).map_err(explain(number, &parts))?;
        expected.extend(message.map(|text| (number, parts, text)));
        if number % batch == batch - 1 || number + 1 == harness.load.inputs {
            accepted += expected.len() as u64;
            for (number, parts, text) in expected.drain(..) {
                let printed = log.next()?;
                let as_sent = match printed.is(&text) {
                    true => Ok(()),
                    false => Err(Stop::Fail(format!(
                        "expected {}\nprinted {printed:?}",
                        model::line(&text)
                    ))),
                };
                as_sent.map_err(explain(number, &parts))?;
            }
            harness.progress.step();
        }
    }
    let now = counters_at_rest()?;
    ensure_eq!(
        (now.accepted, now.printed, now.pending, now.refused, now.blocked),
        (accepted, accepted, 0, 0, 0),
        "accepted, printed, pending, refused, blocked"
    );
    let more = log.printed_already()?;
    ensure!(more.is_empty(), "nobody wrote {more:?}");
    harness.progress.note(format!("{} writes made {accepted} messages", harness.load.inputs));
    drop(device);
    reload.finish()
}

fn check(seen: Result<usize, Errno>, expected: Result<usize, Errno>) -> Outcome {
    ensure_eq!(seen, expected, "the result");
    Ok(())
}

/// What a write does.
struct Prediction {
    result: Result<usize, Errno>,
    /// What is logged at once.
    refusals: Vec<String>,
    commands: Vec<Command>,
}

/// A file in /proc gets each part of a writev(2) as a separate write. The first part that fails
/// ends the call. The call returns its error only if it was the very first part.
fn demo_predicts(parts: &[Part]) -> Prediction {
    let mut predicted = Prediction { result: Ok(0), refusals: Vec::new(), commands: Vec::new() };
    if let Some(errno) = refused_by_the_kernel(parts) {
        predicted.result = Err(errno);
        return predicted;
    }
    let mut done = 0;
    for part in parts {
        let parsed = match part {
            _ if part.claims() > demo_model::WRITE_MAX => {
                Err((Errno::EINVAL, Some(demo_model::too_long(part.claims()))))
            }
            Part::Good(text) | Part::Edge(text, 0) => {
                demo_model::parse(text).map_err(|line| (Errno::EINVAL, Some(line)))
            }
            Part::Bad(0) | Part::Null(0) => Ok(Vec::new()),
            _ => Err((Errno::EFAULT, None)),
        };
        match parsed {
            Ok(commands) => {
                predicted.commands.extend(commands);
                done += part.claims();
                predicted.result = Ok(done);
            }
            Err((errno, line)) => {
                predicted.refusals.extend(line);
                if done == 0 {
                    predicted.result = Err(errno);
                }
                return predicted;
            }
        }
    }
    predicted
}

/// The limits of a run of inputs, so that its effects can be predicted and waited for.
struct Budget {
    custom: i64,
    data: u64,
    flushes: u32,
}

impl Budget {
    const NEW: Budget = Budget { custom: 8, data: 4000, flushes: 3 };
    /// No run of inputs takes this long.
    const LONG: i64 = 600_000;

    /// Runs the commands in a copy of the model. `None` if the result cannot be predicted.
    fn run(&mut self, model: &DemoModel, commands: &[Command]) -> Option<DemoModel> {
        let mut model = model.clone();
        let mut left = Budget { ..*self };
        let mut immediate = false;
        for command in commands {
            let foretold = match *command {
                Command::Delayed(ms) => model.armed || ms >= Budget::LONG,
                Command::Start(ms) => ms >= Budget::LONG,
                // The table never shows what ran before it in the same write.
                Command::Reset => !model.busy && !immediate,
                Command::Immediate => {
                    immediate = true;
                    true
                }
                Command::Custom(count, _) => {
                    left.custom -= count;
                    left.custom >= 0
                }
                Command::Data(_) => {
                    left.data = left.data.checked_sub(1)?;
                    true
                }
                Command::Flush if model.busy => {
                    left.flushes = left.flushes.checked_sub(1)?;
                    true
                }
                _ => true,
            };
            if !foretold {
                return None;
            }
            model.run(*command);
        }
        *self = left;
        Some(model)
    }
}

/// What the log has to contain at the end of a run of inputs.
#[derive(Default)]
struct Lines {
    refusals: Vec<(u64, String)>,
    seen_refusals: Vec<String>,
    /// For each value of `data`: how often it was queued minus how often it was printed.
    values: HashMap<i64, i64>,
    /// For each kind and queue: the items that were certainly queued, or that the table counts as
    /// executed, minus those that logged a run.
    runs: HashMap<(String, String), i64>,
    immediate: Immediate,
}

/// How many immediate items coalesce depends on timing. The table shows how many have run.
#[derive(Default)]
struct Immediate {
    /// `executed` as of the last look at the table.
    executed: u64,
    /// Some have been requested since.
    asked: bool,
}

impl Lines {
    fn read(&mut self, log: &mut DemoLog) -> Outcome {
        for line in log.lines_already()? {
            if let Some(value) = line.strip_prefix("Data: ").and_then(|value| value.parse().ok()) {
                *self.values.entry(value).or_default() -= 1;
            } else if let Some((kind, rest)) = line.split_once(" work ran on ") {
                let queue = rest.split(' ').skip_while(|&word| word != "of").nth(1);
                self.ran(kind, queue.unwrap_or("no queue"), -1);
            } else {
                self.seen_refusals.push(line);
            }
        }
        Ok(())
    }

    fn ran(&mut self, kind: &str, queue: &str, count: i64) {
        *self.runs.entry((kind.into(), queue.into())).or_default() += count;
    }

    /// Call before a write: a reset removes what the table shows.
    fn before(&mut self, commands: &[Command]) -> Outcome {
        if self.immediate.asked && commands.contains(&Command::Reset) {
            send("flush\n")?;
            self.look(&table()?);
        }
        Ok(())
    }

    /// Call after a write.
    fn expect_of(&mut self, commands: &[Command]) {
        for command in commands {
            match *command {
                Command::Data(value) => {
                    *self.values.entry(value).or_default() += 1;
                    self.ran("data", QUEUE, 1);
                }
                Command::Custom(count, kind) => self.ran("custom", &kind.queue_name(), count),
                Command::Immediate => self.immediate.asked = true,
                Command::Reset => self.immediate = Immediate::default(),
                _ => {}
            }
        }
    }

    /// Call with nothing outstanding.
    fn look(&mut self, now: &Table) {
        let executed = now.row("immediate").executed;
        let ran = executed as i64 - self.immediate.executed as i64;
        self.ran("immediate", "events", ran);
        self.immediate = Immediate { executed, asked: false };
    }

    fn expect_all(&mut self) -> Outcome {
        let seen = std::mem::take(&mut self.seen_refusals);
        let expected = std::mem::take(&mut self.refusals);
        for (index, (number, line)) in expected.iter().enumerate() {
            ensure_eq!(seen.get(index), Some(line), "the line about input {number}");
        }
        ensure_eq!(seen.len(), expected.len(), "lines about refusals");
        let odd: Vec<_> = self.values.drain().filter(|(_, count)| *count != 0).collect();
        ensure!(odd.is_empty(), "values queued, less those printed: {odd:?}");
        let odd: Vec<_> = self.runs.drain().filter(|(_, count)| *count != 0).collect();
        ensure!(odd.is_empty(), "items queued, less lines of those that ran: {odd:?}");
        Ok(())
    }
}

fn demo_does_as_the_model_says_whatever_is_thrown_at_it(harness: &Harness) -> Outcome {
    /// How many inputs there are between two looks at the table.
    const RUN: u64 = 6400;
    let reload = every_refusal_logged(harness)?;
    let _quiet = quiet_console()?;
    let mut thrower = Thrower::new(harness.load.random("bad input for workqueue_demo"));
    let edge = PageEdge::new()?;
    let node = demo_node::open()?;
    let mut log = DemoLog::from_now()?;
    let mut lengths = lengths_first(harness, &mut thrower).into_iter();
    let mut model = DemoModel::default();
    let mut budget = Budget::NEW;
    let mut lines = Lines::default();
    let batch = batch();
    let mut refused = 0_u64;
    for number in 0..harness.load.inputs {
        let length = lengths.next();
        let (parts, predicted) = loop {
            let parts = match length {
                Some(length) => vec![Part::Good(thrower.commands_of(length))],
                None => {
                    let text = thrower.commands();
                    thrower.parts(text)
                }
            };
            let predicted = demo_predicts(&parts);
            if let Some(after) = budget.run(&model, &predicted.commands) {
                model = after;
                break (parts, predicted);
            }
        };
        lines.before(&predicted.commands)?;
        let seen = edge.write_parts(&node, &parts);
        check(seen, predicted.result).map_err(explain(number, &parts))?;
        refused += predicted.refusals.len() as u64;
        lines.refusals.extend(predicted.refusals.into_iter().map(|line| (number, line)));
        lines.expect_of(&predicted.commands);
        let is_last = number + 1 == harness.load.inputs;
        if number % batch == batch - 1 {
            lines.read(&mut log)?;
            harness.progress.step();
        }
        if number % RUN == RUN - 1 || is_last {
            send("flush\n")?;
            model.run(Command::Flush);
            lines.look(&expect_table(&model)?);
            lines.read(&mut log)?;
            lines.expect_all()?;
            // No timer stays armed long enough to fire.
            send("stop\ncancel\n")?;
            model.run(Command::Stop);
            model.run(Command::Cancel);
            budget = Budget::NEW;
        }
    }
    expect_table(&model)?;
    harness
        .progress
        .note(format!("{} writes, {refused} lines about refusals", harness.load.inputs));
    drop(node);
    reload.finish()
}

/// The table matches the model, with nothing outstanding but timers.
fn expect_table(model: &DemoModel) -> Outcome<Table> {
    let now = table()?;
    let immediate = now.row("immediate");
    ensure_eq!(immediate.queued + immediate.coalesced, model.immediate, "immediate: {now:?}");
    ensure_eq!(immediate.executed, immediate.queued, "immediate, executed: {now:?}");
    for (kind, count) in [("custom", model.custom), ("data", model.data)] {
        let row = now.row(kind);
        ensure_eq!((row.queued, row.executed), (count, count), "{kind}: {now:?}");
        ensure_eq!((row.coalesced, row.cancelled), (0, 0), "{kind}: {now:?}");
    }
    for (kind, counts, pends) in [
        ("delayed", model.delayed, model.armed),
        ("periodic", model.periodic, model.ticking.is_some()),
    ] {
        let row = now.row(kind);
        let Counts { queued, coalesced, cancelled } = counts;
        ensure_eq!(
            (row.queued, row.coalesced, row.cancelled, row.executed, row.pending),
            (queued, coalesced, cancelled, 0, u64::from(pends)),
            "{kind}: {now:?}"
        );
    }
    let queues: Vec<String> = now.queues.iter().map(|queue| queue.name.clone()).collect();
    ensure_eq!(queues, model.queue_names(), "the queues");
    ensure_eq!(now.periodic.started, model.ticking.is_some(), "periodic work started");
    if let Some(period) = model.ticking {
        ensure_eq!(now.periodic.period_ms, period.unsigned_abs(), "the period");
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo_model::Kind;

    fn good(text: &[u8]) -> Part {
        Part::Good(text.to_vec())
    }

    #[test]
    fn predicts_what_comes_of_memory_that_cannot_be_read() {
        let echo = |parts: &[Part]| echo_predicts(parts);
        let message = |text: &[u8]| Some(text.to_vec());
        assert_eq!(echo(&[good(b"a"), good(b"b\n")]), (Ok(3), message(b"ab")));
        assert_eq!(echo(&[good(b"a"), Part::Bad(1)]), (Err(Errno::EFAULT), None));
        assert_eq!(echo(&[good(b"a"), Part::Bad(0)]), (Ok(1), message(b"a")));
        assert_eq!(echo(&[]), (Ok(0), None));
        let long = vec![b'l'; 255];
        assert_eq!(echo(&[good(&long), Part::Bad(9)]), (Ok(255), Some(long.clone())));
        let edge = Part::Edge([&long[..], b"\n"].concat(), 9);
        assert_eq!(echo(&[edge]), (Ok(256), Some(long)));
        assert_eq!(echo(&[good(b"a"), Part::Kernel(1)]).0, Err(Errno::EFAULT));
    }

    #[test]
    fn predicts_part_by_part_in_proc() {
        let predicted = demo_predicts(&[good(b"stop\n"), good(b"frob"), good(b"stop")]);
        assert_eq!(predicted.result, Ok(5));
        assert_eq!(predicted.refusals, [r#"line 1: unknown command "frob""#]);
        assert_eq!(predicted.commands, [Command::Stop]);
        assert_eq!(demo_predicts(&[Part::Bad(4097)]).result, Err(Errno::EINVAL));
        assert_eq!(demo_predicts(&[Part::Bad(4096)]).result, Err(Errno::EFAULT));
        assert_eq!(demo_predicts(&[good(b""), Part::Bad(1)]).result, Err(Errno::EFAULT));
    }

    #[test]
    fn foretells_no_more_than_it_can() {
        let mut budget = Budget::NEW;
        let model = DemoModel::default();
        assert!(budget.run(&model, &[Command::Delayed(5)]).is_none());
        assert!(budget.run(&model, &[Command::Delayed(700_000), Command::Delayed(5)]).is_some());
        assert!(budget.run(&model, &[Command::Data(1), Command::Reset]).is_none());
        let flushed = [Command::Immediate, Command::Flush, Command::Reset];
        assert!(budget.run(&model, &flushed).is_none());
        assert!(budget.run(&model, &[Command::Reset, Command::Immediate]).is_some());
        assert!(budget.run(&model, &[Command::Custom(9, Kind(0))]).is_none());
        assert!(budget.run(&model, &[Command::Custom(8, Kind(0))]).is_some());
        assert!(budget.run(&model, &[Command::Custom(1, Kind(0))]).is_none());
    }
}
