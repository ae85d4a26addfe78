// SPDX-License-Identifier: GPL-2.0

//! `wqtest echo TEXT...`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use super::{print, Done};
use crate::echo_device::EchoDevice;
use crate::model;

pub fn run(texts: &[OsString]) -> Done {
    let device = EchoDevice::open()?;
    for text in texts {
        let mut lines = String::new();
        let result = device.write_all(text.as_bytes(), |taken| lines.push_str(&line(taken)));
        // Report what has been taken even if the rest was not.
        print(&lines)?;
        result?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(taken: &[u8]) -> String {
    let bytes = if taken.len() == 1 { "byte" } else { "bytes" };
    format!("wrote {} {bytes}: \"{}\"\n", taken.len(), model::escape(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_documented_line() {
        assert_eq!(line(b"william wq test"), "wrote 15 bytes: \"william wq test\"\n");
        assert_eq!(line(b"\x1b"), "wrote 1 byte: \"\\x1b\"\n");
    }
}
