// SPDX-License-Identifier: GPL-2.0

//! A second implementation of what `workqueue_demo` does with the text of a write.
//!
//! It follows the documents and not the module's source, so a mistake in either shows as a
//! difference.

use std::ops::RangeInclusive;

/// The most bytes one write may have.
pub const WRITE_MAX: usize = 4096;

/// A command with its number, or the default number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Immediate,
    Delayed(i64),
    Custom(i64, Kind),
    Data(i64),
    Start(i64),
    Stop,
    Cancel,
    Flush,
    Reset,
}

/// A kind of queue: its index in [`KIND_WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub usize);

/// What `custom` takes for KIND. The first is the default.
pub const KIND_WORDS: [&str; 6] =
    ["unbound", "percpu", "highpri", "cpu_intensive", "freezable", "ordered"];

impl Kind {
    pub const ALL: [Kind; KIND_WORDS.len()] =
        [Kind(0), Kind(1), Kind(2), Kind(3), Kind(4), Kind(5)];

    /// The name of the module's queue of this kind.
    pub fn queue_name(self) -> String {
        match self {
            Kind(0) => "workqueue_demo".into(),
            Kind(other) => format!("workqueue_demo_{}", KIND_WORDS[other]),
        }
    }
}

/// What may follow a command.
enum Number {
    None,
    Optional {
        default: i64,
        from: i64,
        to: i64,
    },
    Needed {
        from: i64,
        to: i64,
    },
    /// A number and a kind of queue, both optional.
    OptionalAndKind {
        default: i64,
        from: i64,
        to: i64,
    },
}

type Make = fn(i64, Kind) -> Command;

/// The table in the README.
const GRAMMAR: [(&str, Number, Make); 9] = [
    ("immediate", Number::None, |_, _| Command::Immediate),
    ("delayed", Number::Optional { default: 2000, from: 1, to: 3_600_000 }, |ms, _| {
        Command::Delayed(ms)
    }),
    ("custom", Number::OptionalAndKind { default: 1, from: 1, to: 1000 }, Command::Custom),
    ("data", Number::Needed { from: i32::MIN as i64, to: i32::MAX as i64 }, |value, _| {
        Command::Data(value)
    }),
    ("start", Number::Optional { default: 1000, from: 10, to: 3_600_000 }, |ms, _| {
        Command::Start(ms)
    }),
    ("stop", Number::None, |_, _| Command::Stop),
    ("cancel", Number::None, |_, _| Command::Cancel),
    ("flush", Number::None, |_, _| Command::Flush),
    ("reset", Number::None, |_, _| Command::Reset),
];

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    GRAMMAR.iter().map(|(name, ..)| *name)
}

/// The commands of a write, or the line that the module logs about it.
pub fn parse(text: &[u8]) -> Result<Vec<Command>, String> {
    if text.len() > WRITE_MAX {
        return Err(too_long(text.len()));
    }
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    if let [_, .., last @ [_, ..]] = lines[..] {
        return Err(format!(
            "write refused: line {}, {}, has no line end and may have been cut",
            lines.len(),
            quoted(last)
        ));
    }
    let mut commands = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let command = parse_line(line).map_err(|said| format!("line {}: {said}", index + 1))?;
        commands.extend(command);
    }
    Ok(commands)
}

/// What the module logs about a write of `len` bytes, whatever they are.
pub fn too_long(len: usize) -> String {
    format!("write of {len} bytes refused: at most {WRITE_MAX}")
}

fn parse_line(line: &[u8]) -> Result<Option<Command>, String> {
    let words: Vec<&[u8]> =
        line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty()).collect();
    let [name, arguments @ ..] = &words[..] else {
        return Ok(None);
    };
    let known = GRAMMAR.iter().find(|(known, ..)| known.as_bytes() == *name);
    let Some((_, number, make)) = known else {
        return Err(format!("unknown command {}", quoted(name)));
    };
    let first = Kind(0);
    let (value, kind, unexpected) = match (number, arguments) {
        (Number::None, rest) => (0, first, rest),
        (Number::Optional { default, .. }, []) => (*default, first, &[][..]),
        (Number::OptionalAndKind { default, from, to }, words) => {
            count_and_kind(words, *default, *from..=*to)?
        }
        (Number::Needed { from, to }, []) => {
            return Err(format!("{} needs a number from {from} to {to}", quoted(name)))
        }
        (Number::Optional { from, to, .. } | Number::Needed { from, to }, [word, rest @ ..]) => {
            let Some(value) = decimal(word).filter(|value| (from..=to).contains(&value)) else {
                return Err(format!("{} is not a number from {from} to {to}", quoted(word)));
            };
            (value, first, rest)
        }
    };
    match unexpected {
        [] => Ok(Some(make(value, kind))),
        [word, ..] => Err(format!("unexpected {}", quoted(word))),
    }
}

/// A number, a kind, both in this order, or neither, and the remaining words.
fn count_and_kind<'a>(
    words: &'a [&'a [u8]],
    default: i64,
    range: RangeInclusive<i64>,
) -> Result<(i64, Kind, &'a [&'a [u8]]), String> {
    let [word, rest @ ..] = words else {
        return Ok((default, Kind(0), words));
    };
    if let Some(kind) = kind(word) {
        return Ok((default, kind, rest));
    }
    let kinds = KIND_WORDS.join(", ");
    let Some(value) = decimal(word).filter(|value| range.contains(value)) else {
        let (from, to) = range.into_inner();
        let word = quoted(word);
        return Err(format!("{word} is neither a number from {from} to {to} nor one of {kinds}"));
    };
    match rest {
        [] => Ok((value, Kind(0), rest)),
        [word, rest @ ..] => match kind(word) {
            Some(kind) => Ok((value, kind, rest)),
            None => Err(format!("{} is not one of {kinds}", quoted(word))),
        },
    }
}

fn kind(word: &[u8]) -> Option<Kind> {
    KIND_WORDS.iter().position(|known| known.as_bytes() == word).map(Kind)
}

/// Parses an optional sign and digits. A number too large for this is too large for every command.
fn decimal(word: &[u8]) -> Option<i64> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let significant = digits.iter().skip_while(|&&digit| digit == b'0');
    let value = significant.fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    Some(if negative { -value } else { value })
}

/// The word in quotes, cut to 64 bytes, with everything but printable ASCII escaped.
fn quoted(word: &[u8]) -> String {
    const SHOWN: usize = 64;
    let shown: String = word.iter().take(SHOWN).map(|&byte| ascii(byte)).collect();
    format!("\"{shown}\"{}", if word.len() > SHOWN { "..." } else { "" })
}

fn ascii(byte: u8) -> String {
    match byte {
        b'"' => r#"\""#.into(),
        b'\\' => r"\\".into(),
        b'\n' => r"\n".into(),
        b'\r' => r"\r".into(),
        b'\t' => r"\t".into(),
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// The counts of a row that do not depend on timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub queued: u64,
    pub coalesced: u64,
    pub cancelled: u64,
}

/// What the table shows when nothing of `immediate`, `custom` and `data` is outstanding, as long as
/// no armed timer fires.
#[derive(Debug, Clone, Default)]
pub struct DemoModel {
    /// Queued plus coalesced: the split depends on timing.
    pub immediate: u64,
    pub custom: u64,
    pub data: u64,
    /// The kinds of queues that have been used. Their queues exist, and so does the first.
    pub used: [bool; KIND_WORDS.len()],
    pub delayed: Counts,
    pub periodic: Counts,
    /// The delayed item is armed.
    pub armed: bool,
    /// The periodic work ticks with this period.
    pub ticking: Option<i64>,
    /// Something else may be outstanding.
    pub busy: bool,
}

impl DemoModel {
    /// The names of the queues that exist.
    pub fn queue_names(&self) -> Vec<String> {
        let is_there = |kind: &Kind| *kind == Kind(0) || self.used[kind.0];
        Kind::ALL.into_iter().filter(is_there).map(Kind::queue_name).collect()
    }

    pub fn run(&mut self, command: Command) {
        self.busy |= matches!(command, Command::Immediate | Command::Custom(..) | Command::Data(_));
        match command {
            Command::Immediate => self.immediate += 1,
            Command::Custom(count, kind) => {
                self.custom += count.unsigned_abs();
                self.used[kind.0] = true;
            }
            Command::Data(_) => self.data += 1,
            Command::Delayed(_) if self.armed => self.delayed.coalesced += 1,
            Command::Delayed(_) => {
                self.armed = true;
                self.delayed.queued += 1;
            }
            Command::Cancel => {
                self.delayed.cancelled += u64::from(self.armed);
                self.armed = false;
            }
            Command::Start(period) if self.ticking == Some(period) => {}
            Command::Start(period) => {
                self.run(Command::Stop);
                self.periodic.queued += 1;
                self.ticking = Some(period);
            }
            Command::Stop => {
                self.periodic.cancelled += u64::from(self.ticking.is_some());
                self.ticking = None;
            }
            Command::Flush => self.busy = false,
            Command::Reset => {
                let outstanding = |is: bool| Counts { queued: u64::from(is), ..Counts::default() };
                *self = DemoModel {
                    delayed: outstanding(self.armed),
                    periodic: outstanding(self.ticking.is_some()),
                    used: self.used,
                    armed: self.armed,
                    ticking: self.ticking,
                    busy: self.busy,
                    ..DemoModel::default()
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_commands_of_the_readme() {
        assert_eq!(
            parse(b"immediate\ndelayed\n\n \tcustom\t7 \ndata -5\nstart 10\nstop\nflush\n")
                .unwrap(),
            [
                Command::Immediate,
                Command::Delayed(2000),
                Command::Custom(7, Kind(0)),
                Command::Data(-5),
                Command::Start(10),
                Command::Stop,
                Command::Flush,
            ]
        );
        assert_eq!(parse(b"data +007").unwrap(), [Command::Data(7)]);
        assert_eq!(
            parse(b"custom\ncustom ordered\ncustom 2 percpu\n").unwrap(),
            [Command::Custom(1, Kind(0)), Command::Custom(1, Kind(5)), Command::Custom(2, Kind(1)),]
        );
        assert!(parse(b"").unwrap().is_empty());
        assert!(parse(&[b'\n'; WRITE_MAX]).unwrap().is_empty());
    }

    #[test]
    fn says_why_it_refuses() {
        let long = "x".repeat(65);
        for (text, said) in [
            (&b"stop\nfrob\x1b\n"[..], r#"line 2: unknown command "frob\x1b""#),
            (b"stop now", r#"line 1: unexpected "now""#),
            (
                b"custom 1001",
                "line 1: \"1001\" is neither a number from 1 to 1000 nor one of unbound, percpu, \
                 highpri, cpu_intensive, freezable, ordered",
            ),
            (
                b"custom 1 Percpu",
                "line 1: \"Percpu\" is not one of unbound, percpu, highpri, cpu_intensive, \
                 freezable, ordered",
            ),
            (b"custom percpu 1", r#"line 1: unexpected "1""#),
            (b"\ndata\n", r#"line 2: "data" needs a number from -2147483648 to 2147483647"#),
            (b"stop\r\n", r#"line 1: unknown command "stop\r""#),
            (b"start +", r#"line 1: "+" is not a number from 10 to 3600000"#),
            (
                b"delayed 99999999999999999999",
                r#"line 1: "99999999999999999999" is not a number from 1 to 3600000"#,
            ),
            (long.as_bytes(), &format!(r#"line 1: unknown command "{}"..."#, "x".repeat(64))),
            (
                b"stop\n\nst\xad",
                r#"write refused: line 3, "st\xad", has no line end and may have been cut"#,
            ),
            (b"\n ", r#"write refused: line 2, " ", has no line end and may have been cut"#),
            (&[b'\n'; 4097], "write of 4097 bytes refused: at most 4096"),
        ] {
            assert_eq!(parse(text).unwrap_err(), said);
        }
    }

    #[test]
    fn quotes_in_printable_ascii() {
        assert_eq!(quoted("é\"\\\t\u{feff}~".as_bytes()), r#""\xc3\xa9\"\\\t\xef\xbb\xbf~""#);
        assert_eq!(quoted(&[0xff; 65]), format!("\"{}\"...", r"\xff".repeat(64)));
        assert_eq!(quoted(&[b'x'; 64]), format!("\"{}\"", "x".repeat(64)));
    }

    #[test]
    fn counts_what_commands_do() {
        let mut model = DemoModel::default();
        let mut run = |text: &str| {
            parse(text.as_bytes()).unwrap().into_iter().for_each(|command| model.run(command));
            model.clone()
        };
        let now = run("delayed 60000\ndelayed 1\ncancel\ncancel\ndelayed 60000\n");
        assert_eq!(now.delayed, Counts { queued: 2, coalesced: 1, cancelled: 1 });
        let now = run("start 60000\nstart 60000\nstart 70000\nstop\nstop\n");
        assert_eq!(now.periodic, Counts { queued: 2, coalesced: 0, cancelled: 2 });
        let now = run("custom 3\ndata 1\nimmediate\nimmediate\n");
        assert_eq!((now.custom, now.data, now.immediate, now.busy), (3, 1, 2, true));
        assert_eq!(now.queue_names(), ["workqueue_demo"]);
        run("custom 2 ordered\n");
        let now = run("flush\nreset\n");
        assert_eq!(now.queue_names(), ["workqueue_demo", "workqueue_demo_ordered"]);
        assert_eq!((now.custom, now.busy, now.delayed.queued), (0, false, 1));
    }
}
