// SPDX-License-Identifier: GPL-2.0

//! Freezes the system for a while, as at the start of a suspend, without the rest of a suspend.

use std::fs;
use std::path::Path;

use super::restore::Setting;
use super::{fail, skip, Outcome};
use crate::kmsg::{Log, Record};

const LEVEL: &str = "/sys/power/pm_test";
const SECONDS: &str = "/sys/module/suspend/parameters/pm_test_delay";
const STATE: &str = "/sys/power/state";

/// The records logged before the system was frozen, while it was, and afterwards.
pub struct Frozen {
    pub before: Vec<Record>,
    pub meanwhile: Vec<Record>,
    pub after: Vec<Record>,
}

/// Freezes all tasks but the calling one, and all freezable queues, for two seconds. Reads `log` up
/// to the present.
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
    // The kernel has frozen everything before it logs the first, and thaws nothing before the
    // second.
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
