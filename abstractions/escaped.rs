// SPDX-License-Identifier: GPL-2.0

//! Text from users, made safe to log.
//!
//! `BStr` escapes all that is not ASCII. Here text stays readable in any script, but nothing in it
//! can end a log line, move a terminal's cursor, turn the direction of writing, or end the quotes
//! around it.

use core::{
    ops::{
        Add,
        Mul,
        Sub, //
    },
    str, //
};

use kernel::fmt::{
    self,
    Write, //
};

/// Bytes that are printed escaped. Any context.
///
/// Quotes and backslashes are printed as `\"` and `\\`, newline, carriage return and tab as `\n`,
/// `\r` and `\t`. Bytes that are not UTF-8 are printed as `\x` and two hex digits each. So are
/// those of other control characters, and of characters that end a line or change the direction of
/// writing.
///
/// # Examples
///
/// ```
/// use crate::abstractions::escaped::Escaped;
///
/// // "caf\xe9\x1b[2J 中文"
/// pr_info!("\"{}\"\n", Escaped(b"caf\xe9\x1b[2J \xe4\xb8\xad\xe6\x96\x87"));
/// ```
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

/// A part of the text that is printed in one way.
enum Piece<'a> {
    /// As it is.
    Plain(&'a str),
    /// As a backslash and this.
    Letter { letter: char, source: &'a [u8] },
    /// Each byte in hex.
    Hex(&'a [u8]),
}

impl<'a> Piece<'a> {
    fn from_char(c: char, source: &'a str) -> Self {
        let letter = match c {
            '"' | '\\' => c,
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            _ if is_treacherous(c) => return Self::Hex(source.as_bytes()),
            _ => return Self::Plain(source),
        };
        Self::Letter {
            letter,
            source: source.as_bytes(),
        }
    }

    /// The part of the text that this stands for.
    fn source(&self) -> &'a [u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Letter { source, .. } | Self::Hex(source) => source,
        }
    }

    /// How long it is when printed.
    fn printed(&self) -> Length {
        match self {
            Self::Plain(text) if text.is_ascii() => Length::of_plain(text.len()),
            Self::Plain(text) => Length::of_other(text.len()),
            Self::Letter { letter: '\\', .. } => Length::of_other(2),
            Self::Letter { .. } => Length::of_other(1) + Length::of_plain(1),
            Self::Hex(bytes) => (Length::of_other(1) + Length::of_plain(3)) * bytes.len(),
        }
    }

    /// How many bytes of the text fit in `room`.
    fn fitting(&self, room: Length) -> usize {
        match self {
            _ if self.printed().fits(room) => self.source().len(),
            Self::Plain(text) if text.is_ascii() => room.record.min(room.kmsg),
            _ => 0,
        }
    }
}

/// How long a part of a log record is.
///
/// Those who read it from `/dev/kmsg` (journald, rsyslog, dmesg) get each backslash, and each byte
/// that is not printable ASCII, as four: `\x5c`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::escaped::Length;
///
/// // A record of "C:\\".
/// let length = Length { record: 4, kmsg: 10 };
/// # let _ = length;
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Length {
    /// In bytes of the record itself.
    pub(crate) record: usize,
    /// In bytes of what `/dev/kmsg` makes of it.
    pub(crate) kmsg: usize,
}

impl Length {
    const ZERO: Self = Self::of_plain(0);

    /// The length of printable ASCII other than backslashes.
    const fn of_plain(bytes: usize) -> Self {
        Self {
            record: bytes,
            kmsg: bytes,
        }
    }

    /// The length of anything else.
    const fn of_other(bytes: usize) -> Self {
        Self {
            record: bytes,
            kmsg: "\\x00".len() * bytes,
        }
    }

    /// How many bytes of any text are sure to fit.
    const fn sure_bytes(self) -> usize {
        // The longest by record is a byte that is printed as `\xff`. The longest by kmsg is a
        // backslash, which is printed as two.
        let (by_record, by_kmsg) = (self.record / 4, self.kmsg / 8);
        if by_record < by_kmsg {
            by_record
        } else {
            by_kmsg
        }
    }

    fn fits(self, room: Self) -> bool {
        self.record <= room.record && self.kmsg <= room.kmsg
    }
}

impl Add for Length {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            record: self.record + other.record,
            kmsg: self.kmsg + other.kmsg,
        }
    }
}

impl Sub for Length {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            record: self.record - other.record,
            kmsg: self.kmsg - other.kmsg,
        }
    }
}

impl Mul<usize> for Length {
    type Output = Self;

    fn mul(self, times: usize) -> Self {
        Self {
            record: self.record * times,
            kmsg: self.kmsg * times,
        }
    }
}

/// How many bytes a character takes at most.
const LONGEST_CHARACTER: usize = 4;

/// Whether a character can make a log or a terminal show something that is not there.
fn is_treacherous(c: char) -> bool {
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || ends_line || turns_direction
}

/// The bytes that are characters by themselves and are printed unchanged. For others the whole
/// character decides.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'"' | b'\\');
        byte += 1;
    }
    plain
};

/// Whether eight bytes are all plain, tested at once. `PLAIN` of each says the same.
fn are_plain(bytes: [u8; 8]) -> bool {
    /// 1 in each byte, and the highest bit of each.
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    let word = u64::from_ne_bytes(bytes);
    // The highest bit is set of the lowest byte that is less. No highest bit is set if no byte is
    // less.
    let less = |word: u64, than: u64| word.wrapping_sub(ONES * than) & !word;
    let is = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let control = less(word, u64::from(b' ')) | is(0x7f);
    (word | control | is(b'"') | is(b'\\')) & HIGHEST == 0
}

/// How many bytes there are before the first that is not plain.
fn plain_len(bytes: &[u8]) -> usize {
    let eights = bytes.chunks_exact(8);
    let are_plain = |eight: &[u8]| eight.try_into().is_ok_and(are_plain);
    let whole = 8 * eights.take_while(|eight| are_plain(eight)).count();
    let rest = &bytes[whole..];
    let is_other = |&byte: &u8| !PLAIN[usize::from(byte)];
    whole + rest.iter().position(is_other).unwrap_or(rest.len())
}

/// The pieces of a text, first to last.
struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// The plain bytes in front: nearly always that is all there is.
    fn plain_run(&self) -> Option<Piece<'a>> {
        let run = &self.0[..plain_len(self.0)];
        // SAFETY: Each byte is ASCII, by `plain_len`, and so they are UTF-8.
        let text = unsafe { str::from_utf8_unchecked(run) };
        (!text.is_empty()).then_some(Piece::Plain(text))
    }

    /// One character, or a byte that is part of none.
    fn character(&self) -> Option<Piece<'a>> {
        let head = self.0.get(..LONGEST_CHARACTER).unwrap_or(self.0);
        let chunk = head.utf8_chunks().next()?;
        let valid = chunk.valid();
        Some(match valid.chars().next() {
            Some(c) => Piece::from_char(c, &valid[..c.len_utf8()]),
            None => Piece::Hex(&chunk.invalid()[..1]),
        })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let piece = self.plain_run().or_else(|| self.character())?;
        self.0 = &self.0[piece.source().len()..];
        Some(piece)
    }
}

impl<'a> Escaped<'a> {
    /// Splits off as much text as takes at most `limit` when printed, never within a character.
    pub(crate) fn split(&self, limit: Length) -> (Escaped<'a>, Escaped<'a>) {
        if self.0.len() <= limit.sure_bytes() {
            return (Escaped(self.0), Escaped(&[]));
        }
        let mut source = 0;
        let mut printed = Length::ZERO;
        for piece in Pieces(self.0) {
            let fitting = piece.fitting(limit - printed);
            source += fitting;
            if fitting < piece.source().len() {
                break;
            }
            printed = printed + piece.printed();
        }
        let (head, tail) = self.0.split_at(source);
        (Escaped(head), Escaped(tail))
    }

    /// Whether there is nothing to print.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Escaped<'_> {
    /// Writes the text, escaped.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub(crate) fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        Pieces(self.0).try_for_each(|piece| match piece {
            Piece::Plain(text) => out.write_str(text),
            Piece::Letter { letter, .. } => {
                out.write_char('\\')?;
                out.write_char(letter)
            }
            Piece::Hex(bytes) => bytes
                .iter()
                .try_for_each(|byte| write!(out, "\\x{byte:02x}")),
        })
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
