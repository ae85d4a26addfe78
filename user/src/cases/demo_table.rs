// SPDX-License-Identifier: GPL-2.0

//! What a read of the node shows.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::unistd::{setfsgid, setfsuid, Gid, Uid};

use super::cases;
use crate::demo_node;
use crate::demo_table::{Periodic, Row, Table, KINDS};
use crate::harness::demo::{send, table, table_when, QUEUE};
use crate::harness::demo_log::DemoLog;
use crate::harness::loaded::loaded_with;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::paths::DEMO_NODE;

cases! {
    demo_node_is_a_file_of_mode_0644,
    demo_node_can_be_read_by_anyone_and_written_by_root,
    demo_shows_the_documented_lines,
    demo_aligns_its_columns_with_the_header,
    demo_starts_from_zero,
    demo_shows_its_queue_in_sysfs_too,
    demo_read_in_small_pieces_is_one_snapshot,
    demo_can_be_read_from_the_start_again,
    demo_logs_one_line_for_each_run_of_every_kind,
}

const HEADER: &str = "kind       queued coalesced cancelled executed pending running wait_us";
const COMMANDS: &str = "commands: immediate | delayed [MS] | custom [COUNT] [KIND] | data VALUE | \
                        start [MS] | stop | cancel | flush | reset";

fn demo_node_is_a_file_of_mode_0644(_: &Harness) -> Outcome {
    let metadata = fs::metadata(DEMO_NODE)?;
    ensure!(metadata.is_file(), "{DEMO_NODE} is no file");
    ensure_eq!(format!("{:o}", metadata.mode() & 0o7777), "644", "the mode");
    Ok(())
}

fn demo_node_can_be_read_by_anyone_and_written_by_root(_: &Harness) -> Outcome {
    const NOBODY: u32 = 65534;
    // File access rights belong to a thread, and this one ends with the case.
    setfsuid(Uid::from_raw(NOBODY));
    setfsgid(Gid::from_raw(NOBODY));
    table()?;
    let error = demo_node::open().err().and_then(|error| error.errno());
    ensure_eq!(error, Some(Errno::EACCES), "nobody opens the node for writing");
    Ok(())
}

fn demo_shows_the_documented_lines(_: &Harness) -> Outcome {
    let text = demo_node::read_text()?;
    let lines: Vec<&str> = text.lines().collect();
    let [header, rows @ .., periodic, commands] = &lines[..] else {
        return fail(format!("lines of {text:?}"));
    };
    ensure_eq!(*header, HEADER, "the header");
    ensure_eq!(*commands, COMMANDS, "the last line");
    ensure!(
        periodic.starts_with("periodic: stopped period_ms="),
        "the line of the periodic work: {periodic:?}"
    );
    // Lines of other queues follow once these have been used.
    let queue = "queue: workqueue_demo flags=unbound,mem_reclaim,sysfs max_active=4 peak_running=";
    let first = rows.get(KINDS.len()).copied().unwrap_or_default();
    ensure!(first.starts_with(queue), "the line of the first queue: {first:?}");
    // The parser checks the rows between them.
    table().map(drop)
}

fn demo_aligns_its_columns_with_the_header(_: &Harness) -> Outcome {
    send("data 1\nflush\n")?;
    let text = demo_node::read_text()?;
    for line in text.lines().take(6) {
        ensure_eq!(line.len(), HEADER.len(), "the length of {line:?}");
    }
    Ok(())
}

fn demo_starts_from_zero(harness: &Harness) -> Outcome {
    let fresh = loaded_with(&harness.demo, "")?;
    let table = table()?;
    for row in &table.rows {
        ensure_eq!(*row, Row { kind: row.kind.clone(), ..Row::default() }, "a row of a new module");
    }
    ensure_eq!(table.peak_running(QUEUE), 0, "peak_running");
    ensure_eq!(table.periodic, Periodic { started: false, period_ms: 1000 }, "the periodic work");
    fresh.finish()
}

fn demo_shows_its_queue_in_sysfs_too(_: &Harness) -> Outcome {
    let attribute = |name: &str| {
        fs::read_to_string(format!("/sys/devices/virtual/workqueue/workqueue_demo/{name}"))
    };
    ensure_eq!(attribute("max_active")?.trim(), "4", "max_active");
    ensure_eq!(attribute("per_cpu")?.trim(), "0", "per_cpu of an unbound queue");
    Ok(())
}

fn demo_read_in_small_pieces_is_one_snapshot(_: &Harness) -> Outcome {
    for size in [1, 7, 100] {
        let before = table()?;
        let mut file = File::open(DEMO_NODE)?;
        let mut text = vec![0; size];
        file.read_exact(&mut text)?;
        // From here on a new snapshot would differ in a row that is yet to be read.
        send("data 1\nflush\n")?;
        let mut piece = vec![0; size];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => text.extend(&piece[..count]),
            }
        }
        let read: Table = String::from_utf8_lossy(&text).parse().or_else(fail)?;
        ensure_eq!(read, before, "what was read in pieces of {size} bytes");
    }
    Ok(())
}

fn demo_can_be_read_from_the_start_again(_: &Harness) -> Outcome {
    let mut file = File::open(DEMO_NODE)?;
    let mut read = || -> Outcome<Table> {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_string(&mut text)?;
        text.parse().or_else(fail)
    };
    let before = read()?;
    send("data 1\nflush\n")?;
    let after = read()?;
    ensure_eq!(after.row("data").executed, before.row("data").executed + 1, "executed");
    Ok(())
}

fn demo_logs_one_line_for_each_run_of_every_kind(_: &Harness) -> Outcome {
    send("reset\n")?;
    let mut log = DemoLog::from_now()?;
    send("immediate\ndelayed 10\ncustom 3\ndata 1\nstart 10\n")?;
    table_when("runs of every kind", |table| table.rows.iter().all(|row| row.executed > 0))?;
    send("stop\nflush\n")?;
    let runs = log.runs_already()?;
    for row in &table()?.rows {
        let logged = runs.iter().filter(|run| run.kind == row.kind).count();
        ensure_eq!(logged as u64, row.executed, "lines on runs of {}", row.kind);
    }
    for run in &runs {
        ensure!(run.worker.starts_with("kworker/"), "no worker: {run:?}");
    }
    Ok(())
}
