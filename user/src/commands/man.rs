// SPDX-License-Identifier: GPL-2.0

//! `wqtest man [COMMAND]`

use std::io;
use std::process::ExitCode;

use clap_mangen::Man;

use super::{print, Done};
use crate::cli;
use crate::error::Error;

pub fn run(command: Option<&str>) -> Done {
    let page = page(command).map_err(|error| Error::from_io("man", &error))?;
    print(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// The page of the program, or of one of its commands.
fn page(command: Option<&str>) -> io::Result<String> {
    let mut program = cli::public().disable_help_subcommand(true);
    // Gives the commands their full names.
    program.build();
    let source = format!("wqtest {}", program.get_version().unwrap_or_default());
    let of = match command {
        Some(name) => program.find_subcommand(name).cloned().ok_or(io::ErrorKind::NotFound)?,
        None => program,
    };
    let mut text = Vec::new();
    // With an empty date, the title would take the next field for it.
    let page = Man::new(of).date(" ").source(source).manual("Workqueues in Rust");
    page.render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::child;

    #[test]
    fn names_each_command_that_is_for_users() {
        let all = page(None).unwrap();
        let source = format!("wqtest {}", env!("CARGO_PKG_VERSION"));
        let title = format!("\n.TH wqtest 1 \" \" \"{source}\" \"Workqueues in Rust\"\n");
        assert!(all.contains(&title), "{all}");
        assert!(!all.contains(&child::COMMAND.replace('-', "\\-")));
        for name in cli::names(&cli::public()) {
            assert!(all.contains(&format!("wqtest\\-{name}(1)")), "{name} in {all}");
            let own = page(Some(&name)).unwrap();
            assert!(own.starts_with(".ie"), "{own}");
            assert!(own.contains(&format!("wqtest\\-{name} \\- ")), "{own}");
        }
        assert!(page(Some(child::COMMAND)).is_err());
    }
}
