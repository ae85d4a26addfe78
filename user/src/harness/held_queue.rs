// SPDX-License-Identifier: GPL-2.0

//! A workqueue whose items do not run for a while.
//!
//! Both modules make their queues with `WQ_UNBOUND | WQ_SYSFS`, so that sysfs
//! can confine the queue's workers to one CPU. A thread of real-time priority
//! that spins on that CPU then keeps every worker from running, while the
//! case works on another CPU. Nothing in the modules knows of it.

use std::fs;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::restore::{Pinned, Setting};
use super::{fail, skip, Outcome};
use crate::raw;

/// The CPU that is kept busy, as a number, in a mask and in a path.
const BUSY_CPU: usize = 1;
const BUSY_CPU_MASK: &str = "2";
const BUSY_CPU_FAIR_SERVER: &str = "/sys/kernel/debug/sched/fair_server/cpu1/runtime";
/// The CPU that the case runs on.
const FREE_CPU: usize = 0;

/// The spinning ends by itself after this, so that a case that hangs does not
/// hang the machine. What a case does meanwhile takes a second, and half a minute
/// on a busy machine with a kernel that checks every access.
const LIMIT: Duration = Duration::from_secs(60);

/// The kernel takes a CPU whose workers do not run for stalled; so many
/// seconds are meant here.
const STALL_DETECTOR: &str = "/sys/module/workqueue/parameters/watchdog_thresh";
const STALL_LIMIT: &str = "90";

/// Holds a queue until it is released or dropped.
pub struct HeldQueue {
    // The fields come down in this order: first the CPU is let go.
    spinner: Spinner,
    _settings: Vec<Setting>,
    _pinned: Pinned,
}

impl HeldQueue {
    /// Holds the queue that `/sys/devices/virtual/workqueue/` shows as `name`.
    /// The calling thread, and what it starts, stays on another CPU.
    pub fn hold(name: &str) -> Outcome<HeldQueue> {
        if !fs::exists(format!("/sys/devices/system/cpu/cpu{BUSY_CPU}"))? {
            return skip("needs a second CPU, to keep the queue's workers from running");
        }
        let pinned = Pinned::to(FREE_CPU)?;
        let queue = format!("/sys/devices/virtual/workqueue/{name}/cpumask");
        let mut settings = vec![
            Setting::change(queue, BUSY_CPU_MASK)?,
            // Both would let ordinary threads in for a part of each second.
            Setting::change("/proc/sys/kernel/sched_rt_runtime_us", "-1")?,
        ];
        settings.extend(Setting::change_if_present(BUSY_CPU_FAIR_SERVER, "0")?);
        settings.extend(Setting::change_if_present(STALL_DETECTOR, STALL_LIMIT)?);
        Ok(HeldQueue { spinner: Spinner::start()?, _settings: settings, _pinned: pinned })
    }

    /// Keeps the calling thread, and what it starts from now on, off the CPU that
    /// will be busy. Processes that are there before a queue is held might be woken
    /// on it otherwise, and come no further.
    pub fn beside() -> Outcome<Pinned> {
        Pinned::to(FREE_CPU)
    }

    /// Lets the queue run. Fails if it was not held until now, in which case
    /// what the case has seen proves nothing.
    pub fn release(&mut self) -> Outcome {
        match self.spinner.stop() {
            true => Ok(()),
            false => fail(format!("the queue could not be held for more than {LIMIT:?}")),
        }
    }

    /// What another thread needs to let the queue run.
    pub fn releaser(&self) -> Releaser {
        Releaser(self.spinner.enough.clone())
    }
}

/// Lets a held queue run.
pub struct Releaser(Arc<AtomicBool>);

impl Releaser {
    pub fn release(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The thread that keeps the CPU busy.
struct Spinner {
    enough: Arc<AtomicBool>,
    /// Says whether it was told to stop, and not stopped by its limit.
    thread: Option<JoinHandle<bool>>,
}

impl Spinner {
    fn start() -> Outcome<Spinner> {
        let enough = Arc::new(AtomicBool::new(false));
        let (started, start) = mpsc::channel();
        let thread = thread::spawn({
            let enough = enough.clone();
            move || {
                let ready =
                    Pinned::to(BUSY_CPU).and_then(|pinned| Ok((pinned, raw::become_realtime()?)));
                let is_ready = ready.is_ok();
                // The other end waits for this.
                let _ = started.send(ready.as_ref().map(drop).map_err(Clone::clone));
                is_ready && spin(&enough)
            }
        });
        let spinner = Spinner { enough, thread: Some(thread) };
        match start.recv() {
            Ok(Ok(())) => Ok(spinner),
            failure => skip(format!(
                "no thread of real-time priority on CPU {BUSY_CPU} to be had: {failure:?}"
            )),
        }
    }

    fn stop(&mut self) -> bool {
        self.enough.store(true, Ordering::Release);
        self.thread.take().is_none_or(|thread| thread.join().unwrap_or(false))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spin(enough: &AtomicBool) -> bool {
    let deadline = Instant::now() + LIMIT;
    while !enough.load(Ordering::Acquire) {
        if Instant::now() >= deadline {
            return false;
        }
        hint::spin_loop();
    }
    true
}
