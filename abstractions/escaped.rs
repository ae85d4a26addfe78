// SPDX-License-Identifier: GPL-2.0

//! Text from users, made safe to log.
//!
//! `BStr` escapes too, but all that is not ASCII. Here text stays readable in any script, while
//! nothing in it can end a log line, move a terminal's cursor, turn the direction of writing, or
//! end the quotes that it is printed in.

use core::str;

use kernel::fmt::{
    self,
    Write, //
};

/// Bytes that are printed escaped. Any context.
///
/// Quotes and backslashes are printed as `\"` and `\\`, newline, carriage return and tab as `\n`,
/// `\r` and `\t`; the bytes of other control characters, of characters that end a line or change
/// the direction of writing, and those that are not UTF-8 as `\x` and two hex digits each.
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

    /// What of the text this stands for.
    fn source(&self) -> &'a [u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Letter { source, .. } | Self::Hex(source) => source,
        }
    }

    /// How many bytes it is printed as.
    fn printed_len(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Letter { .. } => 2,
            Self::Hex(bytes) => LONGEST_ESCAPE * bytes.len(),
        }
    }

    /// How many bytes of the text are printed in at most `room` bytes.
    fn fitting(&self, room: usize) -> usize {
        match self {
            _ if self.printed_len() <= room => self.source().len(),
            Self::Plain(text) if text.is_ascii() => room,
            _ => 0,
        }
    }
}

/// How many bytes one byte of the text is printed as at most.
const LONGEST_ESCAPE: usize = "\\x00".len();

/// How many bytes a character takes at most.
const LONGEST_CHARACTER: usize = 4;

/// Whether a character can make a log or a terminal show something that is not there.
fn is_treacherous(c: char) -> bool {
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || ends_line || turns_direction
}

/// The bytes that are characters and printed as they are, by their values; of others it takes the
/// whole character to tell. A table, for every byte that is printed is looked up.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'"' | b'\\');
        byte += 1;
    }
    plain
};

/// The pieces of a text, first to last.
struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// As much as is plain at first sight: nearly always that is all there is.
    fn plain_run(&self) -> Option<Piece<'a>> {
        let len = self.0.iter().position(|&byte| !PLAIN[usize::from(byte)]);
        let run = &self.0[..len.unwrap_or(self.0.len())];
        // SAFETY: Each byte is ASCII, by `PLAIN`, and so they are UTF-8.
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
    /// Splits off as much as is printed in at most `limit` bytes, never within a character.
    pub(crate) fn split(&self, limit: usize) -> (Escaped<'a>, Escaped<'a>) {
        if LONGEST_ESCAPE * self.0.len() <= limit {
            return (Escaped(self.0), Escaped(&[]));
        }
        let mut source = 0;
        let mut printed = 0;
        for piece in Pieces(self.0) {
            let fitting = piece.fitting(limit - printed);
            source += fitting;
            if fitting < piece.source().len() {
                break;
            }
            printed += piece.printed_len();
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
            Piece::Hex(bytes) => bytes.iter().try_for_each(|byte| write!(out, "\\x{byte:02x}")),
        })
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
