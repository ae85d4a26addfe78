// SPDX-License-Identifier: GPL-2.0

//! A process that does anything to both nodes, and checks what they show.

use std::collections::HashMap;
use std::fs;

use nix::errno::Errno;
use nix::unistd::write;

use super::children::say;
use super::numbered::numbered;
use crate::demo_model;
use crate::demo_node;
use crate::demo_table::Row;
use crate::echo_counters::EchoCounters;
use crate::echo_device::EchoDevice;
use crate::error::Error;
use crate::harness::random::Random;
use crate::paths::{DEMO_NODE, ECHO_COUNTERS};
use crate::raw;

/// The `max_pending` with which `wq_echo` has to be loaded.
pub const MAX_PENDING: u64 = 64;

/// A process that does anything.
pub struct Anything {
    writer: usize,
    random: Random,
    resets: bool,
    device: EchoDevice,
    node: fs::File,
    done: HashMap<&'static str, u64>,
}

impl Anything {
    pub fn new(writer: usize, seed: u64, resets: bool) -> Result<Anything, Error> {
        Ok(Anything {
            writer,
            random: Random::new(seed ^ ((writer as u64) << 32)),
            resets,
            device: EchoDevice::open()?,
            node: demo_node::open()?,
            done: HashMap::new(),
        })
    }

    pub fn go(mut self, actions: usize) -> Result<(), Error> {
        for _ in 0..actions {
            // The only signal that is caught.
            if raw::signals_seen() > 0 {
                break;
            }
            self.act()?;
        }
        let counts: Vec<String> =
            self.done.iter().map(|(name, count)| format!("{name}={count}")).collect();
        say(&format!("{} end=1", counts.join(" ")));
        Ok(())
    }

    fn act(&mut self) -> Result<(), Error> {
        match self.random.below(24) {
            0..=7 => {
                let number = *self.done.entry("echo").or_default() as usize;
                let text = numbered(self.writer, number);
                match self.device.write(text.as_bytes()) {
                    Ok(taken) if taken == text.len() => self.count("echo", 1),
                    Err(Errno::ENOMEM) => self.count("without_memory", 1),
                    other => return Err(Error::new("write", format!("{other:?} for {text}"))),
                }
                Ok(())
            }
            8..=12 => self.read_table(),
            13 => self.read_counters(),
            14 => self.command("flush\n", &[]),
            15 => {
                let count = self.random.between(1, 2) as u64;
                let kind = self.random.pick(&demo_model::KIND_WORDS);
                self.command(&format!("custom {count} {kind}\n"), &[("custom", count)])
            }
            16 => self.command("data -7\n", &[("data", 1)]),
            17 => self.command("immediate\n", &[("immediate", 1)]),
            18 => {
                let ms = self.random.pick(&[1, 5, 60_000]);
                self.command(&format!("delayed {ms}\n"), &[("delayed", 1)])
            }
            19 => self.command("cancel\n", &[]),
            20 => {
                let ms = self.random.pick(&[10, 11, 60_000]);
                self.command(&format!("start {ms}\n"), &[])
            }
            21 => self.command("stop\n", &[]),
            22 if self.resets => self.command("reset\n", &[]),
            _ => self.command(
                "data 1\n\n \timmediate\ndelayed 2\ncancel\n",
                &[("data", 1), ("immediate", 1), ("delayed", 1)],
            ),
        }
    }

    /// Makes one write. It does all or nothing, unless memory or room runs out.
    fn command(&mut self, text: &str, counts: &[(&'static str, u64)]) -> Result<(), Error> {
        match write(&self.node, text.as_bytes()) {
            Ok(taken) if taken == text.len() => {
                counts.iter().for_each(|&(name, count)| self.count(name, count));
                Ok(())
            }
            // The line that failed has had no effect.
            Err(Errno::EAGAIN | Errno::ENOMEM) => {
                self.count("without_memory", 1);
                Ok(())
            }
            other => Err(Error::new(DEMO_NODE, format!("{other:?} for {text:?}"))),
        }
    }

    fn count(&mut self, name: &'static str, count: u64) {
        *self.done.entry(name).or_default() += count;
    }

    fn read_table(&mut self) -> Result<(), Error> {
        let Some(table) = self.unless_without_memory(demo_node::read_table())? else {
            return Ok(());
        };
        match table.rows.iter().all(Row::balances) {
            true => self.count("reads", 1),
            false => return Err(Error::new(DEMO_NODE, format!("does not balance: {table:?}"))),
        }
        Ok(())
    }

    /// The seven files are not read at one moment, but some relations hold for each read.
    fn read_counters(&mut self) -> Result<(), Error> {
        let Some(counters) = self.unless_without_memory(EchoCounters::read())? else {
            return Ok(());
        };
        match counters.printed <= counters.accepted && counters.pending <= MAX_PENDING {
            true => self.count("counters", 1),
            false => return Err(Error::new(ECHO_COUNTERS, format!("cannot be: {counters:?}"))),
        }
        Ok(())
    }

    fn unless_without_memory<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Err(error) if error.errno() == Some(Errno::ENOMEM) => {
                self.count("without_memory", 1);
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}
