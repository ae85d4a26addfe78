// SPDX-License-Identifier: GPL-2.0

//! Other processes, as /proc shows them.

use std::fs;

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::wait::wait_until;
use super::{fail, Outcome};

/// A field of `/proc/PID/status`.
pub fn status_field(pid: Pid, name: &str) -> Outcome<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    match field {
        Some(value) => Ok(value.trim().to_owned()),
        None => fail(format!("no {name} in the status of a process")),
    }
}

/// The nice value of a process, as `/proc/PID/stat` has it.
pub fn nice(pid: Pid) -> Outcome<i32> {
    /// Its place after the name, which stands in parentheses and may contain anything.
    const NICE: usize = 16;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.split(' '));
    match fields.and_then(|mut fields| fields.nth(NICE)?.parse().ok()) {
        Some(nice) => Ok(nice),
        None => fail(format!("no nice value in {stat:?}")),
    }
}

/// The workers that now run items of a queue: the kernel shows the queue's name after theirs.
pub fn workers_on(queue: &str) -> Outcome<Vec<Pid>> {
    let running = format!("+{queue}\n");
    let mut workers = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A process may have ended before its name is read.
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        workers.extend(pid.filter(|_| name.ends_with(&running)).map(Pid::from_raw));
    }
    Ok(workers)
}

/// Sends a signal and waits until the process has received it. If it slept, it has been woken.
pub fn signal_and_wait(pid: Pid, signal: Signal) -> Outcome {
    kill(pid, signal)?;
    wait_until("the signal to be received", || {
        let pending = status_field(pid, "ShdPnd")?;
        let mask = u64::from_str_radix(&pending, 16).unwrap_or(u64::MAX);
        let is_pending = mask & (1 << (signal as i32 - 1)) != 0;
        Ok(if is_pending { Err(format!("ShdPnd {pending}")) } else { Ok(()) })
    })
}
