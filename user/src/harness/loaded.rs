// SPDX-License-Identifier: GPL-2.0

//! Loads modules again for a case.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;

use super::restore::early_grace_periods;
use super::wait::wait_until;
use super::{demo, ensure_eq, fail, skip, Harness, Outcome};
use crate::kmsg::Log;
use crate::modules::Module;
use crate::paths;

/// Loads the module with its default parameters again, as the other cases expect.
pub struct Reload<'a> {
    module: &'a Module,
}

impl Reload<'_> {
    /// Loads the module again with other parameters.
    pub fn with(&self, parameters: &str) -> Outcome {
        reload(self.module, parameters)
    }

    /// Reloads now, and returns the error if that fails.
    pub fn finish(self) -> Outcome {
        let module = self.module;
        std::mem::forget(self);
        reload(module, "")
    }
}

impl Drop for Reload<'_> {
    fn drop(&mut self) {
        // The case is already failing, or has nothing more to prove. Before the next case the
        // runner checks that the modules are there.
        let _ = reload(self.module, "");
    }
}

/// Loads `module` again with `parameters` for the time of a case.
pub fn loaded_with<'a>(module: &'a Module, parameters: &str) -> Outcome<Reload<'a>> {
    need_file(module)?;
    let guard = Reload { module };
    reload(module, parameters)?;
    Ok(guard)
}

/// Loads `workqueue_demo` again, for a case that expects the log to have each of its refusals.
pub fn every_refusal_logged(harness: &Harness) -> Outcome<Reload<'_>> {
    loaded_with(&harness.demo, "refusals_logged=4294967295")
}

/// Removes `module` for the time of a case.
pub fn removed(module: &Module) -> Outcome<Reload<'_>> {
    need_file(module)?;
    let guard = Reload { module };
    let _early = early_grace_periods()?;
    remove(module)?;
    Ok(guard)
}

/// For cases that remove `module` themselves.
pub fn reloaded_afterwards(module: &Module) -> Outcome<Reload<'_>> {
    need_file(module)?;
    Ok(Reload { module })
}

/// The result of loading a module that refuses to load.
#[derive(Debug)]
pub struct Refused {
    pub errno: Option<Errno>,
    /// What the module has logged.
    pub lines: Vec<String>,
}

/// Loads `module`, which is not loaded, with `parameters` that it has to refuse.
pub fn load_refused(module: &Module, parameters: &str) -> Outcome<Refused> {
    let _early = early_grace_periods()?;
    let mut log = Log::from_now()?;
    let Err(error) = module.load(parameters) else {
        return fail(format!("loaded with {parameters}"));
    };
    ensure_eq!(module.state(), None, "the state of a module that did not load");
    let prefix = format!("{}: ", module.name());
    let own = log.drain()?.into_iter().filter(|record| record.is_from(&prefix));
    let lines = own.map(|record| record.lossy().into_owned()).collect();
    Ok(Refused { errno: error.errno(), lines })
}

fn need_file(module: &Module) -> Outcome {
    if module.is_built_in() {
        return skip(format!("{} is built into the kernel", module.name()));
    }
    let file = module.file();
    match file.exists() {
        true => Ok(()),
        false => skip(format!("{}: not found: say where with --modules", file.display())),
    }
}

fn reload(module: &Module, parameters: &str) -> Outcome {
    let _early = early_grace_periods()?;
    remove(module)?;
    Ok(module.load(parameters)?)
}

/// Removes the module if it is loaded, and waits for others that use it.
pub fn remove(module: &Module) -> Outcome {
    let what = format!("{} to be free", module.name());
    wait_until(&what, || match module.remove() {
        Ok(()) | Err(Errno::ENOENT) => Ok(Ok(())),
        Err(Errno::EAGAIN | Errno::EBUSY) => {
            Ok(Err(format!("{:?}, {:?} references", module.state(), module.reference_count())))
        }
        Err(errno) => fail(format!("cannot remove {}: {errno}", module.name())),
    })
}

/// Why there is nothing to test, if so.
pub fn why_not_testable() -> Option<String> {
    for (node, module) in [(paths::ECHO_DEVICE, "wq_echo"), (paths::DEMO_NODE, "workqueue_demo")] {
        if !Path::new(node).exists() {
            return Some(format!("{node}: not found: is {module}.ko loaded?"));
        }
    }
    if !is_root() {
        return Some("needs root".into());
    }
    paths::why_no_debugfs().map(|reason| format!("{}: {reason}", paths::DEBUGFS))
}

/// The files of a process in /proc belong to the user whose rights it has.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Loads both modules and brings them to rest, whatever an earlier case has left.
pub fn prepare(harness: &Harness) -> Outcome {
    for module in [&harness.echo, &harness.demo] {
        if !module.is_live() && !module.is_built_in() {
            reload(module, "")?;
        }
    }
    if demo::has_much_to_do() && harness.demo.file().exists() {
        reload(&harness.demo, "")?;
    }
    demo::settle()
}
