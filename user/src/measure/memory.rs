// SPDX-License-Identifier: GPL-2.0

//! How much memory a pending message holds. Needs a second CPU, to keep the worker from running.

use std::fs;

use super::echo::text;
use super::report::Row;
use super::twin::Twin;
use super::writers::{open, write_all};
use super::Options;
use crate::error::Error;
use crate::harness::held_queue::HeldQueue;
use crate::harness::{fail, Outcome};

/// So many that neither other activity of the machine matters, nor the free objects that a CPU
/// keeps and that count as being in use.
const PENDING: usize = 400_000;

pub fn measure(options: &Options) -> Outcome {
    for mut twin in Twin::echoes(options) {
        if twin.language == "rust" {
            twin.parameters = "max_pending=500000";
        }
        let mut samples = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            let held = pending(&twin)?;
            for (sample, samples) in held.iter().zip(&mut samples) {
                samples.push(sample / PENDING as f64);
            }
        }
        Row::new("slab_per_pending", twin.language)
            .with("bytes", 15)
            .print_median("bytes", &samples[0])?;
        Row::new("memory_per_pending", twin.language)
            .with("bytes", 15)
            .print_median("bytes", &samples[1])?;
    }
    Ok(())
}

/// The growth of the slabs and the loss of free memory while messages are pending.
fn pending(twin: &Twin) -> Outcome<[f64; 2]> {
    let loaded = twin.load("quiet=1")?;
    let file = open(&loaded.device())?;
    let bytes = text(15);
    write_all(&file, &bytes, 1)?;
    loaded.wait_until_printed(1)?;

    let mut held = HeldQueue::hold(twin.module.name())?;
    let (slab, free) = (slab_bytes()?, free_bytes()?);
    write_all(&file, &bytes, PENDING)?;
    let grown = [slab_bytes()? - slab, free - free_bytes()?];
    let printed = loaded.printed()?;
    held.release()?;
    if printed != 1 {
        return fail(format!("{} messages did not wait", printed - 1));
    }
    loaded.wait_until_printed(1 + PENDING as u64)?;
    Ok(grown)
}

fn slab_bytes() -> Outcome<f64> {
    let path = "/proc/slabinfo";
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    match slab_bytes_of(&text) {
        Some(bytes) => Ok(bytes),
        None => fail(format!("{path}: not understood")),
    }
}

/// Objects in use times their size, over all kmalloc() caches:
/// `name <active_objs> <num_objs> <objsize> ...`
fn slab_bytes_of(text: &str) -> Option<f64> {
    let caches = text.lines().filter(|line| line.starts_with("kmalloc-"));
    let bytes = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let active: f64 = fields.next()?.parse().ok()?;
        let size: f64 = fields.nth(1)?.parse().ok()?;
        Some(active * size)
    };
    let all = caches.map(bytes).collect::<Option<Vec<f64>>>()?;
    (!all.is_empty()).then(|| all.iter().sum())
}

fn free_bytes() -> Outcome<f64> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    let free = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
    match free.and_then(|free| free.trim().strip_suffix(" kB")?.parse::<f64>().ok()) {
        Some(kib) => Ok(kib * 1024.0),
        None => fail(format!("{path}: no MemFree")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_what_kmalloc_has_given_out() {
        let text = "\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>
dentry              1000   1000    192   21    1 : tunables    0    0    0
kmalloc-512           10     16    512    8    1 : tunables    0    0    0
kmalloc-rnd-01-64      2     64     64   64    1 : tunables    0    0    0
";
        assert_eq!(slab_bytes_of(text), Some(5248.0));
        assert_eq!(slab_bytes_of("dentry 1 2 3\n"), None);
        assert_eq!(slab_bytes_of("kmalloc-8 x 2 3\n"), None);
    }
}
