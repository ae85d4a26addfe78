// SPDX-License-Identifier: GPL-2.0

//! How much a case of `wqtest fire` has to do, and what it reports meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::random::Random;

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How often a module is removed in each of its states.
    pub cycles: u32,
    /// The most steps at which there is a fault, where each fault takes a reloaded module: in
    /// loading, and in the first use of a kind of queue. In the module's own init it is ten times
    /// as many.
    pub steps: u32,
    /// How many byte strings each node gets.
    pub inputs: u64,
    /// How many random actions each process of a crowd does to both nodes. Where that has to last
    /// long enough, it does more.
    pub actions: usize,
    pub seed: u64,
}

impl Load {
    pub const CYCLES: u32 = 50;
    pub const STEPS: u32 = 50;
    pub const ACTIONS: usize = 40;
    pub const INPUTS: u64 = 20_000;
    /// On a kernel that checks for mistakes at every step.
    pub const INPUTS_SANITISED: u64 = 5000;

    /// What this kernel can do in about a minute.
    pub fn usual_inputs() -> u64 {
        match Path::new("/sys/kernel/debug/kmemleak").exists() {
            true => Load::INPUTS_SANITISED,
            false => Load::INPUTS,
        }
    }

    /// The load of one round of many: small except for the crowds, with a new seed.
    pub fn of_round(&self, round: u64) -> Load {
        Load {
            cycles: self.cycles.div_ceil(10),
            steps: self.steps.div_ceil(10),
            inputs: self.inputs.div_ceil(10),
            actions: self.actions,
            seed: self.seed.wrapping_add(round),
        }
    }

    /// The generator of the case `name`.
    pub fn random(&self, name: &str) -> Random {
        Random::for_name(self.seed, name)
    }
}

/// What a case reports while it runs.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    steps: Arc<AtomicU64>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Progress {
    /// The case is making progress. A long case that calls this is not taken for hung.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Adds a line to print with the result.
    pub fn note(&self, text: impl Into<String>) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(text.into());
        }
    }

    pub fn take_notes(&self) -> Vec<String> {
        self.notes.lock().map(|mut notes| std::mem::take(&mut *notes)).unwrap_or_default()
    }
}
