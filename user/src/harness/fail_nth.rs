// SPDX-License-Identifier: GPL-2.0

//! Faults at a chosen step of a system call: a failed allocation, or a failed copy from or to user
//! memory.
//!
//! The kernel counts the steps of a thread at which something could fail, and fails the one that
//! `/proc/thread-self/fail-nth` names.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;

use super::restore::Setting;
use super::{fail, skip, Outcome};
use crate::paths::DEBUGFS;

const FILE: &str = "/proc/thread-self/fail-nth";

/// What can fail. Each has a folder of settings in debugfs.
const CAPABILITIES: [&str; 3] = ["failslab", "fail_page_alloc", "fail_usercopy"];

/// The calling thread's faults.
pub struct FailNth {
    file: File,
    _settings: Vec<Setting>,
}

/// The result of a system call with a fault.
pub struct Hit<T> {
    pub result: T,
    /// The call had enough steps for the fault to hit.
    pub hit: bool,
}

impl FailNth {
    /// Faults at any step.
    pub fn anywhere() -> Outcome<FailNth> {
        FailNth::within(None)
    }

    /// Faults only in what the kernel function `function` calls.
    pub fn below(function: &str) -> Outcome<FailNth> {
        FailNth::within(Some(function))
    }

    fn within(function: Option<&str>) -> Outcome<FailNth> {
        if !Path::new(FILE).exists() || !Path::new(DEBUGFS).join(CAPABILITIES[0]).exists() {
            return skip("the kernel does not inject faults (CONFIG_FAULT_INJECTION)");
        }
        let range = function.map(range_of).transpose()?;
        let mut settings = Vec::new();
        for capability in CAPABILITIES {
            let mut set = |name: &str, value: &str| -> Outcome {
                let path = Path::new(DEBUGFS).join(capability).join(name);
                settings.extend(Setting::change_if_present(path, value)?);
                Ok(())
            };
            // No message for an intended fault. Fail allocations that may sleep, which are most of
            // them, and those of single pages.
            set("verbose", "0")?;
            set("probability", "0")?;
            set("ignore-gfp-wait", "N")?;
            set("ignore-gfp-highmem", "N")?;
            set("cache-filter", "N")?;
            set("min-order", "0")?;
            if let Some((start, end)) = &range {
                set("stacktrace-depth", "32")?;
                set("require-start", start)?;
                set("require-end", end)?;
            }
        }
        let file = OpenOptions::new().read(true).write(true).open(FILE)?;
        Ok(FailNth { file, _settings: settings })
    }

    /// Does `call` and fails its `n`th step.
    pub fn nth<T>(&self, n: u32, call: impl FnOnce() -> T) -> Outcome<Hit<T>> {
        let text = n.to_string();
        self.file.write_all_at(text.as_bytes(), 0)?;
        let result = call();
        Ok(Hit { result, hit: self.left()? == 0 })
    }

    /// How many steps `call` has.
    pub fn count<T>(&self, call: impl FnOnce() -> T) -> Outcome<(T, u32)> {
        const MANY: u32 = 1_000_000;
        self.file.write_all_at(MANY.to_string().as_bytes(), 0)?;
        let result = call();
        Ok((result, MANY - self.left()?))
    }

    /// The rest of the count. Ends the faults.
    fn left(&self) -> Outcome<u32> {
        let mut text = [0; 16];
        let left = match self.file.read_at(&mut text, 0) {
            Ok(length) => String::from_utf8_lossy(&text[..length]).trim_end().parse().ok(),
            // The fault has hit this read, so it did not hit the call before it.
            Err(error) if error.raw_os_error() == Some(Errno::EFAULT as i32) => Some(1),
            Err(error) => return Err(error.into()),
        };
        // The fault can hit this write as well, which uses up the count.
        while self.file.write_at(b"0", 0).is_err() {}
        match left {
            Some(left) => Ok(left),
            None => fail(format!("{FILE} is not a number")),
        }
    }
}

/// Where a function of the kernel begins and ends.
fn range_of(function: &str) -> Outcome<(String, String)> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    match range_in(&symbols, function) {
        Some((start, end)) => Ok((format!("{start:#x}"), format!("{end:#x}"))),
        None => skip(format!("/proc/kallsyms does not say where {function} is")),
    }
}

/// The end is the next higher address, wherever it is listed.
fn range_in(symbols: &str, function: &str) -> Option<(u64, u64)> {
    let address = |line: &str| u64::from_str_radix(line.split(' ').next()?, 16).ok();
    let line = symbols.lines().find(|line| line.split(' ').nth(2) == Some(function))?;
    let start = address(line).filter(|&start| start != 0)?;
    let end = symbols.lines().filter_map(address).filter(|&next| next > start).min()?;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_range_of_a_function() {
        let symbols = "0000000000001000 T one\n0000000000001800 t three\n\
                       0000000000001400 T two\t[module]\n0000000000001400 T two\n";
        assert_eq!(range_in(symbols, "one"), Some((0x1000, 0x1400)));
        assert_eq!(range_in(symbols, "two"), Some((0x1400, 0x1800)));
        assert_eq!(range_in(symbols, "three"), None);
        assert_eq!(range_in(symbols, "four"), None);
        assert_eq!(range_in("0000000000000000 T one\n0000000000000000 T two\n", "one"), None);
    }
}
