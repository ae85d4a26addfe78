// SPDX-License-Identifier: GPL-2.0

//! How many messages a second several CPUs handle.

use super::echo::{end_to_end, in_turn, text};
use super::report::Row;
use super::twin::Twin;
use super::Options;
use crate::harness::Outcome;

const WRITERS: usize = 4;

/// More messages than for other figures: here the clock is a busy machine's.
const MORE: usize = 4;

/// C's twin has no bound, so nobody waits there.
const BOUNDS: [(&str, &str); 2] = [("default", ""), ("distant", "max_pending=1000000")];

pub fn measure(options: &Options) -> Outcome {
    for (bound, parameters) in BOUNDS {
        let mut twins = Twin::echoes(options);
        twins[0].parameters = parameters;
        let loaded = [twins[0].load("quiet=1")?, twins[1].load("quiet=1")?];
        let row = |language: &str| {
            Row::new("throughput", language)
                .with("bytes", 15)
                .with("writers", WRITERS)
                .with("bound", bound)
        };
        in_turn(&loaded, options.rounds, "messages/s", row, |twin| {
            Ok(1e9 / end_to_end(twin, WRITERS, &text(15), options.messages * MORE)?)
        })?;
    }
    Ok(())
}
