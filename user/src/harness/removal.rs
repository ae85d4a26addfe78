// SPDX-License-Identifier: GPL-2.0

//! How long it takes to remove a module, and how long it may.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::held_queue::HeldQueue;
use super::wait::wait_until;
use super::{ensure, ensure_eq, fail, Outcome};
use crate::modules::Module;
use crate::paths::ECHO_COUNTERS;

/// What removing a module may take.
#[derive(Clone, Copy)]
pub struct Bound {
    /// What it took with nothing to do: the median of three.
    pub idle: Duration,
    pub most: Duration,
}

/// Less than what would be waited for if the items that pend ran, 25 seconds for 1,000 of 100 ms of
/// which four run at once, or if an armed timer had to fire. More than scheduling takes on a machine
/// that is emulated, or has fewer processors than the guest, and is busy with other things: there
/// 1,000 items that have nothing to do any more have taken 22 seconds, for each may wait for its CPU.
const MOST: Duration = Duration::from_secs(24);

impl Bound {
    /// Measured once in a run: the module is removed three times while idle.
    pub fn of(module: &Module) -> Outcome<Bound> {
        static MEASURED: Mutex<Vec<(&str, Duration)>> = Mutex::new(Vec::new());
        let mut measured = MEASURED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = measured.iter().find(|(name, _)| *name == module.name()).map(|(_, idle)| *idle);
        let idle = match known {
            Some(idle) => idle,
            None => {
                let mut took = [Duration::ZERO; 3];
                for took in &mut took {
                    *took = removal(module)?;
                    module.load("")?;
                }
                took.sort_unstable();
                measured.push((module.name(), took[1]));
                took[1]
            }
        };
        Ok(Bound { idle, most: MOST })
    }
}

/// Removes the module and says how long it took.
pub fn removal(module: &Module) -> Outcome<Duration> {
    let started = Instant::now();
    ensure_eq!(module.remove(), Ok(()), "removing {}", module.name());
    Ok(started.elapsed())
}

/// Removes `wq_echo` while its queue is held, and lets the queue run when the removal has
/// come as far as waiting for it: the device and the counters go first.
pub fn removal_of_held_echo(module: &Module, held: &mut HeldQueue) -> Outcome<Duration> {
    let remover = thread::spawn({
        let module = module.clone();
        move || removal(&module)
    });
    wait_until("the removal to wait for the queue", || {
        let state = module.state();
        let counters = Path::new(ECHO_COUNTERS).exists();
        let waits = state.as_deref() == Some("going") && !counters;
        Ok(if waits { Ok(()) } else { Err(format!("{state:?}, counters there: {counters}")) })
    })?;
    ensure!(!remover.is_finished(), "removed with messages pending");
    held.release()?;
    remover.join().unwrap_or_else(|_| fail("the removing thread panicked"))
}
