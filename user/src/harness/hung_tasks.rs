// SPDX-License-Identifier: GPL-2.0

//! The kernel's search for hung tasks, seen through its tracing. Its lines in the log are turned
//! off, because one there would be a failure.

use std::path::Path;

use nix::unistd::Pid;

use super::restore::Setting;
use super::tracing::Trace;
use super::wait::wait_until;
use super::{skip, Outcome};

const EVENT: &str = "sched_process_hang";
const HUNG_AFTER: &str = "/proc/sys/kernel/hung_task_timeout_secs";

/// A search that finds tasks that hang for one second instead of two minutes.
pub struct HungTasks {
    // Dropped in this order: the search is back to normal before tracing ends.
    _settings: Vec<Setting>,
    found: Trace,
}

impl HungTasks {
    pub fn from_now() -> Outcome<HungTasks> {
        if !Path::new(HUNG_AFTER).exists() {
            return skip("needs a kernel that looks for hung tasks (CONFIG_DETECT_HUNG_TASK)");
        }
        let found = Trace::from_now("sched", &[EVENT])?;
        let settings = [
            ("/proc/sys/kernel/hung_task_panic", "0"),
            ("/proc/sys/kernel/hung_task_warnings", "0"),
            ("/proc/sys/kernel/hung_task_check_interval_secs", "1"),
            (HUNG_AFTER, "1"),
        ];
        let settings = settings.map(|(path, value)| Setting::change(path, value));
        Ok(HungTasks { _settings: settings.into_iter().collect::<Outcome<_>>()?, found })
    }

    /// Waits until the search finds `task`. Returns all tasks found by then, with their names.
    pub fn found_with(&self, task: Pid) -> Outcome<Vec<(String, Pid)>> {
        wait_until(&format!("the kernel to find that {task} hangs"), || {
            let text = self.found.text()?;
            let found = all_of(&text);
            Ok(if found.iter().any(|(_, pid)| *pid == task) { Ok(found) } else { Err(text) })
        })
    }
}

/// Lines look like this: `... sched_process_hang: comm=kworker/u8:2 pid=47`.
fn all_of(text: &str) -> Vec<(String, Pid)> {
    let mark = format!(": {EVENT}: comm=");
    let task_of = |line: &str| {
        let (name, pid) = line.split_once(&mark)?.1.rsplit_once(" pid=")?;
        Some((name.to_owned(), Pid::from_raw(pid.trim_end().parse().ok()?)))
    };
    text.lines().filter_map(task_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_who_hang() {
        let text = "\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
      khungtaskd-27      [000] .....  9.002: sched_process_hang: comm=my task pid=131
      khungtaskd-27      [000] .....  9.003: sched_process_hang: comm=kworker/u8:2 pid=47
";
        let names = |text| all_of(text).into_iter().map(|(name, pid)| (name, pid.as_raw()));
        let found: Vec<_> = names(text).collect();
        assert_eq!(found, [("my task".to_owned(), 131), ("kworker/u8:2".to_owned(), 47)]);
        assert_eq!(names("# tracer: nop\n").count(), 0);
    }
}
