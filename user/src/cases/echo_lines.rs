// SPDX-License-Identifier: GPL-2.0

//! One write, one message, one line.

use std::path::Path;

use super::cases;
use crate::harness::echo::EchoFixture;
use crate::harness::{ensure, ensure_eq, Harness, Outcome};
use crate::kmsg::Log;
use crate::model::PREFIX;

cases! {
    echo_prints_the_documented_line,
    echo_prints_a_line_for_each_write,
    echo_needs_no_line_end,
    echo_strips_the_trailing_run_of_line_ends,
    echo_keeps_blanks_and_inner_line_ends,
    echo_prints_a_line_end_alone_as_an_empty_message,
    echo_makes_no_message_of_a_write_of_0_bytes,
    echo_takes_a_writev_as_one_message,
    echo_logs_at_level_info,
    echo_prints_from_a_workqueue_of_its_own,
}

fn echo_prints_the_documented_line(_: &Harness) -> Outcome {
    let echo = EchoFixture::new()?;
    let mut log = Log::from_now()?;
    echo.write(b"william wq test\n", 16)?;
    echo.accepted()?;
    let lines: Vec<String> = log
        .drain()?
        .iter()
        .filter(|record| record.is_from(PREFIX))
        .map(|record| record.lossy().into_owned())
        .collect();
    ensure_eq!(lines, [r#"wq_echo: "william wq test" (len=15)"#], "the log");
    Ok(())
}

fn echo_prints_a_line_for_each_write(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    for text in ["one\n", "two\n", "two\n", "three"] {
        echo.write(text.as_bytes(), text.len())?;
    }
    echo.expect(&["one", "two", "two", "three"])
}

fn echo_needs_no_line_end(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(b"no line end", 11)?;
    echo.expect(&["no line end"])
}

fn echo_strips_the_trailing_run_of_line_ends(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    for text in ["a\n", "a\r\n", "a\r", "a\n\n\n", "a\r\n\r\n", "a\n\r\r\n"] {
        echo.write(text.as_bytes(), text.len())?;
        echo.expect(&["a"])?;
    }
    Ok(())
}

fn echo_keeps_blanks_and_inner_line_ends(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    for (written, text) in [
        ("  a \t\n", "  a \t"),
        ("\n\na\nb\r\nc\n", "\n\na\nb\r\nc"),
        ("\r\n a", "\r\n a"),
        (" \n", " "),
    ] {
        echo.write(written.as_bytes(), written.len())?;
        echo.expect(&[text])?;
    }
    Ok(())
}

fn echo_prints_a_line_end_alone_as_an_empty_message(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let mut log = Log::from_now()?;
    echo.write(b"\n", 1)?;
    echo.accepted()?;
    let records = log.drain()?;
    ensure!(
        records.iter().any(|record| record.text == br#"wq_echo: "" (len=0)"#),
        "no empty line among {records:?}"
    );
    for written in ["\r\n", "\r", "\n\n\r\n"] {
        echo.write(written.as_bytes(), written.len())?;
    }
    echo.expect(&["", "", "", ""])
}

fn echo_makes_no_message_of_a_write_of_0_bytes(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(b"", 0)?;
    ensure_eq!(echo.device.write_vectored(&[b"", b""])?, 0, "writev of empty parts");
    ensure_eq!(echo.accepted()?, 0, "messages accepted");
    echo.expect::<&str>(&[])
}

fn echo_takes_a_writev_as_one_message(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let long = [b'v'; 200];
    for parts in [
        &[&b"one"[..], b"", b" two", b"\n"][..],
        &[b"", b"\xe4", b"\xb8\xad", b"\xe6\x96", b"\x87", b""],
        &[b"\r", b"\n"],
        &[&b"x"[..]; 64],
        // Longer than a message, which ends within a part.
        &[&long, &long, &long],
        // The line end of a full message in a part of its own.
        &[&long, &long[..55], b"\r", b"\n", b"more"],
    ] {
        let bytes = parts.concat();
        let (count, text) = crate::model::accept(&bytes);
        ensure_eq!(echo.device.write_vectored(parts)?, count, "bytes taken of {parts:?}");
        echo.expect(&Vec::from_iter(text))?;
    }
    Ok(())
}

fn echo_logs_at_level_info(_: &Harness) -> Outcome {
    const INFO: u32 = 6;
    let echo = EchoFixture::new()?;
    let mut log = Log::from_now()?;
    echo.write(b"level", 5)?;
    echo.accepted()?;
    for record in log.drain()?.iter().filter(|record| record.is_from(PREFIX)) {
        ensure_eq!(record.level, INFO, "the level of {:?}", record.lossy());
    }
    Ok(())
}

fn echo_prints_from_a_workqueue_of_its_own(_: &Harness) -> Outcome {
    let queue = Path::new("/sys/devices/virtual/workqueue/wq_echo");
    ensure!(queue.is_dir(), "{}: not found", queue.display());
    // The cases at the bound hold this queue. They rely on messages waiting for it.
    Ok(())
}
