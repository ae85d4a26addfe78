// SPDX-License-Identifier: GPL-2.0

//! A process that uses up memory.

use std::fs;

use super::children::say;
use crate::error::Error;
use crate::raw;

/// So much memory is there for the asking, in KiB.
pub fn available_memory() -> Option<usize> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Uses up memory, and says so, until it gets SIGTERM.
pub fn hog(leave: usize) -> Result<(), Error> {
    const PIECE: usize = 256 << 10;
    const PAGE: usize = 4096;
    let own = |error| Error::from_io("/proc/self/oom_score_adj", &error);
    fs::write("/proc/self/oom_score_adj", "1000").map_err(own)?;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut said = false;
    while raw::signals_seen() == 0 {
        if available_memory().is_some_and(|left| left > leave + PIECE / 1024) {
            pieces.push(vec![1; PIECE]);
            continue;
        }
        if !said {
            say(&format!("full={}", pieces.len() * PIECE / 1024));
            said = true;
        }
        // Gives way where others need it, and takes it again when they do not.
        if available_memory().is_some_and(|left| left < leave / 2) {
            pieces.truncate(pieces.len() - pieces.len().min(8));
        }
        for byte in pieces.iter_mut().flat_map(|piece| piece.iter_mut().step_by(PAGE)) {
            *byte = byte.wrapping_add(1);
        }
    }
    say(&format!("end=1 pieces={}", pieces.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_much_memory_there_is() {
        assert!(available_memory().unwrap() > 0);
    }
}
