// SPDX-License-Identifier: GPL-2.0

//! KUnit suites of the abstractions, mainly for what neither module uses. They run when this module
//! is loaded: `scripts/kunit.sh`.

use kernel::prelude::*;

#[cfg(not(CONFIG_KUNIT = "y"))]
compile_error!("these are KUnit tests, for a kernel with CONFIG_KUNIT: scripts/kunit.sh");

#[allow(dead_code)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod misc_device;
    pub(crate) mod module_param;
    pub(crate) mod owned_queue;
    pub(crate) mod periodic;
    pub(crate) mod procfs;
    pub(crate) mod ratelimit;
    pub(crate) mod user_result;
    pub(crate) mod work;
    pub(crate) mod worker;
}

use abstractions::module_param::module_params;

mod alive;
mod cancel;
mod cancel_delayed;
mod cpu_intensive;
mod delayed_work_handle;
mod files;
mod lock_classes;
mod module_param;
mod owned_queue;
mod periodic;
mod probe;
mod ratelimit;
mod work_handle;

module! {
    type: abstractions::alive::Guarded<AbstractionsKunit>,
    name: "abstractions_kunit",
    authors: ["The workqueue-rs authors"],
    description: "KUnit suites of the workqueue abstractions",
    license: "GPL",
}

module_params! {
    patience_ms: u32 = 50, 0o444,
        "How long to look for what must not happen, in milliseconds";
}

struct AbstractionsKunit;

impl Drop for AbstractionsKunit {
    /// Has a closure drop the last owner. Nobody waits for this closure, and it stays in the
    /// module's code for a while. The module must not be unloaded before the closure has left.
    fn drop(&mut self) {
        if alive::drop_an_owner_elsewhere().is_err() {
            pr_err!("BUG: nothing shows that the tail of a closure is waited for\n");
        }
    }
}

impl kernel::Module for AbstractionsKunit {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        files::open_a_device_while_the_module_is_loaded()?;
        Ok(Self)
    }
}
