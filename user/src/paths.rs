// SPDX-License-Identifier: GPL-2.0

//! Where the modules' files are.

use nix::sys::statfs::{statfs, DEBUGFS_MAGIC};

pub const ECHO_DEVICE: &str = "/dev/wq_echo";
pub const ECHO_COUNTERS: &str = "/sys/kernel/debug/wq_echo";
pub const DEMO_NODE: &str = "/proc/workqueue_demo";
pub const DEBUGFS: &str = "/sys/kernel/debug";

pub fn debugfs_is_mounted() -> bool {
    statfs(DEBUGFS).is_ok_and(|fs| fs.filesystem_type() == DEBUGFS_MAGIC)
}
