// SPDX-License-Identifier: GPL-2.0

//! What all other cases have left behind.

use crate::cases::cases;
use crate::harness::loaded::removed;
use crate::harness::{kmemleak, Harness, Outcome};

cases! {
    nothing_has_leaked_when_both_modules_are_gone,
}

fn nothing_has_leaked_when_both_modules_are_gone(harness: &Harness) -> Outcome {
    let echo = removed(&harness.echo)?;
    let demo = removed(&harness.demo)?;
    kmemleak::expect_no_leaks()?;
    echo.finish()?;
    demo.finish()
}
