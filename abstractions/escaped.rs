// SPDX-License-Identifier: GPL-2.0

//! Text from users, made safe to log.
//!
//! `BStr` escapes too, but all that is not ASCII. Here text stays readable in any script, while
//! nothing in it can end a log line, move a terminal's cursor, turn the direction of writing, or
//! end the quotes that it is printed in.

use kernel::fmt::{
    self,
    Write, //
};

/// Bytes that are printed escaped.
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

/// A character of the text or a byte that is part of none, and how it is printed.
enum Piece {
    Plain(char),
    Letter(char),
    Hex { bytes: [u8; 4], len: usize },
}

impl Piece {
    fn from_char(c: char) -> Self {
        match c {
            '"' | '\\' => Self::Letter(c),
            '\n' => Self::Letter('n'),
            '\r' => Self::Letter('r'),
            '\t' => Self::Letter('t'),
            _ if is_treacherous(c) => {
                let mut bytes = [0; 4];
                let len = c.encode_utf8(&mut bytes).len();
                Self::Hex { bytes, len }
            }
            _ => Self::Plain(c),
        }
    }

    fn from_byte(byte: u8) -> Self {
        Self::Hex {
            bytes: [byte, 0, 0, 0],
            len: 1,
        }
    }

    /// How many bytes of the text this stands for.
    fn source_len(&self) -> usize {
        match self {
            Self::Plain(c) => c.len_utf8(),
            Self::Letter(_) => 1,
            Self::Hex { len, .. } => *len,
        }
    }

    /// How many bytes it is printed as.
    fn printed_len(&self) -> usize {
        match self {
            Self::Plain(c) => c.len_utf8(),
            Self::Letter(_) => 2,
            Self::Hex { len, .. } => 4 * len,
        }
    }
}

/// Whether a character can make a log or a terminal show something that is not there.
fn is_treacherous(c: char) -> bool {
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || ends_line || turns_direction
}

impl<'a> Escaped<'a> {
    fn pieces(&self) -> impl Iterator<Item = Piece> + 'a {
        self.0.utf8_chunks().flat_map(|chunk| {
            let valid = chunk.valid().chars().map(Piece::from_char);
            let invalid = chunk.invalid().iter().copied().map(Piece::from_byte);
            // Not a method call: the prelude has another `chain`.
            Iterator::chain(valid, invalid)
        })
    }

    /// Splits off as much as is printed in at most `limit` bytes, never within a character.
    pub(crate) fn split(&self, limit: usize) -> (Escaped<'a>, Escaped<'a>) {
        let mut source = 0;
        let mut printed = 0;
        for piece in self.pieces() {
            printed += piece.printed_len();
            if printed > limit {
                break;
            }
            source += piece.source_len();
        }
        let (head, tail) = self.0.split_at(source);
        (Escaped(head), Escaped(tail))
    }

    /// Whether there is nothing to print.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces() {
            match piece {
                Piece::Plain(c) => f.write_char(c)?,
                Piece::Letter(c) => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                Piece::Hex { bytes, len } => {
                    for byte in &bytes[..len] {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
