// SPDX-License-Identifier: GPL-2.0

//! A CPU on which nobody else runs for a while: a thread of real-time priority
//! spins on it. The case works on another CPU meanwhile.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cpus::TwoCpus;
use super::restore::{Pinned, Setting};
use super::{fail, skip, Outcome};
use crate::raw;

/// The spinning ends by itself after this, so that a case that hangs does not
/// hang the machine. What a case does meanwhile takes a second, and half a minute
/// on a busy machine with a kernel that checks every access.
const LIMIT: Duration = Duration::from_secs(60);

/// The kernel takes a CPU whose workers do not run for stalled; so many
/// seconds are meant here.
const STALL_DETECTOR: &str = "/sys/module/workqueue/parameters/watchdog_thresh";
const STALL_LIMIT: &str = "90";

/// Holds the busy one of two CPUs until it is released or dropped.
pub struct HeldCpu {
    // The fields come down in this order: first the CPU is let go.
    spinner: Spinner,
    _settings: Vec<Setting>,
    _pinned: Pinned,
}

impl HeldCpu {
    /// The calling thread, and what it starts, stays on the free CPU. `first` runs
    /// on the busy one, which from then on is never idle: a timer that it arms
    /// fires there.
    pub fn hold(
        cpus: TwoCpus,
        first: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Outcome<HeldCpu> {
        let pinned = Pinned::to(cpus.free)?;
        let settings = let_real_time_threads_be(cpus)?;
        let spinner = Spinner::start(cpus.busy, first)?;
        Ok(HeldCpu { spinner, _settings: settings, _pinned: pinned })
    }

    /// Lets the CPU go. Fails if it was not held until now, in which case what
    /// the case has seen proves nothing.
    pub fn release(&mut self) -> Outcome {
        match self.spinner.stop() {
            true => Ok(()),
            false => fail(format!("the CPU could not be held for more than {LIMIT:?}")),
        }
    }

    /// What another thread needs to let the CPU go.
    pub fn releaser(&self) -> Releaser {
        Releaser(self.spinner.enough.clone())
    }
}

/// Ordinary threads would be let in for a part of each second otherwise.
fn let_real_time_threads_be(cpus: TwoCpus) -> Outcome<Vec<Setting>> {
    let mut settings = vec![Setting::change("/proc/sys/kernel/sched_rt_runtime_us", "-1")?];
    for cpu in [cpus.busy, cpus.free] {
        let fair_server = format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime");
        settings.extend(Setting::change_if_present(fair_server, "0")?);
    }
    settings.extend(Setting::change_if_present(STALL_DETECTOR, STALL_LIMIT)?);
    Ok(settings)
}

/// Lets a held CPU go.
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
    fn start(cpu: usize, first: impl FnOnce() -> Outcome + Send + 'static) -> Outcome<Spinner> {
        let enough = Arc::new(AtomicBool::new(false));
        let (started, start) = mpsc::channel();
        let thread = thread::spawn({
            let enough = enough.clone();
            move || {
                let ready =
                    Pinned::to(cpu).and_then(|pinned| Ok((pinned, raw::become_realtime()?)));
                let is_ready = ready.is_ok();
                let begun = ready.as_ref().map(|_| first()).map_err(Clone::clone);
                // The other end waits for this.
                let _ = started.send(begun);
                is_ready && spin(&enough)
            }
        });
        let spinner = Spinner { enough, thread: Some(thread) };
        match start.recv() {
            Ok(Ok(first)) => first.map(|()| spinner),
            failure => {
                skip(format!("no thread of real-time priority on CPU {cpu} to be had: {failure:?}"))
            }
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
