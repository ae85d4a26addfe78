// SPDX-License-Identifier: GPL-2.0

//! What the device refuses, without any effect.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nix::errno::Errno;
use nix::sys::stat::major;

use super::cases;
use crate::harness::echo::EchoFixture;
use crate::harness::{ensure, ensure_eq, fail, Harness, Outcome};
use crate::paths::ECHO_DEVICE;
use crate::raw::PageEdge;

cases! {
    echo_device_is_a_misc_device_of_mode_0600,
    echo_refuses_a_bad_pointer_and_queues_nothing,
    echo_refuses_a_write_that_runs_into_a_bad_page,
    echo_takes_a_write_that_ends_at_a_bad_page,
    echo_refuses_a_long_write_into_a_bad_page_or_takes_one_message,
    echo_cannot_be_read,
}

fn echo_device_is_a_misc_device_of_mode_0600(_: &Harness) -> Outcome {
    const MISC_MAJOR: u64 = 10;
    let metadata = fs::metadata(ECHO_DEVICE)?;
    ensure!(metadata.file_type().is_char_device(), "{ECHO_DEVICE} is no character device");
    ensure_eq!(major(metadata.rdev()), MISC_MAJOR, "the major number");
    ensure_eq!(format!("{:o}", metadata.mode() & 0o7777), "600", "the mode");
    Ok(())
}

/// The write fails with EFAULT and no message is accepted.
fn expect_fault(readable: &[u8], beyond: usize) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let result = PageEdge::new()?.write(echo.device.file(), readable, beyond);
    ensure_eq!(result, Err(Errno::EFAULT), "{} bytes and {beyond} bad ones", readable.len());
    ensure_eq!(echo.accepted()?, 0, "messages accepted");
    echo.expect::<&str>(&[])
}

fn echo_refuses_a_bad_pointer_and_queues_nothing(_: &Harness) -> Outcome {
    for length in [1, 15, 255, 256, 257, 1000] {
        expect_fault(b"", length)?;
    }
    Ok(())
}

fn echo_refuses_a_write_that_runs_into_a_bad_page(_: &Harness) -> Outcome {
    expect_fault(b"a", 1)?;
    expect_fault(b"half of a message", 20)?;
    expect_fault(b"a line\n", 1)?;
    expect_fault(&[b'a'; 254], 1)?;
    expect_fault(&[b'a'; 254], 1000)
}

fn echo_takes_a_write_that_ends_at_a_bad_page(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let edge = PageEdge::new()?;
    for length in [1, 15, 254, 255] {
        ensure_eq!(
            edge.write(echo.device.file(), &vec![b'e'; length], 0),
            Ok(length),
            "bytes taken"
        );
        echo.expect(&[vec![b'e'; length]])?;
    }
    Ok(())
}

fn echo_refuses_a_long_write_into_a_bad_page_or_takes_one_message(_: &Harness) -> Outcome {
    // The message is readable, the bytes after it are not. Success and EFAULT are both right, but
    // not an error with a message, or a count without one.
    for readable in [255, 256, 300] {
        let mut echo = EchoFixture::new()?;
        let text = vec![b'l'; readable];
        match PageEdge::new()?.write(echo.device.file(), &text, 300) {
            Ok(255) => echo.expect(&[&text[..255]])?,
            Err(Errno::EFAULT) => echo.expect::<&str>(&[])?,
            other => return fail(format!("{readable} readable bytes: {other:?}")),
        }
    }
    Ok(())
}

fn echo_cannot_be_read(_: &Harness) -> Outcome {
    let mut echo = EchoFixture::new()?;
    let error = File::open(ECHO_DEVICE)?.read(&mut [0; 16]).map_err(|e| e.raw_os_error());
    ensure_eq!(error, Err(Some(Errno::EINVAL as i32)), "read(2)");
    ensure_eq!(echo.accepted()?, 0, "messages accepted");
    echo.expect::<&str>(&[])
}
