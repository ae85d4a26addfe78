// SPDX-License-Identifier: GPL-2.0

//! `wqtest send COMMAND...`, and `wqtest send -` for many

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead};
use std::process::ExitCode;

use nix::unistd::write;

use super::{print, Done};
use crate::demo_model::WRITE_MAX;
use crate::demo_node;
use crate::error::Error;
use crate::model;
use crate::paths::DEMO_NODE;

pub fn run(words: &[OsString]) -> Done {
    let node = demo_node::open()?;
    if words == ["-"] {
        send_lines(&node, io::stdin().lock())?;
    } else {
        let lines = demo_node::command_lines(words);
        let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        send(&node, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends all lines of a text, with as many whole lines in a write as fit.
fn send_lines(node: &File, text: impl BufRead) -> Result<(), Error> {
    let mut piece = Vec::new();
    for line in text.split(b'\n') {
        let mut line = line.map_err(|error| Error::from_io("standard input", &error))?;
        line.push(b'\n');
        if piece.len() + line.len() > WRITE_MAX {
            send(node, &piece)?;
            piece.clear();
        }
        piece.append(&mut line);
    }
    send(node, &piece)
}

/// Sends the commands of a text, and reports which were carried out.
fn send(node: &File, text: &[u8]) -> Result<(), Error> {
    let mut rest = text;
    while !rest.is_empty() {
        // A short count means that the next line failed when it ran. Writing it again runs it
        // again, or returns the error.
        let taken = write(node, rest).map_err(|errno| Error::from_errno(DEMO_NODE, errno))?;
        if taken == 0 {
            return Err(Error::new(DEMO_NODE, "write(2) took nothing"));
        }
        let (done, left) = rest.split_at(taken);
        print(&report(done))?;
        rest = left;
    }
    Ok(())
}

/// One line for each command that was carried out.
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
