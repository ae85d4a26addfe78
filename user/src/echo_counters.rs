// SPDX-License-Identifier: GPL-2.0

//! The counters of `wq_echo` in debugfs, one number a file.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::paths::ECHO_COUNTERS;

/// All counters, read one after the other: while writers are active they need not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EchoCounters {
    pub accepted: u64,
    pub printed: u64,
    pub pending: u64,
    /// Messages that were accepted after their write had to wait for room.
    pub blocked: u64,
    /// Writers that are waiting for room now.
    pub waiting: u64,
    /// Writes that got EAGAIN.
    pub refused: u64,
    /// Runs of the work item.
    pub batches: u64,
}

impl EchoCounters {
    /// The names of the files, in the order in which people read them.
    pub const NAMES: [&'static str; 7] =
        ["accepted", "printed", "pending", "blocked", "waiting", "refused", "batches"];

    pub fn read() -> Result<EchoCounters, Error> {
        EchoCounters::read_from(Path::new(ECHO_COUNTERS))
    }

    fn read_from(folder: &Path) -> Result<EchoCounters, Error> {
        let read = |name: &str| read_number(&folder.join(name));
        // `printed` before `accepted`: otherwise a message that arrives in between would make it
        // look as if more was printed than accepted.
        let printed = read("printed")?;
        Ok(EchoCounters {
            accepted: read("accepted")?,
            printed,
            pending: read("pending")?,
            blocked: read("blocked")?,
            waiting: read("waiting")?,
            refused: read("refused")?,
            batches: read("batches")?,
        })
    }

    /// Names and values, in the order of [`EchoCounters::NAMES`].
    pub fn named(&self) -> [(&'static str, u64); 7] {
        let values = [
            self.accepted,
            self.printed,
            self.pending,
            self.blocked,
            self.waiting,
            self.refused,
            self.batches,
        ];
        std::array::from_fn(|i| (Self::NAMES[i], values[i]))
    }

    /// Nothing is pending.
    pub fn at_rest(&self) -> bool {
        self.accepted == self.printed && self.pending == 0
    }
}

fn read_number(path: &Path) -> Result<u64, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    parse_number(&text).ok_or_else(|| Error::new(path, format!("not one number: {text:?}")))
}

/// Parses a file of one number and a newline, and nothing else.
pub fn parse_number(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('\n')?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_number_a_file_and_nothing_else() {
        assert_eq!(parse_number("0\n"), Some(0));
        assert_eq!(parse_number("18446744073709551615\n"), Some(u64::MAX));
        for bad in ["", "\n", "1", "-1\n", "+1\n", "1 2\n", "1\n2\n", " 1\n", "0x1\n"] {
            assert_eq!(parse_number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_a_folder_of_counters() {
        let folder = std::env::temp_dir().join(format!("wqtest-counters-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (value, name) in EchoCounters::NAMES.iter().enumerate() {
            fs::write(folder.join(name), format!("{value}\n")).unwrap();
        }
        let counters = EchoCounters::read_from(&folder).unwrap();
        fs::remove_file(folder.join("blocked")).unwrap();
        let missing = EchoCounters::read_from(&folder).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();

        assert_eq!(counters.named().map(|(_, value)| value), [0, 1, 2, 3, 4, 5, 6]);
        assert!(!counters.at_rest());
        assert!(missing.ends_with("/blocked: not found"), "{missing}");
    }

    #[test]
    fn is_at_rest_when_all_accepted_is_printed() {
        let mut counters = EchoCounters { accepted: 7, printed: 7, ..Default::default() };
        assert!(counters.at_rest());
        counters.pending = 1;
        assert!(!counters.at_rest());
    }
}
