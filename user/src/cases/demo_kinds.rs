// SPDX-License-Identifier: GPL-2.0

//! Pattern: queues of several kinds, and what one can see of each.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use nix::errno::Errno;

use super::cases;
use crate::demo_model::{Kind, KIND_WORDS};
use crate::demo_table::{Queue, Table};
use crate::harness::cpus::{mask_of, TwoCpus};
use crate::harness::demo::{send, send_expecting, table, table_when, Change, QUEUE};
use crate::harness::demo_log::{DemoLog, Run};
use crate::harness::frozen::{frozen, Frozen};
use crate::harness::held_queue::HeldQueue;
use crate::harness::loaded::{loaded_with, reloaded_afterwards, remove};
use crate::harness::process::{nice, workers_on};
use crate::harness::queueing::{Event, Queueing, Step};
use crate::harness::restore::{Pinned, Setting};
use crate::harness::wait::wait_until;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome, Stop};
use crate::kmsg::{Log, Record};

cases! {
    demo_makes_a_queue_of_a_kind_when_it_is_first_asked_for,
    demo_shows_in_sysfs_what_its_queues_say_of_themselves,
    demo_makes_one_queue_for_all_who_ask_for_it_at_once,
    demo_custom_takes_a_kind_with_a_count_and_without,
    demo_names_the_queue_that_each_item_was_queued_on,
    demo_percpu_highpri_and_cpu_intensive_run_four_items_at_once_on_a_cpu,
    demo_percpu_runs_items_on_the_cpu_that_queued_them,
    demo_highpri_has_workers_of_nice_minus_20,
    demo_cpu_intensive_items_hold_up_no_others_of_their_cpu,
    demo_freezable_items_wait_while_the_system_is_frozen,
    demo_ordered_runs_one_item_at_a_time_in_the_order_of_queueing,
    demo_flush_waits_for_the_items_of_all_kinds,
    demo_allows_4096_outstanding_items_of_all_kinds_together,
    demo_removal_gives_the_items_of_all_kinds_their_turn,
}

/// What the table's line says of each kind's queue: its flags and its `max_active`.
const DOCUMENTED: [(&str, u64); KIND_WORDS.len()] = [
    ("unbound,mem_reclaim,sysfs", 4),
    ("percpu,sysfs", 4),
    ("percpu,highpri,sysfs", 4),
    ("percpu,cpu_intensive,sysfs", 4),
    ("unbound,freezable,sysfs", 4),
    ("unbound,ordered", 1),
];

fn word(kind: Kind) -> &'static str {
    KIND_WORDS[kind.0]
}

/// The line of an idle queue that has run nothing since its counts were reset.
fn idle_queue(kind: Kind) -> Queue {
    let (flags, max_active) = DOCUMENTED[kind.0];
    Queue {
        name: kind.queue_name(),
        flags: flags.split(',').map(str::to_owned).collect(),
        max_active,
        peak_running: 0,
    }
}

fn in_sysfs(queue: &str) -> String {
    format!("/sys/devices/virtual/workqueue/{queue}")
}

fn is_in_sysfs(kind: Kind) -> bool {
    Path::new(&in_sysfs(&kind.queue_name())).exists()
}

/// One command for each kind: `custom COUNT KIND`.
fn custom_of_all_kinds(count: u64) -> String {
    KIND_WORDS.map(|word| format!("custom {count} {word}\n")).concat()
}

fn demo_makes_a_queue_of_a_kind_when_it_is_first_asked_for(harness: &Harness) -> Outcome {
    let fresh = loaded_with(&harness.demo, "")?;
    let mut there = vec![Kind(0)];
    // A different order from that of the table.
    for kind in [Kind(5), Kind(1), Kind(4), Kind(2), Kind(3), Kind(0)] {
        ensure!(there.contains(&kind) || !is_in_sysfs(kind), "{kind:?} is in sysfs already");
        send(&format!("custom 1 {}\nflush\nreset\n", word(kind)))?;
        there.push(kind);
        there.sort_unstable_by_key(|kind| kind.0);
        there.dedup();
        let expected: Vec<Queue> = there.iter().copied().map(idle_queue).collect();
        ensure_eq!(table()?.queues, expected, "the queues once {} was used", word(kind));
    }
    remove(&harness.demo)?;
    for kind in Kind::ALL {
        ensure!(!is_in_sysfs(kind), "{} has outlived the module", kind.queue_name());
    }
    fresh.finish()
}

fn demo_shows_in_sysfs_what_its_queues_say_of_themselves(_: &Harness) -> Outcome {
    send(&custom_of_all_kinds(1))?;
    send("flush\n")?;
    for queue in table()?.queues {
        let has = |flag: &str| queue.flags.iter().any(|has| has == flag);
        let folder = in_sysfs(&queue.name);
        ensure_eq!(Path::new(&folder).exists(), has("sysfs"), "{} in sysfs", queue.name);
        if !has("sysfs") {
            continue;
        }
        let attribute = |name: &str| fs::read_to_string(format!("{folder}/{name}"));
        let max_active = attribute("max_active")?;
        ensure_eq!(max_active.trim(), queue.max_active.to_string(), "{}", queue.name);
        let per_cpu = attribute("per_cpu")?;
        ensure_eq!(per_cpu.trim() == "1", has("percpu"), "per_cpu of {}", queue.name);
        ensure_eq!(per_cpu.trim() == "0", has("unbound"), "per_cpu of {}", queue.name);
    }
    Ok(())
}

fn demo_makes_one_queue_for_all_who_ask_for_it_at_once(harness: &Harness) -> Outcome {
    const WRITERS: u64 = 8;
    let fresh = loaded_with(&harness.demo, "")?;
    let begin = Barrier::new(WRITERS as usize);
    let write = || -> Outcome {
        // A writer that fails still waits at the barrier. Otherwise the others would wait forever.
        let write = |word| {
            begin.wait();
            send(&format!("custom 1 {word}\n"))
        };
        KIND_WORDS.map(write).into_iter().collect()
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        let failed = |_| Err(Stop::Fail("a thread panicked".into()));
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(failed))
    })?;
    send("flush\n")?;
    let now = table()?;
    let all = KIND_WORDS.len() as u64 * WRITERS;
    ensure_eq!(now.row("custom").executed, all, "executed");
    let names: Vec<&str> = now.queues.iter().map(|queue| &queue.name[..]).collect();
    ensure_eq!(names, Kind::ALL.map(Kind::queue_name), "the queues");
    fresh.finish()
}

fn demo_custom_takes_a_kind_with_a_count_and_without(_: &Harness) -> Outcome {
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    let commands: String =
        KIND_WORDS.map(|word| format!("custom {word}\ncustom\t2  {word}\n")).concat();
    send(&commands)?;
    send("flush\n")?;
    let all = 3 * KIND_WORDS.len() as u64;
    let expected = Change { queued: all, executed: all, ..Change::default() };
    ensure_eq!(Change::of("custom", &before, &table()?)?, expected, "custom");
    let runs = log.runs_already()?;
    for kind in Kind::ALL {
        let on_it = runs.iter().filter(|run| run.queue == kind.queue_name());
        ensure_eq!(on_it.count(), 3, "runs on {}", kind.queue_name());
    }
    Ok(())
}

fn demo_names_the_queue_that_each_item_was_queued_on(_: &Harness) -> Outcome {
    let mut commands = vec![
        ("immediate", "immediate\n".to_owned(), "events".to_owned()),
        ("delayed", "delayed 1\n".into(), "events".into()),
        ("periodic", "start 10\n".into(), "events".into()),
        ("data", "data 1\n".into(), QUEUE.into()),
    ];
    for kind in Kind::ALL {
        commands.push(("custom", format!("custom 1 {}\n", word(kind)), kind.queue_name()));
    }
    let queueing = Queueing::from_now()?;
    for (kind, command, queue) in commands {
        let seen_before = queueing.events()?.len();
        let mut log = DemoLog::from_now()?;
        send(&command)?;
        let run = log.next_run(kind)?;
        send("stop\nflush\n")?;
        ensure_eq!(run.queue, queue, "the queue in the line on {command:?}");
        let events = queueing.events()?;
        let new = events.iter().skip(seen_before);
        let own = new.filter(|event| event.is_of("workqueue_demo"));
        let queues: Vec<&str> = own.filter_map(Event::queue).collect();
        ensure!(!queues.is_empty(), "nothing was queued by {command:?}");
        ensure!(queues.iter().all(|seen| *seen == queue), "{command:?} queued on {queues:?}");
    }
    Ok(())
}

fn demo_percpu_highpri_and_cpu_intensive_run_four_items_at_once_on_a_cpu(_: &Harness) -> Outcome {
    let cpus = TwoCpus::of_this_machine()?;
    for kind in ["percpu", "highpri", "cpu_intensive"] {
        send("reset\n")?;
        let pinned = Pinned::to(cpus.free)?;
        send(&format!("custom 12 {kind}\nflush\n"))?;
        drop(pinned);
        let now = table()?;
        ensure_eq!(now.peak_running(&format!("workqueue_demo_{kind}")), 4, "peak_running");
        ensure_eq!(now.peak_running(QUEUE), 0, "peak_running of another queue");
    }
    Ok(())
}

fn demo_percpu_runs_items_on_the_cpu_that_queued_them(_: &Harness) -> Outcome {
    let cpus = TwoCpus::of_this_machine()?;
    let mut log = DemoLog::from_now()?;
    for cpu in [cpus.free, cpus.busy, cpus.free] {
        let pinned = Pinned::to(cpu)?;
        send("custom 8 percpu\nflush\n")?;
        drop(pinned);
        let runs = log.runs_already()?;
        ensure_eq!(runs.len(), 8, "runs");
        for run in runs {
            // kworker/CPU:ID
            let is_of_cpu = run.worker.starts_with(&format!("kworker/{cpu}:"));
            ensure!(run.cpu == cpu && is_of_cpu, "queued on CPU {cpu}: {run:?}");
        }
    }
    Ok(())
}

/// The nice values of the workers that run items of a kind.
fn nice_of_workers(kind: Kind) -> Outcome<Vec<i32>> {
    let workers = wait_until(&format!("workers of {}", kind.queue_name()), || {
        if table()?.at_rest() {
            send(&format!("custom 20 {}\n", word(kind)))?;
        }
        let workers = workers_on(&kind.queue_name())?;
        Ok(if workers.is_empty() { Err("none".into()) } else { Ok(workers) })
    })?;
    let nice = workers.into_iter().map(nice).collect::<Outcome<Vec<i32>>>()?;
    send("flush\n")?;
    Ok(nice)
}

fn demo_highpri_has_workers_of_nice_minus_20(_: &Harness) -> Outcome {
    let (percpu, highpri) = (Kind(1), Kind(2));
    for (kind, expected) in [(percpu, 0), (highpri, -20)] {
        let nice = nice_of_workers(kind)?;
        let is_as_expected = nice.iter().all(|nice| *nice == expected);
        ensure!(is_as_expected, "workers of {}: {nice:?}", kind.queue_name());
    }
    let mut log = DemoLog::from_now()?;
    send("custom 4 highpri\nflush\n")?;
    for run in log.runs_already()? {
        ensure!(run.worker.ends_with('H'), "the name of the worker does not tell: {run:?}");
    }
    Ok(())
}

fn demo_cpu_intensive_items_hold_up_no_others_of_their_cpu(_: &Harness) -> Outcome {
    let cpus = TwoCpus::of_this_machine()?;
    // C treats an item as CPU-intensive after this many microseconds: longer than an item runs.
    let threshold = "/sys/module/workqueue/parameters/cpu_intensive_thresh_us";
    let _threshold = Setting::change(threshold, "60000000")?;
    wait_until("an immediate item to run on the CPU that is computing", || {
        if table()?.at_rest() {
            let _pinned = Pinned::to(cpus.busy)?;
            send("custom 1 cpu_intensive\nimmediate\n")?;
        }
        let now = table()?;
        let both = now.row("custom").running == 1 && now.row("immediate").running == 1;
        Ok(if both { Ok(()) } else { Err(format!("{now:?}")) })
    })
}

fn demo_freezable_items_wait_while_the_system_is_frozen(harness: &Harness) -> Outcome {
    let reload = reloaded_afterwards(&harness.demo)?;
    let mut log = Log::from_now()?;
    send("custom 1000 unbound\ncustom 1000 freezable\n")?;
    table_when("items of both to run", |table| {
        Kind::ALL.iter().filter(|kind| table.peak_running(&kind.queue_name()) > 0).count() == 2
    })?;
    let Frozen { before, meanwhile, after } = frozen(&mut log)?;
    let runs = |records: &[Record], kind: usize| {
        let runs = records.iter().filter_map(Run::parse);
        runs.filter(|run| run.queue == Kind(kind).queue_name()).count()
    };
    let (unbound, freezable) = (0, 4);
    ensure_eq!(runs(&meanwhile, freezable), 0, "freezable items that ran in a frozen system");
    ensure!(runs(&meanwhile, unbound) > 0, "no unbound item ran either");
    ensure!(runs(&before, freezable) > 0, "no freezable item ran before");
    let seen = runs(&after, freezable);
    let mut log = DemoLog::from_now()?;
    while seen == 0 && log.next_run("custom")?.queue != Kind(freezable).queue_name() {}
    let now = table()?;
    ensure!(now.row("custom").pending > 0, "all had run");
    reload.finish()
}

fn demo_ordered_runs_one_item_at_a_time_in_the_order_of_queueing(_: &Harness) -> Outcome {
    const ITEMS: usize = 12;
    let queueing = Queueing::from_now()?;
    send("reset\n")?;
    for _ in 0..ITEMS / 4 {
        // Queue from whichever CPU this thread is on, with one command for two items and one each.
        send("custom 2 ordered\ncustom 1 ordered\ncustom 1 ordered\n")?;
    }
    send("flush\n")?;
    ensure_eq!(table()?.peak_running("workqueue_demo_ordered"), 1, "peak_running");
    let mut events = queueing.events()?;
    // An address that the module has freed may belong to somebody else next.
    events.retain(|event| event.is_of("workqueue_demo"));
    let queued = |event: &&Event| event.queue() == Some("workqueue_demo_ordered");
    let queued: Vec<&str> = events.iter().filter(queued).map(|event| &event.item[..]).collect();
    ensure_eq!(queued.len(), ITEMS, "items queued");
    // A later item may get the address of a freed one. Then both lists have it twice.
    let own = events.iter().filter(|event| queued.contains(&&event.item[..]));
    let turns: Vec<&Event> = own.filter(|event| event.queue().is_none()).collect();
    let started: Vec<&str> =
        turns.iter().filter(|event| event.step == Step::Started).map(|e| &e.item[..]).collect();
    ensure_eq!(started, queued, "items in the order in which they started");
    for turn in turns.chunks(2) {
        let steps: Vec<&Step> = turn.iter().map(|event| &event.step).collect();
        // The last one may not have ended yet.
        ensure!(
            matches!(steps[..], [Step::Started, Step::Ended] | [Step::Started])
                && turn.iter().all(|event| event.item == turn[0].item),
            "an item began before another was over: {turn:?}"
        );
    }
    Ok(())
}

fn demo_flush_waits_for_the_items_of_all_kinds(_: &Harness) -> Outcome {
    for word in KIND_WORDS {
        send(&format!("custom 5 {word}\nflush\n"))?;
        let now = table()?;
        ensure!(now.at_rest(), "outstanding on the {word} queue after a flush: {now:?}");
    }
    send(&custom_of_all_kinds(2))?;
    send("flush\n")?;
    let now = table()?;
    ensure!(now.at_rest(), "outstanding after a flush: {now:?}");
    Ok(())
}

fn demo_allows_4096_outstanding_items_of_all_kinds_together(harness: &Harness) -> Outcome {
    // 4,096 items would run for 50 seconds.
    let reload = loaded_with(&harness.demo, "")?;
    send(&custom_of_all_kinds(1))?;
    send("flush\nreset\n")?;
    let cpus = TwoCpus::of_this_machine()?;
    let mut freezable = None;
    let mut held = HeldQueue::hold_after(QUEUE, || {
        let cpumask = in_sysfs("workqueue_demo_freezable") + "/cpumask";
        freezable = Some(Setting::change(cpumask, &mask_of(cpus.busy))?);
        Ok(())
    })?;
    send("custom 1000\ncustom 1000 freezable\ncustom 1000\ncustom 1000 freezable\ncustom 95\n")?;
    let outstanding = |expected: u64| -> Outcome<Table> {
        let now = table()?;
        ensure_eq!(now.row("custom").outstanding(), expected, "outstanding");
        Ok(now)
    };
    outstanding(4095)?;
    for word in KIND_WORDS {
        send_expecting(format!("custom 2 {word}\n"), Errno::EAGAIN)?;
        outstanding(4095)?;
    }
    send("custom 1 freezable\n")?;
    let full = outstanding(4096)?;
    for word in KIND_WORDS {
        send_expecting(format!("custom {word}\n"), Errno::EAGAIN)?;
    }
    ensure_eq!(table()?, full, "the table after refusals");
    held.release()?;
    table_when("an item to have run", |table| table.row("custom").executed > 0)?;
    send("custom ordered\n")?;
    drop(freezable);
    drop(held);
    reload.finish()
}

/// How often each item was queued and has ended.
fn turns(events: &[Event]) -> HashMap<&str, (usize, usize)> {
    let mut turns: HashMap<&str, (usize, usize)> = HashMap::new();
    for event in events {
        let (queued, ended) = turns.entry(&event.item).or_default();
        match event.step {
            Step::Queued { .. } => *queued += 1,
            Step::Started => {}
            Step::Ended => *ended += 1,
        }
    }
    turns
}

fn demo_removal_gives_the_items_of_all_kinds_their_turn(harness: &Harness) -> Outcome {
    const ITEMS: usize = 30;
    let reload = loaded_with(&harness.demo, "")?;
    let queueing = Queueing::from_now()?;
    send(&custom_of_all_kinds(ITEMS as u64))?;
    let before = table()?;
    ensure!(before.row("custom").pending > 0, "nothing pends: {before:?}");
    remove(&harness.demo)?;
    let events = queueing.events()?;
    let turns = turns(&events);
    for kind in Kind::ALL {
        let name = kind.queue_name();
        let on_it: Vec<&Event> =
            events.iter().filter(|event| event.queue() == Some(&name[..])).collect();
        ensure_eq!(on_it.len(), ITEMS, "items queued on {name}");
        for event in on_it {
            let (queued, ended) = turns[&event.item[..]];
            ensure!(queued == ended, "an item of {name}, queued {queued} times, had {ended} turns");
        }
    }
    if harness.demo.is_live() {
        return fail("the module is still there");
    }
    reload.finish()
}
