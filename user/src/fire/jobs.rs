// SPDX-License-Identifier: GPL-2.0

//! What a process does that a case has started (see [`super::children`]).

use std::io;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::anything::Anything;
use super::children::{say, Caught, Job, COMMAND};
use super::hog::hog;
use super::numbered::numbered;
use crate::echo_device::EchoDevice;
use crate::error::Error;
use crate::raw;

/// Does the job that the words describe.
pub fn main(words: &[String]) -> Result<(), Error> {
    let Some(job) = Job::from_words(words) else {
        return Err(Error::new(COMMAND, format!("no such job: {words:?}")));
    };
    let caught = |signals: &[Signal], restart| {
        let caught = signals.iter().try_for_each(|&signal| raw::count_signals(signal, restart));
        caught.map_err(|errno| Error::from_errno("sigaction", errno))
    };
    match job {
        Job::Once { caught: how, .. } | Job::Numbered { caught: how, .. } => match how {
            Caught::Neither => {}
            how => caught(&[Signal::SIGINT, Signal::SIGALRM], how == Caught::Restarting)?,
        },
        Job::Anything { .. } | Job::Hog { .. } => caught(&[Signal::SIGTERM], true)?,
    }
    say("ready");
    let mut line = String::new();
    if io::stdin().read_line(&mut line).is_err() || line.is_empty() {
        return Ok(());
    }
    match job {
        Job::Once { text, .. } => once(&text),
        Job::Numbered { writer, most, .. } => write_numbered(writer, most),
        Job::Anything { writer, seed, actions, resets } => {
            Anything::new(writer, seed, resets)?.go(actions)
        }
        Job::Hog { leave } => hog(leave),
    }
}

fn once(text: &str) -> Result<(), Error> {
    let result = EchoDevice::open()?.write(text.as_bytes());
    let errno = result.err().map_or(0, |errno| errno as i32);
    say(&format!("errno={errno} signals={}", raw::signals_seen()));
    Ok(())
}

fn write_numbered(writer: usize, most: usize) -> Result<(), Error> {
    let device = EchoDevice::open()?;
    let mut interrupted = 0;
    let mut written = 0;
    while written < most {
        let text = numbered(writer, written);
        match device.write(text.as_bytes()) {
            Ok(taken) if taken == text.len() => written += 1,
            Err(Errno::EINTR) => interrupted += 1,
            other => return Err(Error::new("write", format!("{other:?} for {text}"))),
        }
    }
    say(&format!("written={written} interrupted={interrupted} signals={}", raw::signals_seen()));
    Ok(())
}
