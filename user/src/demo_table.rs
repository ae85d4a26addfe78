// SPDX-License-Identifier: GPL-2.0

//! Parses what a read of `/proc/workqueue_demo` shows.

use std::str::FromStr;

pub const KINDS: [&str; 5] = ["immediate", "delayed", "custom", "data", "periodic"];
pub const COLUMNS: [&str; 8] =
    ["kind", "queued", "coalesced", "cancelled", "executed", "pending", "running", "wait_us"];

/// One consistent snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub rows: Vec<Row>,
    /// The first one exists from the start, each other one from its first use.
    pub queues: Vec<Queue>,
    pub periodic: Periodic,
    pub commands: String,
}

/// The counts of one kind of work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub kind: String,
    pub queued: u64,
    pub coalesced: u64,
    pub cancelled: u64,
    pub executed: u64,
    pub pending: u64,
    pub running: u64,
    /// The time from due to start of the last item.
    pub wait_us: u64,
}

/// The line of one of the module's own queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub flags: Vec<String>,
    pub max_active: u64,
    pub peak_running: u64,
}

/// The line of the periodic work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periodic {
    pub started: bool,
    pub period_ms: u64,
}

impl Table {
    /// The row of a kind, which the parser guarantees.
    pub fn row(&self, kind: &str) -> &Row {
        self.rows
            .iter()
            .find(|row| row.kind == kind)
            .unwrap_or_else(|| panic!("no row {kind:?} in the table"))
    }

    /// A queue by its name, if it exists.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// The most items that have run at once on a queue: 0 if it does not exist.
    pub fn peak_running(&self, name: &str) -> u64 {
        self.queue(name).map_or(0, |queue| queue.peak_running)
    }

    /// Nothing is queued, running or ticking.
    pub fn at_rest(&self) -> bool {
        !self.periodic.started && self.rows.iter().all(|row| row.outstanding() == 0)
    }
}

impl Row {
    /// The equation that holds at any moment.
    pub fn balances(&self) -> bool {
        self.queued == self.cancelled + self.executed + self.outstanding()
    }

    pub fn outstanding(&self) -> u64 {
        self.pending + self.running
    }

    /// Column names and values, without the kind.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        let values = [
            self.queued,
            self.coalesced,
            self.cancelled,
            self.executed,
            self.pending,
            self.running,
            self.wait_us,
        ];
        std::array::from_fn(|i| (COLUMNS[i + 1], values[i]))
    }
}

const QUEUE: &str = "queue: ";
const COMMANDS: &str = "commands: ";

impl FromStr for Table {
    type Err = String;

    /// Takes only the documented lines in the documented order.
    fn from_str(text: &str) -> Result<Table, String> {
        if !text.ends_with('\n') {
            return Err(format!("the last line does not end: {text:?}"));
        }
        let mut lines = text.lines().peekable();
        let mut line = |what: &str, begin: &str| {
            lines
                .next_if(|line| line.starts_with(begin))
                .ok_or_else(|| format!("no {what} line where it belongs: {text:?}"))
        };

        let header = line("header", "kind")?;
        if !header.split(' ').filter(|word| !word.is_empty()).eq(COLUMNS) {
            return Err(format!("unexpected header {header:?}"));
        }
        let rows = KINDS
            .iter()
            .map(|kind| parse_row(kind, line(kind, kind)?))
            .collect::<Result<_, _>>()?;
        let mut queues = vec![parse_queue(line("queue", QUEUE)?)?];
        while let Ok(more) = line("queue", QUEUE) {
            queues.push(parse_queue(more)?);
        }
        let periodic = parse_periodic(line("periodic", "periodic: ")?)?;
        let commands = line("commands", COMMANDS)?[COMMANDS.len()..].to_owned();
        match lines.next() {
            None => Ok(Table { rows, queues, periodic, commands }),
            Some(more) => Err(format!("unexpected line {more:?}")),
        }
    }
}

fn parse_row(kind: &str, line: &str) -> Result<Row, String> {
    let bad = || format!("expected the row {kind:?} with 7 numbers: {line:?}");
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    if words.next() != Some(kind) {
        return Err(bad());
    }
    let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
    let [queued, coalesced, cancelled, executed, pending, running, wait_us] = numbers[..] else {
        return Err(bad());
    };
    Ok(Row {
        kind: kind.to_owned(),
        queued,
        coalesced,
        cancelled,
        executed,
        pending,
        running,
        wait_us,
    })
}

fn parse_queue(line: &str) -> Result<Queue, String> {
    let bad = || format!("expected the state of the queue: {line:?}");
    let words: Vec<&str> = line.split(' ').collect();
    let ["queue:", name, flags, max_active, peak_running] = words[..] else {
        return Err(bad());
    };
    Ok(Queue {
        name: name.to_owned(),
        flags: value("flags", flags).ok_or_else(bad)?.split(',').map(str::to_owned).collect(),
        max_active: number("max_active", max_active).ok_or_else(bad)?,
        peak_running: number("peak_running", peak_running).ok_or_else(bad)?,
    })
}

fn parse_periodic(line: &str) -> Result<Periodic, String> {
    let bad = || format!("expected the state of the periodic work: {line:?}");
    let words: Vec<&str> = line.split(' ').collect();
    let ["periodic:", state @ ("stopped" | "running"), period_ms] = words[..] else {
        return Err(bad());
    };
    Ok(Periodic {
        started: state == "running",
        period_ms: number("period_ms", period_ms).ok_or_else(bad)?,
    })
}

/// The right side of `key=value`.
fn value<'a>(key: &str, word: &'a str) -> Option<&'a str> {
    word.strip_prefix(key)?.strip_prefix('=')
}

fn number(key: &str, word: &str) -> Option<u64> {
    value(key, word)?.parse().ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const EXAMPLE: &str = "\
kind       queued coalesced cancelled executed pending running wait_us
immediate       1         0         0        1       0       0      57
delayed         2         3         1        0       1       0       0
custom         10         0         0        4       2       4   98765
data            0         0         0        0       0       0       0
periodic        0         0         0        0       0       0       0
queue: workqueue_demo flags=unbound,mem_reclaim,sysfs max_active=4 peak_running=4
queue: workqueue_demo_ordered flags=unbound,ordered max_active=1 peak_running=1
periodic: stopped period_ms=1000
commands: immediate | delayed [MS] | custom [COUNT] [KIND] | data VALUE | start [MS] | stop | cancel | flush | reset
";

    #[test]
    fn takes_the_documented_table_apart() {
        let table: Table = EXAMPLE.parse().unwrap();
        assert_eq!(table.rows.iter().map(|row| &row.kind[..]).collect::<Vec<_>>(), KINDS);
        let custom = table.row("custom");
        assert_eq!((custom.queued, custom.executed, custom.wait_us), (10, 4, 98765));
        assert_eq!(custom.outstanding(), 6);
        assert_eq!(table.row("delayed").named()[1], ("coalesced", 3));
        assert_eq!(table.queues.len(), 2);
        let first = table.queue("workqueue_demo").unwrap();
        assert_eq!(first.flags, ["unbound", "mem_reclaim", "sysfs"]);
        assert_eq!((first.max_active, first.peak_running), (4, 4));
        assert_eq!(table.queue("workqueue_demo_ordered").unwrap().max_active, 1);
        assert_eq!(table.queue("workqueue_demo_percpu"), None);
        assert_eq!(table.peak_running("workqueue_demo_ordered"), 1);
        assert_eq!(table.peak_running("workqueue_demo_percpu"), 0);
        assert_eq!(table.periodic, Periodic { started: false, period_ms: 1000 });
        assert!(table.rows.iter().all(Row::balances));
        assert!(!table.at_rest());
    }

    #[test]
    fn sees_a_row_that_does_not_balance() {
        let text = EXAMPLE.replace("immediate       1", "immediate       2");
        let table: Table = text.parse().unwrap();
        assert!(!table.row("immediate").balances());
    }

    #[test]
    fn sees_whether_the_periodic_work_is_started() {
        let text = EXAMPLE.replace("stopped period_ms=1000", "running period_ms=10");
        let table: Table = text.parse().unwrap();
        assert_eq!(table.periodic, Periodic { started: true, period_ms: 10 });
    }

    #[test]
    fn refuses_anything_else() {
        let without = |part: &str| EXAMPLE.replacen(part, "", 1);
        for text in [
            String::new(),
            without("wait_us"),
            without("data            0         0         0        0       0       0       0\n"),
            without("     57"),
            without("queue: "),
            EXAMPLE.lines().filter(|line| !line.starts_with(QUEUE)).collect::<Vec<_>>().join("\n")
                + "\n",
            without("max_active=4 "),
            without("stopped "),
            without("commands: "),
            EXAMPLE.replace("57", "-7"),
            EXAMPLE.replace("stopped", "perhaps"),
            EXAMPLE.trim_end().to_owned(),
            format!("{EXAMPLE}more\n"),
        ] {
            assert!(text.parse::<Table>().is_err(), "{text}");
        }
    }
}
