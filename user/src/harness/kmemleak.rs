// SPDX-License-Identifier: GPL-2.0

//! The kernel's own search for memory that nobody refers to any more.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{fail, skip, Outcome};

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// The kernel does not report younger memory: its only pointer may still be in a register.
const YOUNG: Duration = Duration::from_secs(5);

/// Whether the kernel has this search.
pub fn is_there() -> bool {
    Path::new(FILE).exists()
}

fn need() -> Outcome {
    match is_there() {
        true => Ok(()),
        false => skip("the kernel does not look for leaks (CONFIG_DEBUG_KMEMLEAK)"),
    }
}

/// Nothing that has been allocated until now is leaked.
pub fn expect_no_leaks() -> Outcome {
    need()?;
    // This waits for no event: the memory has to become old enough.
    thread::sleep(YOUNG + Duration::from_millis(500));
    // Memory that changes between two scans is in use.
    for _ in 0..2 {
        fs::write(FILE, "scan")?;
    }
    let report = fs::read_to_string(FILE)?;
    // The next case is not to be blamed for them.
    fs::write(FILE, "clear")?;
    match report.as_str() {
        "" => Ok(()),
        leaks => fail(format!("the kernel found leaks\n{leaks}")),
    }
}
