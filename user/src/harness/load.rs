// SPDX-License-Identifier: GPL-2.0

//! How much a case of `wqtest fire` is to do, and what it says meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::random::Random;

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How often a module is removed in each of the states there are.
    pub cycles: u32,
    /// At how many steps there is a fault, at most, where that takes a module loaded anew for each:
    /// of loading it, and of the first use of a kind of queue. Of its own init at ten times as many.
    pub steps: u32,
    /// How many byte strings each node gets.
    pub inputs: u64,
    pub seed: u64,
}

impl Load {
    pub const CYCLES: u32 = 50;
    pub const STEPS: u32 = 50;
    pub const INPUTS: u64 = 20_000;
    /// On a kernel that looks for mistakes at every step.
    pub const INPUTS_SANITISED: u64 = 5000;

    /// What this kernel gets done in about a minute.
    pub fn usual_inputs() -> u64 {
        match Path::new("/sys/kernel/debug/kmemleak").exists() {
            true => Load::INPUTS_SANITISED,
            false => Load::INPUTS,
        }
    }

    /// For one round of many: little, and drawn anew.
    pub fn of_round(&self, round: u64) -> Load {
        Load {
            cycles: self.cycles.div_ceil(10),
            steps: self.steps.div_ceil(10),
            inputs: self.inputs.div_ceil(10),
            seed: self.seed.wrapping_add(round),
        }
    }

    /// The generator of the case `name`.
    pub fn random(&self, name: &str) -> Random {
        Random::for_name(self.seed, name)
    }
}

/// What a case says while it runs.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    steps: Arc<AtomicU64>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Progress {
    /// The case goes on: a long one that says so is not taken for one that
    /// hangs.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// A line to be printed with the result.
    pub fn note(&self, text: impl Into<String>) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(text.into());
        }
    }

    pub fn take_notes(&self) -> Vec<String> {
        self.notes.lock().map(|mut notes| std::mem::take(&mut *notes)).unwrap_or_default()
    }
}
