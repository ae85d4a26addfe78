// SPDX-License-Identifier: GPL-2.0

//! What `workqueue_demo` logs.

use std::time::{Duration, Instant};

use super::wait::PATIENCE;
use super::{fail, Outcome};
use crate::kmsg::{Log, Record};

const PREFIX: &str = "workqueue_demo: ";

/// How much too early a timer may seem to fire, or a sleep to end. Both count jiffies. If an
/// emulated machine's jiffies are late at the start, it catches up and shortens the time.
pub const EARLY: Duration = Duration::from_millis(40);

/// The line that each run logs:
/// `workqueue_demo: delayed work ran on kworker/0:1 (CPU 0) of events after 2003 ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub kind: String,
    pub worker: String,
    pub cpu: usize,
    pub queue: String,
    /// From the command to the start of the run.
    pub after: Duration,
    /// When the line was logged, since boot.
    pub logged: Duration,
}

impl Run {
    /// Whether a rescuer ran it instead of a worker of a pool. On a busy machine C may not be able
    /// to make a worker within 10 ms. Of the queues in use, only the module's first has a rescuer
    /// (`WQ_MEM_RECLAIM`).
    pub fn was_rescued(&self) -> bool {
        self.worker.starts_with("kworker/R-")
    }

    pub fn parse(record: &Record) -> Option<Run> {
        let text = std::str::from_utf8(&record.text).ok()?;
        let words: Vec<&str> = text.strip_prefix(PREFIX)?.split(' ').collect();
        let [kind, "work", "ran", "on", worker, "(CPU", cpu, "of", queue, "after", milliseconds, "ms"] =
            words[..]
        else {
            return None;
        };
        Some(Run {
            kind: kind.to_owned(),
            worker: worker.to_owned(),
            cpu: cpu.strip_suffix(')')?.parse().ok()?,
            queue: queue.to_owned(),
            after: Duration::from_millis(milliseconds.parse().ok()?),
            logged: record.time,
        })
    }
}

/// The module's lines from some moment on.
pub struct DemoLog {
    log: Log,
}

impl DemoLog {
    pub fn from_now() -> Outcome<DemoLog> {
        Ok(DemoLog { log: Log::from_now()? })
    }

    /// Waits for the next line and returns it without the module's name.
    pub fn next(&mut self) -> Outcome<Record> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.log.next_until(deadline)? {
                Some(record) if record.is_from(PREFIX) => return Ok(record),
                Some(_) => {}
                None => {
                    return fail(format!(
                        "waited {PATIENCE:?} for a line of workqueue_demo in the kernel log"
                    ))
                }
            }
        }
    }

    /// Waits for the next run of a kind.
    pub fn next_run(&mut self, kind: &str) -> Outcome<Run> {
        loop {
            if let Some(run) = Run::parse(&self.next()?).filter(|run| run.kind == kind) {
                return Ok(run);
            }
        }
    }

    /// All lines that are already there, without the module's name.
    pub fn lines_already(&mut self) -> Outcome<Vec<String>> {
        let records = self.log.drain()?.into_iter();
        let own = records.filter(|record| record.is_from(PREFIX));
        Ok(own.map(|record| record.lossy()[PREFIX.len()..].to_owned()).collect())
    }

    /// All runs that are already logged.
    pub fn runs_already(&mut self) -> Outcome<Vec<Run>> {
        Ok(self.log.drain()?.iter().filter_map(Run::parse).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Run> {
        Run::parse(&Record::parse(format!("6,1,5000,-;{text}\n").as_bytes()).unwrap())
    }

    #[test]
    fn takes_the_documented_line_apart() {
        let line =
            "workqueue_demo: delayed work ran on kworker/0:1 (CPU 0) of events after 2003 ms";
        assert_eq!(
            parse(line),
            Some(Run {
                kind: "delayed".into(),
                worker: "kworker/0:1".into(),
                cpu: 0,
                queue: "events".into(),
                after: Duration::from_millis(2003),
                logged: Duration::from_millis(5),
            })
        );
    }

    #[test]
    fn leaves_other_lines_alone() {
        for line in [
            "workqueue_demo: Data: 42",
            "wq_echo: delayed work ran on kworker/0:1 (CPU 0) of events after 2003 ms",
            "workqueue_demo: delayed work ran on kworker/0:1 (CPU 0) after 2003 ms",
            "workqueue_demo: delayed work ran on kworker/0:1 (CPU 0) of events after 2003 us",
            "workqueue_demo: delayed work ran on kworker/0:1 (CPU x) of events after 2003 ms",
            "workqueue_demo: delayed work ran on kworker/0:1 (CPU 0) of events after 2003 ms more",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
