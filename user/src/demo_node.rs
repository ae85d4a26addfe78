// SPDX-License-Identifier: GPL-2.0

//! `/proc/workqueue_demo`, as a program uses it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;

use nix::unistd::write;

use crate::demo_model::KIND_WORDS;
use crate::demo_table::Table;
use crate::error::Error;
use crate::paths::DEMO_NODE;

/// Reads and parses one snapshot.
pub fn read_table() -> Result<Table, Error> {
    read_text()?.parse().map_err(|reason: String| Error::new(DEMO_NODE, reason))
}

/// The text of a read.
pub fn read_text() -> Result<String, Error> {
    fs::read_to_string(DEMO_NODE).map_err(|error| Error::from_io(DEMO_NODE, &error))
}

/// Opens for writing.
pub fn open() -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .open(DEMO_NODE)
        .map_err(|error| Error::from_io(DEMO_NODE, &error))
}

/// Opens, and gives `lines` to one write(2). Returns how many bytes were taken: fewer than all if a
/// later line failed when it ran.
pub fn write_once(lines: impl AsRef<[u8]>) -> Result<usize, Error> {
    write(&open()?, lines.as_ref()).map_err(|errno| Error::from_errno(DEMO_NODE, errno))
}

/// Joins words into command lines.
///
/// A word that begins with a letter begins a command. Any other word belongs to the command before
/// it, and so does a kind of queue. This is unambiguous: no command begins with a digit or a sign,
/// is named like a kind, or takes another's name. So `custom 4 percpu flush` and
/// `'custom 4 percpu' flush` mean the same two lines.
pub fn command_lines(words: &[OsString]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for word in words.iter().map(|word| word.as_bytes()) {
        let is_kind = KIND_WORDS.iter().any(|kind| kind.as_bytes() == word);
        let is_argument = is_kind || word.first().is_some_and(|b| !b.is_ascii_alphabetic());
        match lines.last_mut() {
            Some(line) if is_argument => {
                line.push(b' ');
                line.extend_from_slice(word);
            }
            _ => lines.push(word.to_vec()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        command_lines(&words).into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn joins_numbers_to_the_command_before_them() {
        assert_eq!(lines(&["custom", "4"]), ["custom 4"]);
        assert_eq!(lines(&["data", "-5"]), ["data -5"]);
        assert_eq!(lines(&["custom", "4", "flush"]), ["custom 4", "flush"]);
        assert_eq!(lines(&["immediate", "delayed", "50"]), ["immediate", "delayed 50"]);
    }

    #[test]
    fn joins_kinds_of_queues_to_the_command_before_them() {
        assert_eq!(lines(&["custom", "4", "ordered", "flush"]), ["custom 4 ordered", "flush"]);
        assert_eq!(lines(&["custom", "cpu_intensive"]), ["custom cpu_intensive"]);
        assert_eq!(lines(&["custom", "order", "flush"]), ["custom", "order", "flush"]);
    }

    #[test]
    fn takes_a_quoted_command_as_it_is() {
        assert_eq!(lines(&["custom 4", "flush"]), ["custom 4", "flush"]);
        assert_eq!(lines(&["custom 4\nflush"]), ["custom 4\nflush"]);
    }

    #[test]
    fn leaves_it_to_the_module_to_refuse() {
        assert_eq!(lines(&["4", "frob", "x"]), ["4", "frob", "x"]);
        assert_eq!(lines(&["custom", "4x", "?"]), ["custom 4x ?"]);
        assert_eq!(lines(&[]), [""; 0]);
    }
}
