// SPDX-License-Identifier: GPL-2.0

//! What happened to each work item: the trace's events, joined into runs and waits.

use std::collections::HashMap;

use super::event::{Address, Event, Function, Task, What};

/// The recording by items instead of events. Times are microseconds since boot.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// What runs, in order of appearance. Items of a kind share a function.
    pub kinds: Vec<Function>,
    /// The workers that ran something, in order of appearance.
    pub workers: Vec<Worker>,
    /// In order of their starts.
    pub runs: Vec<Run>,
    /// What was armed or queued and did not run.
    pub idle: Vec<Idle>,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Index in `kinds`.
    pub kind: usize,
    /// Index in `workers`.
    pub worker: usize,
    pub cpu: u32,
    pub start: u64,
    /// `None` if it was still running at the end of the recording.
    pub end: Option<u64>,
    /// `None` if it was queued before the recording.
    pub wait: Option<Wait>,
}

/// What preceded an item's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// When its timer was armed, if it had one.
    pub armed: Option<u64>,
    pub queued: u64,
    pub queue: String,
    /// Who queued it. For a timer: the task that it interrupted.
    pub by: Task,
}

/// An item that was armed or queued and did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    pub kind: usize,
    pub armed: Option<u64>,
    pub queued: Option<u64>,
    /// When its timer was cancelled. `None` for an item that was queued, or that was still armed at
    /// the end of the recording: no event shows its end.
    pub end: Option<u64>,
}

/// A thread that runs work items.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Worker {
    Thread(Task),
    /// A softirq of this CPU runs the items of a `WQ_BH` queue.
    Softirq(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub time: u64,
    pub task: Task,
    pub kind: MarkKind,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkKind {
    /// Somebody wrote to a node of this name.
    Write { file: String },
    /// A module was loaded or removed.
    Module,
    /// Somebody wrote to trace_marker.
    Note,
}

impl Story {
    /// The part of `events` that concerns the queues and modules of these names.
    pub fn of(events: &[Event], names: &[String]) -> Story {
        let mut teller = Teller { names, ..Teller::default() };
        for event in events {
            teller.hear(event);
        }
        teller.end()
    }

    /// Its first and last moment. `None` if it is empty.
    pub fn span(&self) -> Option<(u64, u64)> {
        let moments = self.moments();
        Some((*moments.first()?, *moments.last()?))
    }

    /// Whether more may still happen to its items.
    pub fn is_under_way(&self) -> bool {
        let waits = self.idle.iter().any(|idle| idle.end.is_none() && !self.is_gone(idle));
        waits || self.runs.iter().any(|run| run.end.is_none())
    }

    /// Nothing armed or queued outlives its module.
    fn is_gone(&self, idle: &Idle) -> bool {
        let Some(module) = &self.kinds[idle.kind].module else { return false };
        let removal = format!("rmmod {module}");
        let begin = idle.queued.or(idle.armed);
        self.marks.iter().any(|mark| mark.text == removal && Some(mark.time) >= begin)
    }

    /// Each moment at which something begins or ends, in order.
    pub fn moments(&self) -> Vec<u64> {
        let runs = self.runs.iter().flat_map(|run| {
            let wait = run.wait.as_ref();
            [
                Some(run.start),
                run.end,
                wait.map(|wait| wait.queued),
                wait.and_then(|wait| wait.armed),
            ]
        });
        let idle = self.idle.iter().flat_map(|idle| [idle.armed, idle.queued, idle.end]);
        let marks = self.marks.iter().map(|mark| mark.time);
        let mut moments: Vec<u64> = runs.chain(idle).flatten().chain(marks).collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

impl Worker {
    fn of(event: &Event) -> Worker {
        match event.task.name.starts_with("kworker/") || event.task.name == "<...>" {
            true => Worker::Thread(event.task.clone()),
            false => Worker::Softirq(event.cpu),
        }
    }
}

/// The state while events are read.
#[derive(Default)]
struct Teller<'a> {
    names: &'a [String],
    story: Story,
    armed: HashMap<Address, u64>,
    /// When a timer was armed, and when it was removed: to fire, or for good.
    disarmed: HashMap<Address, (u64, u64)>,
    /// Timers that were removed for good, or not at all.
    unfired: Vec<(Address, u64, Option<u64>)>,
    /// The timer whose function each CPU is running.
    fires: HashMap<u32, Fire>,
    queued: HashMap<Address, Queued>,
    /// By worker.
    running: HashMap<Worker, (Address, usize)>,
    /// What is known of items: the kind of each, and the item of each timer.
    kinds: HashMap<Address, usize>,
    items: HashMap<Address, Address>,
}

#[derive(Clone, Copy)]
struct Fire {
    timer: Address,
    armed: Option<u64>,
}

struct Queued {
    kind: usize,
    wait: Wait,
}

impl Teller<'_> {
    fn hear(&mut self, event: &Event) {
        match &event.what {
            What::Armed { timer } => {
                self.taken_off(*timer);
                self.armed.insert(*timer, event.time);
            }
            What::Disarmed { timer } => {
                if let Some(armed) = self.armed.remove(timer) {
                    self.disarmed.insert(*timer, (armed, event.time));
                }
            }
            What::Fires { timer } => {
                let armed = self.disarmed.remove(timer).map(|(armed, _)| armed);
                self.fires.insert(event.cpu, Fire { timer: *timer, armed });
            }
            What::Fired { timer } => {
                if self.fires.get(&event.cpu).is_some_and(|fire| fire.timer == *timer) {
                    self.fires.remove(&event.cpu);
                }
            }
            What::Queued { work, function, queue } => self.queue(event, *work, function, queue),
            What::Started { work, function } => self.start(event, *work, function),
            What::Ended { work } => self.stop(event, *work),
            What::Wrote { file, text } => self.wrote(event, file, text),
            What::Loaded { module } => self.module(event, "insmod", module),
            What::Removed { module } => self.module(event, "rmmod", module),
            What::Noted { text } => self.mark(event, MarkKind::Note, text.clone()),
        }
    }

    /// A timer that was removed and did not fire was cancelled.
    fn taken_off(&mut self, timer: Address) {
        if let Some((armed, at)) = self.disarmed.remove(&timer) {
            self.unfired.push((timer, armed, Some(at)));
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == name)
    }

    fn queue(&mut self, event: &Event, work: Address, function: &Function, queue: &str) {
        let fire = self.fires.get(&event.cpu).copied();
        if let Some(fire) = fire {
            self.items.insert(fire.timer, work);
        }
        let ours = function.module.as_ref().is_some_and(|module| self.is_named(module));
        if !ours && !self.is_named(queue) {
            return;
        }
        let kind = self.kind(work, function);
        let wait = Wait {
            armed: fire.and_then(|fire| fire.armed),
            queued: event.time,
            queue: queue.into(),
            by: event.task.clone(),
        };
        if let Some(lost) = self.queued.insert(work, Queued { kind, wait }) {
            self.did_not_run(lost);
        }
    }

    /// An item that is queued again without a run was cancelled in between.
    fn did_not_run(&mut self, Queued { kind, wait }: Queued) {
        self.story.idle.push(Idle {
            kind,
            armed: wait.armed,
            queued: Some(wait.queued),
            end: None,
        });
    }

    fn start(&mut self, event: &Event, work: Address, function: &Function) {
        let wait = match self.queued.remove(&work) {
            Some(queued) => Some(queued.wait),
            None if function.module.as_ref().is_some_and(|module| self.is_named(module)) => None,
            None => return,
        };
        let kind = self.kind(work, function);
        let worker = Worker::of(event);
        let run = Run {
            kind,
            worker: index_of(&mut self.story.workers, &worker),
            cpu: event.cpu,
            start: event.time,
            end: None,
            wait,
        };
        self.running.insert(worker, (work, self.story.runs.len()));
        self.story.runs.push(run);
    }

    fn stop(&mut self, event: &Event, work: Address) {
        let worker = Worker::of(event);
        match self.running.get(&worker) {
            Some(&(running, run)) if running == work => {
                self.running.remove(&worker);
                self.story.runs[run].end = Some(event.time);
            }
            _ => {}
        }
    }

    fn wrote(&mut self, event: &Event, file: &str, text: &[u8]) {
        let text = String::from_utf8_lossy(text).trim_end().replace('\n', "; ");
        self.mark(event, MarkKind::Write { file: file.into() }, text);
    }

    fn module(&mut self, event: &Event, verb: &str, module: &str) {
        if self.is_named(module) {
            self.mark(event, MarkKind::Module, format!("{verb} {module}"));
        }
    }

    fn mark(&mut self, event: &Event, kind: MarkKind, text: String) {
        self.story.marks.push(Mark { time: event.time, task: event.task.clone(), kind, text });
    }

    /// If a function's module was removed before its name was read, the item keeps the function
    /// that it had before.
    fn kind(&mut self, work: Address, function: &Function) -> usize {
        let known = self.kinds.get(&work).copied().filter(|_| function.symbol.starts_with("0x"));
        let kind = known.unwrap_or_else(|| index_of(&mut self.story.kinds, function));
        self.kinds.insert(work, kind);
        kind
    }

    fn end(mut self) -> Story {
        for queued in std::mem::take(&mut self.queued).into_values() {
            self.did_not_run(queued);
        }
        for (timer, (armed, at)) in std::mem::take(&mut self.disarmed) {
            self.unfired.push((timer, armed, Some(at)));
        }
        for (timer, armed) in std::mem::take(&mut self.armed) {
            self.unfired.push((timer, armed, None));
        }
        for (timer, armed, end) in std::mem::take(&mut self.unfired) {
            if let Some(kind) = self.kind_of_timer(timer) {
                self.story.idle.push(Idle { kind, armed: Some(armed), queued: None, end });
            }
        }
        self.story.idle.sort_by_key(|idle| (idle.armed.or(idle.queued), idle.kind));
        self.story
    }

    /// A timer that has fired shows its item. All timers lie at the same offset within their items,
    /// so one timer that has fired shows the items of the others too.
    fn kind_of_timer(&self, timer: Address) -> Option<usize> {
        let known = self.items.get(&timer).copied();
        let item = known.or_else(|| {
            let (other, item) = self.items.iter().next()?;
            Some(timer.wrapping_sub(other.wrapping_sub(*item)))
        })?;
        self.kinds.get(&item).copied()
    }
}

fn index_of<T: Clone + PartialEq>(known: &mut Vec<T>, one: &T) -> usize {
    known.iter().position(|other| other == one).unwrap_or_else(|| {
        known.push(one.clone());
        known.len() - 1
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn task(name: &str) -> Task {
        Task { name: name.into(), pid: 7 }
    }

    fn function(symbol: &str) -> Function {
        Function { symbol: symbol.into(), module: Some("m".into()) }
    }

    fn at(time: u64, name: &str, what: What) -> Event {
        Event { time, cpu: 0, task: task(name), what }
    }

    fn queued(time: u64, work: Address) -> Event {
        at(time, "sh", What::Queued { work, function: function("f"), queue: "q".into() })
    }

    fn started(time: u64, worker: &str, work: Address) -> Event {
        at(time, worker, What::Started { work, function: function("f") })
    }

    fn ended(time: u64, worker: &str, work: Address) -> Event {
        at(time, worker, What::Ended { work })
    }

    fn of(events: &[Event]) -> Story {
        Story::of(events, &["m".into()])
    }

    /// Two items on two workers, one of them with a timer, one that was cancelled, a mark.
    pub fn example() -> Story {
        of(&[
            at(5, "insmod", What::Loaded { module: "m".into() }),
            queued(10, 0x100),
            started(30, "kworker/u8:1", 0x100),
            at(40, "sh", What::Armed { timer: 0x220 }),
            ended(130, "kworker/u8:1", 0x100),
            at(240, "x", What::Disarmed { timer: 0x220 }),
            at(240, "x", What::Fires { timer: 0x220 }),
            queued(241, 0x200),
            at(242, "x", What::Fired { timer: 0x220 }),
            started(260, "kworker/0:1", 0x200),
            ended(290, "kworker/0:1", 0x200),
            at(300, "sh", What::Armed { timer: 0x220 }),
            at(400, "sh", What::Disarmed { timer: 0x220 }),
            at(410, "sh", What::Wrote { file: "m".into(), text: b"a<b & \"c\"\n".to_vec() }),
        ])
    }

    #[test]
    fn follows_an_item_from_its_queueing_to_its_end() {
        let story =
            of(&[queued(10, 1), started(30, "kworker/0:1", 1), ended(90, "kworker/0:1", 1)]);
        let wait = Wait { armed: None, queued: 10, queue: "q".into(), by: task("sh") };
        let run = Run { kind: 0, worker: 0, cpu: 0, start: 30, end: Some(90), wait: Some(wait) };
        assert_eq!(story.runs, [run]);
        assert_eq!(story.kinds, [function("f")]);
        assert_eq!(story.workers, [Worker::Thread(task("kworker/0:1"))]);
        assert_eq!(story.span(), Some((10, 90)));
        assert!(!story.is_under_way());
    }

    #[test]
    fn counts_the_time_of_a_timer_that_fires() {
        let story = example();
        let wait = story.runs[1].wait.as_ref().unwrap();
        assert_eq!((wait.armed, wait.queued), (Some(40), 241));
    }

    #[test]
    fn tells_of_a_timer_that_was_cancelled() {
        let idle = Idle { kind: 0, armed: Some(300), queued: None, end: Some(400) };
        assert_eq!(example().idle, [idle]);
    }

    #[test]
    fn takes_a_timer_for_armed_until_it_is_cancelled() {
        let mut events = vec![
            at(1, "sh", What::Armed { timer: 0x220 }),
            at(2, "x", What::Fires { timer: 0x220 }),
            queued(2, 0x200),
            at(2, "x", What::Fired { timer: 0x220 }),
            started(3, "kworker/0:1", 0x200),
            ended(4, "kworker/0:1", 0x200),
            at(5, "sh", What::Armed { timer: 0x220 }),
        ];
        let story = of(&events);
        assert_eq!(story.idle, [Idle { kind: 0, armed: Some(5), queued: None, end: None }]);
        assert!(story.is_under_way());
        events.push(at(9, "rmmod", What::Removed { module: "m".into() }));
        assert!(!of(&events).is_under_way());
    }

    #[test]
    fn knows_whose_a_timer_is_that_never_fires() {
        // It has the same offset from its item as the other timer.
        let story = of(&[
            queued(1, 0x500),
            started(2, "kworker/0:1", 0x500),
            ended(3, "kworker/0:1", 0x500),
            at(4, "x", What::Fires { timer: 0x920 }),
            at(
                4,
                "sh",
                What::Queued {
                    work: 0x900,
                    function: Function { symbol: "g".into(), module: None },
                    queue: "events".into(),
                },
            ),
            at(4, "x", What::Fired { timer: 0x920 }),
            at(5, "sh", What::Armed { timer: 0x520 }),
            at(5, "sh", What::Armed { timer: 0x820 }),
        ]);
        assert_eq!(story.idle, [Idle { kind: 0, armed: Some(5), queued: None, end: None }]);
    }

    #[test]
    fn tells_of_an_item_that_was_queued_in_vain() {
        let story = of(&[queued(10, 1), queued(20, 1), started(30, "kworker/0:1", 1)]);
        assert_eq!(story.idle, [Idle { kind: 0, armed: None, queued: Some(10), end: None }]);
        assert_eq!(story.runs[0].wait.as_ref().unwrap().queued, 20);
        assert_eq!(story.runs[0].end, None);
        assert!(story.is_under_way());
    }

    #[test]
    fn leaves_out_what_is_not_asked_for() {
        let other = |queue: &str, module: Option<&str>| {
            let function = Function { symbol: "g".into(), module: module.map(String::from) };
            let events = [
                at(
                    1,
                    "sh",
                    What::Queued { work: 1, function: function.clone(), queue: queue.into() },
                ),
                at(2, "kworker/0:1", What::Started { work: 1, function }),
                at(3, "kworker/0:1", What::Ended { work: 1 }),
            ];
            Story::of(&events, &["m".into(), "q".into()]).runs.len()
        };
        assert_eq!(other("events", None), 0);
        assert_eq!(other("events", Some("other")), 0);
        assert_eq!(other("events", Some("m")), 1);
        assert_eq!(other("q", None), 1);
    }

    #[test]
    fn shows_an_item_that_was_queued_before() {
        let story = of(&[started(30, "kworker/0:1", 1), ended(40, "kworker/0:1", 1)]);
        assert_eq!((story.runs[0].wait.clone(), story.runs[0].end), (None, Some(40)));
    }

    #[test]
    fn gives_a_softirq_a_lane_for_each_cpu() {
        let story = of(&[started(1, "sh", 1), ended(2, "sh", 1), started(3, "ksoftirqd/0", 2)]);
        assert_eq!(story.workers, [Worker::Softirq(0)]);
    }

    #[test]
    fn marks_what_was_typed() {
        let story = example();
        let texts: Vec<&str> = story.marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, ["insmod m", "a<b & \"c\""]);
    }
}
