// SPDX-License-Identifier: GPL-2.0

//! When items are queued, on which queues, and when they run. Only the kernel's tracing says this.

use super::tracing::Trace;
use super::wait::wait_until;
use super::Outcome;

/// Records what happens to items from when it is made.
pub struct Queueing(Trace);

/// What has happened to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub step: Step,
    /// Identifies the item. It is not its address.
    pub item: String,
    /// The item's function, and its module if it is in one.
    function: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It was queued on the queue of this name, for that CPU if it is for one.
    Queued {
        queue: String,
        cpu: Option<usize>,
    },
    Started,
    Ended,
}

impl Queueing {
    pub fn from_now() -> Outcome<Queueing> {
        let events = ["workqueue_queue_work", "workqueue_execute_start", "workqueue_execute_end"];
        Ok(Queueing(Trace::from_now("workqueue", &events)?))
    }

    /// What has been seen, in order.
    pub fn events(&self) -> Outcome<Vec<Event>> {
        Ok(events_of(&self.0.text()?))
    }

    /// Waits until an item of `module` is queued on a CPU's own queue, and returns that CPU.
    pub fn cpu_of_next(&self, module: &str) -> Outcome<usize> {
        wait_until(&format!("an item of {module} to be queued"), || {
            let events = self.events()?;
            Ok(cpu_of_first(&events, module).ok_or(format!("{events:?}")))
        })
    }
}

impl Event {
    /// If the module is built in, only the function shows whose item it is: its name contains the
    /// crate's name after that name's length.
    pub fn is_of(&self, module: &str) -> bool {
        let built_in = format!("{}{module}", module.len());
        self.function.ends_with(&format!(" [{module}]")) || self.function.contains(&built_in)
    }

    /// The name of the queue, if this event is the queueing.
    pub fn queue(&self) -> Option<&str> {
        match &self.step {
            Step::Queued { queue, .. } => Some(queue),
            Step::Started | Step::Ended => None,
        }
    }
}

fn events_of(text: &str) -> Vec<Event> {
    text.lines().filter_map(parse).collect()
}

/// Lines look like this, with the module after the function and -1 for no CPU:
/// `... workqueue_queue_work: work struct=[...] function=[...] [module] workqueue=events
/// req_cpu=8192 cpu=1`, `... workqueue_execute_start: work struct [...]: function [...] [module]`.
fn parse(line: &str) -> Option<Event> {
    let (before, rest) = line.split_once(": work struct")?;
    let (_, event) = before.rsplit_once(": ")?;
    let (step, item, function) = match event {
        "workqueue_queue_work" => {
            let (rest, numbers) = rest.strip_prefix('=')?.split_once(" workqueue=")?;
            let (queue, _) = numbers.split_once(' ')?;
            let cpu = numbers.rsplit_once(" cpu=")?.1.parse().ok();
            let (item, function) = rest.split_once(" function=")?;
            (Step::Queued { queue: queue.into(), cpu }, item, function)
        }
        "workqueue_execute_start" | "workqueue_execute_end" => {
            let (item, function) = rest.strip_prefix(' ')?.split_once(": function ")?;
            let is_start = event.ends_with("_start");
            (if is_start { Step::Started } else { Step::Ended }, item, function)
        }
        _ => return None,
    };
    Some(Event { step, item: item.into(), function: function.into() })
}

fn cpu_of_first(events: &[Event], module: &str) -> Option<usize> {
    let mut own = events.iter().filter(|event| event.is_of(module));
    own.find_map(|event| match event.step {
        Step::Queued { cpu, .. } => Some(cpu),
        Step::Started | Step::Ended => None,
    })?
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
        let events = events_of(text);
        assert_eq!(cpu_of_first(&events, "workqueue_demo"), Some(1));
        // On a queue that belongs to no CPU.
        assert_eq!(cpu_of_first(&events, "wq_echo"), None);
        assert_eq!(cpu_of_first(&events, "demo"), None);
    }

    #[test]
    fn finds_the_cpu_of_the_first_item_of_what_is_built_in() {
        let text = "\
     sh-27               [000] d..1.  1.003: workqueue_queue_work: work struct=0000 function=_RNvXs_Cs_7wq_echo4echo3run workqueue=wq_echo req_cpu=8192 cpu=-1
     sh-27               [001] d.s1.  1.004: workqueue_queue_work: work struct=0000 function=_RNvXs_Cs_14workqueue_demo8patterns3run workqueue=events req_cpu=8192 cpu=1
";
        let events = events_of(text);
        assert_eq!(cpu_of_first(&events, "workqueue_demo"), Some(1));
        assert_eq!(cpu_of_first(&events, "demo"), None);
    }

    #[test]
    fn follows_an_item_from_its_queue_to_its_end() {
        let text = "\
     sh-27               [000] d..1. 12: workqueue_queue_work: work struct=00000000aa function=_RNvXs_3run [workqueue_demo] workqueue=workqueue_demo_ordered req_cpu=8192 cpu=-1
     sh-27               [000] d..1. 13: workqueue_activate_work: work struct 00000000aa function=_RNvXs_3run [workqueue_demo]\x20
     kworker/u8:1-20     [001] ..... 15: workqueue_execute_start: work struct 00000000aa: function _RNvXs_3run [workqueue_demo]
     kworker/u8:1-20     [001] ..... 17: workqueue_execute_end: work struct 00000000aa: function _RNvXs_3run [workqueue_demo]
";
        let events = events_of(text);
        let queued = Step::Queued { queue: "workqueue_demo_ordered".into(), cpu: None };
        let steps: Vec<Step> = events.iter().map(|event| event.step.clone()).collect();
        assert_eq!(steps, [queued, Step::Started, Step::Ended]);
        assert!(events.iter().all(|event| event.item == "00000000aa"));
        assert!(events.iter().all(|event| event.is_of("workqueue_demo")));
        assert_eq!(events[0].queue(), Some("workqueue_demo_ordered"));
        assert_eq!(events[1].queue(), None);
    }
}
