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

/// Sends a signal and waits until the process has received it: if it slept, it was woken.
pub fn signal_and_wait(pid: Pid, signal: Signal) -> Outcome {
    kill(pid, signal)?;
    wait_until("the signal to be received", || {
        let pending = status_field(pid, "ShdPnd")?;
        let mask = u64::from_str_radix(&pending, 16).unwrap_or(u64::MAX);
        let is_pending = mask & (1 << (signal as i32 - 1)) != 0;
        Ok(if is_pending { Err(format!("ShdPnd {pending}")) } else { Ok(()) })
    })
}
