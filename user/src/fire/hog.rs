// SPDX-License-Identifier: GPL-2.0

//! A process that uses up memory, and what the kernel does about it.

use std::fs;

use super::children::say;
use crate::bench::{fail, Outcome};
use crate::error::Error;
use crate::raw;

const PAGE: usize = 4096;

/// So much memory nobody uses, in KiB.
pub fn free_memory() -> Option<usize> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// With less than this free, in KiB, the kernel looks for memory that it can take back: the
/// low watermarks of all zones, and what a zone does not lend to others.
pub fn low_watermark() -> Option<usize> {
    low_watermark_in(&fs::read_to_string("/proc/zoneinfo").ok()?)
}

fn low_watermark_in(zoneinfo: &str) -> Option<usize> {
    let pages = |zone: &str| {
        let number = |name: &str| -> Option<usize> {
            let field = |line: &str| line.trim().strip_prefix(name)?.trim().parse().ok();
            zone.lines().find_map(field)
        };
        let kept = |line: &str| {
            let list = line.trim().strip_prefix("protection: (")?.strip_suffix(')')?;
            list.split(", ").filter_map(|pages| pages.parse::<usize>().ok()).max()
        };
        match number("managed ")? {
            0 => Some(0),
            _ => Some(number("low ")? + zone.lines().find_map(kept)?),
        }
    };
    let zones: Option<Vec<usize>> = zoneinfo.split("Node ").skip(1).map(pages).collect();
    Some(zones?.into_iter().sum::<usize>() * PAGE / 1024)
}

/// What the kernel has done about a lack of memory, since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaim {
    /// Objects that it has looked at for whether it can do without them.
    pub scanned: u64,
    /// How often who wanted memory had to look himself.
    pub stalls: u64,
    /// Processes that it has killed for it.
    pub killed: u64,
}

impl Reclaim {
    pub fn so_far() -> Outcome<Reclaim> {
        let vmstat = fs::read_to_string("/proc/vmstat")?;
        let sum = |start: &str| -> u64 {
            let of = |line: &str| line.strip_prefix(start)?.split(' ').nth(1)?.parse::<u64>().ok();
            vmstat.lines().filter_map(of).sum()
        };
        if !vmstat.contains("slabs_scanned ") {
            return fail("/proc/vmstat does not say what the kernel has reclaimed");
        }
        Ok(Reclaim {
            scanned: sum("slabs_scanned"),
            stalls: sum("allocstall_"),
            killed: sum("oom_kill"),
        })
    }

    pub fn since(self, before: Reclaim) -> Reclaim {
        Reclaim {
            scanned: self.scanned - before.scanned,
            stalls: self.stalls - before.stalls,
            killed: self.killed - before.killed,
        }
    }
}

/// Uses up memory until `leave` KiB are free, says so, and keeps the kernel at reclaiming
/// some until it gets SIGTERM.
pub fn hog(leave: usize) -> Result<(), Error> {
    const PIECE: usize = 256 << 10;
    /// In KiB: what is filled with what can be reclaimed.
    const MARGIN: usize = 2 << 10;
    /// So often it goes round before all pieces have been touched.
    const TURNS: usize = 16;
    let own = |error| Error::from_io("/proc/self/oom_score_adj", &error);
    fs::write("/proc/self/oom_score_adj", "1000").map_err(own)?;
    let mut absent = Absent::default();
    // Enough for the kernel to find when it looks for the first time.
    absent.look_for(20_000);
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while raw::signals_seen() == 0 && free_memory().is_some_and(|free| free > leave) {
        pieces.push(vec![1; PIECE]);
    }
    say(&format!("full={}", pieces.len() * PIECE / 1024));
    let mut turn = 0;
    while raw::signals_seen() == 0 {
        absent.look_for(1000);
        match free_memory() {
            // Gives way before the kernel has nothing left.
            Some(free) if free < leave / 2 => {
                pieces.truncate(pieces.len() - pieces.len().min(4));
            }
            // What the kernel has reclaimed. There is as much again before it has to.
            Some(free) if free > leave + MARGIN => pieces.push(vec![1; PIECE]),
            _ => {}
        }
        turn += 1;
        for piece in pieces.iter_mut().skip(turn % TURNS).step_by(TURNS) {
            piece.iter_mut().step_by(PAGE).for_each(|byte| *byte = byte.wrapping_add(1));
        }
    }
    say(&format!("end=1 pieces={}", pieces.len()));
    Ok(())
}

/// Files that are not there. The kernel keeps in mind that they are not, as long as it has the
/// memory: there is neither swap nor a disk with pages that it could drop instead.
#[derive(Default)]
struct Absent {
    looked_for: u64,
}

impl Absent {
    fn look_for(&mut self, files: u64) {
        for number in self.looked_for..self.looked_for + files {
            // What comes of it is known.
            let _ = fs::metadata(format!("/sys/kernel/absent-{}-{number}", std::process::id()));
        }
        self.looked_for += files;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_much_memory_there_is() {
        assert!(free_memory().unwrap() > 0);
        assert!(low_watermark().unwrap() > 0);
        Reclaim::so_far().unwrap();
    }

    #[test]
    fn adds_up_the_watermarks_of_zones_that_have_memory() {
        let zoneinfo = "\
Node 0, zone      DMA
  pages free     3808
        boost    0
        min      22
        low      27
        high     32
        managed  3840
        protection: (0, 440, 440, 440, 440)
    cpu: 0
              high:     0
              low_min: 13
Node 0, zone    DMA32
  pages free     101667
        min      649
        low      811
        managed  112741
        protection: (0, 0, 0, 0, 0)
Node 0, zone   Normal
  pages free     0
        min      32
        low      32
        managed  0
        protection: (0, 0, 0, 0, 0)
";
        assert_eq!(low_watermark_in(zoneinfo), Some((27 + 440 + 811) * 4));
        assert_eq!(low_watermark_in("Node 0, zone      DMA\n"), None);
    }
}
