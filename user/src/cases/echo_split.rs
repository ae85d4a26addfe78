// SPDX-License-Identifier: GPL-2.0

//! Texts longer than a message.

use std::io::Write;

use super::cases;
use crate::harness::echo::EchoFixture;
use crate::harness::{ensure_eq, Harness, Outcome};
use crate::model;

cases! {
    echo_holds_255_bytes_in_one_message,
    echo_takes_the_line_end_behind_the_255th_byte,
    echo_takes_one_line_end_only_behind_the_255th_byte,
    echo_counts_short_for_a_longer_write,
    echo_strips_a_line_end_that_straddles_the_255th_byte,
    echo_splits_as_modelled_around_every_boundary,
    echo_prints_all_of_a_writer_who_loops_in_order,
    echo_takes_as_little_of_a_huge_write,
    echo_splits_within_a_character,
}

/// Text of this length in which neighbouring places differ.
fn text(length: usize) -> Vec<u8> {
    (b'a'..=b'z').chain(b'0'..=b'9').cycle().take(length).collect()
}

fn text_with(length: usize, tail: &str) -> Vec<u8> {
    [&text(length), tail.as_bytes()].concat()
}

fn echo_holds_255_bytes_in_one_message(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&text(255), 255)?;
    echo.expect(&[text(255)])
}

fn echo_takes_the_line_end_behind_the_255th_byte(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&text_with(255, "\n"), 256)?;
    echo.write(&text_with(255, "\r\n"), 257)?;
    echo.expect(&[text(255), text(255)])
}

fn echo_takes_one_line_end_only_behind_the_255th_byte(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&text_with(255, "\n\n"), 256)?;
    echo.write(&text_with(255, "\r\n\r\n"), 257)?;
    echo.write(&text_with(255, "\nmore"), 256)?;
    // A carriage return alone ends no line.
    echo.write(&text_with(255, "\r"), 255)?;
    echo.write(&text_with(255, "\rx"), 255)?;
    echo.expect(&vec![text(255); 5])
}

fn echo_counts_short_for_a_longer_write(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&text(256), 255)?;
    echo.write(&text(257), 255)?;
    echo.write(&text_with(256, "\n"), 255)?;
    echo.expect(&vec![text(255); 3])
}

fn echo_strips_a_line_end_that_straddles_the_255th_byte(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&text_with(254, "\r\n"), 256)?;
    echo.write(&text_with(254, "\n\n"), 256)?;
    echo.write(&text_with(254, "\n"), 255)?;
    echo.write(&text_with(253, "\r\n"), 255)?;
    echo.expect(&[text(254), text(254), text(254), text(253)])
}

fn echo_splits_as_modelled_around_every_boundary(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let lengths = [0, 1, 2, 127, 128, 200].into_iter().chain(252..=259).chain(509..=513);
    for length in lengths {
        let tails = ["", "\n", "\r", "\r\n", "\n\r", "x\n"];
        echo.expect_as_modelled(&tails.map(|tail| text_with(length, tail)))?;
    }
    Ok(())
}

fn echo_prints_all_of_a_writer_who_loops_in_order(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let long = text_with(10_000, "\n");
    // The standard library's own loop.
    echo.device.file().write_all(&long)?;
    let messages = echo.printed()?;
    let joined: Vec<u8> = messages.iter().flat_map(|message| message.text()).collect();
    ensure_eq!(joined.len(), 10_000, "bytes printed");
    crate::harness::echo::expect_messages(&messages, &model::messages(&long))
}

fn echo_takes_as_little_of_a_huge_write(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    echo.write(&vec![b'h'; 8 << 20], 255)?;
    echo.expect(&[[b'h'; 255]])
}

fn echo_splits_within_a_character(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    // The bound counts bytes. It splits a character, and each half is printed as its bytes.
    let written = text_with(254, "中文");
    echo.write_all(&written)?;
    echo.expect(&[&written[..255], &written[255..]])
}
