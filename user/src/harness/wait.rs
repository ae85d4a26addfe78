// SPDX-License-Identifier: GPL-2.0

//! Waiting for a condition that no event announces, for so long and no longer.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use super::{fail, Outcome};

/// How long a case waits for what should take an instant. Only failing cases
/// wait that long; emulated machines can be slow by a factor of fifty.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until `probe` has an answer. `Err` in it says what was seen instead,
/// and the last of these is told if none comes in time.
pub fn wait_until<T>(what: &str, probe: impl FnMut() -> Outcome<Result<T, String>>) -> Outcome<T> {
    look_until(what, || thread::sleep(PAUSE), probe)
}

/// As [`wait_until`], without giving the CPU away between two looks.
pub fn spin_until<T>(what: &str, probe: impl FnMut() -> Outcome<Result<T, String>>) -> Outcome<T> {
    look_until(what, hint::spin_loop, probe)
}

fn look_until<T>(
    what: &str,
    pause: impl Fn(),
    mut probe: impl FnMut() -> Outcome<Result<T, String>>,
) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // The clock before the look: the last look is never a stale one.
        let late = Instant::now() >= deadline;
        match probe()? {
            Ok(answer) => return Ok(answer),
            Err(seen) if late => {
                return fail(format!("waited {PATIENCE:?} for {what}; last seen: {seen}"))
            }
            Err(_) => pause(),
        }
    }
}
