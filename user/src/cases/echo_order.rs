// SPDX-License-Identifier: GPL-2.0

//! Many writers.

use std::thread;

use super::cases;
use crate::echo_device::EchoDevice;
use crate::harness::echo::{counters_at_rest, EchoFixture};
use crate::harness::{ensure_eq, fail, Harness, Outcome};

cases! {
    echo_keeps_the_order_of_one_writer,
    echo_keeps_the_order_of_each_of_many_writers,
    echo_keeps_the_order_of_writers_who_share_a_file,
    echo_keeps_the_parts_of_a_long_text_in_order_among_many_writers,
}

const WRITERS: usize = 8;
const MESSAGES: usize = 100;

fn echo_keeps_the_order_of_one_writer(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let texts: Vec<String> = (0..300).map(|number| format!("message {number}")).collect();
    for text in &texts {
        echo.write(text.as_bytes(), text.len())?;
    }
    echo.expect(&texts)
}

fn echo_keeps_the_order_of_each_of_many_writers(_: &Harness) -> Outcome {
    expect_order_per_writer(|writer| {
        let device = EchoDevice::open().expect("the device was there");
        for number in 0..MESSAGES {
            write(&device, writer, number);
        }
    })
}

fn echo_keeps_the_order_of_writers_who_share_a_file(_: &Harness) -> Outcome {
    let device = EchoDevice::open()?;
    expect_order_per_writer(|writer| {
        for number in 0..MESSAGES {
            write(&device, writer, number);
        }
    })
}

fn write(device: &EchoDevice, writer: usize, number: usize) {
    let text = format!("{writer} {number}");
    assert_eq!(device.write(text.as_bytes()), Ok(text.len()));
}

/// Runs all writers at once. Each message is printed once, each writer's in the order of its
/// writes, and the counters count them all.
fn expect_order_per_writer(writer: impl Fn(usize) + Sync) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let mut next = [0; WRITERS];
    thread::scope(|scope| -> Outcome {
        for number in 0..WRITERS {
            let writer = &writer;
            scope.spawn(move || writer(number));
        }
        // Read while they write: the log cannot hold all of it.
        for _ in 0..WRITERS * MESSAGES {
            let message = String::from_utf8_lossy(&echo.log.next()?.text()).into_owned();
            match numbers(&message) {
                Some((writer, number)) if writer < WRITERS && number == next[writer] => {
                    next[writer] += 1;
                }
                _ => return fail(format!("{message:?} out of order, next were {next:?}")),
            }
        }
        Ok(())
    })?;
    ensure_eq!(next, [MESSAGES; WRITERS], "messages of each writer");
    let before = *echo.before();
    let after = counters_at_rest()?;
    ensure_eq!(after.accepted - before.accepted, (WRITERS * MESSAGES) as u64, "accepted");
    ensure_eq!(after.printed - before.printed, (WRITERS * MESSAGES) as u64, "printed");
    echo.expect::<&str>(&[])
}

fn numbers(text: &str) -> Option<(usize, usize)> {
    let (writer, number) = text.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

fn echo_keeps_the_parts_of_a_long_text_in_order_among_many_writers(_: &Harness) -> Outcome {
    const LENGTH: usize = 4000;
    let mut echo = EchoFixture::new()?;
    let mut printed = vec![Vec::new(); WRITERS];
    let letter = |writer: usize| b'a' + writer as u8;
    // Each writer numbers its words behind its own letter, which shows where each part belongs.
    let long = |writer: usize| -> Vec<u8> {
        let words = (0..).map(|number| format!("{}{number}", letter(writer) as char));
        words.flat_map(String::into_bytes).take(LENGTH).collect()
    };
    thread::scope(|scope| -> Outcome {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let device = EchoDevice::open().expect("the device was there");
                device.write_all(&long(writer), |_| ()).expect("a write");
            });
        }
        for _ in 0..WRITERS * LENGTH.div_ceil(255) {
            let text = echo.log.next()?.text();
            let Some(of) = (0..WRITERS).find(|&writer| text.contains(&letter(writer))) else {
                return fail(format!("nobody wrote {text:?}"));
            };
            printed[of].extend(text);
        }
        Ok(())
    })?;
    for (writer, text) in printed.iter().enumerate() {
        ensure_eq!(*text == long(writer), true, "writer {writer}'s text is whole and in order");
    }
    Ok(())
}
