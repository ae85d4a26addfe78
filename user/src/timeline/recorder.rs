// SPDX-License-Identifier: GPL-2.0

//! Switches tracing on, runs a command, reads the trace.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::event::{self, Event};
use super::story::Story;
use crate::error::Error;
use crate::raw;
use crate::tracefs::{self, Instance};

/// The events that the kernel must have, and then those that are recorded if it has them. A kernel
/// without loadable modules lacks some.
const NEEDED: [&str; 3] = [
    "workqueue/workqueue_queue_work",
    "workqueue/workqueue_execute_start",
    "workqueue/workqueue_execute_end",
];
const WANTED: [&str; 6] = [
    "timer/timer_start",
    "timer/timer_cancel",
    "timer/timer_expire_entry",
    "timer/timer_expire_exit",
    "module/module_load",
    "module/module_free",
];

/// Enough for a minute of a busy kernel, on each CPU.
const BUFFER_KB: &str = "4096";

/// A reader that woke up for each event would dominate the trace.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait after the command for what it has queued.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Recording {
    pub events: Vec<Event>,
    /// How the command ended.
    pub status: ExitStatus,
    /// What is missing and why, one sentence each.
    pub notes: Vec<String>,
}

/// Runs `command` and records what the kernel does meanwhile, and until what concerns `names` has
/// run.
pub fn record(command: &[OsString], names: &[String]) -> Result<Recording, Error> {
    let instance = Instance::new("timeline")?;
    instance.set("buffer_size_kb", BUFFER_KB)?;
    // Other clocks differ between CPUs, or count ticks.
    instance.set("trace_clock", "mono")?;
    instance.set("options/hash-ptr", "0")?;
    let mut notes = Vec::new();
    let probe = match WriteProbe::new(&instance, names) {
        Ok(probe) => Some(probe),
        Err(reason) => {
            notes.push(format!("writes to nodes are not marked: {reason}"));
            None
        }
    };
    for event in NEEDED {
        instance.set(&format!("events/{event}/enable"), "1")?;
    }
    for event in WANTED.iter().filter(|event| instance.has(&format!("events/{event}"))) {
        instance.set(&format!("events/{event}/enable"), "1")?;
    }
    let mut stream = Stream::open(&instance)?;
    leave_ctrl_c_to_the_command(command)?;
    let status = stream.read_while(|| run(command))?;
    stream.read_until_settled(names)?;
    notes.extend(lost(&instance)?);
    instance.set("tracing_on", "0")?;
    drop(probe);
    Ok(Recording { events: event::parse(&stream.text()), status, notes })
}

/// Keeps what was recorded when Ctrl-C comes. The command gets the signal too, with its default
/// action: handlers are not inherited.
fn leave_ctrl_c_to_the_command(command: &[OsString]) -> Result<(), Error> {
    let caught =
        [Signal::SIGINT, Signal::SIGQUIT].iter().try_for_each(|&s| raw::count_signals(s, true));
    caught.map_err(|errno| Error::from_errno(&command[0], errno))
}

fn run(command: &[OsString]) -> Result<ExitStatus, Error> {
    let status = Command::new(&command[0]).args(&command[1..]).status();
    status.map_err(|error| Error::from_io(Path::new(&command[0]), &error))
}

/// The trace, read while it is recorded: the kernel knows a function's name only while its module
/// is loaded.
struct Stream {
    pipe: File,
    bytes: Vec<u8>,
}

impl Stream {
    fn open(instance: &Instance) -> Result<Stream, Error> {
        Ok(Stream { pipe: instance.open_nonblocking("trace_pipe")?, bytes: Vec::new() })
    }

    fn read_while<T: Send>(
        &mut self,
        job: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        std::thread::scope(|scope| {
            let job = scope.spawn(job);
            while !job.is_finished() {
                self.read()?;
                sleep(PAUSE);
            }
            job.join().expect("it does not panic")
        })
    }

    fn read_until_settled(&mut self, names: &[String]) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.read()?;
            let story = Story::of(&event::parse(&self.text()), names);
            if Instant::now() >= deadline || !story.is_under_way() {
                return Ok(());
            }
            // Each round parses everything again.
            sleep(5 * PAUSE);
        }
    }

    /// Reads what is there now.
    fn read(&mut self) -> Result<(), Error> {
        match self.pipe.read_to_end(&mut self.bytes) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                Err(Error::from_io("trace_pipe", &error))
            }
            _ => Ok(()),
        }
    }

    fn text(&self) -> String {
        // A task's name may contain any bytes.
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A sentence if the buffers were too small.
fn lost(instance: &Instance) -> Result<Option<String>, Error> {
    let mut lost = 0;
    for cpu in 0.. {
        let stats = format!("per_cpu/cpu{cpu}/stats");
        if !instance.has(&stats) {
            break;
        }
        lost += overrun(&instance.read(&stats)?);
    }
    Ok((lost > 0).then(|| format!("the first {lost} events are lost: record for a shorter time")))
}

fn overrun(stats: &str) -> u64 {
    let lines = stats.lines().filter_map(|line| line.strip_prefix("overrun: "));
    lines.filter_map(|number| number.trim().parse::<u64>().ok()).sum()
}

/// A kernel probe that records who writes what to files of these names, if the kernel has probes.
struct WriteProbe<'a> {
    instance: &'a Instance,
    group: String,
}

impl WriteProbe<'_> {
    fn new<'a>(instance: &'a Instance, names: &[String]) -> Result<WriteProbe<'a>, String> {
        let group = format!("wqtest_{}", std::process::id());
        let write = event::WRITE;
        // Words, because a string would end at its first zero, and an array cannot be read from
        // user memory.
        let words = (0..event::WORDS).map(|n| format!(" w{n}=+u{}($arg2):x64", 8 * n));
        let line = format!(
            "p:{group}/{write} vfs_write file=$arg1:%pD count=$arg3:u64{}",
            words.collect::<String>()
        );
        append(&line).map_err(|error| error.to_string())?;
        let probe = WriteProbe { instance, group };
        let files: Vec<String> = names.iter().map(|name| format!("file == \"{name}\"")).collect();
        probe
            .set("filter", &files.join(" || "))
            .and_then(|()| probe.set("enable", "1"))
            .map_err(|error| error.to_string())?;
        Ok(probe)
    }

    fn set(&self, file: &str, value: &str) -> Result<(), Error> {
        self.instance.set(&format!("events/{}/{}/{file}", self.group, event::WRITE), value)
    }
}

impl Drop for WriteProbe<'_> {
    fn drop(&mut self) {
        let _ = self.set("enable", "0");
        let _ = append(&format!("-:{}/{}", self.group, event::WRITE));
    }
}

fn append(line: &str) -> std::io::Result<()> {
    let path = Path::new(tracefs::PATH).join("dynamic_events");
    if fs::metadata(&path).is_err() {
        return Err(std::io::Error::other("this kernel has no probes (CONFIG_KPROBE_EVENTS)"));
    }
    OpenOptions::new().append(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_was_overwritten() {
        let stats = "entries: 14\noverrun: 7\ncommit overrun: 3\nbytes: 1240\n";
        assert_eq!(overrun(stats), 7);
        assert_eq!(overrun(""), 0);
    }
}
