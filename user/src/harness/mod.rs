// SPDX-License-Identifier: GPL-2.0

//! What all cases use: how a case ends, how it waits, how it holds a queue, and how it leaves the
//! machine as it found it.

pub mod child;
pub mod cpus;
pub mod demo;
pub mod demo_log;
pub mod echo;
pub mod echo_log;
pub mod fail_nth;
pub mod frozen;
pub mod held_cpu;
pub mod held_queue;
pub mod hung_tasks;
pub mod kmemleak;
pub mod load;
pub mod loaded;
pub mod polling;
pub mod process;
pub mod processor;
pub mod queueing;
pub mod random;
pub mod removal;
pub mod restore;
pub mod tracing;
pub mod wait;

use std::path::Path;

use nix::errno::Errno;

use crate::error::Error;
use crate::modules::Module;
use load::{Load, Progress};

/// What every case is given.
#[derive(Debug, Clone)]
pub struct Harness {
    /// Both modules, for cases that load and remove them.
    pub echo: Module,
    pub demo: Module,
    pub load: Load,
    pub progress: Progress,
}

impl Harness {
    pub fn new(modules: &Path, load: Load) -> Harness {
        Harness {
            echo: Module::new("wq_echo", modules),
            demo: Module::new("workqueue_demo", modules),
            load,
            progress: Progress::default(),
        }
    }
}

/// Why a case stopped early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Fail(String),
    Skip(String),
}

pub type Outcome<T = ()> = Result<T, Stop>;

/// An [`Outcome`] that says the case has failed.
pub fn fail<T>(reason: impl Into<String>) -> Outcome<T> {
    Err(Stop::Fail(reason.into()))
}

/// An [`Outcome`] that says the case cannot run here.
pub fn skip<T>(reason: impl Into<String>) -> Outcome<T> {
    Err(Stop::Skip(reason.into()))
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Fail(error.to_string())
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Fail(format!("a system call failed: {errno}"))
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop::Fail(format!("a system call failed: {error}"))
    }
}

/// Fails the case with the message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return $crate::harness::fail(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

/// Fails the case unless both sides are equal, and shows them.
macro_rules! ensure_eq {
    ($seen:expr, $expected:expr, $($message:tt)+) => {
        match (&$seen, &$expected) {
            (seen, expected) => {
                if *seen != *expected {
                    return $crate::harness::fail(format!(
                        "{}: expected {expected:?}, got {seen:?}",
                        format_args!($($message)+)
                    ));
                }
            }
        }
    };
}
pub(crate) use ensure_eq;
