// SPDX-License-Identifier: GPL-2.0

//! A machine that has nothing else to do.
//!
//! When the first command runs, the console's thread still writes what the kernel
//! logged as it booted, and takes more of the processor than what is measured.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::bench::wait::wait_until;
use crate::bench::{fail, Outcome};
use crate::error::Error;

/// Over which idleness is looked at.
const SPAN: Duration = Duration::from_millis(500);

/// So much of it idle, in percent, is idle: the kernel's own timers go on.
const ENOUGH: u64 = 98;

/// How long the processors have been idle, and how long they have been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    idle: u64,
    all: u64,
}

pub fn wait() -> Outcome {
    wait_until("the machine to be idle", || {
        let before = times()?;
        thread::sleep(SPAN);
        let idle = percent_idle(before, times()?);
        Ok(if idle >= ENOUGH { Ok(()) } else { Err(format!("idle for {idle} % of {SPAN:?}")) })
    })
}

fn percent_idle(before: Times, after: Times) -> u64 {
    (after.idle - before.idle) * 100 / (after.all - before.all).max(1)
}

fn times() -> Outcome<Times> {
    let path = "/proc/stat";
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    match times_in(&text) {
        Some(times) => Ok(times),
        None => fail(format!("{path}: not understood: {text:?}")),
    }
}

/// Of the first line: user, nice, system, idle, and what is left.
fn times_in(stat: &str) -> Option<Times> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = numbers.split_whitespace().map_while(|word| word.parse().ok()).collect();
    Some(Times { idle: *times.get(3)?, all: times.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_times_of_all_processors() {
        let stat = "cpu  10 0 30 60 0 0 0 0 0 0\ncpu0 1 2 3 4 0 0 0 0 0 0\n";
        assert_eq!(times_in(stat), Some(Times { idle: 60, all: 100 }));
        assert_eq!(times_in("cpu 1 2 3\n"), None);
        assert_eq!(times_in("intr 1 2 3 4\n"), None);
    }

    #[test]
    fn says_how_idle_a_time_was() {
        let at = |idle, all| Times { idle, all };
        assert_eq!(percent_idle(at(60, 100), at(110, 150)), 100);
        assert_eq!(percent_idle(at(60, 100), at(60, 150)), 0);
        assert_eq!(percent_idle(at(60, 100), at(60, 100)), 0);
    }
}
