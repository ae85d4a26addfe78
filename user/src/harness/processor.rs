// SPDX-License-Identifier: GPL-2.0

//! A processor that is turned off and on.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::restore::Setting;
use super::{skip, Harness, Outcome};

/// A processor that can be turned off, so not the one that the kernel booted on.
pub struct Processor {
    /// Turns it on again, however the case ends.
    _restored: Setting,
}

impl Processor {
    const SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";

    pub fn second() -> Outcome<Processor> {
        match Path::new(Processor::SWITCH).exists() {
            true => Ok(Processor { _restored: Setting::change(Processor::SWITCH, "1")? }),
            false => skip("there is no second processor that can be turned off"),
        }
    }

    /// Turns it off and on until `over`. Returns how many times.
    pub fn comes_and_goes(&self, harness: &Harness, over: &AtomicBool) -> Outcome<u32> {
        let mut switched = 0;
        while !over.load(Ordering::Relaxed) {
            fs::write(Processor::SWITCH, if switched % 2 == 0 { "0" } else { "1" })?;
            switched += 1;
            harness.progress.step();
            thread::sleep(Duration::from_millis(20));
        }
        harness.progress.note(format!("{switched} times off or on"));
        Ok(switched)
    }
}
