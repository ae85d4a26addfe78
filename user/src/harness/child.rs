// SPDX-License-Identifier: GPL-2.0

//! Child processes that sleep in a write, as targets for signals.
//!
//! A signal goes to a process, so the writer has to be one: this program, started with a hidden
//! command.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::process::{signal_and_wait, status_field};
use super::wait::wait_until;
use super::{fail, Outcome};
use crate::error::Error;
use crate::raw;

/// The hidden command: `wqtest child-write SIGNALS PATH TEXT`.
pub const COMMAND: &str = "child-write";

/// The signal that the cases send where any will do.
pub const SIGNAL: Signal = Signal::SIGUSR1;

/// The signals that the child can be told to catch.
const SIGNALS: [Signal; 3] = [SIGNAL, Signal::SIGINT, Signal::SIGALRM];

/// What the child does about a signal of [`SIGNALS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// Nothing: the signal ends the process.
    Deadly,
    /// Catches it. System calls fail with EINTR.
    Interrupt,
    /// Catches it. The kernel restarts system calls.
    Restart,
}

impl Signals {
    pub const NAMES: [&'static str; 3] = ["deadly", "interrupt", "restart"];

    fn name(self) -> &'static str {
        Signals::NAMES[self as usize]
    }

    pub fn from_name(name: &str) -> Option<Signals> {
        [Signals::Deadly, Signals::Interrupt, Signals::Restart]
            .into_iter()
            .find(|signals| signals.name() == name)
    }
}

/// The child's side: opens, says so, writes once, reports the result.
pub fn child_main(signals: Signals, path: &Path, text: &OsString) -> Result<(), Error> {
    let explain = |errno| Error::from_errno(path, errno);
    match signals {
        Signals::Deadly => {}
        Signals::Interrupt => catch(false).map_err(explain)?,
        Signals::Restart => catch(true).map_err(explain)?,
    }
    let file =
        OpenOptions::new().write(true).open(path).map_err(|error| Error::from_io(path, &error))?;
    say("ready");
    let result = nix::unistd::write(&file, text.as_bytes());
    let (count, errno) = match result {
        Ok(count) => (count, 0),
        Err(errno) => (0, errno as i32),
    };
    say(&format!("{count} {errno} {}", raw::signals_seen()));
    Ok(())
}

fn catch(restart: bool) -> Result<(), Errno> {
    SIGNALS.iter().try_for_each(|&signal| raw::count_signals(signal, restart))
}

/// Tells the parent.
pub fn say(line: &str) {
    // If nobody listens any more, nobody needs to know.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The result of the child's write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub result: Result<usize, Errno>,
    /// How many signals the child has caught.
    pub signals: usize,
}

/// A process that writes once.
pub struct Writer {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Writer {
    /// Returns when the child has opened `path` and is about to write `text`.
    pub fn start(signals: Signals, path: &str, text: &str) -> Outcome<Writer> {
        let mut child = Command::new("/proc/self/exe")
            .args([COMMAND, signals.name(), path, text])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let mut writer = Writer { child, output };
        match writer.line()?.as_str() {
            "ready" => Ok(writer),
            other => fail(format!("the child process did not start: {other:?}")),
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits until the child sleeps. After its start it sleeps only in write(2).
    pub fn wait_until_asleep(&self) -> Outcome {
        wait_until("the child process to sleep in write(2)", || {
            Ok(match status_field(self.pid(), "State")? {
                state if state.starts_with(['S', 'D']) => Ok(()),
                state => Err(state),
            })
        })
    }

    pub fn is_asleep(&self) -> Outcome<bool> {
        Ok(status_field(self.pid(), "State")?.starts_with(['S', 'D']))
    }

    /// Sends [`SIGNAL`] and waits until the child has received it.
    pub fn signal(&self) -> Outcome {
        self.signal_with(SIGNAL)
    }

    /// Like [`Writer::signal`], with any signal of [`SIGNALS`].
    pub fn signal_with(&self, signal: Signal) -> Outcome {
        signal_and_wait(self.pid(), signal)
    }

    /// Stops the child, as Ctrl-Z does, and waits until it has stopped.
    pub fn stop(&self) -> Outcome {
        kill(self.pid(), Signal::SIGSTOP)?;
        wait_until("the child process to be stopped", || {
            Ok(match status_field(self.pid(), "State")? {
                state if state.starts_with('T') => Ok(()),
                state => Err(state),
            })
        })
    }

    /// Continues a stopped child.
    pub fn go_on(&self) -> Outcome {
        Ok(kill(self.pid(), Signal::SIGCONT)?)
    }

    /// Waits for the write to end and returns its result.
    pub fn report(mut self) -> Outcome<Report> {
        let line = self.line()?;
        let numbers: Vec<i32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [count, errno, signals] = numbers[..] else {
            return fail(format!("the child process did not report: {line:?}"));
        };
        Ok(Report {
            result: match errno {
                0 => Ok(count as usize),
                errno => Err(Errno::from_raw(errno)),
            },
            signals: signals as usize,
        })
    }

    /// Sends SIGKILL and returns how the child ended.
    pub fn kill(mut self) -> Outcome<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody waits for the child any more. Both calls fail if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
