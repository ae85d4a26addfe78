// SPDX-License-Identifier: GPL-2.0

//! `wqtest completions SHELL`

use std::process::ExitCode;

use clap_complete::Shell;

use super::{print, Done};
use crate::cli;
use crate::error::Error;

pub fn run(shell: &str) -> Done {
    let shell: Shell = shell.parse().map_err(|error: String| Error::new("completions", error))?;
    print(&script(shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::public(), "wqtest", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::child;

    #[test]
    fn completes_what_is_for_users_alone() {
        for shell in cli::SHELLS.map(|name| name.parse::<Shell>().unwrap()) {
            let script = script(shell);
            for name in cli::names(&cli::public()) {
                assert!(script.contains(&name), "{shell}: {name}");
            }
            assert!(script.contains("minutes"), "{shell}");
            assert!(!script.contains(child::COMMAND), "{shell}");
        }
    }
}
