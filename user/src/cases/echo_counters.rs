// SPDX-License-Identifier: GPL-2.0

//! The counters in debugfs.

use std::collections::BTreeSet;
use std::fs;

use super::cases;
use crate::echo_counters::{parse_number, EchoCounters};
use crate::harness::echo::{counters_at_rest, EchoFixture};
use crate::harness::loaded::loaded_with;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};
use crate::paths::ECHO_COUNTERS;

cases! {
    echo_shows_one_number_a_file,
    echo_counts_from_zero,
    echo_counts_what_it_accepts_and_prints,
    echo_counts_batches,
}

fn echo_shows_one_number_a_file(_: &Harness) -> Outcome {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(ECHO_COUNTERS)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        ensure!(parse_number(&text).is_some(), "{}: not one number: {text:?}", path.display());
        names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    let expected: BTreeSet<String> = EchoCounters::NAMES.map(str::to_owned).into();
    ensure_eq!(names, expected, "the files in {ECHO_COUNTERS}");
    Ok(())
}

fn echo_counts_from_zero(harness: &Harness) -> Outcome {
    let fresh = loaded_with(&harness.echo, "")?;
    ensure_eq!(EchoCounters::read()?, EchoCounters::default(), "the counters of a new module");
    fresh.finish()
}

fn echo_counts_what_it_accepts_and_prints(_: &Harness) -> Outcome {
    let before = counters_at_rest()?;
    let echo = EchoFixture::new()?;
    for text in ["one", "two\n", "\n"] {
        echo.write(text.as_bytes(), text.len())?;
    }
    echo.write(&[b'x'; 300], 255)?;
    let after = counters_at_rest()?;
    ensure_eq!(after.accepted - before.accepted, 4, "accepted");
    ensure_eq!(after.printed - before.printed, 4, "printed");
    ensure_eq!(after.pending, 0, "pending");
    ensure_eq!(after.blocked, before.blocked, "blocked");
    ensure_eq!(after.refused, before.refused, "refused");
    Ok(())
}

fn echo_counts_batches(harness: &Harness) -> Outcome {
    // A reloaded module: in the old one a busy worker may still take what comes.
    let fresh = loaded_with(&harness.echo, "")?;
    let echo = EchoFixture::new()?;
    for _ in 0..10 {
        echo.write(b"one of a batch", 14)?;
    }
    let batches = counters_at_rest()?.batches;
    // A run takes all there is: between one run for all and one for each.
    ensure!((1..=10).contains(&batches), "{batches} runs for 10 messages");
    drop(echo);
    fresh.finish()
}
