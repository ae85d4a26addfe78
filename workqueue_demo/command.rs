// SPDX-License-Identifier: GPL-2.0

//! The grammar of `/proc/workqueue_demo`: text in, commands or one error out. Touches nothing.
//!
//! One command a line, words separated by blanks and tabs; lines without a word are skipped.
//! Numbers are decimal; a sign is optional. A carriage return is not a blank. The last of several
//! lines needs a line end too; a single line does not.

use core::ops::RangeInclusive;

use kernel::{
    fmt,
    prelude::*,
    str::BStr, //
};

use super::queue_kind::QueueKind;

/// The most bytes that one write may hold.
pub(crate) const MAX_LEN: usize = 4096;

/// The shortest and the longest delay, in milliseconds.
const DELAY_MS: RangeInclusive<u32> = 1..=3_600_000;
/// The period that `start` takes where none is given, in milliseconds.
pub(crate) const DEFAULT_PERIOD_MS: u32 = 1000;
/// The shortest and the longest period, in milliseconds.
const PERIOD_MS: RangeInclusive<u32> = 10..=3_600_000;
const COUNT: RangeInclusive<u32> = 1..=1000;

/// How the commands are shown to the user.
pub(crate) const USAGE: &str = "immediate | delayed [MS] | custom [COUNT] [KIND] | data VALUE | \
                                start [MS] | stop | cancel | flush | reset";

#[derive(Clone, Copy)]
pub(crate) enum Command {
    Immediate,
    Delayed { ms: u32 },
    Custom { count: u32, kind: QueueKind },
    Data { value: i32 },
    Start { period_ms: u32 },
    Stop,
    Cancel,
    Flush,
    Reset,
}

/// A command, and where its line ends in the text.
pub(crate) struct Line {
    pub(crate) command: Command,
    pub(crate) end: usize,
}

/// Why a text was refused.
pub(crate) enum Refusal<'a> {
    /// It has more than [`MAX_LEN`] bytes.
    TooLong {
        len: usize,
    },
    /// It has several lines, of which the last has no end: perhaps a buffer was full there.
    CutLine {
        /// Counted from 1.
        line: usize,
        text: &'a [u8],
    },
    /// There is something wrong with a word.
    Word {
        /// Counted from 1.
        line: usize,
        word: &'a [u8],
        error: WordError,
    },
    NoMemory,
}

/// What is wrong with a word.
pub(crate) enum WordError {
    UnknownCommand,
    NotInRange { from: i64, to: i64 },
    LacksNumber { from: i64, to: i64 },
    NeitherNumberNorKind { from: i64, to: i64 },
    NoKind,
    Unexpected,
}

impl From<Refusal<'_>> for Error {
    fn from(refusal: Refusal<'_>) -> Self {
        match refusal {
            Refusal::NoMemory => ENOMEM,
            Refusal::TooLong { .. } | Refusal::CutLine { .. } | Refusal::Word { .. } => EINVAL,
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => {
                f.write_fmt(fmt!("write of {len} bytes refused: at most {MAX_LEN}"))
            }
            Self::CutLine { line, text } => f.write_fmt(fmt!(
                "write refused: line {line}, {}, has no line end and may have been cut",
                Quoted(text)
            )),
            Self::Word { line, word, error } => {
                f.write_fmt(fmt!("line {line}: "))?;
                error.fmt(Quoted(word), f)
            }
            Self::NoMemory => f.write_str("out of memory"),
        }
    }
}

impl WordError {
    fn fmt(&self, word: Quoted<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand => f.write_fmt(fmt!("unknown command {word}")),
            Self::NotInRange { from, to } => {
                f.write_fmt(fmt!("{word} is not a number from {from} to {to}"))
            }
            Self::LacksNumber { from, to } => {
                f.write_fmt(fmt!("{word} needs a number from {from} to {to}"))
            }
            Self::NeitherNumberNorKind { from, to } => f.write_fmt(fmt!(
                "{word} is neither a number from {from} to {to} nor one of {}",
                QueueKind::WORDS
            )),
            Self::NoKind => f.write_fmt(fmt!("{word} is not one of {}", QueueKind::WORDS)),
            Self::Unexpected => f.write_fmt(fmt!("unexpected {word}")),
        }
    }
}

/// How many bytes of a word are shown.
const SHOWN_LEN: usize = 64;

/// A user's word, in quotes, cut if it is too long. All but printable ASCII is escaped: a word with
/// invisible characters must not look like the right one.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..SHOWN_LEN).unwrap_or(self.0);
        let rest = if shown.len() < self.0.len() {
            "..."
        } else {
            ""
        };
        f.write_fmt(fmt!("{:?}{rest}", BStr::from_bytes(shown)))
    }
}

/// Refuses several lines of which the last has no end.
///
/// A program with a buffer writes what fills it, and that may end anywhere: `delayed 6` may be the
/// start of `delayed 60000`. A single line is complete.
fn check_last_line(text: &[u8]) -> Result<(), Refusal<'_>> {
    let Some(line_end) = text.iter().rposition(|&byte| byte == b'\n') else {
        return Ok(());
    };
    let (lines, rest) = text.split_at(line_end + 1);
    if rest.is_empty() {
        return Ok(());
    }
    Err(Refusal::CutLine {
        line: lines.split_inclusive(|&byte| byte == b'\n').count() + 1,
        text: rest,
    })
}

/// Parses all lines of a text, or none.
pub(crate) fn parse(text: &[u8]) -> Result<KVec<Line>, Refusal<'_>> {
    if text.len() > MAX_LEN {
        return Err(Refusal::TooLong { len: text.len() });
    }
    check_last_line(text)?;
    let mut lines = KVec::new();
    let mut end = 0;
    for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        end += line.len();
        let command = parse_line(line).map_err(|(word, error)| Refusal::Word {
            line: index + 1,
            word,
            error,
        })?;
        if let Some(command) = command {
            lines
                .push(Line { command, end }, GFP_KERNEL)
                .map_err(|_| Refusal::NoMemory)?;
        }
    }
    Ok(lines)
}

type Parsed<'a, T> = Result<T, (&'a [u8], WordError)>;

/// Parses one line: a command, or none if it has no words.
fn parse_line(line: &[u8]) -> Parsed<'_, Option<Command>> {
    let mut words = line
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\n'))
        .filter(|word| !word.is_empty());
    let Some(name) = words.next() else {
        return Ok(None);
    };
    let mut optional = |default, range| number_or(default, words.next(), range);
    let command = match name {
        b"immediate" => Command::Immediate,
        b"delayed" => Command::Delayed {
            ms: optional(2000, DELAY_MS)?,
        },
        b"custom" => custom(&mut words)?,
        b"data" => Command::Data {
            value: value(name, words.next())?,
        },
        b"start" => Command::Start {
            period_ms: optional(DEFAULT_PERIOD_MS, PERIOD_MS)?,
        },
        b"stop" => Command::Stop,
        b"cancel" => Command::Cancel,
        b"flush" => Command::Flush,
        b"reset" => Command::Reset,
        _ => return Err((name, WordError::UnknownCommand)),
    };
    match words.next() {
        None => Ok(Some(command)),
        Some(word) => Err((word, WordError::Unexpected)),
    }
}

/// Parses the words after `custom`: a number, a kind of queue, both in this order, or neither.
fn custom<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Parsed<'a, Command> {
    let Some(first) = words.next() else {
        return Ok(Command::Custom {
            count: 1,
            kind: QueueKind::Unbound,
        });
    };
    if let Some(kind) = QueueKind::from_word(first) {
        return Ok(Command::Custom { count: 1, kind });
    }
    let (from, to) = ((*COUNT.start()).into(), (*COUNT.end()).into());
    let neither = |_| (first, WordError::NeitherNumberNorKind { from, to });
    let count = number_or(1, Some(first), COUNT).map_err(neither)?;
    let kind = match words.next() {
        None => QueueKind::Unbound,
        Some(word) => QueueKind::from_word(word).ok_or((word, WordError::NoKind))?,
    };
    Ok(Command::Custom { count, kind })
}

/// Parses a decimal number from `from` to `to`.
fn number(word: &[u8], from: i64, to: i64) -> Parsed<'_, i64> {
    core::str::from_utf8(word)
        .ok()
        .and_then(|word| word.parse().ok())
        .filter(|number| (from..=to).contains(number))
        .ok_or((word, WordError::NotInRange { from, to }))
}

fn number_or(default: u32, word: Option<&[u8]>, range: RangeInclusive<u32>) -> Parsed<'_, u32> {
    match word {
        None => Ok(default),
        // CAST: A number between two `u32`s is a `u32`.
        Some(word) => {
            number(word, (*range.start()).into(), (*range.end()).into()).map(|n| n as u32)
        }
    }
}

fn value<'a>(name: &'a [u8], word: Option<&'a [u8]>) -> Parsed<'a, i32> {
    let (from, to) = (i32::MIN.into(), i32::MAX.into());
    let word = word.ok_or((name, WordError::LacksNumber { from, to }))?;
    // CAST: As above, with `i32`.
    number(word, from, to).map(|n| n as i32)
}

#[kunit_tests(workqueue_demo_command)]
mod tests {
    use super::*;
    use kernel::str::CString;

    /// How a text is refused, in words, or an empty string if it is not.
    fn refusal(text: &[u8]) -> Result<CString> {
        match parse(text) {
            Ok(_) => CString::try_from_fmt(fmt!("")),
            Err(refusal) => CString::try_from_fmt(fmt!("{refusal}")),
        }
    }

    fn only(text: &[u8]) -> Option<Command> {
        parse(text).ok()?.first().map(|line| line.command)
    }

    #[test]
    fn numbers_default() {
        assert!(matches!(
            only(b"delayed"),
            Some(Command::Delayed { ms: 2000 })
        ));
        assert!(matches!(
            only(b"custom\n"),
            Some(Command::Custom {
                count: 1,
                kind: QueueKind::Unbound
            })
        ));
        assert!(matches!(
            only(b"start"),
            Some(Command::Start { period_ms: 1000 })
        ));
    }

    #[test]
    fn a_count_and_a_kind_may_both_be_left_out() {
        for (text, count, kind) in [
            (&b"custom 5"[..], 5, QueueKind::Unbound),
            (b"custom ordered", 1, QueueKind::Ordered),
            (b"custom 5 unbound\n", 5, QueueKind::Unbound),
            (b"custom\t5  cpu_intensive \n", 5, QueueKind::CpuIntensive),
        ] {
            let Some(Command::Custom {
                count: parsed_count,
                kind: parsed_kind,
            }) = only(text)
            else {
                return assert!(false);
            };
            assert_eq!(parsed_count, count);
            assert!(parsed_kind == kind);
        }
    }

    #[test]
    fn a_word_that_is_no_kind_of_queue_is_told_which_there_are() -> Result {
        const KINDS: &str = "unbound, percpu, highpri, cpu_intensive, freezable, ordered";
        for (text, words) in [
            (
                "custom Ordered",
                r#"line 1: "Ordered" is neither a number from 1 to 1000 nor one of "#,
            ),
            (
                "custom 0 ordered",
                r#"line 1: "0" is neither a number from 1 to 1000 nor one of "#,
            ),
            ("custom 5 6", r#"line 1: "6" is not one of "#),
        ] {
            let refused = refusal(text.as_bytes())?;
            let rest = refused.to_bytes().strip_prefix(words.as_bytes());
            assert!(rest == Some(KINDS.as_bytes()));
        }
        for text in ["custom ordered 5", "custom 5 ordered percpu"] {
            let refused = refusal(text.as_bytes())?;
            assert!(refused.to_bytes().starts_with(b"line 1: unexpected "));
        }
        Ok(())
    }

    #[test]
    fn numbers_are_bounded_at_both_ends() -> Result {
        for good in [
            "delayed 1",
            "delayed 3600000",
            "custom 1",
            "custom 1000",
            "start 10",
            "start 3600000",
            "data -2147483648",
            "data 2147483647",
        ] {
            assert_eq!(refusal(good.as_bytes())?.to_bytes(), b"");
        }
        for bad in [
            "delayed 0",
            "delayed 3600001",
            "custom 0",
            "custom 1001",
            "start 9",
            "start 3600001",
            "data -2147483649",
            "data 2147483648",
            "data 99999999999999999999",
            "data 0x10",
            "data 1.5",
            "delayed -1",
        ] {
            assert!(!refusal(bad.as_bytes())?.to_bytes().is_empty());
        }
        Ok(())
    }

    #[test]
    fn a_line_ends_behind_its_newline() {
        let Ok(lines) = parse(b"\n  stop\n\t\nflush  \ncancel\n") else {
            return assert!(false);
        };
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].end, 8);
        assert_eq!(lines[1].end, 18);
        assert_eq!(lines[2].end, 25);
    }

    #[test]
    fn several_lines_need_an_end_and_one_does_not() -> Result {
        for good in [
            "stop",
            "  stop  ",
            "stop\n",
            "\n",
            "",
            "stop\nflush\n",
            "\n\nstop\n",
        ] {
            assert_eq!(refusal(good.as_bytes())?.to_bytes(), b"");
        }
        for bad in [
            "stop\nflush",
            "\nstop",
            "stop\n ",
            "stop\n\t",
            "stop\n\nx\x1b",
        ] {
            let refused = refusal(bad.as_bytes())?;
            assert!(refused.to_bytes().starts_with(b"write refused: line "));
        }
        assert_eq!(
            refusal(b"delayed 1\ndelayed 6")?.to_bytes(),
            br#"write refused: line 2, "delayed 6", has no line end and may have been cut"#
        );
        Ok(())
    }

    #[test]
    fn a_blank_is_a_space_or_a_tab_and_nothing_else() -> Result {
        assert!(matches!(
            only(b"\tdata\t \t7\t"),
            Some(Command::Data { value: 7 })
        ));
        assert!(matches!(only(b"data +5"), Some(Command::Data { value: 5 })));
        for (text, words) in [
            (
                "data 1\r\n",
                r#"line 1: "1\r" is not a number from -2147483648 to 2147483647"#,
            ),
            ("stop\r\n", r#"line 1: unknown command "stop\r""#),
            (
                "\u{feff}data 1",
                r#"line 1: unknown command "\xef\xbb\xbfdata""#,
            ),
            ("data\u{a0}1", r#"line 1: unknown command "data\xc2\xa01""#),
            (
                "da\u{200b}ta 1",
                r#"line 1: unknown command "da\xe2\x80\x8bta""#,
            ),
            ("st\u{ad}op", r#"line 1: unknown command "st\xc2\xadop""#),
            ("datа 1", r#"line 1: unknown command "dat\xd0\xb0""#),
        ] {
            assert_eq!(refusal(text.as_bytes())?.to_bytes(), words.as_bytes());
        }
        Ok(())
    }

    #[test]
    fn a_refusal_names_the_line_and_the_word() -> Result {
        let cases: [(&[u8], &str); 5] = [
            (b"stop\nfrob\x1b\n", r#"line 2: unknown command "frob\x1b""#),
            (b"stop now", r#"line 1: unexpected "now""#),
            (
                b"start x",
                r#"line 1: "x" is not a number from 10 to 3600000"#,
            ),
            (
                b"data",
                r#"line 1: "data" needs a number from -2147483648 to 2147483647"#,
            ),
            (b"Stop", r#"line 1: unknown command "Stop""#),
        ];
        for (text, words) in cases {
            assert_eq!(refusal(text)?.to_bytes(), words.as_bytes());
        }
        Ok(())
    }

    #[test]
    fn a_text_may_be_4096_bytes_long() -> Result {
        assert_eq!(refusal(&[b'\n'; MAX_LEN])?.to_bytes(), b"");
        assert!(!refusal(&[b'\n'; MAX_LEN + 1])?.to_bytes().is_empty());
        Ok(())
    }

    #[test]
    fn a_long_word_is_cut_where_it_is_quoted() -> Result {
        let refused = refusal(&[b'x'; 1000])?;
        assert!(refused.to_bytes().ends_with(br#"xxx"..."#));
        assert!(refused.to_bytes().len() < 200);
        Ok(())
    }
}
