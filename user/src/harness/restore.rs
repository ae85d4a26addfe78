// SPDX-License-Identifier: GPL-2.0

//! Settings of the machine that a case changes while it runs.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{sched_getaffinity, sched_setaffinity, CpuSet};
use nix::unistd::Pid;

use super::Outcome;
use crate::error::Error;

/// A sysctl or sysfs file that gets its old content back when this is dropped.
pub struct Setting {
    path: PathBuf,
    old: String,
}

impl Setting {
    pub fn change(path: impl AsRef<Path>, value: &str) -> Outcome<Setting> {
        let path = path.as_ref();
        let old = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
        Setting::change_for_a_while(path, value, &old)
    }

    /// Like [`Setting::change`], for a file that does not accept what it shows: it gets `old`.
    pub fn change_for_a_while(path: impl AsRef<Path>, value: &str, old: &str) -> Outcome<Setting> {
        let path = path.as_ref().to_owned();
        fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))?;
        Ok(Setting { path, old: old.into() })
    }

    /// Like [`Setting::change`], for a file that not every kernel has.
    pub fn change_if_present(path: impl AsRef<Path>, value: &str) -> Outcome<Option<Setting>> {
        match path.as_ref().exists() {
            true => Setting::change(path, value).map(Some),
            false => Ok(None),
        }
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        // If the file has gone with its module, there is nothing to restore.
        let _ = fs::write(&self.path, &self.old);
    }
}

/// Expedites RCU's grace periods: loading and removing modules waits for several. For what a case
/// does around its proof.
pub fn early_grace_periods() -> Outcome<Option<Setting>> {
    Setting::change_if_present("/sys/kernel/rcu_expedited", "1")
}

/// Sets one limit for the whole demo queue. Otherwise C lets each NUMA node run `max_active` items
/// when that is as small as here.
pub fn one_limit_for_all_nodes() -> Outcome<Setting> {
    let scope = "/sys/devices/virtual/workqueue/workqueue_demo/affinity_scope";
    // It reads as "default (cache)".
    Setting::change_for_a_while(scope, "system", "default")
}

/// Pins the calling thread to one CPU. It gets its old CPUs back when this is dropped.
pub struct Pinned {
    old: CpuSet,
}

/// The calling thread, as sched_setaffinity(2) names it.
const THIS_THREAD: Pid = Pid::from_raw(0);

impl Pinned {
    pub fn to(cpu: usize) -> Outcome<Pinned> {
        let old = sched_getaffinity(THIS_THREAD)?;
        let mut only = CpuSet::new();
        only.set(cpu)?;
        sched_setaffinity(THIS_THREAD, &only)?;
        Ok(Pinned { old })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(THIS_THREAD, &self.old);
    }
}
