// SPDX-License-Identifier: GPL-2.0

//! `wqtest send COMMAND...`

use std::ffi::OsString;
use std::process::ExitCode;

use nix::unistd::write;

use super::{print, Done};
use crate::demo_node;
use crate::error::Error;
use crate::model;
use crate::paths::DEMO_NODE;

pub fn run(words: &[OsString]) -> Done {
    let lines = demo_node::command_lines(words);
    let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    let node = demo_node::open()?;
    let mut rest = &text[..];
    while !rest.is_empty() {
        // A short count means that the next line failed when it ran. Writing
        // it again runs it again, or says why it cannot.
        let taken = write(&node, rest).map_err(|errno| Error::from_errno(DEMO_NODE, errno))?;
        if taken == 0 {
            return Err(Error::new(DEMO_NODE, "write(2) took nothing"));
        }
        let (done, left) = rest.split_at(taken);
        print(&report(done))?;
        rest = left;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each command that was carried out.
fn report(done: &[u8]) -> String {
    let lines = done.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(|line| format!("sent \"{}\"\n", model::escape(line)));
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_command() {
        assert_eq!(report(b"custom 4\nflush\n"), "sent \"custom 4\"\nsent \"flush\"\n");
        assert_eq!(report(b""), "");
    }
}
