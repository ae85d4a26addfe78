// SPDX-License-Identifier: GPL-2.0

//! Holds a CPU: a process of real-time priority spins on it, so nobody else runs there. The case
//! works on another CPU meanwhile.
//!
//! The spinner is this program, started with a hidden command. It has to be a process of its own:
//! User-mode Linux runs only one thread of a process at a time, so a spinning thread would have to
//! wait for the case.

use std::hint;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::child::say;
use super::cpus::TwoCpus;
use super::restore::{Pinned, Setting};
use super::{fail, skip, Outcome};
use crate::demo_node;
use crate::raw;

/// The hidden command: `wqtest child-spin CPU LINES`.
pub const COMMAND: &str = "child-spin";

/// The spinning ends by itself after this, so that a case that hangs does not hang the machine. A
/// case needs a second meanwhile, or half a minute on a busy machine with a kernel that checks
/// every access.
const LIMIT: Duration = Duration::from_secs(60);

/// The kernel reports a CPU as stalled when its workers have not run for this many seconds. Here
/// they do not run on purpose, so it is raised above `LIMIT`.
const STALL_DETECTOR: &str = "/sys/module/workqueue/parameters/watchdog_thresh";
const STALL_LIMIT: &str = "90";

/// Holds the busy one of two CPUs until it is released or dropped.
pub struct HeldCpu {
    // Dropped in this order: the CPU is released first.
    spinner: Spinner,
    _settings: Vec<Setting>,
    _pinned: Pinned,
}

impl HeldCpu {
    /// Keeps the calling thread, and what it starts, on the free CPU. Writes `lines` to
    /// workqueue_demo's node on the busy CPU, which is never idle from then on: a timer that they
    /// arm fires there.
    pub fn hold(cpus: TwoCpus, lines: &str) -> Outcome<HeldCpu> {
        let pinned = Pinned::to(cpus.free)?;
        let settings = let_real_time_threads_be([cpus.busy, cpus.free])?;
        let spinner = Spinner::start(cpus.busy, lines)?;
        Ok(HeldCpu { spinner, _settings: settings, _pinned: pinned })
    }

    /// Releases the CPU. Fails if it was not held until now: then what the case has seen proves
    /// nothing.
    pub fn release(&mut self) -> Outcome {
        match self.spinner.stop() {
            true => Ok(()),
            false => fail(format!("the CPU could not be held for more than {LIMIT:?}")),
        }
    }

    /// A handle with which another thread can release the CPU.
    pub fn releaser(&self) -> Releaser {
        Releaser(self.spinner.pid())
    }
}

/// Otherwise ordinary threads would get a part of each second.
pub fn let_real_time_threads_be(cpus: impl IntoIterator<Item = usize>) -> Outcome<Vec<Setting>> {
    let mut settings = vec![Setting::change("/proc/sys/kernel/sched_rt_runtime_us", "-1")?];
    for cpu in cpus {
        let fair_server = format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime");
        settings.extend(Setting::change_if_present(fair_server, "0")?);
    }
    settings.extend(Setting::change_if_present(STALL_DETECTOR, STALL_LIMIT)?);
    Ok(settings)
}

/// Releases a held CPU.
#[derive(Clone, Copy)]
pub struct Releaser(Pid);

impl Releaser {
    pub fn release(&self) {
        // If the process has already ended, `Spinner::stop` notices.
        let _ = kill(self.0, Signal::SIGTERM);
    }
}

/// The process that keeps the CPU busy.
struct Spinner {
    child: Child,
    is_stopped: bool,
}

impl Spinner {
    fn start(cpu: usize, lines: &str) -> Outcome<Spinner> {
        let mut child = Command::new("/proc/self/exe")
            .args([COMMAND, &cpu.to_string(), lines])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("the output is a pipe");
        // From here on, dropping it stops the process, even after an error.
        let spinner = Spinner { child, is_stopped: false };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            None if line == "spinning\n" => Ok(spinner),
            Some(("failed", why)) => fail(why.to_owned()),
            other => {
                skip(format!("no process of real-time priority on CPU {cpu} to be had: {other:?}"))
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Whether it spun until it was told to stop, and did not reach its limit.
    fn stop(&mut self) -> bool {
        if self.is_stopped {
            return true;
        }
        self.is_stopped = true;
        Releaser(self.pid()).release();
        self.child.wait().is_ok_and(|status| status.code().is_none())
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The child's side: writes the lines to workqueue_demo's node, says so, and spins until a signal
/// ends it.
pub fn child_main(cpu: usize, lines: &str) {
    let ready = Pinned::to(cpu).and_then(|pinned| Ok((pinned, raw::become_realtime()?)));
    let Ok(_ready) = ready else {
        return say(&format!("unable {ready:?}", ready = ready.map(drop)));
    };
    if !lines.is_empty() {
        if let Err(error) = demo_node::write_once(lines) {
            return say(&format!("failed {error}"));
        }
    }
    say("spinning");
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        hint::spin_loop();
    }
}
