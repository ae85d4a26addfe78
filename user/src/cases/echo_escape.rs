// SPDX-License-Identifier: GPL-2.0

//! What text can and cannot do to the log.

use std::thread;

use super::cases;
use crate::echo_device::EchoDevice;
use crate::harness::echo::{expect_messages, EchoFixture};
use crate::harness::{ensure, ensure_eq, Harness, Outcome};
use crate::kmsg::{Log, Record};
use crate::model::PREFIX;

cases! {
    echo_escapes_quotes_and_backslashes,
    echo_escapes_control_bytes,
    echo_goes_on_behind_a_nul,
    echo_prints_valid_utf8_as_it_is,
    echo_escapes_bytes_that_are_not_utf8,
    echo_escapes_c1_controls,
    echo_escapes_separators_and_bidirectional_controls,
    echo_takes_every_byte_value,
    echo_prints_format_specifiers_as_they_are,
    echo_cannot_be_made_to_forge_a_line,
    echo_cannot_be_made_to_forge_a_continuation,
    echo_prints_255_escaped_bytes_whole_in_marked_records,
    echo_never_splits_an_escape_or_a_character,
    echo_puts_nothing_between_the_records_of_a_message,
    echo_prints_255_backslashes,
    echo_prints_whole_what_nearly_fills_a_record,
}

/// Writes `texts` and returns the records that the module logs of them.
fn records_of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Outcome<Vec<Record>> {
    let echo = EchoFixture::new()?;
    let mut log = Log::from_now()?;
    texts.into_iter().try_for_each(|text| echo.write_all(text))?;
    echo.accepted()?;
    Ok(log.drain()?.into_iter().filter(|record| record.is_from(PREFIX)).collect())
}

/// Each text is printed in one record, with the expected form between its quotes.
fn expect_lines(texts: &[(&[u8], &str)]) -> Outcome {
    let records = records_of(texts.iter().map(|(text, _)| *text))?;
    let mut lines = records.iter().map(|record| record.lossy());
    for (text, escaped) in texts {
        let expected = format!("{PREFIX}\"{escaped}\" (len={})", text.len());
        ensure_eq!(lines.next().as_deref(), Some(&*expected), "the log of {text:?}");
    }
    ensure_eq!(lines.next(), None, "the log behind all of them");
    Ok(())
}

fn echo_escapes_quotes_and_backslashes(_: &Harness) -> Outcome {
    expect_lines(&[
        (br#"say "hi""#, r#"say \"hi\""#),
        (br"C:\new", r"C:\\new"),
        (br#"\""#, r#"\\\""#),
        (br"\x1b \n", r"\\x1b \\n"),
    ])
}

fn echo_escapes_control_bytes(_: &Harness) -> Outcome {
    expect_lines(&[
        (b"a\nb\rc\td", r"a\nb\rc\td"),
        (b"\x1b[2J\x1b]0;t\x07", r"\x1b[2J\x1b]0;t\x07"),
        (b"\x01\x08\x0b\x0c\x1f\x7f", r"\x01\x08\x0b\x0c\x1f\x7f"),
    ])
}

fn echo_goes_on_behind_a_nul(_: &Harness) -> Outcome {
    expect_lines(&[(&b"a\0b"[..], r"a\x00b"), (b"\0", r"\x00"), (b"\0\0c", r"\x00\x00c")])
}

fn echo_prints_valid_utf8_as_it_is(_: &Harness) -> Outcome {
    let texts = [
        "中文",
        "é ß ñ",
        "Ελληνικά",
        "שלום",
        "日本語",
        "😀🎉",
        "\u{fffd}",
        "\u{10ffff}",
        "e\u{301}",
    ];
    expect_lines(&texts.map(|text| (text.as_bytes(), text)))
}

fn echo_escapes_bytes_that_are_not_utf8(_: &Harness) -> Outcome {
    expect_lines(&[
        // Alone: a continuation byte, bytes that are never part of UTF-8.
        (b"\x80", r"\x80"),
        (b"a\xffb\xfec", r"a\xffb\xfec"),
        // Truncated, at the end and before other text.
        (b"\xc3", r"\xc3"),
        (b"\xe4\xb8", r"\xe4\xb8"),
        (b"\xe4\xb8x", r"\xe4\xb8x"),
        (b"\xf0\x9f\x98 ", r"\xf0\x9f\x98 "),
        (b"\xe4\xe4\xb8\xad", "\\xe4中"),
        // Overlong.
        (b"\xc0\xaf", r"\xc0\xaf"),
        (b"\xe0\x80\xaf", r"\xe0\x80\xaf"),
        (b"\xf0\x80\x80\xaf", r"\xf0\x80\x80\xaf"),
        // Halves of surrogate pairs, and code points beyond the last character.
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        (b"\xed\xbf\xbf", r"\xed\xbf\xbf"),
        (b"\xf4\x90\x80\x80", r"\xf4\x90\x80\x80"),
        (b"\xf8\x88\x80\x80\x80", r"\xf8\x88\x80\x80\x80"),
    ])
}

fn echo_escapes_c1_controls(_: &Harness) -> Outcome {
    // 8-bit terminals take U+009B for the start of a control sequence.
    expect_lines(&[
        ("\u{9b}2J".as_bytes(), r"\xc2\x9b2J"),
        ("\u{80}\u{85}\u{9f}".as_bytes(), r"\xc2\x80\xc2\x85\xc2\x9f"),
        ("\u{a0}".as_bytes(), "\u{a0}"),
    ])
}

fn echo_escapes_separators_and_bidirectional_controls(_: &Harness) -> Outcome {
    let texts = [
        '\u{2028}', '\u{2029}', '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}',
        '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
    ]
    .map(|c| {
        let text = c.to_string();
        let escapes = text.bytes().map(|byte| format!("\\x{byte:02x}"));
        (format!("a{text}b"), format!("a{}b", escapes.collect::<String>()))
    });
    expect_lines(&texts.each_ref().map(|(text, escaped)| (text.as_bytes(), escaped.as_str())))
}

fn echo_takes_every_byte_value(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let every: Vec<u8> = (0..=255).collect();
    echo.write_all(&every)?;
    echo.expect(&[&every[..255], &every[255..]])?;
    for byte in 0..=255u8 {
        echo.write(&[b'<', byte, b'>'], 3)?;
    }
    let texts: Vec<[u8; 3]> = (0..=255).map(|byte| [b'<', byte, b'>']).collect();
    echo.expect(&texts)
}

fn echo_prints_format_specifiers_as_they_are(_: &Harness) -> Outcome {
    expect_lines(&[(b"%s%n%p%d %pA {} {0:?}", "%s%n%p%d %pA {} {0:?}")])
}

fn echo_cannot_be_made_to_forge_a_line(_: &Harness) -> Outcome {
    expect_lines(&[
        (b"a\" (len=1)\nwq_echo: \"forged", r#"a\" (len=1)\nwq_echo: \"forged"#),
        (b"\n[    1.000000] Kernel panic", r"\n[    1.000000] Kernel panic"),
        // The kernel's own marks of level and continuation.
        (b"\x01c forged", r"\x01c forged"),
        (b"a\n\x010forged", r"a\n\x010forged"),
    ])
}

fn echo_cannot_be_made_to_forge_a_continuation(_: &Harness) -> Outcome {
    expect_lines(&[(b"first\" +", r#"first\" +"#), (b"+ \"second", r#"+ \"second"#)])?;
    let mut echo = EchoFixture::new()?;
    let texts = ["a\" +", "+ \"b\" (len=7)", "+"];
    for text in texts {
        echo.write(text.as_bytes(), text.len())?;
    }
    echo.expect(&texts)
}

fn echo_prints_255_escaped_bytes_whole_in_marked_records(_: &Harness) -> Outcome {
    const RECORD_MAX: usize = 1024;
    let text = [0xff; 255];
    let records = records_of([&text[..]])?;
    let lines: Vec<_> = records.iter().map(|record| record.lossy()).collect();
    ensure!(lines.len() >= 2, "1,020 bytes and the marks do not fit a record: {lines:?}");
    ensure!(lines[0].ends_with("\" +"), "the first record is not marked: {lines:?}");
    ensure!(lines[1].starts_with("wq_echo: + \""), "the second is not marked: {lines:?}");
    for line in &lines {
        ensure!(line.len() < RECORD_MAX, "{} bytes: the kernel may have cut it", line.len());
    }
    let mut echo = EchoFixture::new()?;
    echo.write(&text, 255)?;
    echo.expect(&[text])
}

fn echo_never_splits_an_escape_or_a_character(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    // Escapes of one, two and four bytes and plain characters, shifted by one byte at a time, so
    // that every place in a record meets each of them. The code that joins the parts checks that
    // none ends within an escape.
    for shift in 0..8 {
        let fillers = [
            &b"\xff"[..],
            b"\"\xff\xff\xff\xff",
            "\u{2028}".as_bytes(),
            b"\xff\xff\xff\xe4\xb8\xad",
        ];
        let texts = fillers.map(|filler| {
            let mut text = vec![b'a'; shift];
            text.extend(filler.iter().cycle().take(255 - shift));
            text
        });
        texts.iter().try_for_each(|text| echo.write(text, 255))?;
        echo.expect(&texts)?;
    }
    Ok(())
}

fn echo_puts_nothing_between_the_records_of_a_message(_: &Harness) -> Outcome {
    const WRITERS: u8 = 4;
    const MESSAGES: usize = 20;
    let mut echo = EchoFixture::new()?;
    let mut messages = Vec::new();
    thread::scope(|scope| -> Outcome {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let device = EchoDevice::open().expect("the device was there");
                for _ in 0..MESSAGES {
                    device.write_all(&[0xf0 + writer; 255], |_| ()).expect("a write");
                }
            });
        }
        // The reader fails on a record out of place.
        for _ in 0..usize::from(WRITERS) * MESSAGES {
            messages.push(echo.log.next()?);
        }
        Ok(())
    })?;
    for writer in 0..WRITERS {
        let text = [0xf0 + writer; 255];
        let count = messages.iter().filter(|message| message.is(&text)).count();
        ensure_eq!(count, MESSAGES, "messages of writer {writer}");
    }
    expect_messages::<&str>(&echo.printed()?, &[])
}

fn echo_prints_255_backslashes(_: &Harness) -> Outcome {
    // Readers of /dev/kmsg get each of the 510 as four bytes, and 2,048 at most. What they get has
    // to be whole, too.
    let mut echo = EchoFixture::new()?;
    for byte in *b"\\\"" {
        echo.write(&[byte; 255], 255)?;
        echo.expect(&[[byte; 255]])?;
    }
    Ok(())
}

fn echo_prints_whole_what_nearly_fills_a_record(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    // All texts that escape to 960 to 1,020 bytes, 1,000 among them, and texts that fill what
    // /dev/kmsg shows of a record. The reader fails on a record without its end.
    let mut texts: Vec<Vec<u8>> = (240..=255).map(|len| vec![0xff; len]).collect();
    texts.extend((200..=255).map(|len| vec![b'\\'; len]));
    for plain in 0..4 {
        texts.push([vec![0xff; 249], vec![b'a'; plain]].concat());
    }
    for text in &texts {
        echo.write(text, text.len())?;
    }
    echo.expect(&texts)
}
