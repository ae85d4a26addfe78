// SPDX-License-Identifier: GPL-2.0

//! Short readable names for functions, workers and times.

use super::event::Function;
use super::story::Worker;

/// The name of a C function. For a Rust function, the module's type or closure that runs, such as
/// `data::Item`. The full name has it somewhere within wrappers of the kernel's.
pub fn label(function: &Function) -> String {
    let full = full_name(function);
    let Some(module) = &function.module else { return full };
    let own = format!("{module}::");
    let mut paths: Vec<&str> = paths(&full).filter(|path| path.starts_with(&own)).collect();
    let wrapper = format!("{own}abstractions::");
    if paths.iter().any(|path| !path.starts_with(&wrapper)) {
        paths.retain(|path| !path.starts_with(&wrapper));
    }
    match paths.last() {
        Some(path) => last_two(path).to_string(),
        None => full,
    }
}

/// The name as a debugger shows it.
pub fn full_name(function: &Function) -> String {
    format!("{:#}", rustc_demangle::demangle(&function.symbol))
}

fn paths(name: &str) -> impl Iterator<Item = &str> {
    let within = |c: char| c.is_alphanumeric() || "_:{}#".contains(c);
    name.split(move |c| !within(c)).filter(|path| path.contains("::"))
}

fn last_two(path: &str) -> &str {
    let mut separators = path.rmatch_indices("::").map(|(at, _)| at);
    match (separators.next(), separators.next()) {
        (Some(_), Some(second)) => &path[second + 2..],
        _ => path,
    }
}

/// The worker's group: those of a CPU, of unbound queues, ...
pub fn pool(worker: &Worker) -> String {
    let name = match worker {
        Worker::Softirq(cpu) => return format!("CPU {cpu}, softirq"),
        Worker::Thread(task) => task.name.strip_prefix("kworker/").unwrap_or("?"),
    };
    if name.starts_with("R-") {
        return "rescuers".into();
    }
    let cpu = name.split(':').next().unwrap_or("?");
    let high = if name.ends_with('H') { ", highpri" } else { "" };
    match cpu.strip_prefix('u') {
        Some(_) => format!("unbound{high}"),
        None => format!("CPU {cpu}{high}"),
    }
}

pub fn worker(worker: &Worker) -> String {
    match worker {
        Worker::Softirq(cpu) => format!("softirq of CPU {cpu}"),
        Worker::Thread(task) => format!("{} [{}]", task.name, task.pid),
    }
}

/// With few digits, in the unit that fits.
pub fn duration(micros: u64) -> String {
    match micros {
        0..=9_999 => format!("{micros} µs"),
        10_000..=9_999_999 => format!("{} ms", trimmed(micros as f64 / 1000.0)),
        _ => format!("{} s", trimmed(micros as f64 / 1_000_000.0)),
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::event::Task;

    fn of(symbol: &str, module: &str) -> String {
        label(&Function { symbol: symbol.into(), module: Some(module.into()) })
    }

    #[test]
    fn finds_the_type_that_runs() {
        let data = "_RNvXsb_NtCsb5MLIFMWygY_6kernel9workqueueINtNtCs2lKf6AS60Zg_4core3pin3PinINtNtNtB7_5alloc4kbox3BoxNtNtNtNtCsfBU8zwPVtiO_14workqueue_demo14workqueue_demo8patterns4data4ItemNtNtB1d_9allocator7KmallocEEINtB5_15WorkItemPointerKy0_E3runB1F_";
        assert_eq!(of(data, "workqueue_demo"), "data::Item");
        let periodic = "_RNvXs8_NtCsb5MLIFMWygY_6kernel9workqueueINtNtNtB7_4sync3arc3ArcINtNtNtCsfBU8zwPVtiO_14workqueue_demo12abstractions12delayed_work4ItemINtNtB14_8periodic4LoopNtNtNtNtB16_14workqueue_demo8patterns8periodic11CountedTickEEEINtB5_15WorkItemPointerKy0_E3runB16_";
        assert_eq!(of(periodic, "workqueue_demo"), "periodic::CountedTick");
        let closure = "_RNvXsb_NtCsb5MLIFMWygY_6kernel9workqueueINtNtCs2lKf6AS60Zg_4core3pin3PinINtNtNtB7_5alloc4kbox3BoxINtNtNtCsb9xxr23U7Wr_7wq_echo12abstractions11owned_queue11ClosureWorkNCNvNtNtNtB1E_7wq_echo7backlog5tests14wait_in_worker0ENtNtB1d_9allocator7KmallocEEINtB5_15WorkItemPointerKy0_E3runB1E_";
        assert_eq!(of(closure, "wq_echo"), "wait_in_worker::{closure#0}");
    }

    #[test]
    fn leaves_other_names_as_they_are() {
        assert_eq!(of("print_messages", "c_echo"), "print_messages");
        let core = Function { symbol: "vmstat_update".into(), module: None };
        assert_eq!(label(&core), "vmstat_update");
        assert_eq!(of("0xffffffffc0400dd0", "gone"), "0xffffffffc0400dd0");
    }

    #[test]
    fn tells_pools_apart() {
        let of = |name: &str| pool(&Worker::Thread(Task { name: name.into(), pid: 1 }));
        assert_eq!(of("kworker/1:0"), "CPU 1");
        assert_eq!(of("kworker/0:1H"), "CPU 0, highpri");
        assert_eq!(of("kworker/u8:3"), "unbound");
        assert_eq!(of("kworker/R-wq_ec"), "rescuers");
        assert_eq!(pool(&Worker::Softirq(3)), "CPU 3, softirq");
    }

    #[test]
    fn shows_times_in_a_unit_that_fits() {
        assert_eq!(duration(0), "0 µs");
        assert_eq!(duration(9_999), "9999 µs");
        assert_eq!(duration(100_000), "100 ms");
        assert_eq!(duration(101_490), "101.5 ms");
        assert_eq!(duration(12_345_000), "12.3 s");
    }
}
