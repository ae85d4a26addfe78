// SPDX-License-Identifier: GPL-2.0

//! This program's own commands, run as a user runs them.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::thread;

use nix::sys::signal::{kill, Signal};
use nix::unistd::{pipe, Pid};

use super::cases;
use crate::demo_model::{Kind, KIND_WORDS};
use crate::harness::demo::{send, table};
use crate::harness::echo::EchoFixture;
use crate::harness::loaded::removed;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};

cases! {
    wqtest_echo_says_what_it_wrote,
    wqtest_echo_writes_long_texts_whole,
    wqtest_send_sends_words_and_quoted_commands,
    wqtest_send_takes_many_lines_from_its_standard_input,
    wqtest_send_does_nothing_if_any_command_is_bad,
    wqtest_stats_shows_both_modules,
    wqtest_stats_speaks_json,
    wqtest_stats_and_watch_show_each_queue_that_there_is,
    wqtest_names_what_is_missing_and_what_to_do,
    wqtest_watch_ends_cleanly_on_ctrl_c,
    wqtest_ends_quietly_where_nobody_reads,
    wqtest_survives_that_nobody_reads_its_errors,
}

fn wqtest(args: &[&str]) -> Outcome<Output> {
    Ok(Command::new("/proc/self/exe").args(args).stdin(Stdio::null()).output()?)
}

/// What the program prints when it succeeds.
fn output_of(args: &[&str]) -> Outcome<String> {
    let output = wqtest(args)?;
    ensure!(output.status.success(), "wqtest {args:?}: {output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn wqtest_echo_says_what_it_wrote(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let said = output_of(&["echo", "william wq test", "two"])?;
    ensure_eq!(said, "wrote 15 bytes: \"william wq test\"\nwrote 3 bytes: \"two\"\n", "the output");
    echo.expect(&["william wq test", "two"])
}

fn wqtest_echo_writes_long_texts_whole(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let long = "l".repeat(600);
    let said = output_of(&["echo", &long])?;
    ensure_eq!(said.lines().count(), 3, "lines of {said:?}");
    echo.expect(&[&long[..255], &long[255..510], &long[510..]])
}

fn wqtest_send_sends_words_and_quoted_commands(_: &Harness) -> Outcome {
    send("reset\n")?;
    let said = output_of(&["send", "custom", "2", "data", "-7"])?;
    ensure_eq!(said, "sent \"custom 2\"\nsent \"data -7\"\n", "the output of words");
    let said = output_of(&["send", "custom 2", "flush"])?;
    ensure_eq!(said, "sent \"custom 2\"\nsent \"flush\"\n", "the output");
    let said = output_of(&["send", "custom", "1", "ordered", "flush"])?;
    ensure_eq!(said, "sent \"custom 1 ordered\"\nsent \"flush\"\n", "the output of a kind");
    let table = table()?;
    ensure_eq!((table.row("custom").executed, table.row("data").executed), (5, 1), "executed");
    Ok(())
}

fn wqtest_send_takes_many_lines_from_its_standard_input(_: &Harness) -> Outcome {
    const LINES: u64 = 1000;
    send("reset\n")?;
    let lines: Vec<String> = (0..LINES).map(|value| format!("data {value}")).collect();
    let mut child = Command::new("/proc/self/exe")
        .args(["send", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("the input is a pipe");
    let text = lines.join("\n");
    let feeder = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    ensure!(matches!(feeder.join(), Ok(Ok(()))), "not all of its input was read");
    ensure!(output.status.success(), "wqtest send -: {output:?}");
    send("flush\n")?;
    ensure_eq!(table()?.row("data").executed, LINES, "executed");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<String> = lines.iter().map(|line| format!("sent \"{line}\"")).collect();
    ensure!(said.lines().eq(&expected), "the output: {said}");
    Ok(())
}

fn wqtest_send_does_nothing_if_any_command_is_bad(_: &Harness) -> Outcome {
    let before = table()?;
    let output = wqtest(&["send", "data 1", "frob"])?;
    ensure_eq!(output.status.code(), Some(1), "the status");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("/proc/workqueue_demo: invalid argument"), "the error: {said}");
    ensure_eq!(table()?.rows, before.rows, "the table");
    Ok(())
}

fn wqtest_stats_shows_both_modules(_: &Harness) -> Outcome {
    let said = output_of(&["stats"])?;
    for part in ["wq_echo\n", "accepted", "batches", "workqueue_demo\n", "periodic: ", "commands: "]
    {
        ensure!(said.contains(part), "no {part:?} in {said}");
    }
    Ok(())
}

fn wqtest_stats_speaks_json(_: &Harness) -> Outcome {
    send("reset\ndata 1\nflush\n")?;
    let said = output_of(&["stats", "--json"])?;
    let value: serde_json::Value = match serde_json::from_str(&said) {
        Ok(value) => value,
        Err(error) => return fail(format!("{error} in {said}")),
    };
    ensure!(value["wq_echo"]["accepted"].is_u64(), "no accepted in {said}");
    ensure_eq!(value["workqueue_demo"]["rows"]["data"]["executed"], 1, "executed in {said}");
    Ok(())
}

fn wqtest_stats_and_watch_show_each_queue_that_there_is(_: &Harness) -> Outcome {
    let commands = Kind::ALL.map(|kind| format!("custom 1 {}\n", KIND_WORDS[kind.0]));
    send(&commands.concat())?;
    let names = Kind::ALL.map(Kind::queue_name);
    let in_lines = |text: &str| {
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("queue: "));
        let names = lines.filter_map(|line| Some(line.split_once(' ')?.0.to_owned()));
        names.collect::<Vec<String>>()
    };
    ensure_eq!(in_lines(&output_of(&["stats"])?), names, "queues of wqtest stats");
    let said = output_of(&["stats", "--json"])?;
    let value: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    for (index, name) in names.iter().enumerate() {
        let queue = &value["workqueue_demo"]["queues"][index];
        ensure_eq!(queue["name"], name.as_str(), "the name of queue {index} in {said}");
        ensure!(queue["peak_running"].is_u64(), "no peak_running of queue {index} in {said}");
    }
    let views = views_of_watch(1)?;
    ensure_eq!(in_lines(&views), names, "queues of wqtest watch");
    Ok(())
}

fn wqtest_names_what_is_missing_and_what_to_do(harness: &Harness) -> Outcome {
    let expect = |args: &[&str], error: &str| {
        let output = wqtest(args)?;
        ensure_eq!(output.status.code(), Some(1), "the status of {args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(said.contains(error), "wqtest {args:?} says {said:?}");
        Ok(())
    };
    let echo = removed(&harness.echo)?;
    expect(&["echo", "x"], "/dev/wq_echo: not found: is wq_echo.ko loaded?")?;
    expect(&["stats"], "is wq_echo.ko loaded?")?;
    echo.finish()?;
    let demo = removed(&harness.demo)?;
    expect(&["send", "flush"], "/proc/workqueue_demo: not found: is workqueue_demo.ko loaded?")?;
    expect(&["stats", "--json"], "is workqueue_demo.ko loaded?")?;
    demo.finish()
}

/// The first views of `wqtest watch`, which Ctrl-C then ends.
fn views_of_watch(views: usize) -> Outcome<String> {
    let mut child = Command::new("/proc/self/exe")
        .arg("watch")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
    let mut seen = String::new();
    // The last line of a view.
    while seen.matches("commands: ").count() < views {
        if output.read_line(&mut seen)? == 0 {
            break;
        }
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT)?;
    output.read_to_string(&mut seen)?;
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(seen)
}

fn wqtest_watch_ends_cleanly_on_ctrl_c(_: &Harness) -> Outcome {
    // The second view is drawn over the first.
    let seen = views_of_watch(2)?;
    ensure_eq!(
        seen.matches("accepted").count(),
        seen.matches("commands: ").count(),
        "views of both modules in {seen}"
    );
    ensure!(!seen.contains('\x1b'), "escape sequences where there is no terminal: {seen:?}");
    Ok(())
}

/// The write end of a pipe that nobody reads, as after `| true`.
fn unread() -> Outcome<OwnedFd> {
    let (_, writer) = pipe()?;
    Ok(writer)
}

fn wqtest_ends_quietly_where_nobody_reads(_: &Harness) -> Outcome {
    const ENOUGH_SEEN: i32 = 0;
    // As if SIGPIPE had ended it: the program has not done what it was asked to.
    const NOT_DONE: i32 = 141;
    for (args, status) in [
        (&["echo", "x"][..], ENOUGH_SEEN),
        (&["send", "data 1", "flush"], ENOUGH_SEEN),
        (&["stats"], ENOUGH_SEEN),
        (&["stats", "--json"], ENOUGH_SEEN),
        (&["watch"], ENOUGH_SEEN),
        (&["poll", "/dev/null"], ENOUGH_SEEN),
        (&["test", "--list"], ENOUGH_SEEN),
        (&["test", "wqtest_echo_says_what_it_wrote"], NOT_DONE),
        (&["fire", "--list"], ENOUGH_SEEN),
        (&["fire", "no such case"], NOT_DONE),
        (&["bench", "boot"], NOT_DONE),
        (&["completions", "bash"], ENOUGH_SEEN),
        (&["man"], ENOUGH_SEEN),
        (&["--help"], ENOUGH_SEEN),
        (&["help", "fire"], ENOUGH_SEEN),
        (&["--version"], ENOUGH_SEEN),
    ] {
        let output = Command::new("/proc/self/exe")
            .args(args)
            .stdin(Stdio::null())
            .stdout(unread()?)
            .stderr(Stdio::piped())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.is_empty(), "wqtest {args:?} says {said:?}");
        ensure_eq!(output.status.code(), Some(status), "the status of {args:?}");
    }
    Ok(())
}

fn wqtest_survives_that_nobody_reads_its_errors(_: &Harness) -> Outcome {
    for (args, status) in [(&["poll", "/nonexistent"][..], 1), (&["frob"], 2)] {
        let ended = Command::new("/proc/self/exe")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(unread()?)
            .status()?;
        ensure_eq!(ended.code(), Some(status), "the status of {args:?}");
    }
    Ok(())
}
