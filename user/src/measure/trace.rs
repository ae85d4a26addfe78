// SPDX-License-Identifier: GPL-2.0

//! When work items start, according to the kernel's tracing. Its clock is one that this program can
//! read too: the processor's own, if tracing knows it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::error::Error;
use crate::harness::{fail, Outcome};
use crate::raw;

const TRACEFS: &str = "/sys/kernel/tracing";
const EVENT: &str = "workqueue_execute_start";

/// Tracing that is on. Dropping it turns tracing off.
pub struct Trace {
    begun: Instant,
    begun_ticks: u64,
}

impl Trace {
    pub fn start() -> Outcome<Trace> {
        if !Path::new(TRACEFS).join("trace").exists() {
            return fail(format!("{TRACEFS}: not mounted: mount -t tracefs none {TRACEFS}"));
        }
        set("trace_clock", raw::TRACE_CLOCK)?;
        set("trace", "")?;
        set(&format!("events/workqueue/{EVENT}/enable"), "1")?;
        Ok(Trace { begun: Instant::now(), begun_ticks: raw::ticks() })
    }

    /// When items of `module` have started, in ticks of that clock.
    pub fn starts_of(&self, module: &str) -> Outcome<Vec<u64>> {
        let path = Path::new(TRACEFS).join("trace");
        let text = fs::read_to_string(&path).map_err(|error| Error::from_io(&path, &error))?;
        Ok(starts_of(&text, module))
    }

    /// How many nanoseconds a tick takes.
    pub fn nanoseconds_a_tick(&self) -> f64 {
        let ticks = raw::ticks() - self.begun_ticks;
        self.begun.elapsed().as_nanos() as f64 / ticks as f64
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // If it stayed on, the next figures would be larger, though for both twins.
        let _ = set(&format!("events/workqueue/{EVENT}/enable"), "0");
        let _ = set("trace_clock", "local");
    }
}

fn set(file: &str, value: &str) -> Outcome {
    let path = Path::new(TRACEFS).join(file);
    Ok(fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))?)
}

/// Lines look like this, with the module at the end:
/// `kworker/0:1-23 [000] d..1. 123456: workqueue_execute_start: [...] [c_echo]`
fn starts_of(text: &str, module: &str) -> Vec<u64> {
    let event = format!(": {EVENT}: ");
    let module = format!("[{module}]");
    let start = |line: &str| {
        let (head, tail) = line.split_once(&event)?;
        tail.trim_end().ends_with(&module).then_some(())?;
        ticks_shown(head.split_whitespace().last()?)
    };
    text.lines().filter_map(start).collect()
}

/// Tracing shows a counter as a number, a clock as seconds with six decimals.
fn ticks_shown(time: &str) -> Option<u64> {
    match time.split_once('.') {
        None => time.parse().ok(),
        Some((seconds, micros)) => {
            let seconds: u64 = seconds.parse().ok()?;
            let micros: u64 = micros.parse().ok()?;
            Some(seconds * 1_000_000_000 + micros * 1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_when_the_items_of_a_module_started() {
        let text = "\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     kworker/0:1-12      [000] d..1.  100200: workqueue_execute_start: work struct 0000: function vmstat_update
     kworker/u2:1-27     [000] d..1.  100300: workqueue_execute_start: work struct 0000: function print_messages [c_echo]
     kworker/u2:1-27     [000] d..1.  100350: workqueue_execute_end: work struct 0000: function print_messages [c_echo]
     kworker/u2:1-27     [000] d..1.  100400: workqueue_execute_start: work struct 0000: function _RNvXs_3run [wq_echo]
     kworker/u2:1-27     [000] d..1.  100500: workqueue_execute_start: work struct 0000: function print_messages [c_echo]
";
        assert_eq!(starts_of(text, "c_echo"), [100300, 100500]);
        assert_eq!(starts_of(text, "wq_echo"), [100400]);
        assert!(starts_of(text, "echo").is_empty());
    }

    #[test]
    fn reads_the_time_of_a_counter_and_of_a_clock() {
        assert_eq!(ticks_shown("100200"), Some(100_200));
        assert_eq!(ticks_shown("12.000345"), Some(12_000_345_000));
        assert_eq!(ticks_shown("12.x"), None);
    }
}
