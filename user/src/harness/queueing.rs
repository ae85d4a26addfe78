// SPDX-License-Identifier: GPL-2.0

//! When a module's items are queued, as the kernel's tracing sees it: a delayed
//! item is once its timer has fired, which nothing else tells.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{mount, umount, MsFlags};

use super::wait::wait_until;
use super::{skip, Outcome};
use crate::error::Error;

const TRACEFS: &str = "/sys/kernel/tracing";
const EVENT: &str = "workqueue_queue_work";

/// Sees what is queued from the moment on when it is made.
pub struct Queueing {
    // The fields come down in this order.
    instance: Instance,
    _mount: Option<Mount>,
}

impl Queueing {
    pub fn from_now() -> Outcome<Queueing> {
        let mount = Mount::if_needed()?;
        let instance = Instance::new()?;
        // A few events are enough.
        instance.set("buffer_size_kb", "64")?;
        instance.set(&format!("events/workqueue/{EVENT}/enable"), "1")?;
        Ok(Queueing { instance, _mount: mount })
    }

    /// Waits until an item of `module` is queued on a CPU's own queue; on which.
    pub fn cpu_of_next(&self, module: &str) -> Outcome<usize> {
        let path = self.instance.0.join("trace");
        wait_until(&format!("an item of {module} to be queued"), || {
            let text = fs::read_to_string(&path).map_err(|error| Error::from_io(&path, &error))?;
            Ok(cpu_of_first(&text, module).ok_or(text))
        })
    }
}

/// A buffer of its own: whoever traces besides is not disturbed.
struct Instance(PathBuf);

impl Instance {
    fn new() -> Outcome<Instance> {
        let path = Path::new(TRACEFS).join(format!("instances/wqtest-{}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Ok(Instance(path)),
            Err(error) => skip(format!("needs the kernel's tracing: {}: {error}", path.display())),
        }
    }

    fn set(&self, file: &str, value: &str) -> Outcome {
        let path = self.0.join(file);
        Ok(fs::write(&path, value).map_err(|error| Error::from_io(&path, &error))?)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // What it has seen goes with it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The file system of the tracing, for as long as it is needed.
struct Mount;

impl Mount {
    fn if_needed() -> Outcome<Option<Mount>> {
        if Path::new(TRACEFS).join("instances").exists() {
            return Ok(None);
        }
        let none = None::<&str>;
        match mount(none, TRACEFS, Some("tracefs"), MsFlags::empty(), none) {
            Ok(()) => Ok(Some(Mount)),
            Err(errno) => skip(format!("needs the kernel's tracing: {TRACEFS}: {errno}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Where somebody uses it by now it stays.
        let _ = umount(TRACEFS);
    }
}

/// Lines look like this, with the module behind the function; no CPU is -1:
/// `... workqueue_queue_work: work struct=[...] function=[...] [module] workqueue=events
/// req_cpu=8192 cpu=1`
fn cpu_of_first(text: &str, module: &str) -> Option<usize> {
    let (event, module) = (format!(": {EVENT}: "), format!(" [{module}] "));
    let is_one = |line: &&str| line.contains(&event) && line.contains(&module);
    text.lines().filter(is_one).find_map(|line| line.rsplit_once(" cpu=")?.1.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_cpu_of_the_first_item_of_a_module() {
        let text = "\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     kworker/0:1-12      [000] d..1.  1.002: workqueue_queue_work: work struct=0000 function=vmstat_update workqueue=mm_percpu_wq req_cpu=0 cpu=0
     sh-27               [000] d..1.  1.003: workqueue_queue_work: work struct=0000 function=_RNvXs_3run [wq_echo] workqueue=wq_echo req_cpu=8192 cpu=-1
     sh-27               [001] d.s1.  1.004: workqueue_queue_work: work struct=0000 function=_RNvXs_3run [workqueue_demo] workqueue=events req_cpu=8192 cpu=1
     sh-27               [000] d..1.  1.005: workqueue_queue_work: work struct=0000 function=_RNvXs_3run [workqueue_demo] workqueue=events req_cpu=8192 cpu=0
";
        assert_eq!(cpu_of_first(text, "workqueue_demo"), Some(1));
        // Of a queue that belongs to no CPU.
        assert_eq!(cpu_of_first(text, "wq_echo"), None);
        assert_eq!(cpu_of_first(text, "demo"), None);
    }
}
