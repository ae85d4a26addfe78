// SPDX-License-Identifier: GPL-2.0

//! The processes that the cases start, from the cases' side: this program, started with a hidden
//! command. [`super::jobs`] has what a child does.
//!
//! A child says that it is ready, waits for a line on its standard input, does its job, and reports
//! in one line. Dropping its handle kills it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use nix::sched::{sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use crate::harness::process::signal_and_wait;
use crate::harness::{ensure, fail, Outcome};

/// The hidden command: `wqtest fire-child JOB ARGUMENT...`.
pub const COMMAND: &str = "fire-child";

/// What a child has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Writes one text to `wq_echo`. Reports `errno` and the `signals` caught.
    Once { caught: Caught, text: String },
    /// Writes messages of [`numbered`](super::numbered) until it gets SIGTERM, and repeats a
    /// message that a signal interrupts. Reports how many were `written`.
    Numbered { caught: Caught, writer: usize, most: usize },
    /// Does anything to both nodes, `actions` times or until it gets SIGTERM. Reports how much of
    /// each kind was accepted.
    Anything { writer: usize, seed: u64, actions: usize, resets: bool },
    /// Uses up memory until `leave` KiB are free, and says `full`. Then keeps the kernel reclaiming
    /// memory until it gets SIGTERM.
    Hog { leave: usize },
}

/// What a child does about SIGINT and SIGALRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caught {
    /// They end the process.
    Neither,
    /// System calls fail with EINTR.
    Interrupting,
    /// The kernel restarts system calls.
    Restarting,
}

impl Caught {
    const NAMES: [(&'static str, Caught); 3] = [
        ("neither", Caught::Neither),
        ("interrupting", Caught::Interrupting),
        ("restarting", Caught::Restarting),
    ];

    fn name(self) -> &'static str {
        Caught::NAMES[self as usize].0
    }
}

impl Job {
    fn words(&self) -> Vec<String> {
        let text = |words: &[&dyn ToString]| words.iter().map(|word| word.to_string()).collect();
        match self {
            Job::Once { caught, text: what } => text(&[&"once", &caught.name(), what]),
            Job::Numbered { caught, writer, most } => {
                text(&[&"numbered", &caught.name(), writer, most])
            }
            Job::Anything { writer, seed, actions, resets } => {
                text(&[&"anything", writer, seed, actions, resets])
            }
            Job::Hog { leave } => text(&[&"hog", leave]),
        }
    }

    pub fn from_words(words: &[String]) -> Option<Job> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let caught = |name: &str| {
            Caught::NAMES.iter().find(|(known, _)| *known == name).map(|(_, caught)| *caught)
        };
        match words[..] {
            ["once", name, text] => Some(Job::Once { caught: caught(name)?, text: text.into() }),
            ["numbered", name, writer, most] => Some(Job::Numbered {
                caught: caught(name)?,
                writer: writer.parse().ok()?,
                most: most.parse().ok()?,
            }),
            ["anything", writer, seed, actions, resets] => Some(Job::Anything {
                writer: writer.parse().ok()?,
                seed: seed.parse().ok()?,
                actions: actions.parse().ok()?,
                resets: resets.parse().ok()?,
            }),
            ["hog", leave] => Some(Job::Hog { leave: leave.parse().ok()? }),
            _ => None,
        }
    }
}

/// Prints a line for the process that started this one.
pub fn say(line: &str) {
    // If nobody listens any more, nobody needs to know.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A process that has been started.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Returns at once: the child is not ready yet.
    fn spawn(job: &Job) -> Outcome<Process> {
        let mut child = Command::new("/proc/self/exe")
            .arg(COMMAND)
            .args(job.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().expect("the input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        Ok(Process { child, input, output })
    }

    /// Starts all of them, and returns when they are ready.
    pub fn start_all(jobs: &[Job]) -> Outcome<Vec<Process>> {
        let mut processes = jobs.iter().map(Process::spawn).collect::<Outcome<Vec<_>>>()?;
        for process in &mut processes {
            let line = process.line()?;
            ensure!(line == "ready", "a child process did not start: {line:?}");
        }
        Ok(processes)
    }

    /// Lets it begin its job.
    pub fn go(&mut self) -> Outcome {
        self.input.write_all(b"go\n")?;
        Ok(())
    }

    pub fn signal(&self, signal: Signal) -> Outcome {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Like [`Process::signal`], but returns when the signal has been received.
    pub fn signal_and_wait(&self, signal: Signal) -> Outcome {
        signal_and_wait(Pid::from_raw(self.child.id() as i32), signal)
    }

    /// Lets it run on every CPU that the calling thread may run on.
    pub fn run_where_this_does(&self) -> Outcome {
        let cpus = sched_getaffinity(Pid::from_raw(0))?;
        Ok(sched_setaffinity(Pid::from_raw(self.child.id() as i32), &cpus)?)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits for the next line that it prints, and returns it as names and numbers.
    pub fn report(&mut self) -> Outcome<HashMap<String, u64>> {
        let line = self.line()?;
        let number = |word: &str| {
            let (name, number) = word.split_once('=')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        match line.split(' ').filter(|word| !word.is_empty()).map(number).collect() {
            Some(numbers) if !line.is_empty() => Ok(numbers),
            _ => fail(format!("a child process did not report (see stderr): {line:?}")),
        }
    }

    /// Waits for its end, which a signal has caused.
    pub fn wait(mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody waits for the child any more. Both calls fail if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_child_what_to_do() {
        for job in [
            Job::Once { caught: Caught::Neither, text: "a b".into() },
            Job::Numbered { caught: Caught::Restarting, writer: 3, most: 9 },
            Job::Anything { writer: 1, seed: u64::MAX, actions: 2, resets: true },
            Job::Hog { leave: 4096 },
        ] {
            assert_eq!(Job::from_words(&job.words()), Some(job));
        }
        assert_eq!(Job::from_words(&["once".into(), "some".into(), "text".into()]), None);
        assert_eq!(Job::from_words(&[]), None);
    }
}
