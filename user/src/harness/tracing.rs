// SPDX-License-Identifier: GPL-2.0

//! Events that only the kernel's tracing shows.

use super::restore::early_grace_periods;
use super::{skip, Outcome};
use crate::tracefs::Instance;

/// Records events of some kinds from when it is made.
pub struct Trace {
    // `Some` until `drop()`.
    instance: Option<Instance>,
}

impl Trace {
    /// Records these events of the group `group`.
    pub fn from_now(group: &str, events: &[&str]) -> Outcome<Trace> {
        let instance = match Instance::new(group) {
            Ok(instance) => instance,
            Err(error) => return skip(format!("needs the kernel's tracing: {error}")),
        };
        // Some thousand events are enough.
        instance.set("buffer_size_kb", "256")?;
        // A number that grows with each event, to order the events of several CPUs.
        instance.set("trace_clock", "counter")?;
        for event in events {
            instance.set(&format!("events/{group}/{event}/enable"), "1")?;
        }
        Ok(Trace { instance: Some(instance) })
    }

    /// What has been seen, one line an event.
    pub fn text(&self) -> Outcome<String> {
        Ok(self.instance.as_ref().expect("gone in drop() only").read("trace")?)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _early = early_grace_periods();
        self.instance = None;
    }
}
