// SPDX-License-Identifier: GPL-2.0

//! A module and its twin in C.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sched::sched_yield;

use super::Options;
use crate::echo_counters::parse_number;
use crate::error::Error;
use crate::harness::loaded;
use crate::harness::{fail, Outcome};
use crate::modules::Module;

/// How long to wait for messages to be counted.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the two.
#[derive(Debug)]
pub struct Twin {
    /// `rust` or `c`.
    pub language: &'static str,
    pub module: Module,
    /// Parameters that the other twin does not have.
    pub parameters: &'static str,
}

impl Twin {
    /// `wq_echo` and its twin.
    pub fn echoes(options: &Options) -> [Twin; 2] {
        Twin::pair(options, ["wq_echo", "c_echo"])
    }

    /// `workqueue_demo` and its twin.
    pub fn demos(options: &Options) -> [Twin; 2] {
        Twin::pair(options, ["workqueue_demo", "c_demo"])
    }

    /// The modules that measure themselves.
    pub fn ways(options: &Options) -> [Twin; 2] {
        let [mut rust, c] = Twin::pair(options, ["rust_ways", "c_ways"]);
        rust.module = Module::new("rust_ways", &options.twins);
        [rust, c]
    }

    fn pair(options: &Options, [rust, c]: [&'static str; 2]) -> [Twin; 2] {
        let twin = |language, name, folder: &Path| Twin {
            language,
            module: Module::new(name, folder),
            parameters: "",
        };
        [twin("rust", rust, &options.modules), twin("c", c, &options.twins)]
    }

    /// Removes it if it is loaded, and loads it. It is removed when the result is dropped.
    pub fn load(&self, parameters: &str) -> Outcome<Loaded<'_>> {
        loaded::remove(&self.module)?;
        self.module.load(&format!("{} {parameters}", self.parameters))?;
        Ok(Loaded { twin: self })
    }
}

/// A twin that is loaded.
pub struct Loaded<'a> {
    pub twin: &'a Twin,
}

impl Loaded<'_> {
    pub fn device(&self) -> PathBuf {
        Path::new("/dev").join(self.twin.module.name())
    }

    /// How many messages have been printed, or with `quiet` counted.
    pub fn printed(&self) -> Outcome<u64> {
        let path = format!("/sys/kernel/debug/{}/printed", self.twin.module.name());
        let text = fs::read_to_string(&path).map_err(|error| Error::from_io(&path, &error))?;
        match parse_number(&text) {
            Some(number) => Ok(number),
            None => fail(format!("{path}: not a number: {text:?}")),
        }
    }

    /// Yields to the worker until `count` messages have been printed.
    pub fn wait_until_printed(&self, count: u64) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = self.printed()?;
            if printed >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return fail(format!(
                    "{}: {printed} messages printed, not {count}",
                    self.twin.module.name()
                ));
            }
            sched_yield()?;
        }
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        // If the module stays loaded, the next load fails and says so.
        let _ = loaded::remove(&self.twin.module);
    }
}
