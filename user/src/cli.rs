// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::bench::child::{self, Signals};
use crate::modules;

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Echo { texts: Vec<OsString> },
    Send { words: Vec<OsString> },
    Stats { json: bool },
    Watch,
    Test { filter: Option<String>, list: bool, modules: PathBuf },
    ChildWrite { signals: Signals, path: PathBuf, text: OsString },
}

/// Takes the program's arguments apart; explains and ends where they make no
/// sense.
pub fn parse() -> Action {
    action(&command().get_matches())
}

fn command() -> Command {
    Command::new("wqtest")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Drives wq_echo and workqueue_demo, and tests them end to end")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(echo())
        .subcommand(send())
        .subcommand(stats())
        .subcommand(
            Command::new("watch").about("Shows what stats shows, anew each second, until Ctrl-C"),
        )
        .subcommand(test())
        .subcommand(child_write())
}

fn echo() -> Command {
    Command::new("echo")
        .about("Writes each TEXT to /dev/wq_echo, to be printed in the kernel log")
        .after_help(
            "Each TEXT is written as it is, without a line end. What is longer than a message\n\
             (255 bytes) takes several writes, and one line is printed for each.",
        )
        .arg(os_strings("TEXT").allow_hyphen_values(true).help("What to write"))
}

fn send() -> Command {
    Command::new("send")
        .about("Writes commands to /proc/workqueue_demo")
        .after_help(
            "A word that begins with a letter begins a command, any other belongs to the command\n\
             before it. All commands go into one write, so that none is done if one makes no sense:\n\
             \n  \
               wqtest send custom 4\n  \
               wqtest send custom 4 flush\n  \
               wqtest send 'delayed 50' 'data -1'\n\
             \n\
             The commands are in the last line that stats shows.",
        )
        .arg(os_strings("COMMAND").allow_hyphen_values(true).help("A command or an argument of one"))
}

fn stats() -> Command {
    Command::new("stats")
        .about("Shows the counters of both modules")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints them as JSON"))
}

fn test() -> Command {
    Command::new("test")
        .about("Runs the end-to-end cases and prints KTAP")
        .after_help(
            "The cases load and remove both modules, keep a CPU busy for seconds and change\n\
             settings of the scheduler meanwhile: run them in a virtual machine.\n\
             \n\
             Ends with 0 if all passed, 1 if any failed, 4 if nothing was tested.",
        )
        .arg(Arg::new("FILTER").help("Runs the cases whose names contain this"))
        .arg(
            Arg::new("list")
                .long("list")
                .action(ArgAction::SetTrue)
                .help("Lists the cases instead of running them"),
        )
        .arg(
            Arg::new("modules")
                .long("modules")
                .value_name("DIR")
                .value_parser(ValueParser::path_buf())
                .default_value(modules::DEFAULT_FOLDER)
                .help("Where the .ko files are"),
        )
}

/// For the cases themselves: see `bench::child`.
fn child_write() -> Command {
    Command::new(child::COMMAND)
        .hide(true)
        .arg(
            Arg::new("signals")
                .required(true)
                .value_parser(PossibleValuesParser::new(Signals::NAMES)),
        )
        .arg(Arg::new("path").required(true).value_parser(ValueParser::path_buf()))
        .arg(Arg::new("text").required(true).value_parser(ValueParser::os_string()))
}

fn os_strings(name: &'static str) -> Arg {
    Arg::new(name).required(true).num_args(1..).value_parser(ValueParser::os_string())
}

fn action(matches: &ArgMatches) -> Action {
    match matches.subcommand() {
        Some(("echo", args)) => Action::Echo { texts: many(args, "TEXT") },
        Some(("send", args)) => Action::Send { words: many(args, "COMMAND") },
        Some(("stats", args)) => Action::Stats { json: args.get_flag("json") },
        Some(("watch", _)) => Action::Watch,
        Some(("test", args)) => Action::Test {
            filter: args.get_one("FILTER").cloned(),
            list: args.get_flag("list"),
            modules: one(args, "modules"),
        },
        Some((child::COMMAND, args)) => Action::ChildWrite {
            signals: Signals::from_name(&one::<String>(args, "signals"))
                .expect("clap has checked it"),
            path: one(args, "path"),
            text: one(args, "text"),
        },
        _ => unreachable!("clap insists on one of the subcommands"),
    }
}

fn many(args: &ArgMatches, name: &str) -> Vec<OsString> {
    args.get_many(name).into_iter().flatten().cloned().collect()
}

/// An argument that is required or has a default.
fn one<T: Clone + Send + Sync + 'static>(args: &ArgMatches, name: &str) -> T {
    args.get_one::<T>(name).expect("clap insists on it").clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Action {
        action(&command().try_get_matches_from([&["wqtest"], args].concat()).unwrap())
    }

    fn refused(args: &[&str]) -> bool {
        command().try_get_matches_from([&["wqtest"], args].concat()).is_err()
    }

    #[test]
    fn is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn takes_texts_as_they_are() {
        let texts = |texts: &[&str]| texts.iter().map(OsString::from).collect();
        assert_eq!(parsed(&["echo", "a b", ""]), Action::Echo { texts: texts(&["a b", ""]) });
        assert_eq!(parsed(&["echo", "-n", "--x"]), Action::Echo { texts: texts(&["-n", "--x"]) });
        assert_eq!(parsed(&["send", "data", "-5"]), Action::Send { words: texts(&["data", "-5"]) });
    }

    #[test]
    fn knows_its_commands() {
        assert_eq!(parsed(&["stats"]), Action::Stats { json: false });
        assert_eq!(parsed(&["stats", "--json"]), Action::Stats { json: true });
        assert_eq!(parsed(&["watch"]), Action::Watch);
        let modules = PathBuf::from("/lib/modules");
        assert_eq!(
            parsed(&["test"]),
            Action::Test { filter: None, list: false, modules: modules.clone() }
        );
        assert_eq!(
            parsed(&["test", "demo_", "--list"]),
            Action::Test { filter: Some("demo_".into()), list: true, modules }
        );
        assert_eq!(
            parsed(&["test", "--modules", "/x"]),
            Action::Test { filter: None, list: false, modules: "/x".into() }
        );
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for args in
            [&[][..], &["echo"], &["send"], &["frob"], &["stats", "x"], &["watch", "--fast"]]
        {
            assert!(refused(args), "{args:?}");
        }
    }

    #[test]
    fn hides_what_is_for_the_cases_only() {
        assert!(!command().render_help().to_string().contains(child::COMMAND));
        assert_eq!(
            parsed(&[child::COMMAND, "restart", "/x", "t"]),
            Action::ChildWrite { signals: Signals::Restart, path: "/x".into(), text: "t".into() }
        );
    }
}
