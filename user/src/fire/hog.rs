// SPDX-License-Identifier: GPL-2.0

//! A process that uses up memory, and how the kernel reacts.

use std::fs;

use super::children::say;
use crate::error::Error;
use crate::raw;

/// The free memory, in KiB.
pub fn free_memory() -> Option<usize> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The kernel reclaims memory when less than this is free, in KiB: the sum of the low watermarks of
/// all zones and of what each zone withholds from others.
pub fn low_watermark() -> Option<usize> {
    low_watermark_in(&fs::read_to_string("/proc/zoneinfo").ok()?, raw::page_size())
}

/// `zoneinfo` counts pages of `page` bytes.
fn low_watermark_in(zoneinfo: &str, page: usize) -> Option<usize> {
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
    Some(zones?.into_iter().sum::<usize>() * page / 1024)
}

/// How many pages the kernel has reclaimed since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaimed {
    /// By the kernel's own thread for it.
    pub by_kswapd: u64,
    /// By threads that needed memory and had to reclaim some first.
    pub direct: u64,
}

impl Reclaimed {
    pub fn so_far() -> Option<Reclaimed> {
        Reclaimed::of(&fs::read_to_string("/proc/vmstat").ok()?)
    }

    fn of(vmstat: &str) -> Option<Reclaimed> {
        let count = |wanted: &str| -> Option<u64> {
            let lines = vmstat.lines().filter_map(|line| line.split_once(' '));
            lines.into_iter().find(|(name, _)| *name == wanted)?.1.parse().ok()
        };
        Some(Reclaimed { by_kswapd: count("pgsteal_kswapd")?, direct: count("pgsteal_direct")? })
    }

    pub fn since(self, before: Reclaimed) -> Reclaimed {
        Reclaimed {
            by_kswapd: self.by_kswapd - before.by_kswapd,
            direct: self.direct - before.direct,
        }
    }
}

/// How much is used at a time.
const PIECE: usize = 256 << 10;

/// Uses up to `more` further pieces. Returns whether the kernel had to reclaim memory for one.
fn takes_back(pieces: &mut Vec<Vec<u8>>, more: usize) -> bool {
    let before = Reclaimed::so_far();
    (0..more).any(|_| {
        pieces.push(vec![1; PIECE]);
        Reclaimed::so_far() != before
    })
}

/// Uses up memory until `leave` KiB are free or the kernel reclaims some, and says so. Then keeps
/// the kernel reclaiming until it gets SIGTERM.
///
/// There is neither swap nor a disk whose pages the kernel could drop, and a kernel that finds
/// nothing to reclaim kills. So a part of the memory is reclaimable, and is used again and again.
pub fn hog(leave: usize) -> Result<(), Error> {
    /// Half of what the kernel may take.
    const MORE: usize = raw::Disposable::LENGTH / 2 / PIECE;
    let own = |error| Error::from_io("/proc/self/oom_score_adj", &error);
    fs::write("/proc/self/oom_score_adj", "1000").map_err(own)?;
    let explain = |errno| Error::from_errno("madvise", errno);
    let mut disposable = raw::Disposable::new().map_err(explain)?;
    disposable.use_all().map_err(explain)?;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while free_memory().is_some_and(|free| free > leave) && !takes_back(&mut pieces, 1) {}
    say(&format!("full={}", pieces.len() * PIECE / 1024));
    while raw::signals_seen() == 0 {
        let mut more = Vec::new();
        match takes_back(&mut more, MORE) {
            true => drop(more),
            // More memory was free than it seemed.
            false => pieces.append(&mut more),
        }
        disposable.use_all().map_err(explain)?;
        // Gives memory back before the kernel has none left.
        if free_memory().is_some_and(|free| free < leave / 2) {
            pieces.truncate(pieces.len() - pieces.len().min(1));
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
        assert!(free_memory().unwrap() > 0);
        assert!(low_watermark().unwrap() > 0);
        Reclaimed::so_far().unwrap();
        let vmstat = "pgsteal_kswapd 1\npgsteal_direct 2\npgscan_direct 9\n";
        assert_eq!(Reclaimed::of(vmstat), Some(Reclaimed { by_kswapd: 1, direct: 2 }));
        assert_eq!(Reclaimed::of("pgsteal_direct 2\n"), None);
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
        assert_eq!(low_watermark_in(zoneinfo, 4096), Some((27 + 440 + 811) * 4));
        assert_eq!(low_watermark_in("Node 0, zone      DMA\n", 4096), None);
    }
}
