// SPDX-License-Identifier: GPL-2.0

//! What all the other cases have left behind.

use crate::bench::loaded::removed;
use crate::bench::{kmemleak, Bench, Outcome};
use crate::cases::cases;

cases! {
    nothing_has_leaked_when_both_modules_are_gone,
}

fn nothing_has_leaked_when_both_modules_are_gone(bench: &Bench) -> Outcome {
    let echo = removed(&bench.echo)?;
    let demo = removed(&bench.demo)?;
    kmemleak::expect_no_leaks()?;
    echo.finish()?;
    demo.finish()
}
