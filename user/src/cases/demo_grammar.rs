// SPDX-License-Identifier: GPL-2.0

//! What the node takes and refuses.
//!
//! The module logs ten refusals in five seconds, unless its parameters say otherwise. Cases that
//! expect lines load the module again, so that earlier refusals do not count.

use std::io::IoSlice;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::uio::writev;

use super::cases;
use crate::demo_node;
use crate::harness::demo::{changed_kinds, send, send_expecting, table};
use crate::harness::demo_log::{DemoLog, EARLY};
use crate::harness::loaded::{every_refusal_logged, loaded_with, reloaded_afterwards};
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::raw::PageEdge;

cases! {
    demo_takes_several_lines_in_one_write,
    demo_takes_one_line_without_a_line_end,
    demo_refuses_several_lines_that_end_within_one,
    demo_runs_no_line_that_a_buffer_has_cut,
    demo_takes_each_segment_of_a_writev_as_a_write,
    demo_takes_a_write_of_0_bytes,
    demo_takes_all_of_lines_without_a_command,
    demo_takes_tabs_between_words,
    demo_refuses_what_it_does_not_know,
    demo_refuses_a_carriage_return,
    demo_does_nothing_if_any_line_is_bad,
    demo_quotes_the_offending_word,
    demo_escapes_the_offending_word,
    demo_logs_ten_refusals_in_an_interval,
    demo_logs_as_many_refusals_as_it_is_told,
    demo_says_how_many_refusals_it_kept_back_in_an_interval,
    demo_takes_4096_bytes_and_not_one_more,
    demo_refuses_a_bad_pointer,
}

fn demo_takes_several_lines_in_one_write(_: &Harness) -> Outcome {
    let before = table()?;
    send("immediate\ndelayed 60000\ncustom 2\ndata 5\nstart 60000\nstop\ncancel\nflush\n")?;
    let changed = changed_kinds(&before, &table()?)?;
    ensure_eq!(
        changed,
        ["immediate", "delayed", "custom", "data", "periodic"],
        "kinds that were queued"
    );
    Ok(())
}

fn demo_takes_one_line_without_a_line_end(_: &Harness) -> Outcome {
    let before = table()?;
    send("data 1")?;
    send("  flush  ")?;
    ensure_eq!(table()?.row("data").executed, before.row("data").executed + 1, "executed");
    Ok(())
}

fn demo_refuses_several_lines_that_end_within_one(harness: &Harness) -> Outcome {
    let reload = every_refusal_logged(harness)?;
    let before = table()?;
    for (text, line, last) in [
        ("data 1\ndata 2", 2, "data 2"),
        ("\nstop", 2, "stop"),
        ("data 1\n\n \t", 3, r" \t"),
        ("delayed 60000\ndelayed 6", 2, "delayed 6"),
    ] {
        let said = refusal_line(text)?;
        let expected = format!(
            "write refused: line {line}, \"{last}\", has no line end and may have been cut"
        );
        ensure!(said.ends_with(&expected), "{text:?}: the log says {said:?}");
    }
    ensure_eq!(table()?, before, "the table");
    reload.finish()
}

/// What a program with a buffered writer hands over: pieces of 1,024 bytes.
fn demo_runs_no_line_that_a_buffer_has_cut(_: &Harness) -> Outcome {
    let lines: Vec<String> =
        (1_234_567..=1_234_700).map(|value| format!("data {value}\n")).collect();
    let before = table()?;
    let mut log = DemoLog::from_now()?;
    for piece in lines.concat().as_bytes().chunks(1024) {
        send_expecting(piece, Errno::EINVAL)?;
    }
    send("flush")?;
    ensure_eq!(table()?.rows, before.rows, "the table");
    let ran = log.lines_already()?.into_iter().filter(|line| line.contains("Data:"));
    ensure_eq!(ran.count(), 0, "values printed");
    Ok(())
}

fn demo_takes_each_segment_of_a_writev_as_a_write(_: &Harness) -> Outcome {
    let before = table()?;
    let node = demo_node::open()?;
    let write = |segments: &[&str]| {
        let segments: Vec<_> = segments.iter().map(|text| IoSlice::new(text.as_bytes())).collect();
        writev(&node, &segments)
    };
    ensure_eq!(write(&["data 1", "data 2\n"]), Ok(13), "two lines of a segment each");
    // By then the module has run the first segment.
    ensure_eq!(write(&["data 3\n", "data 4\ndata"]), Ok(7), "a line that is cut");
    ensure_eq!(write(&["da", "ta 5\n"]), Err(Errno::EINVAL), "a word in two segments");
    send("flush")?;
    ensure_eq!(table()?.row("data").executed, before.row("data").executed + 3, "executed");
    Ok(())
}

fn demo_takes_a_write_of_0_bytes(_: &Harness) -> Outcome {
    let before = table()?;
    send("")?;
    ensure_eq!(table()?, before, "the table");
    Ok(())
}

fn demo_takes_all_of_lines_without_a_command(_: &Harness) -> Outcome {
    let before = table()?;
    // A caller writes again what is not taken. If nothing is taken, it does so forever.
    for blank in ["\n", " ", "\t", " \t\n", "\n\n", " \n\t\n \n"] {
        send(blank)?;
    }
    ensure_eq!(table()?, before, "the table");
    send("data 1\n\n \n")?;
    send("\n\ndata 2\n\n")?;
    send("flush\n")?;
    ensure_eq!(table()?.row("data").executed, before.row("data").executed + 2, "executed");
    Ok(())
}

fn demo_takes_tabs_between_words(_: &Harness) -> Outcome {
    let before = table()?;
    send("\tdata\t1\t\n")?;
    send("custom \t 2\n\tflush\n")?;
    let after = table()?;
    ensure_eq!(after.row("data").executed, before.row("data").executed + 1, "executed");
    ensure_eq!(after.row("custom").executed, before.row("custom").executed + 2, "executed");
    Ok(())
}

/// All of these are refused and have no effect.
const BAD: &[&str] = &[
    "frob",
    "Immediate",
    "immediate now",
    "immediate 1",
    "immediat",
    "immediatex",
    "custom x",
    "custom 4x",
    "custom 4 4",
    "custom 4 Ordered",
    "custom ordered 4",
    "custom 4 ordered percpu",
    "custom per_cpu",
    "custom unbound,",
    "custom 18446744073709551616",
    "custom 0x4",
    "delayed soon",
    "delayed 2000ms",
    "delayed 1 1",
    "delayed 4294967297",
    "data",
    "data forty-two",
    "data 1 2",
    "start 9",
    "start fast",
    "start 1000 1000",
    "stop it",
    "cancel 1",
    "flush all",
    "reset 0",
    "data 1;data 2",
    "data 1,2",
    "data 1\0",
    "\0",
    "datа 1", // a Cyrillic letter
];

fn demo_refuses_what_it_does_not_know(_: &Harness) -> Outcome {
    let before = table()?;
    for bad in BAD {
        send_expecting(format!("{bad}\n"), Errno::EINVAL)?;
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?, before, "the table");
    Ok(())
}

fn demo_refuses_a_carriage_return(harness: &Harness) -> Outcome {
    let before = table()?;
    for bad in ["stop\r\n", "\r\n", "\r", "data 1\r\n", "data\r1\n", "\rdata 1\n", "data \r1\n"] {
        send_expecting(bad, Errno::EINVAL)?;
    }
    ensure_eq!(table()?, before, "the table");
    let reload = every_refusal_logged(harness)?;
    let line = refusal_line("stop\r\n")?;
    ensure!(line.contains(r#""stop\r""#), "the word is not quoted: {line:?}");
    reload.finish()
}

fn demo_does_nothing_if_any_line_is_bad(_: &Harness) -> Outcome {
    let before = table()?;
    let good = "immediate\ncustom 5\ndata 1\ndelayed 60000\nstart 10\nreset\n";
    for bad in BAD {
        send_expecting(format!("{good}{bad}\n"), Errno::EINVAL)?;
        send_expecting(format!("data 1\n{bad}\n{good}"), Errno::EINVAL)?;
    }
    ensure_eq!(table()?, before, "the table");
    Ok(())
}

/// The one line that is logged when `text` is refused.
fn refusal_line(text: impl AsRef<[u8]>) -> Outcome<String> {
    let mut log = DemoLog::from_now()?;
    send_expecting(text, Errno::EINVAL)?;
    let mut lines = log.lines_already()?;
    ensure_eq!(lines.len(), 1, "lines logged, {lines:?}");
    Ok(lines.remove(0))
}

fn demo_quotes_the_offending_word(harness: &Harness) -> Outcome {
    let reload = every_refusal_logged(harness)?;
    for (text, word) in [
        ("frob\n", "frob"),
        ("data 1\nfrob 2\n", "frob"),
        ("custom many\n", "many"),
        ("custom 1001\n", "1001"),
        ("delayed 0\n", "0"),
        ("start 9\n", "9"),
        ("data 2147483648\n", "2147483648"),
        ("stop it\n", "it"),
        ("custom 4 5\n", "5"),
        ("custom 4 Ordered\n", "Ordered"),
        ("custom ordered 5\n", "5"),
        ("data\n", "data"),
    ] {
        let line = refusal_line(text)?;
        ensure!(line.contains(&format!("\"{word}\"")), "the word {word:?} is not quoted: {line:?}");
    }
    reload.finish()
}

fn demo_escapes_the_offending_word(harness: &Harness) -> Outcome {
    let reload = every_refusal_logged(harness)?;
    for (text, word) in [
        (&b"frob\x1b[2J\n"[..], r"frob\x1b[2J"),
        (b"a\"b\n", r#"a\"b"#),
        (b"a\\b\n", r"a\\b"),
        (b"\xff\xfe\n", r"\xff\xfe"),
        (b"nul\0\n", r"nul\x00"),
        (b"data \x07\n", r"\x07"),
        ("\u{202e}evil\n".as_bytes(), r"\xe2\x80\xaeevil"),
        ("中文\n".as_bytes(), r"\xe4\xb8\xad\xe6\x96\x87"),
        // Invisible: a byte order mark, a zero-width space, a soft hyphen, a no-break space.
        ("\u{feff}data 1\n".as_bytes(), r"\xef\xbb\xbfdata"),
        ("da\u{200b}ta 1\n".as_bytes(), r"da\xe2\x80\x8bta"),
        ("st\u{ad}op\n".as_bytes(), r"st\xc2\xadop"),
        ("data\u{a0}1\n".as_bytes(), r"data\xc2\xa01"),
        ("datа 1\n".as_bytes(), r"dat\xd0\xb0"), // a Cyrillic letter
    ] {
        let line = refusal_line(text)?;
        ensure!(line.contains(&format!("\"{word}\"")), "the word {word:?} is not quoted: {line:?}");
        ensure!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "not all of it is printable ASCII: {line:?}"
        );
    }
    // A word too long for any record still makes one line.
    let line = refusal_line([b'\x1b'; 4000])?;
    ensure!(line.contains(r#""\x1b\x1b"#), "the start of the word is not quoted: {line:?}");
    reload.finish()
}

/// The default interval in which the default number of refusals is logged.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// How many lines each group of refusals logs, one group after the other.
fn logged_of<const N: usize>(refusals: [usize; N]) -> Outcome<[usize; N]> {
    let mut log = DemoLog::from_now()?;
    let mut lines = [0; N];
    for (refusals, lines) in refusals.into_iter().zip(&mut lines) {
        for _ in 0..refusals {
            send_expecting("frob\n", Errno::EINVAL)?;
        }
        *lines = log.lines_already()?.len();
    }
    Ok(lines)
}

fn demo_logs_ten_refusals_in_an_interval(harness: &Harness) -> Outcome {
    let reload = loaded_with(&harness.demo, "")?;
    let started = Instant::now();
    let lines = logged_of([9, 1, 1, 189])?;
    let took = started.elapsed();
    ensure!(took < DEFAULT_INTERVAL, "200 refusals took {took:?}");
    ensure_eq!(lines, [9, 1, 0, 0], "lines for 9, 1, 1, 189 refusals");
    reload.finish()
}

fn demo_logs_as_many_refusals_as_it_is_told(harness: &Harness) -> Outcome {
    let an_hour = "refusals_interval_ms=3600000";
    let reload = reloaded_afterwards(&harness.demo)?;
    for (parameters, lines) in [
        ("refusals_logged=0", 0),
        ("refusals_logged=3", 3),
        ("refusals_logged=3 refusals_logged=4", 4),
        ("refusals_logged=4294967295", 20),
    ] {
        reload.with(&format!("{parameters} {an_hour}"))?;
        ensure_eq!(logged_of([20])?, [lines], "lines with {parameters}");
    }
    reload.finish()
}

/// Sets `refusals_interval_ms` to `interval`. Returns what is logged of four refusals, of one when
/// half the interval is over, and of one after it. `None` if this machine is too slow.
fn logged_around(harness: &Harness, interval: Duration) -> Outcome<Option<Vec<String>>> {
    let parameters = format!("refusals_logged=1 refusals_interval_ms={}", interval.as_millis());
    let reload = loaded_with(&harness.demo, &parameters)?;
    let mut log = DemoLog::from_now()?;
    let started = Instant::now();
    for _ in 0..4 {
        send_expecting("frob\n", Errno::EINVAL)?;
    }
    sleep(interval / 2);
    send_expecting("early\n", Errno::EINVAL)?;
    let within = started.elapsed() + EARLY < interval;
    sleep(interval / 2 + EARLY);
    send_expecting("last\n", Errno::EINVAL)?;
    let lines = log.lines_already()?;
    reload.finish()?;
    Ok(within.then_some(lines))
}

fn demo_says_how_many_refusals_it_kept_back_in_an_interval(harness: &Harness) -> Outcome {
    for milliseconds in [200, 1000, 5000] {
        if let Some(lines) = logged_around(harness, Duration::from_millis(milliseconds))? {
            let expected = [
                r#"line 1: unknown command "frob""#,
                "4 callbacks suppressed",
                r#"line 1: unknown command "last""#,
            ];
            ensure_eq!(lines, expected, "the log, with an interval of {milliseconds} ms");
            return Ok(());
        }
    }
    fail("five refusals took longer than 2.5 s")
}

fn demo_takes_4096_bytes_and_not_one_more(harness: &Harness) -> Outcome {
    let before = table()?;
    // Commands with an effect: one byte too many has to prevent it.
    let fits = format!("{}reset\n", "stop\n".repeat(818));
    ensure_eq!(fits.len(), 4096, "the length that is to fit");
    send(&fits)?;
    for length in [4097, 5000, 1 << 20] {
        let mut text = "data 1\n".repeat(length / 7);
        text.push_str(&"\n".repeat(length - text.len()));
        send_expecting(&text, Errno::EINVAL)?;
    }
    ensure_eq!(table()?.rows, before.rows, "the table");
    let reload = every_refusal_logged(harness)?;
    refusal_line([b'x'; 4097])?;
    reload.finish()
}

fn demo_refuses_a_bad_pointer(_: &Harness) -> Outcome {
    let before = table()?;
    let edge = PageEdge::new()?;
    let node = demo_node::open()?;
    for readable in [&b""[..], b"data 1\n", b"data 1\ndata"] {
        ensure_eq!(edge.write(&node, readable, 100), Err(Errno::EFAULT), "a write beyond a page");
    }
    ensure_eq!(table()?, before, "the table");
    ensure_eq!(edge.write(&node, b"reset\n", 0), Ok(6), "a write that ends at a bad page");
    Ok(())
}
