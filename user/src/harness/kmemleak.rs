// SPDX-License-Identifier: GPL-2.0

//! The kernel's own search for memory that nobody refers to any more.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{fail, skip, Outcome};

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// The kernel does not report what is younger: its only pointer may still be
/// in a register.
const YOUNG: Duration = Duration::from_secs(5);

/// Whether the kernel does.
pub fn is_there() -> bool {
    Path::new(FILE).exists()
}

fn need() -> Outcome {
    match is_there() {
        true => Ok(()),
        false => skip("the kernel does not look for leaks (CONFIG_DEBUG_KMEMLEAK)"),
    }
}

/// Nothing that was allocated until now has been leaked.
pub fn expect_no_leaks() -> Outcome {
    need()?;
    // Not for an event, but for the memory to be old enough.
    thread::sleep(YOUNG + Duration::from_millis(500));
    // What changes between two scans is in use.
    for _ in 0..2 {
        fs::write(FILE, "scan")?;
    }
    let report = fs::read_to_string(FILE)?;
    // The next case is not to be blamed for them.
    fs::write(FILE, "clear")?;
    match of_others_than_the_boot(&report).as_str() {
        "" => Ok(()),
        leaks => fail(format!("the kernel found leaks\n{leaks}")),
    }
}

/// What a report says of memory that was not allocated while the kernel booted. User-mode
/// Linux has some of that which nothing seems to refer to.
fn of_others_than_the_boot(report: &str) -> String {
    const BEGINS: &str = "unreferenced object ";
    let objects = report.split_inclusive('\n').fold(Vec::new(), |mut objects, line| {
        if line.starts_with(BEGINS) || objects.is_empty() {
            objects.push(String::new());
        }
        objects.last_mut().expect("there is one").push_str(line);
        objects
    });
    objects.into_iter().filter(|object| !object.contains("\n  comm \"swapper")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_the_boot_has_allocated_from_what_leaked() {
        let boot = "unreferenced object 0x61040000 (size 262144):
  comm \"swapper\", pid 0, jiffies 4294937296
  backtrace (crc 6e934a72):
";
        let leak = "unreferenced object 0xff110000050cee00 (size 192):
  comm \"insmod\", pid 62, jiffies 4294898202
  backtrace (crc 0):
    swapper\n";
        assert_eq!(of_others_than_the_boot(""), "");
        assert_eq!(of_others_than_the_boot(&format!("{boot}{boot}")), "");
        assert_eq!(of_others_than_the_boot(&format!("{boot}{leak}{boot}{leak}")), leak.repeat(2));
    }
}
