// SPDX-License-Identifier: GPL-2.0

//! Where the modules' files are.

use std::fs;

use nix::sys::statfs::{statfs, DEBUGFS_MAGIC};

pub const ECHO_DEVICE: &str = "/dev/wq_echo";
pub const ECHO_COUNTERS: &str = "/sys/kernel/debug/wq_echo";
pub const DEMO_NODE: &str = "/proc/workqueue_demo";
pub const DEBUGFS: &str = "/sys/kernel/debug";

/// Why debugfs has no files, and what to do about it; `None` if it is mounted.
pub fn why_no_debugfs() -> Option<&'static str> {
    let is_mounted = statfs(DEBUGFS).is_ok_and(|fs| fs.filesystem_type() == DEBUGFS_MAGIC);
    let file_systems = fs::read_to_string("/proc/filesystems").ok();
    (!is_mounted).then(|| why_not_mounted(file_systems.as_deref()))
}

/// A kernel booted with `debugfs=off` does not list it among its file systems.
fn why_not_mounted(file_systems: Option<&str>) -> &'static str {
    let is_debugfs = |line: &str| line.split_whitespace().last() == Some("debugfs");
    match file_systems {
        Some(all) if !all.lines().any(is_debugfs) => {
            "this kernel runs without debugfs: boot one with CONFIG_DEBUG_FS and debugfs=on"
        }
        _ => "debugfs is not mounted: mount -t debugfs none /sys/kernel/debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advises_to_mount_only_what_can_be_mounted() {
        let advice = |all: Option<&str>| why_not_mounted(all).split_once(": ").unwrap().1;
        assert_eq!(
            advice(Some("nodev\tproc\n\text4\n")),
            "boot one with CONFIG_DEBUG_FS and debugfs=on"
        );
        let mount = "mount -t debugfs none /sys/kernel/debug";
        assert_eq!(advice(Some("nodev\tproc\nnodev\tdebugfs\n\text4\n")), mount);
        assert_eq!(advice(None), mount);
    }
}
