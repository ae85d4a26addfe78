// SPDX-License-Identifier: GPL-2.0

//! When a module's items are queued: a delayed item is once its timer has fired, which
//! nothing but the kernel's tracing tells.

use super::tracing::Trace;
use super::wait::wait_until;
use super::Outcome;

const EVENT: &str = "workqueue_queue_work";

/// Sees what is queued from the moment on when it is made.
pub struct Queueing(Trace);

impl Queueing {
    pub fn from_now() -> Outcome<Queueing> {
        Ok(Queueing(Trace::from_now("workqueue", EVENT)?))
    }

    /// Waits until an item of `module` is queued on a CPU's own queue; on which.
    pub fn cpu_of_next(&self, module: &str) -> Outcome<usize> {
        wait_until(&format!("an item of {module} to be queued"), || {
            let text = self.0.text()?;
            Ok(cpu_of_first(&text, module).ok_or(text))
        })
    }
}

/// Lines look like this, with the module behind the function; no CPU is -1:
/// `... workqueue_queue_work: work struct=[...] function=[...] [module] workqueue=events
/// req_cpu=8192 cpu=1`. Of what is built in the function alone says whose it is: its name has
/// that of its crate in it, behind the number of its letters.
fn cpu_of_first(text: &str, module: &str) -> Option<usize> {
    let event = format!(": {EVENT}: ");
    let whose = [format!(" [{module}] "), format!("{}{module}", module.len())];
    let is_one =
        |line: &&str| line.contains(&event) && whose.iter().any(|name| line.contains(name));
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

    #[test]
    fn finds_the_cpu_of_the_first_item_of_what_is_built_in() {
        let text = "\
     sh-27               [000] d..1.  1.003: workqueue_queue_work: work struct=0000 function=_RNvXs_Cs_7wq_echo4echo3run workqueue=wq_echo req_cpu=8192 cpu=-1
     sh-27               [001] d.s1.  1.004: workqueue_queue_work: work struct=0000 function=_RNvXs_Cs_14workqueue_demo8patterns3run workqueue=events req_cpu=8192 cpu=1
";
        assert_eq!(cpu_of_first(text, "workqueue_demo"), Some(1));
        assert_eq!(cpu_of_first(text, "demo"), None);
    }
}
