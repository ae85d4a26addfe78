// SPDX-License-Identifier: GPL-2.0

//! How long loading and removing a module takes.

use std::time::Instant;

use super::report::Row;
use super::statistics::nanoseconds_each;
use super::twin::Twin;
use super::Options;
use crate::harness::loaded;
use crate::harness::Outcome;

/// More rounds than for other figures: each is short.
const MORE: usize = 4;

pub fn measure(options: &Options) -> Outcome {
    for (what, twins) in [("echo", Twin::echoes(options)), ("demo", Twin::demos(options))] {
        let mut samples = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        for _ in 0..options.rounds * MORE {
            for (twin, samples) in twins.iter().zip(&mut samples) {
                let [load, unload] = load_and_remove(twin)?;
                samples[0].push(load);
                samples[1].push(unload);
            }
        }
        for (twin, samples) in twins.iter().zip(&samples) {
            let row = |name| Row::new(name, twin.language).with("module", what);
            row("load").print_median("ns", &samples[0])?;
            row("unload").print_median("ns", &samples[1])?;
        }
    }
    Ok(())
}

fn load_and_remove(twin: &Twin) -> Outcome<[f64; 2]> {
    loaded::remove(&twin.module)?;
    let start = Instant::now();
    twin.module.load("")?;
    let load = nanoseconds_each(start.elapsed(), 1);
    let start = Instant::now();
    twin.module.remove()?;
    Ok([load, nanoseconds_each(start.elapsed(), 1)])
}
