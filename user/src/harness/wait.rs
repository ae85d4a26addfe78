// SPDX-License-Identifier: GPL-2.0

//! Waiting, up to a limit, for a condition that no event announces.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use super::{fail, Outcome};

/// How long a case waits for what should take an instant. Only failing cases wait that long.
/// Emulated machines can be fifty times slower.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until `probe` has an answer. Its `Err` says what was seen instead. If no answer comes in
/// time, the last `Err` is reported.
pub fn wait_until<T>(what: &str, probe: impl FnMut() -> Outcome<Result<T, String>>) -> Outcome<T> {
    look_until(what, || thread::sleep(PAUSE), probe)
}

/// Like [`wait_until`], but keeps the CPU between two looks.
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
        // Read the clock before the look, so that the last look is never stale.
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
