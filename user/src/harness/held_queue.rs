// SPDX-License-Identifier: GPL-2.0

//! A workqueue whose items do not run for a while.
//!
//! Both modules make their queues with `WQ_UNBOUND | WQ_SYSFS`, so that sysfs
//! can confine the queue's workers to one CPU. That CPU is then held, so that no
//! worker runs, while the case works on another. Nothing in the modules knows of
//! it.

use std::thread;

use super::cpus::{mask_of, TwoCpus};
use super::held_cpu::{HeldCpu, Releaser};
use super::restore::{Pinned, Setting};
use super::wait::spin_until;
use super::{fail, Outcome};
use crate::raw;

/// Holds a queue until it is released or dropped.
pub struct HeldQueue {
    // The fields come down in this order: first the CPU is let go.
    cpu: HeldCpu,
    _cpumask: Setting,
    _pinned: Pinned,
}

impl HeldQueue {
    /// Holds the queue that `/sys/devices/virtual/workqueue/` shows as `name`.
    /// The calling thread, and what it starts, stays on another CPU.
    pub fn hold(name: &str) -> Outcome<HeldQueue> {
        HeldQueue::hold_after(name, || Ok(()))
    }

    /// Holds the queue when `before` is over. What runs then stays in its handler:
    /// it gets no CPU to go on with, nor one to wake up on.
    pub fn hold_after(name: &str, before: impl FnOnce() -> Outcome) -> Outcome<HeldQueue> {
        let cpus = TwoCpus::of_this_machine()?;
        let pinned = Pinned::to(cpus.free)?;
        let cpumask = format!("/sys/devices/virtual/workqueue/{name}/cpumask");
        let cpumask = Setting::change(cpumask, &mask_of(cpus.busy))?;
        before()?;
        Ok(HeldQueue { cpu: HeldCpu::hold(cpus, "")?, _cpumask: cpumask, _pinned: pinned })
    }

    /// Keeps the calling thread, and what it starts from now on, off the CPU that
    /// will be busy. Processes that are there before a queue is held might be woken
    /// on it otherwise, and come no further.
    pub fn beside() -> Outcome<Pinned> {
        Pinned::to(TwoCpus::of_this_machine()?.free)
    }

    /// Lets the queue run. Fails if it was not held until now, in which case
    /// what the case has seen proves nothing.
    pub fn release(&mut self) -> Outcome {
        self.cpu.release()
    }

    /// Lets the queue run, and looks until `probe` has an answer. Whoever is woken
    /// meanwhile on the CPU of the calling thread gets no further than that.
    pub fn release_and_look<T: Send>(
        &mut self,
        what: &str,
        probe: impl FnMut() -> Outcome<Result<T, String>> + Send,
    ) -> Outcome<T> {
        let releaser = self.releaser();
        let seen = thread::scope(|scope| {
            let looking = scope.spawn(move || {
                raw::become_realtime()?;
                releaser.release();
                spin_until(what, probe)
            });
            looking.join().unwrap_or_else(|_| fail("the thread that looked has panicked"))
        })?;
        self.release()?;
        Ok(seen)
    }

    /// What another thread needs to let the queue run.
    pub fn releaser(&self) -> Releaser {
        self.cpu.releaser()
    }
}
