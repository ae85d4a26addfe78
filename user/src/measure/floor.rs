// SPDX-License-Identifier: GPL-2.0

//! What a write costs if nothing happens to it, and if the kernel's own device prints it.

use std::path::Path;

use super::echo::{text, undisturbed, LENGTHS};
use super::report::Row;
use super::statistics::nanoseconds_each;
use super::writers::write_from;
use super::Options;
use crate::harness::Outcome;

const DEVICES: [(&str, &str); 2] = [("null", "/dev/null"), ("kmsg", "/dev/kmsg")];

pub fn measure(options: &Options) -> Outcome {
    for (name, path) in DEVICES {
        let path = Path::new(path);
        for length in LENGTHS {
            let bytes = text(length);
            let rounds = |take: &dyn Fn() -> Outcome<f64>| {
                (0..options.rounds).map(|_| take()).collect::<Outcome<Vec<f64>>>()
            };
            let loops = rounds(&|| {
                let start = write_from(path, 1, &bytes, options.messages)?;
                Ok(nanoseconds_each(start.elapsed(), options.messages))
            })?;
            Row::new("end_to_end", name)
                .with("bytes", length)
                .with("writers", 1)
                .print_median("ns", &loops)?;
            let bursts = rounds(&|| undisturbed(path, &bytes, 1000))?;
            Row::new("write_burst", name).with("bytes", length).print_median("ns", &bursts)?;
        }
    }
    Ok(())
}
