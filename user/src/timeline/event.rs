// SPDX-License-Identifier: GPL-2.0

//! Parses the kernel's trace, one line an event.

/// An address in the kernel's memory. It identifies an item.
pub type Address = u64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Microseconds since boot.
    pub time: u64,
    pub cpu: u32,
    pub task: Task,
    pub what: What,
}

/// A process or thread, such as a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    pub name: String,
    pub pid: u32,
}

/// A kernel function, and its module if it is in one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Function {
    pub symbol: String,
    pub module: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Queued {
        work: Address,
        function: Function,
        queue: String,
    },
    Started {
        work: Address,
        function: Function,
    },
    Ended {
        work: Address,
    },
    /// The timer of a delayed work item. It lies within the item.
    Armed {
        timer: Address,
    },
    Disarmed {
        timer: Address,
    },
    /// What is queued on this CPU from here on is the timer's item, ...
    Fires {
        timer: Address,
    },
    /// ... until here.
    Fired {
        timer: Address,
    },
    Wrote {
        file: String,
        text: Vec<u8>,
    },
    Loaded {
        module: String,
    },
    Removed {
        module: String,
    },
    /// What somebody wrote to trace_marker.
    Noted {
        text: String,
    },
}

/// The known events in the text of the file `trace`, in order.
pub fn parse(text: &str) -> Vec<Event> {
    text.lines().filter_map(event).collect()
}

/// `     kworker/0:1-12      [000] d..1.  12.345678: workqueue_execute_end: ...`
fn event(line: &str) -> Option<Event> {
    let (task, cpu, rest) = around_cpu(line)?;
    let (name, pid) = task.trim().rsplit_once('-')?;
    let (moment, rest) = rest.split_once(": ")?;
    let (event, fields) = rest.split_once(": ")?;
    Some(Event {
        time: microseconds(moment.split_whitespace().last()?)?,
        cpu,
        task: Task { name: name.into(), pid: pid.trim().parse().ok()? },
        what: what(event, fields)?,
    })
}

/// The text before and after ` [000] `. A task's name may look almost like that.
fn around_cpu(line: &str) -> Option<(&str, u32, &str)> {
    line.match_indices(" [").find_map(|(at, open)| {
        let (digits, rest) = line[at + open.len()..].split_once("] ")?;
        Some((&line[..at], digits.parse().ok()?, rest))
    })
}

fn microseconds(time: &str) -> Option<u64> {
    let (seconds, micros) = time.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?)
}

fn what(event: &str, fields: &str) -> Option<What> {
    let timer = || address(between(fields, "timer=", " ")?);
    let module = || Some(fields.split_whitespace().next()?.to_string());
    Some(match event {
        "workqueue_queue_work" => What::Queued {
            work: address(between(fields, "work struct=", " ")?)?,
            function: function(between(fields, " function=", " workqueue=")?),
            queue: between(fields, " workqueue=", " req_cpu=")?.into(),
        },
        "workqueue_execute_start" => {
            let (work, symbol) = fields.strip_prefix("work struct ")?.split_once(": function ")?;
            What::Started { work: address(work)?, function: function(symbol) }
        }
        "workqueue_execute_end" => {
            let (work, _) = fields.strip_prefix("work struct ")?.split_once(": ")?;
            What::Ended { work: address(work)? }
        }
        "timer_start" if is_delayed_work(fields) => What::Armed { timer: timer()? },
        "timer_expire_entry" if is_delayed_work(fields) => What::Fires { timer: timer()? },
        "timer_cancel" => What::Disarmed { timer: timer()? },
        "timer_expire_exit" => What::Fired { timer: timer()? },
        "module_load" => What::Loaded { module: module()? },
        "module_free" => What::Removed { module: module()? },
        "tracing_mark_write" => What::Noted { text: fields.trim_end().into() },
        WRITE => {
            What::Wrote { file: between(fields, " file=\"", "\" ")?.into(), text: written(fields)? }
        }
        _ => return None,
    })
}

/// The name of the probe that sees who writes what (see `recorder`), and how many words of eight
/// bytes it shows.
pub const WRITE: &str = "write";
pub const WORDS: usize = 8;

/// Whether the timer is a delayed work item's: the kernel gives each of those this function.
fn is_delayed_work(fields: &str) -> bool {
    between(fields, " function=", " ") == Some("delayed_work_timer_fn")
}

fn between<'a>(text: &'a str, before: &str, behind: &str) -> Option<&'a str> {
    let from = text.find(before)? + before.len();
    let rest = &text[from..];
    Some(rest.find(behind).map_or(rest.trim_end(), |to| &rest[..to]))
}

fn address(digits: &str) -> Option<Address> {
    Address::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
}

/// `print_messages [c_echo]`, or without a module
fn function(text: &str) -> Function {
    match text.trim().strip_suffix(']').and_then(|text| text.split_once(" [")) {
        Some((symbol, module)) => Function { symbol: symbol.into(), module: Some(module.into()) },
        None => Function { symbol: text.trim().into(), module: None },
    }
}

/// `... count=9 w0=0xa6974736f6e w1=0x0 ...`: the start of what was written, eight bytes a word.
fn written(fields: &str) -> Option<Vec<u8>> {
    let count: usize = between(fields, " count=", " ")?.parse().ok()?;
    let words = (0..WORDS).filter_map(|n| address(between(fields, &format!(" w{n}="), " ")?));
    Some(words.flat_map(u64::to_le_bytes).take(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Event {
        event(line).unwrap_or_else(|| panic!("{line}"))
    }

    #[test]
    fn reads_when_and_where() {
        let event = one("     kworker/u8:1-12      [003] d..1.  12.000345: workqueue_execute_end: work struct 00000000f0000010: function f");
        assert_eq!((event.time, event.cpu), (12_000_345, 3));
        assert_eq!(event.task, Task { name: "kworker/u8:1".into(), pid: 12 });
        assert_eq!(event.what, What::Ended { work: 0xf000_0010 });
        let odd = one(" a-b: [c]-7   [000] ..... 1.000000: module_free: wq_echo");
        assert_eq!(odd.task, Task { name: "a-b: [c]".into(), pid: 7 });
    }

    #[test]
    fn reads_what_becomes_of_an_item() {
        let head = "sh-1 [000] d..1. 1.000000: ";
        let what = |line: &str| one(&format!("{head}{line}")).what;
        let function = Function { symbol: "_RNv3run".into(), module: Some("wq_echo".into()) };
        assert_eq!(
            what("workqueue_queue_work: work struct=ffff888001 function=_RNv3run [wq_echo] workqueue=my queue req_cpu=8192 cpu=-1"),
            What::Queued { work: 0xff_ff88_8001, function: function.clone(), queue: "my queue".into() }
        );
        assert_eq!(
            what("workqueue_execute_start: work struct ffff888001: function _RNv3run [wq_echo]"),
            What::Started { work: 0xff_ff88_8001, function }
        );
        assert_eq!(
            what("timer_start: timer=ffff9 function=delayed_work_timer_fn expires=42 [timeout=5] bucket_expiry=42 cpu=0 idx=3 flags=I"),
            What::Armed { timer: 0xffff9 }
        );
        assert_eq!(
            what("timer_expire_entry: timer=ffff9 function=delayed_work_timer_fn now=4 baseclk=4"),
            What::Fires { timer: 0xffff9 }
        );
        assert_eq!(what("timer_expire_exit: timer=ffff9"), What::Fired { timer: 0xffff9 });
        assert_eq!(what("timer_cancel: timer=ffff9"), What::Disarmed { timer: 0xffff9 });
    }

    #[test]
    fn reads_what_was_typed() {
        let head = "sh-1 [000] ..... 1.000000: ";
        let what = |line: &str| one(&format!("{head}{line}")).what;
        assert_eq!(
            what("write: (vfs_write+0x4/0x5d0) file=\"wq_echo\" count=2 w0=0xa6968 w1=0x0"),
            What::Wrote { file: "wq_echo".into(), text: b"hi".to_vec() }
        );
        assert_eq!(what("module_load: wq_echo OE"), What::Loaded { module: "wq_echo".into() });
        assert_eq!(what("module_free: wq_echo"), What::Removed { module: "wq_echo".into() });
        assert_eq!(
            what("tracing_mark_write: a note: here"),
            What::Noted { text: "a note: here".into() }
        );
    }

    #[test]
    fn passes_over_all_else() {
        let text = "\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
CPU:1 [LOST 3 EVENTS]
  sh-1 [000] ..... 1.000000: timer_start: timer=1 function=process_timeout expires=4 [timeout=1] cpu=0
  sh-1 [000] ..... 1.000000: sched_switch: prev_comm=sh
  sh-1 [000] ..... x: module_free: wq_echo
";
        assert_eq!(parse(text), []);
    }
}
