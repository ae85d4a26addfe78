// SPDX-License-Identifier: GPL-2.0

//! Holds a workqueue, so that its items do not run for a while.
//!
//! Both modules make their queues with `WQ_UNBOUND | WQ_SYSFS`, so sysfs can confine a queue's
//! workers to one CPU. That CPU is then held and no worker runs, while the case works on another.
//! The modules know nothing of it.

use std::thread;

use super::cpus::{mask_of, TwoCpus};
use super::held_cpu::{HeldCpu, Releaser};
use super::restore::{Pinned, Setting};
use super::wait::spin_until;
use super::{fail, Outcome};
use crate::raw;

/// Holds a queue until it is released or dropped.
pub struct HeldQueue {
    // Dropped in this order: the CPU is released first.
    cpu: HeldCpu,
    _cpumask: Setting,
    _pinned: Pinned,
}

impl HeldQueue {
    /// Holds the queue that `/sys/devices/virtual/workqueue/` shows as `name`. The calling thread,
    /// and what it starts, stays on another CPU.
    pub fn hold(name: &str) -> Outcome<HeldQueue> {
        HeldQueue::hold_after(name, || Ok(()))
    }

    /// Does `before`, then holds the queue. Items that run then stay in their handlers: they get no
    /// CPU to continue or wake up on.
    pub fn hold_after(name: &str, before: impl FnOnce() -> Outcome) -> Outcome<HeldQueue> {
        let cpus = TwoCpus::of_this_machine()?;
        let pinned = Pinned::to(cpus.free)?;
        let cpumask = format!("/sys/devices/virtual/workqueue/{name}/cpumask");
        let cpumask = Setting::change(cpumask, &mask_of(cpus.busy))?;
        before()?;
        Ok(HeldQueue { cpu: HeldCpu::hold(cpus, "")?, _cpumask: cpumask, _pinned: pinned })
    }

    /// Keeps the calling thread, and what it starts from now on, off the CPU that will be busy.
    /// Otherwise a process that exists before the queue is held might be woken on that CPU, and
    /// make no progress.
    pub fn beside() -> Outcome<Pinned> {
        Pinned::to(TwoCpus::of_this_machine()?.free)
    }

    /// Lets the queue run. Fails if it was not held until now: then what the case has seen proves
    /// nothing.
    pub fn release(&mut self) -> Outcome {
        self.cpu.release()
    }

    /// Lets the queue run, and looks until `probe` has an answer. A task that is woken on the
    /// calling thread's CPU meanwhile gets no further than that.
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

    /// A handle with which another thread can let the queue run.
    pub fn releaser(&self) -> Releaser {
        self.cpu.releaser()
    }
}
