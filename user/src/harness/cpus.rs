// SPDX-License-Identifier: GPL-2.0

//! The CPUs that a case needs, and whether it can have them.

use std::collections::BTreeSet;
use std::fs;

use nix::sched::{sched_getaffinity, CpuSet};
use nix::unistd::Pid;

use super::{fail, Outcome, Stop};
use crate::error::Error;

/// The CPUs on which workers of unbound queues may run: all but those that `isolcpus=` and the like
/// reserve.
const UNBOUND_CPUMASK: &str = "/sys/devices/virtual/workqueue/cpumask";

type Cpus = BTreeSet<usize>;

/// Two CPUs: one is kept busy, the case works on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoCpus {
    pub busy: usize,
    pub free: usize,
}

impl TwoCpus {
    /// Skips the case on a machine that does not have two suitable CPUs.
    pub fn of_this_machine() -> Outcome<TwoCpus> {
        let mask = fs::read_to_string(UNBOUND_CPUMASK)
            .map_err(|error| Error::from_io(UNBOUND_CPUMASK, &error))?;
        match parse_mask(&mask) {
            Some(workers) => TwoCpus::among(&own_cpus()?, &workers).map_err(Stop::Skip),
            None => fail(format!("{UNBOUND_CPUMASK}: no mask of CPUs: {mask:?}")),
        }
    }

    /// The program must be allowed on both CPUs. Unbound workers must be allowed on the busy one,
    /// which is to keep them from running.
    fn among(own: &Cpus, workers: &Cpus) -> Result<TwoCpus, String> {
        let mut own_cpus = own.iter().copied();
        let free = own_cpus.next();
        match (free, own_cpus.find(|cpu| workers.contains(cpu))) {
            (Some(free), Some(busy)) => Ok(TwoCpus { busy, free }),
            _ => Err(format!(
                "needs two CPUs, one to keep workers from running on: this program may use \
                 CPU {}, unbound workers {}",
                list(own),
                list(workers)
            )),
        }
    }
}

/// The CPUs of the whole program: a thread may be confined to fewer.
fn own_cpus() -> Outcome<Cpus> {
    let set = sched_getaffinity(Pid::this())?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu) == Ok(true)).collect())
}

fn list(cpus: &Cpus) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// A CPU in sysfs's form of a CPU set: words of 32 bits in hex digits.
pub fn mask_of(cpu: usize) -> String {
    format!("{:x}{}", 1_u32 << (cpu % 32), ",00000000".repeat(cpu / 32))
}

fn parse_mask(text: &str) -> Option<Cpus> {
    let mut cpus = Cpus::new();
    for (index, word) in text.trim_end().rsplit(',').enumerate() {
        let word = u32::from_str_radix(word, 16).ok()?;
        cpus.extend((0..32).filter(|bit| word & (1 << bit) != 0).map(|bit| index * 32 + bit));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(own: &[usize], workers: &[usize]) -> Result<TwoCpus, String> {
        TwoCpus::among(&own.iter().copied().collect(), &workers.iter().copied().collect())
    }

    #[test]
    fn keeps_a_cpu_of_the_workers_busy_and_works_on_another() {
        assert_eq!(among(&[0, 1], &[0, 1]), Ok(TwoCpus { busy: 1, free: 0 }));
        // isolcpus=1 of four.
        assert_eq!(among(&[0, 2, 3], &[0, 2, 3]), Ok(TwoCpus { busy: 2, free: 0 }));
        // Only the program has been confined, or only the workers.
        assert_eq!(among(&[4, 5], &[0, 1, 2, 3, 4, 5]), Ok(TwoCpus { busy: 5, free: 4 }));
        assert_eq!(among(&[0, 1, 2, 3], &[0, 3]), Ok(TwoCpus { busy: 3, free: 0 }));
    }

    #[test]
    fn says_which_cpus_there_are_where_they_will_not_do() {
        let reason = "needs two CPUs, one to keep workers from running on: this program may use \
                      CPU 0, unbound workers 0";
        assert_eq!(among(&[0], &[0]), Err(reason.to_owned()));
        // isolcpus=1 of two, for a program that was put there nevertheless.
        assert!(among(&[0, 1], &[0]).unwrap_err().ends_with("CPU 0,1, unbound workers 0"));
        assert!(among(&[1], &[0]).is_err());
        assert!(among(&[0], &[0, 1]).is_err());
    }

    #[test]
    fn knows_its_own_cpus() {
        assert!(!own_cpus().unwrap().is_empty());
    }

    #[test]
    fn reads_and_writes_masks_as_sysfs_does() {
        assert_eq!(parse_mask("3\n"), Some(Cpus::from([0, 1])));
        assert_eq!(parse_mask("d\n"), Some(Cpus::from([0, 2, 3])));
        assert_eq!(parse_mask("1,00000000,80000001\n"), Some(Cpus::from([0, 31, 64])));
        assert_eq!(parse_mask("0-3\n"), None);
        assert_eq!(parse_mask("\n"), None);
        for cpu in [0, 1, 4, 31, 32, 95, 200] {
            assert_eq!(parse_mask(&mask_of(cpu)), Some(Cpus::from([cpu])));
        }
        assert_eq!(mask_of(1), "2");
        assert_eq!(mask_of(33), "2,00000000");
    }
}
