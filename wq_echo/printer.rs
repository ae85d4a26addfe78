// SPDX-License-Identifier: GPL-2.0

//! What a message looks like in the log.

use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

use crate::abstractions::{
    escaped::Escaped,
    log_line::{
        new_log_line,
        LogLine, //
    }, //
};

/// How many bytes of escaped text go into one record. A record holds 1,024 bytes: the text, the
/// module's name, the marks, the length and the line end, which are well below 64.
const RECORD_LEN: usize = 960;

/// Prints messages: `"text" (len=4)`.
///
/// What does not fit one record goes on in further ones. A record that is continued ends in
/// `" +`, one that continues another begins with `+ "`; a quote in the text is always escaped, so
/// no text looks like either.
pub(crate) struct Printer(LogLine);

impl Printer {
    pub(crate) fn new() -> Self {
        Self(new_log_line!())
    }

    /// Prints one message.
    pub(crate) fn print(&mut self, text: &[u8]) {
        let (mut part, mut rest) = Escaped(text).split(RECORD_LEN);
        let mut mark = "\"";
        while !rest.is_empty() {
            self.record(mark, &part, fmt!("\" +\n"));
            mark = "+ \"";
            (part, rest) = rest.split(RECORD_LEN);
        }
        self.record(mark, &part, fmt!("\" (len={})\n", text.len()));
    }

    fn record(&mut self, begin: &str, part: &Escaped<'_>, end: fmt::Arguments<'_>) {
        let line = &mut self.0;
        line.clear();
        // It fits: what would not has been split.
        let _ = line
            .write_str(begin)
            .and_then(|()| part.write_to(line))
            .and_then(|()| line.write_fmt(end));
        line.print();
    }
}

#[kunit_tests(wq_echo_escaper)]
mod tests {
    use super::*;
    use kernel::str::CString;

    fn printed(text: &[u8]) -> Result<CString> {
        CString::try_from_fmt(fmt!("{}", Escaped(text)))
    }

    #[test]
    fn readable_text_is_printed_as_it_is() -> Result {
        assert_eq!(printed(b"a ~z")?.to_bytes(), b"a ~z");
        assert_eq!(
            printed("中文 é 🦀".as_bytes())?.to_bytes(),
            "中文 é 🦀".as_bytes()
        );
        Ok(())
    }

    #[test]
    fn what_could_forge_a_line_is_escaped() -> Result {
        assert_eq!(printed(b"\"\\\n\r\t")?.to_bytes(), br#"\"\\\n\r\t"#);
        assert_eq!(printed(b"\0\x1b\x7f")?.to_bytes(), br"\x00\x1b\x7f");
        assert_eq!(printed("\u{85}".as_bytes())?.to_bytes(), br"\xc2\x85");
        assert_eq!(printed("\u{2028}".as_bytes())?.to_bytes(), br"\xe2\x80\xa8");
        assert_eq!(printed("\u{202e}".as_bytes())?.to_bytes(), br"\xe2\x80\xae");
        Ok(())
    }

    #[test]
    fn what_is_not_utf8_is_escaped_byte_by_byte() -> Result {
        assert_eq!(printed(b"a\xffb")?.to_bytes(), br"a\xffb");
        // Truncated, overlong, a surrogate.
        assert_eq!(printed(b"\xe4\xb8")?.to_bytes(), br"\xe4\xb8");
        assert_eq!(printed(b"\xc0\xaf")?.to_bytes(), br"\xc0\xaf");
        assert_eq!(printed(b"\xed\xa0\x80")?.to_bytes(), br"\xed\xa0\x80");
        Ok(())
    }

    #[test]
    fn a_split_is_never_within_a_character_or_an_escape() {
        let text = "ab中\n".as_bytes();
        for (limit, source) in [(1, 1), (2, 2), (4, 2), (5, 5), (6, 5), (7, 6), (99, 6)] {
            let (head, tail) = Escaped(text).split(limit);
            assert_eq!(head.0, &text[..source]);
            assert_eq!(tail.0, &text[source..]);
        }
    }

    #[test]
    fn the_longest_message_takes_two_records() {
        let (head, tail) = Escaped(&[0xff; 255]).split(RECORD_LEN);
        assert_eq!(head.0.len(), RECORD_LEN / 4);
        assert_eq!(tail.0.len(), 255 - RECORD_LEN / 4);
    }
}
