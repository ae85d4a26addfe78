// SPDX-License-Identifier: GPL-2.0

//! How long the kernel took to boot and come this far.

use std::fs;

use super::report::Row;
use super::Options;
use crate::error::Error;
use crate::harness::{fail, Outcome};

pub fn measure(_: &Options) -> Outcome {
    let path = "/proc/uptime";
    let text = fs::read_to_string(path).map_err(|error| Error::from_io(path, &error))?;
    match text.split(' ').next().and_then(|seconds| seconds.parse::<f64>().ok()) {
        Some(seconds) => Row::new("boot_to_shell", "all").print("s", seconds),
        None => fail(format!("{path}: not understood: {text:?}")),
    }
}
