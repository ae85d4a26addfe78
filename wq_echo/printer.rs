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
    escaped::{
        Escaped,
        Length, //
    },
    log_line::{
        new_log_line,
        LogLine,
        KMSG_HEADER_MAX,
        KMSG_MAX,
        LEVEL,
        RECORD_MAX, //
    }, //
};

/// The most bytes that the name of the module, the marks around the text, the length and the line
/// end take together.
const FRAME: usize = "wq_echo: + \"\" (len=255)\n".len();

/// How much escaped text goes into one record. Readers of `/dev/kmsg` get a header too, and must
/// still get all of it.
const ROOM: Length = Length {
    record: RECORD_MAX - FRAME - LEVEL.len(),
    kmsg: KMSG_MAX - KMSG_HEADER_MAX - FRAME,
};

/// Prints messages: `"text" (len=4)`.
///
/// A text that does not fit one record goes on in further ones. A record that is continued ends in
/// `" +`, one that continues another begins with `+ "`. A quote in the text is always escaped, so
/// no text looks like either.
pub(crate) struct Printer(LogLine);

impl Printer {
    pub(crate) fn new() -> Self {
        Self(new_log_line!())
    }

    /// Prints one message.
    pub(crate) fn print(&mut self, text: &[u8]) {
        self.records(text, LogLine::print);
    }

    /// Makes the records of one message, and does something with each.
    fn records(&mut self, text: &[u8], mut emit: impl FnMut(&LogLine)) {
        let (mut part, mut rest) = Escaped(text).split(ROOM);
        let mut mark = "\"";
        while !rest.is_empty() {
            emit(self.record(mark, &part, |line| line.write_str("\" +\n")));
            mark = "+ \"";
            (part, rest) = rest.split(ROOM);
        }
        // CAST: No message is longer than 255 bytes.
        let len = text.len() as u8;
        emit(self.record(mark, &part, |line| {
            line.write_str("\" (len=")?;
            line.write_decimal(len)?;
            line.write_str(")\n")
        }));
    }

    fn record(
        &mut self,
        begin: &str,
        part: &Escaped<'_>,
        end: impl FnOnce(&mut LogLine) -> fmt::Result,
    ) -> &LogLine {
        let line = &mut self.0;
        line.clear();
        // It fits: longer text has been split.
        let _ = line
            .write_str(begin)
            .and_then(|()| part.write_to(line))
            .and_then(|()| end(line));
        line
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
    fn each_byte_is_printed_in_one_way_wherever_it_stands() -> Result {
        for byte in 0..=u8::MAX {
            for at in 0..17 {
                let mut text = [b'a'; 17];
                text[at] = byte;
                let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
                let as_it_is = printed(&text)?.to_bytes() == text;
                assert_eq!(as_it_is, plain);
            }
        }
        Ok(())
    }

    #[test]
    fn each_length_is_printed_as_it_is_written() -> Result {
        let mut printer = Printer::new();
        for len in 0..=255_u8 {
            let mut record = CString::try_from_fmt(fmt!(""))?;
            printer.records(&[b'a'; 255][..len.into()], |line| {
                if let Ok(text) = CString::try_from_fmt(fmt!("{}", line.record())) {
                    record = text;
                }
            });
            let expected = CString::try_from_fmt(fmt!("(len={len})\n"))?;
            assert!(record.to_bytes().ends_with(expected.to_bytes()));
        }
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
        for (record, source) in [(1, 1), (2, 2), (4, 2), (5, 5), (6, 5), (7, 6), (99, 6)] {
            let (head, tail) = Escaped(text).split(Length { record, kmsg: 99 });
            assert_eq!(head.0, &text[..source]);
            assert_eq!(tail.0, &text[source..]);
        }
    }

    #[test]
    fn a_split_leaves_room_for_what_dev_kmsg_escapes_again() {
        // The character takes four bytes for each of its own, the newline is `\x5cn`.
        let text = "ab中\n".as_bytes();
        for (kmsg, source) in [(1, 1), (13, 2), (14, 5), (18, 5), (19, 6), (99, 6)] {
            let (head, tail) = Escaped(text).split(Length { record: 99, kmsg });
            assert_eq!(head.0, &text[..source]);
            assert_eq!(tail.0, &text[source..]);
        }
    }

    /// How many bytes `/dev/kmsg` makes of a record.
    fn kmsg_len(record: &str) -> usize {
        let escaped = |byte: u8| byte == b'\\' || !(b' '..=b'~').contains(&byte);
        let len = |byte| if escaped(byte) { "\\x00".len() } else { 1 };
        record.trim_end().bytes().map(len).sum::<usize>() + KMSG_HEADER_MAX
    }

    /// Whether all records of a message are whole, and fit both ways of reading them.
    fn fits_the_log(printer: &mut Printer, text: &[u8]) -> bool {
        let mut records = 0;
        let mut all_fit = true;
        printer.records(text, |line| {
            let record = line.record();
            records += 1;
            all_fit &= (record.ends_with("\" +\n") || record.ends_with(")\n"))
                && record.len() <= RECORD_MAX - LEVEL.len()
                && kmsg_len(record) <= KMSG_MAX;
        });
        all_fit && (1..=2).contains(&records)
    }

    #[test]
    fn each_record_fits_both_ways_of_reading_it() {
        let mut printer = Printer::new();
        // Lengths near the bounds: the first byte reaches that of records, the second that of
        // /dev/kmsg. They are few, because this runs whenever the module is loaded.
        for escaped in [0xff, b'\\'] {
            for len in 240..=255 {
                for plain in 0..3 {
                    let mut text = [escaped; 255];
                    text[len - plain..len].fill(b'a');
                    assert!(fits_the_log(&mut printer, &text[..len]));
                }
            }
        }
    }
}
