// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::ffi::OsString;
use std::num::ParseIntError;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint};

use crate::commands::fire;
use crate::fire::children;
use crate::harness::child::{self, Signals};
use crate::harness::held_cpu;
use crate::harness::load::Load;
use crate::harness::random;
use crate::measure;
use crate::modules;
use crate::timeline;

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Echo { texts: Vec<OsString> },
    Send { words: Vec<OsString> },
    Stats { json: bool },
    Watch,
    Poll { device: PathBuf, ms: u16 },
    Test { filter: Option<String>, list: bool, modules: PathBuf },
    Fire { options: fire::Options, list: bool, modules: PathBuf },
    Timeline { options: timeline::Options },
    Bench { options: measure::Options },
    Completions { shell: String },
    Man { command: Option<String> },
    FireChild { words: Vec<String> },
    ChildSpin { cpu: usize, lines: String },
    ChildWrite { signals: Signals, path: PathBuf, text: OsString },
}

/// Parses the program's arguments. If they make no sense, explains why and exits.
pub fn parse() -> Action {
    action(&command().get_matches())
}

/// The shells that have completions.
pub const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// All commands, the hidden ones included.
fn command() -> Command {
    public().subcommand(child_spin()).subcommand(child_write()).subcommand(fire_child())
}

/// The commands for users.
pub fn public() -> Command {
    let command = driving().subcommand(completions());
    let mut pages = names(&command);
    pages.push("man".into());
    command.subcommand(man(pages))
}

/// The names of a command's subcommands.
pub fn names(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// What drives and tests the modules.
fn driving() -> Command {
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
        .subcommand(poll())
        .subcommand(test())
        .subcommand(fire_command())
        .subcommand(timeline_command())
        .subcommand(bench())
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
             before it, and so does a KIND of custom. All commands go into one write, so that none\n\
             is done if one makes no sense:\n\
             \n  \
               wqtest send custom 4\n  \
               wqtest send custom 4 percpu flush\n  \
               wqtest send 'delayed 50' 'data -1'\n\
             \n\
             With - it sends the lines of standard input, however many there are, each write\n\
             as many whole lines as it may hold.\n\
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

fn poll() -> Command {
    Command::new("poll")
        .about("Waits until a write to DEVICE, any one, would be taken: asks poll(2)")
        .after_help("Ends with 0 if it would, 1 if it still would not be after MS milliseconds.")
        .arg(
            Arg::new("DEVICE")
                .required(true)
                .value_parser(ValueParser::path_buf())
                .help("A file such as /dev/wq_echo"),
        )
        .arg(
            Arg::new("MS")
                .value_parser(clap::value_parser!(u16))
                .default_value("0")
                .help("How long to wait at most"),
        )
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
        .args(which_cases())
}

fn which_cases() -> [Arg; 3] {
    [
        Arg::new("FILTER").help("Runs the cases whose names contain this"),
        Arg::new("list")
            .long("list")
            .action(ArgAction::SetTrue)
            .help("Lists the cases instead of running them"),
        folder("modules", modules::DEFAULT_FOLDER, "Where the .ko files are"),
    ]
}

fn fire_command() -> Command {
    Command::new("fire")
        .about("Runs the cases that do everything often and at once, and prints KTAP")
        .after_help(
            "They remove both modules whatever is under way, let every allocation fail, kill and\n\
             interrupt writers, throw bad input, take a CPU away and use up the memory: run them in\n\
             a virtual machine. What a kernel does not offer (fault injection, a second CPU, leak\n\
             detection) is skipped.\n\
             \n\
             Ends with 0 if all passed, 1 if any failed, 4 if nothing was tested.",
        )
        .args(which_cases())
        .arg(
            number("cycles", u64::from(u32::MAX))
                .value_name("N")
                .help(format!("Removes a module so many times in each state [{}]", Load::CYCLES)),
        )
        .arg(
            number("steps", u64::from(u32::MAX)).value_name("N").help(format!(
                "Lets at most so many steps of loading a module fail, ten times as many of its init, \
                 so many of the first use of a kind of queue [{}]",
                Load::STEPS
            )),
        )
        .arg(
            number("inputs", u64::MAX)
                .value_name("N")
                .help(format!(
                    "Throws so many byte strings at each node [{}, or {} where the kernel looks for leaks]",
                    Load::INPUTS,
                    Load::INPUTS_SANITISED
                )),
        )
        .arg(
            number("actions", 1_000_000)
                .value_name("N")
                .help(format!(
                    "Lets each process of a crowd do so many random actions [{}]",
                    Load::ACTIONS
                )),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("S")
                .value_parser(seed)
                .help("Draws what is random from this; printed where it is not given"),
        )
        .arg(
            number("minutes", 60 * 24 * 365)
                .value_name("N")
                .help("Repeats the cases in random order until the time is over"),
        )
}

fn timeline_command() -> Command {
    Command::new("timeline")
        .about("Runs COMMAND and draws what work items did meanwhile")
        .after_help(
            "Takes it from the kernel's tracing. Shown are the items of both modules' queues, or of\n\
             the queues and modules that are named. A mark is drawn for each write to a file of such a\n\
             name, where the kernel has probes, for each line that is written to trace_marker, and\n\
             where a module comes or goes.\n\
             \n\
             Ends as COMMAND does.",
        )
        .arg(
            Arg::new("queue")
                .long("queue")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("Shows this queue, or this module's items; may be repeated"),
        )
        .arg(output("svg", "Where the picture goes"))
        .arg(output("perfetto", "Where a trace for Perfetto's viewer goes"))
        .arg(output("json", "Where the same for programs goes"))
        .group(ArgGroup::new("outputs").args(["svg", "perfetto", "json"]).required(true).multiple(true))
        .arg(Arg::new("title").long("title").value_name("TEXT").help("What is above the picture [COMMAND]"))
        .arg(
            Arg::new("fold")
                .long("fold")
                .value_name("MS")
                .value_parser(clap::value_parser!(u32).range(1..))
                .default_value("250")
                .help("Folds the picture where nothing happens for longer"),
        )
        .arg(os_strings("COMMAND").last(true).help("A program and its arguments"))
}

fn output(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(ValueParser::path_buf()).help(help)
}

fn bench() -> Command {
    let groups = measure::GROUPS.map(|group| group.name);
    Command::new("bench")
        .about("Measures the modules and their twins in C, a line of JSON for each figure")
        .after_help(
            "Loads and removes the modules and changes settings of the log and the scheduler: run it\n\
             in a virtual machine. scripts/bench.sh does, and makes a table of it.",
        )
        .arg(
            Arg::new("GROUP")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(groups))
                .help("Measures these alone"),
        )
        .arg(number("rounds", 1000).value_name("N").default_value("3").help("Takes each figure so often"))
        .arg(
            number("messages", 10_000_000)
                .value_name("N")
                .default_value("50000")
                .help("Writes so many messages in a round"),
        )
        .arg(folder("modules", modules::DEFAULT_FOLDER, "Where the .ko files are"))
        .arg(folder("twins", "/", "Where those of bench/ are"))
}

fn completions() -> Command {
    Command::new("completions")
        .about("Prints what a shell completes this program's command line by")
        .after_help("For this shell: . <(wqtest completions bash)")
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(SHELLS))
                .help("Which shell"),
        )
}

fn man(pages: Vec<String>) -> Command {
    Command::new("man")
        .about("Prints the manual page of this program, or of COMMAND")
        .after_help("To read it: wqtest man stats | man -l -")
        .arg(
            Arg::new("COMMAND")
                .value_parser(PossibleValuesParser::new(pages))
                .help("One of its commands"),
        )
}

fn folder(name: &'static str, usual: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DIR")
        .value_hint(ValueHint::DirPath)
        .value_parser(ValueParser::path_buf())
        .default_value(usual)
        .help(help)
}

fn number(name: &'static str, most: u64) -> Arg {
    Arg::new(name).long(name).value_parser(RangedU64ValueParser::<u64>::new().range(1..=most))
}

/// Decimal, or hexadecimal as it is printed.
fn seed(word: &str) -> Result<u64, ParseIntError> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    }
}

/// For the cases themselves: see `fire::children`.
fn fire_child() -> Command {
    Command::new(children::COMMAND)
        .hide(true)
        .arg(Arg::new("words").required(true).num_args(1..).allow_hyphen_values(true))
}

/// For the cases themselves: see `harness::held_cpu`.
fn child_spin() -> Command {
    Command::new(held_cpu::COMMAND)
        .hide(true)
        .arg(Arg::new("cpu").required(true).value_parser(clap::value_parser!(usize)))
        .arg(Arg::new("lines").required(true))
}

/// For the cases themselves: see `harness::child`.
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
        Some(("poll", args)) => Action::Poll { device: one(args, "DEVICE"), ms: one(args, "MS") },
        Some(("test", args)) => Action::Test {
            filter: args.get_one("FILTER").cloned(),
            list: args.get_flag("list"),
            modules: one(args, "modules"),
        },
        Some(("fire", args)) => Action::Fire {
            options: fire::Options {
                filter: args.get_one("FILTER").cloned(),
                load: Load {
                    // CAST: The parser has checked them.
                    cycles: args
                        .get_one("cycles")
                        .map_or(Load::CYCLES, |&cycles: &u64| cycles as u32),
                    steps: args.get_one("steps").map_or(Load::STEPS, |&steps: &u64| steps as u32),
                    inputs: args.get_one("inputs").copied().unwrap_or_else(Load::usual_inputs),
                    actions: args
                        .get_one("actions")
                        .map_or(Load::ACTIONS, |&actions: &u64| actions as usize),
                    seed: args.get_one("seed").copied().unwrap_or_else(random::fresh_seed),
                },
                minutes: args.get_one("minutes").copied(),
            },
            list: args.get_flag("list"),
            modules: one(args, "modules"),
        },
        Some(("timeline", args)) => Action::Timeline { options: timeline_options(args) },
        Some(("bench", args)) => Action::Bench {
            options: measure::Options {
                groups: args.get_many("GROUP").into_iter().flatten().cloned().collect(),
                // CAST: The parser has checked them.
                rounds: one::<u64>(args, "rounds") as usize,
                messages: one::<u64>(args, "messages") as usize,
                modules: one(args, "modules"),
                twins: one(args, "twins"),
            },
        },
        Some(("completions", args)) => Action::Completions { shell: one(args, "SHELL") },
        Some(("man", args)) => Action::Man { command: args.get_one("COMMAND").cloned() },
        Some((children::COMMAND, args)) => Action::FireChild {
            words: args.get_many("words").into_iter().flatten().cloned().collect(),
        },
        Some((held_cpu::COMMAND, args)) => {
            Action::ChildSpin { cpu: one(args, "cpu"), lines: one(args, "lines") }
        }
        Some((child::COMMAND, args)) => Action::ChildWrite {
            signals: Signals::from_name(&one::<String>(args, "signals"))
                .expect("clap has checked it"),
            path: one(args, "path"),
            text: one(args, "text"),
        },
        _ => unreachable!("clap insists on one of the subcommands"),
    }
}

fn timeline_options(args: &ArgMatches) -> timeline::Options {
    let names = args.get_many("queue").map(|names| names.cloned().collect());
    timeline::Options {
        names: names.unwrap_or_else(|| timeline::NAMES.map(String::from).to_vec()),
        svg: args.get_one("svg").cloned(),
        perfetto: args.get_one("perfetto").cloned(),
        json: args.get_one("json").cloned(),
        title: args.get_one("title").cloned(),
        fold_ms: one(args, "fold"),
        command: many(args, "COMMAND"),
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
        let device = PathBuf::from("/dev/x");
        assert_eq!(parsed(&["poll", "/dev/x"]), Action::Poll { device: device.clone(), ms: 0 });
        assert_eq!(parsed(&["poll", "/dev/x", "9"]), Action::Poll { device, ms: 9 });
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
    fn takes_how_much_to_do_and_from_which_seed() {
        let options = |args: &[&str]| match parsed(args) {
            Action::Fire { options, .. } => options,
            other => panic!("{other:?}"),
        };
        let plain = options(&["fire"]);
        assert_eq!((plain.load.cycles, plain.load.inputs), (Load::CYCLES, Load::INPUTS));
        assert_eq!((plain.filter, plain.minutes), (None, None));
        let all = options(&[
            "fire",
            "demo",
            "--cycles",
            "3",
            "--steps",
            "5",
            "--inputs",
            "7",
            "--actions",
            "9",
            "--seed",
            "0xff",
            "--minutes",
            "2",
        ]);
        assert_eq!(all.load, Load { cycles: 3, steps: 5, inputs: 7, actions: 9, seed: 255 });
        assert_eq!((all.filter.as_deref(), all.minutes), (Some("demo"), Some(2)));
        assert_eq!(options(&["fire", "--seed", "12"]).load.seed, 12);
        for args in [["fire", "--cycles", "0"], ["fire", "--seed", "x"], ["fire", "--minutes", ""]]
        {
            assert!(refused(&args), "{args:?}");
        }
    }

    #[test]
    fn takes_which_figures_and_how_often() {
        let options = |args: &[&str]| match parsed(args) {
            Action::Bench { options } => options,
            other => panic!("{other:?}"),
        };
        let usual = options(&["bench"]);
        assert_eq!((usual.rounds, usual.messages), (3, 50_000));
        assert!(usual.groups.is_empty());
        assert_eq!((usual.modules, usual.twins), ("/lib/modules".into(), "/".into()));
        let some = options(&["bench", "echo", "ways", "--rounds", "2", "--messages", "8"]);
        assert_eq!(some.groups, ["echo", "ways"]);
        assert_eq!((some.rounds, some.messages), (2, 8));
        for args in [&["bench", "nothing"][..], &["bench", "--rounds", "0"]] {
            assert!(refused(args), "{args:?}");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for args in [
            &[][..],
            &["echo"],
            &["send"],
            &["frob"],
            &["stats", "x"],
            &["watch", "--fast"],
            &["poll"],
            &["completions"],
            &["completions", "sh"],
            &["man", child::COMMAND],
        ] {
            assert!(refused(args), "{args:?}");
        }
    }

    #[test]
    fn hides_what_is_for_the_cases_only() {
        for hidden in [child::COMMAND, held_cpu::COMMAND] {
            assert!(!command().render_help().to_string().contains(hidden));
        }
        assert_eq!(
            parsed(&[held_cpu::COMMAND, "1", "delayed 1\n"]),
            Action::ChildSpin { cpu: 1, lines: "delayed 1\n".into() }
        );
        assert_eq!(
            parsed(&[child::COMMAND, "restart", "/x", "t"]),
            Action::ChildWrite { signals: Signals::Restart, path: "/x".into(), text: "t".into() }
        );
    }
}
