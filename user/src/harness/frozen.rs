// SPDX-License-Identifier: GPL-2.0

//! The system frozen for a while, as at the start of a suspend, and nothing else of that.

use std::fs;
use std::path::Path;

use super::restore::Setting;
use super::{fail, skip, Outcome};
use crate::kmsg::{Log, Record};

const LEVEL: &str = "/sys/power/pm_test";
const SECONDS: &str = "/sys/module/suspend/parameters/pm_test_delay";
const STATE: &str = "/sys/power/state";

/// What was logged by whom, before the system was frozen, while it was, and since then.
pub struct Frozen {
    pub before: Vec<Record>,
    pub meanwhile: Vec<Record>,
    pub after: Vec<Record>,
}

/// Freezes all tasks but the calling one, and the queues that take part, for two seconds. `log` is
/// read up to the present.
pub fn frozen(log: &mut Log) -> Outcome<Frozen> {
    if !Path::new(LEVEL).exists() {
        return skip(format!("the kernel has no freezer to be tested by itself ({LEVEL})"));
    }
    let _seconds = Setting::change(SECONDS, "2")?;
    let _level = Setting::change_for_a_while(LEVEL, "freezer", "none")?;
    fs::write(STATE, "freeze")?;
    let records = log.drain()?;
    let kernel_says = |text: &str| {
        let is_it = |record: &Record| record.facility == 0 && record.lossy().contains(text);
        records.iter().position(is_it)
    };
    // All is frozen when it says the first; it thaws nothing before it says the second.
    let waits = kernel_says("suspend debug: Waiting for 2 second(s)");
    let thaws = kernel_says("Restarting tasks");
    let (Some(waits), Some(thaws)) = (waits, thaws) else {
        return fail("the kernel does not say that it has frozen and thawed tasks");
    };
    Ok(Frozen {
        before: records[..waits].to_vec(),
        meanwhile: records[waits..thaws].to_vec(),
        after: records[thaws..].to_vec(),
    })
}
