// SPDX-License-Identifier: GPL-2.0

//! Every module in a crate with these abstractions must wait for what is alive.

#![allow(dead_code, unreachable_pub)]

use kernel::prelude::*;

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
}

#[cfg(not(misuse))]
module! {
    type: abstractions::alive::Guarded<Module>,
    name: "module_is_guarded",
    authors: ["The workqueue-rs authors"],
    description: "Waits for what is alive",
    license: "GPL",
}

#[cfg(misuse)]
module! {
    //~? E0277 nothing keeps the code of this module as long as it may run
    type: Module,
    name: "module_is_guarded",
    authors: ["The workqueue-rs authors"],
    description: "Does not wait",
    license: "GPL",
}

struct Module;

impl kernel::Module for Module {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
