// SPDX-License-Identifier: GPL-2.0

//! A second implementation of what `wq_echo` does with the bytes of a write.
//!
//! It follows the documents and not the module's source, so a mistake in either shows as a
//! difference.

/// The most bytes that a message holds.
pub const MESSAGE_MAX: usize = 255;

/// How each line of `wq_echo` in the kernel log begins.
pub const PREFIX: &str = "wq_echo: ";

/// How many bytes of `buf` one write takes, and the text of the message that it makes of them.
/// `None` if it makes no message.
pub fn accept(buf: &[u8]) -> (usize, Option<&[u8]>) {
    if buf.is_empty() {
        return (0, None);
    }
    let (text, rest) = buf.split_at(buf.len().min(MESSAGE_MAX));
    // Only a full message can have bytes after it. A line end among them still belongs to it.
    let line_end = match rest {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    (text.len() + line_end, Some(strip_line_ends(text)))
}

/// The messages of a caller that writes until all of `buf` is taken.
pub fn messages(mut buf: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !buf.is_empty() {
        let (taken, text) = accept(buf);
        messages.extend(text);
        buf = &buf[taken..];
    }
    messages
}

fn strip_line_ends(text: &[u8]) -> &[u8] {
    let kept =
        text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    &text[..kept]
}

/// The text as it stands between the quotes of a log line.
pub fn escape(text: &[u8]) -> String {
    let mut out = String::new();
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_char(&mut out, c));
        push_hex(&mut out, chunk.invalid());
    }
    out
}

fn push_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_control() || deceives(c) => push_hex(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
        c => out.push(c),
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Characters that are not control characters but still move text or break lines on a terminal:
/// separators, and the bidirectional controls.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Undoes [`escape`]. The error says what in `escaped` cannot come from `escape`, such as half an
/// escape at the end.
pub fn unescape(escaped: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = escaped.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                out.push(hex_byte(*high, *low).ok_or("bad digits after \\x")?);
                after
            }
            (b'\\', [letter, after @ ..]) => {
                out.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'"' | b'\\' => *letter,
                    _ => return Err(format!("unknown escape \\{}", *letter as char)),
                });
                after
            }
            (b'\\', []) => return Err("half an escape at the end".into()),
            (b'"', _) => return Err("a bare quote".into()),
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    Ok(out)
}

/// Two lower-case hex digits, as the modules and the kernel print them.
pub fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    Some((digit(high)? << 4) | digit(low)?)
}

/// The log line of a message that fits one record.
pub fn line(text: &[u8]) -> String {
    format!("{PREFIX}\"{}\" (len={})", escape(text), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(byte: u8, count: usize, tail: &str) -> Vec<u8> {
        let mut bytes = vec![byte; count];
        bytes.extend_from_slice(tail.as_bytes());
        bytes
    }

    #[test]
    fn strips_only_the_trailing_run_of_line_ends() {
        assert_eq!(accept(b"a\n\r\n"), (4, Some(&b"a"[..])));
        assert_eq!(accept(b"\na\nb\n"), (5, Some(&b"\na\nb"[..])));
        assert_eq!(accept(b"\r\n"), (2, Some(&b""[..])));
        assert_eq!(accept(b" \t\n"), (3, Some(&b" \t"[..])));
    }

    #[test]
    fn makes_no_message_of_nothing() {
        assert_eq!(accept(b""), (0, None));
        assert!(messages(b"").is_empty());
    }

    #[test]
    fn takes_a_line_end_behind_the_last_byte() {
        let text = &[b'a'; 255][..];
        assert_eq!(accept(&long(b'a', 255, "")), (255, Some(text)));
        assert_eq!(accept(&long(b'a', 255, "\n")), (256, Some(text)));
        assert_eq!(accept(&long(b'a', 255, "\r\n")), (257, Some(text)));
        assert_eq!(accept(&long(b'a', 255, "\r")), (255, Some(text)));
        assert_eq!(accept(&long(b'a', 255, "\n\n")), (256, Some(text)));
        assert_eq!(accept(&long(b'a', 254, "\r\n")), (256, Some(&[b'a'; 254][..])));
        assert_eq!(accept(&long(b'a', 254, "\nb")), (255, Some(&long(b'a', 254, "")[..])));
    }

    #[test]
    fn splits_what_is_longer_and_loses_nothing() {
        let parts =
            messages(&long(b'a', 600, "\n")).iter().map(|text| text.len()).collect::<Vec<_>>();
        assert_eq!(parts, [255, 255, 90]);
        assert_eq!(messages(&long(b'a', 255, "\n\n")), [&[b'a'; 255][..], b""]);
    }

    #[test]
    fn escapes_what_could_deceive() {
        for (text, escaped) in [
            (&b"a\"b\\c"[..], r#"a\"b\\c"#),
            (b"\n\r\t\0\x1b\x7f", r"\n\r\t\x00\x1b\x7f"),
            (b"\x85\xc2\x85", r"\x85\xc2\x85"),
            (
                "\u{2028}\u{202e}\u{2066}\u{200f}\u{61c}".as_bytes(),
                r"\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
            ),
            ("中文 é 😀 \u{fffd}".as_bytes(), "中文 é 😀 \u{fffd}"),
            (b"\xe4\xb8", r"\xe4\xb8"),
            (b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", r"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80"),
            (b"%s%n", "%s%n"),
        ] {
            assert_eq!(escape(text), escaped);
            assert_eq!(unescape(escaped).unwrap(), text);
        }
    }

    #[test]
    fn unescapes_every_byte_and_refuses_halves() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)).unwrap(), all);
        for bad in ["\\", "\\x", "\\x4", "\\xAB", "\\q", "\""] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_the_documented_line() {
        assert_eq!(line(b"william wq test"), r#"wq_echo: "william wq test" (len=15)"#);
        assert_eq!(line(b""), r#"wq_echo: "" (len=0)"#);
    }
}
