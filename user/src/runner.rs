// SPDX-License-Identifier: GPL-2.0

//! Runs cases one after the other, and survives whatever they do.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::Case;
use crate::fire;
use crate::harness::loaded::{prepare, why_not_testable};
use crate::harness::{Harness, Outcome, Stop};
use crate::ktap::{Ktap, Totals, Verdict};

/// How long a case may go on without a sign of progress. Only a case that hangs comes near it.
const CASE_LIMIT: Duration = Duration::from_secs(60);

/// Runs `cases` and prints KTAP to `out`.
pub fn run(cases: &[Case], harness: &Harness, out: impl Write) -> io::Result<Totals> {
    let started = Instant::now();
    let mut ktap = Ktap::begin(out, cases.len())?;
    let mut reason_to_skip = why_not_testable();
    if cases.is_empty() {
        ktap.diagnostic("no case has such a name: wqtest test --list shows all")?;
    }
    for note in harness.progress.take_notes() {
        ktap.diagnostic(&note)?;
    }
    keep_panics();
    for case in cases {
        let begun = Instant::now();
        let verdict = match &reason_to_skip {
            Some(reason) => Verdict::Skipped(reason.clone()),
            None => run_one(case, harness),
        };
        if let Verdict::TimedOut(_) = verdict {
            // Its thread still holds whatever it holds.
            reason_to_skip = Some(format!("{} hangs", case.name));
        }
        let took = begun.elapsed();
        tell_notes(&mut ktap, case, harness)?;
        ktap.result(case.name, &verdict, Some(took))?;
    }
    let totals = ktap.totals();
    ktap.diagnostic(&format!(
        "{} passed, {} failed, {} skipped in {:.1} s",
        totals.passed,
        totals.failed,
        totals.skipped,
        started.elapsed().as_secs_f64()
    ))?;
    Ok(totals)
}

/// Runs `cases` again and again, each time in a different order, until `time` is over or a case
/// fails. Prints a result for each at the end.
pub fn soak(
    cases: &[Case],
    harness: &Harness,
    time: Duration,
    out: impl Write,
) -> io::Result<Totals> {
    let started = Instant::now();
    let mut ktap = Ktap::begin(out, cases.len())?;
    let mut random = harness.load.random("the order of a soak");
    let mut verdicts: Vec<Option<Verdict>> = vec![None; cases.len()];
    let mut reason_to_skip = why_not_testable();
    for note in harness.progress.take_notes() {
        ktap.diagnostic(&note)?;
    }
    keep_panics();
    for round in 1.. {
        let (mut order, last): (Vec<usize>, Vec<usize>) =
            (0..cases.len()).partition(|&number| !fire::is_last(&cases[number]));
        random.shuffle(&mut order);
        let harness = Harness { load: harness.load.of_round(round), ..harness.clone() };
        for number in order.into_iter().chain(last) {
            let case = &cases[number];
            // The last round, too, checks what other cases have left.
            let is_over = started.elapsed() >= time && !fire::is_last(case);
            if is_over || reason_to_skip.is_some() {
                continue;
            }
            let begun = Instant::now();
            let verdict = run_one(case, &harness);
            let took = begun.elapsed().as_secs_f64();
            tell_notes(&mut ktap, case, &harness)?;
            ktap.diagnostic(&format!("round {round}, {}: {verdict:?}, {took:.1} s", case.name))?;
            if !matches!(verdict, Verdict::Passed | Verdict::Skipped(_)) {
                reason_to_skip = Some(format!("{} has failed", case.name));
            }
            verdicts[number] = Some(verdict);
        }
        if reason_to_skip.is_some() || started.elapsed() >= time {
            ktap.diagnostic(&format!("{round} rounds in {:.0?}", started.elapsed()))?;
            break;
        }
    }
    let not_run = Verdict::Skipped(reason_to_skip.unwrap_or_else(|| "no time was left".into()));
    for (case, verdict) in cases.iter().zip(verdicts) {
        ktap.result(case.name, &verdict.unwrap_or_else(|| not_run.clone()), None)?;
    }
    Ok(ktap.totals())
}

/// Prints what a case has reported.
fn tell_notes(ktap: &mut Ktap<impl Write>, case: &Case, harness: &Harness) -> io::Result<()> {
    for note in harness.progress.take_notes() {
        ktap.diagnostic(&format!("{}: {note}", case.name))?;
    }
    Ok(())
}

/// Runs a case in its own thread, which is left behind if it hangs.
fn run_one(case: &Case, harness: &Harness) -> Verdict {
    let (report, reported) = mpsc::channel();
    let (run, harness, progress) = (case.run, harness.clone(), harness.progress.clone());
    thread::spawn(move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            prepare(&harness)?;
            run(&harness)
        }));
        // After a time-out nobody listens any more.
        let _ = report.send(verdict(outcome));
    });
    loop {
        let steps = progress.steps();
        return match reported.recv_timeout(CASE_LIMIT) {
            Ok(verdict) => verdict,
            Err(RecvTimeoutError::Timeout) if progress.steps() != steps => continue,
            Err(RecvTimeoutError::Timeout) => {
                Verdict::TimedOut(format!("{} seconds", CASE_LIMIT.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Verdict::Failed("the case's thread has gone".into())
            }
        };
    }
}

fn verdict(outcome: thread::Result<Outcome>) -> Verdict {
    match outcome {
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(Stop::Fail(reason))) => Verdict::Failed(reason),
        Ok(Err(Stop::Skip(reason))) => Verdict::Skipped(reason),
        Err(payload) => Verdict::Failed(format!("panicked: {}", panic_message(&*payload))),
    }
}

/// The last panic with its place, as the hook saw it.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps a panic's message for the verdict. On stderr it would stand beside the results, without a
/// name.
fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = Some(info.to_string());
        }
    }));
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let kept = LAST_PANIC.lock().ok().and_then(|mut last| last.take());
    let said = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
    kept.or(said).unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_every_outcome_into_a_verdict() {
        assert_eq!(verdict(Ok(Ok(()))), Verdict::Passed);
        assert_eq!(verdict(Ok(Err(Stop::Fail("a".into())))), Verdict::Failed("a".into()));
        assert_eq!(verdict(Ok(Err(Stop::Skip("b".into())))), Verdict::Skipped("b".into()));
    }

    #[test]
    fn survives_a_panic() {
        let outcome = panic::catch_unwind(|| -> Outcome { panic!("oh no") });
        match verdict(outcome) {
            Verdict::Failed(reason) => assert!(reason.contains("oh no"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
