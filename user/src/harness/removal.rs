// SPDX-License-Identifier: GPL-2.0

//! How long removing a module takes, and how long it may take.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::held_queue::HeldQueue;
use super::wait::wait_until;
use super::{ensure, ensure_eq, fail, Outcome};
use crate::modules::Module;
use crate::paths::ECHO_COUNTERS;

/// How long removing a module may take.
#[derive(Clone, Copy)]
pub struct Bound {
    /// What it took while idle: the median of three.
    pub idle: Duration,
    pub most: Duration,
}

/// Less than a removal would take that ran the pending items (25 seconds for 1,000 of 100 ms, four
/// at once) or waited for an armed timer. More than scheduling takes on a busy machine that is
/// emulated or has fewer processors than the guest: there 1,000 items that have nothing left to do
/// took 22 seconds, because each may wait for its CPU.
const MOST: Duration = Duration::from_secs(24);

impl Bound {
    /// Measured once in a run: the idle module is removed three times.
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

/// Removes the module and returns how long it took.
pub fn removal(module: &Module) -> Outcome<Duration> {
    let started = Instant::now();
    ensure_eq!(module.remove(), Ok(()), "removing {}", module.name());
    Ok(started.elapsed())
}

/// Removes `wq_echo` while its queue is held, and lets the queue run when the removal waits for it.
/// By then the device and the counters have gone.
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
