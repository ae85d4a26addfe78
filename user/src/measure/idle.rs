// SPDX-License-Identifier: GPL-2.0

//! Waits until the machine has nothing else to do.
//!
//! When the first command runs, the console's thread still writes the boot log, and takes more of
//! the processor than what is measured. Later lines go to the log's buffer only.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::harness::restore::Setting;
use crate::harness::wait::wait_until;
use crate::harness::{fail, Outcome};

/// How long the machine has to be idle.
const SPAN: Duration = Duration::from_millis(500);

/// In percent of that time. The kernel's own timers go on. One unit of 10 ms on one processor is 2
/// percent.
const ENOUGH: u64 = 98;

/// How long all processors together have been idle, and how long in all, idle time included, in
/// units of 10 ms (`USER_HZ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    idle: u64,
    all: u64,
}

/// Waits until the machine is idle, and silences the console until the result is dropped.
pub fn machine() -> Outcome<Setting> {
    wait_until_idle()?;
    Setting::change("/proc/sys/kernel/printk", "1")
}

fn wait_until_idle() -> Outcome {
    wait_until("the machine to be idle", || {
        let before = times()?;
        thread::sleep(SPAN);
        let idle = percent_idle(before, times()?);
        Ok(if idle >= ENOUGH { Ok(()) } else { Err(format!("idle for {idle} % of {SPAN:?}")) })
    })
}

fn percent_idle(before: Times, after: Times) -> u64 {
    // The kernel may later correct one in favour of the other.
    let idle = after.idle.saturating_sub(before.idle);
    let all = after.all.saturating_sub(before.all);
    idle * 100 / all.max(1)
}

fn times() -> Outcome<Times> {
    let path = "/proc/stat";
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    match times_in(&text) {
        Some(times) => Ok(times),
        None => fail(format!("{path}: not understood: {text:?}")),
    }
}

/// Parses the first line: user, nice, system, idle, and so on. The last two, of guests, are part of
/// user and nice.
fn times_in(stat: &str) -> Option<Times> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let times: Vec<u64> = numbers.take(8).map_while(|word| word.parse().ok()).collect();
    Some(Times { idle: *times.get(3)?, all: times.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_times_of_all_processors() {
        let stat = "cpu  10 0 30 60 0 0 0 0 7 0\ncpu0 1 2 3 4 0 0 0 0 0 0\n";
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
        assert_eq!(percent_idle(at(60, 100), at(59, 99)), 0);
    }
}
