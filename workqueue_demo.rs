// SPDX-License-Identifier: GPL-2.0

//! `workqueue_demo`: a node `/proc/workqueue_demo` that queues work in the ways of kernel code, and
//! shows what became of it.
//!
//! The path of a command, each step in a file of its own:
//!
//! - [`workqueue_demo::command`]: what the written text means;
//! - [`workqueue_demo::queue_kind`]: which kinds of queues it may ask for;
//! - [`workqueue_demo::demo`]: which pattern carries it out;
//! - [`workqueue_demo::patterns`]: one file a pattern, the part to learn from;
//! - [`workqueue_demo::ledger`]: the counts, which balance at any moment, and who waits for them;
//! - [`workqueue_demo::colors`]: which items a flush waits for;
//! - [`workqueue_demo::table`]: how the counts are shown.

use core::ops::RangeInclusive;

use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta, //
};

// Both modules share this as source, because two modules cannot share a Rust library. Each uses
// some of the files, whose documentation may link to the others. The paths are what rustc takes by
// default. rustfmt, given this file, would look elsewhere.
#[allow(
    dead_code,
    rustdoc::broken_intra_doc_links,
    unused_imports,
    unused_macros
)]
#[path = "abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod module_param;
    pub(crate) mod owned_queue;
    pub(crate) mod periodic;
    pub(crate) mod procfs;
    pub(crate) mod ratelimit;
    pub(crate) mod user_result;
    pub(crate) mod work;
    pub(crate) mod worker;
}

#[path = "workqueue_demo"]
mod workqueue_demo {
    pub(crate) mod colors;
    pub(crate) mod command;
    pub(crate) mod demo;
    pub(crate) mod ledger;
    pub(crate) mod queue_kind;
    pub(crate) mod table;

    /// The patterns of using a workqueue.
    pub(crate) mod patterns {
        pub(crate) mod custom;
        pub(crate) mod data;
        pub(crate) mod delayed;
        pub(crate) mod flush;
        pub(crate) mod immediate;
        pub(crate) mod periodic;
        pub(crate) mod queues;
    }
}

use abstractions::{
    module_param::module_params,
    procfs,
    ratelimit::RateLimit, //
};
use workqueue_demo::{
    demo::Demo,
    ledger::CloseOnDrop, //
};

module! {
    type: abstractions::alive::Guarded<WorkqueueDemoModule>,
    name: "workqueue_demo",
    authors: ["The workqueue-rs authors"],
    description: "Shows the workqueue patterns through /proc/workqueue_demo",
    license: "GPL",
}

module_params! {
    refusals_logged: u32 = RateLimit::DEFAULT_BURST, 0o444,
        "How many refused writes are logged in each interval at most";
    refusals_interval_ms: u32 = 5000, 0o444,
        "How long such an interval is, in milliseconds (1 to 3600000)";
}

/// The shortest and the longest interval in which refusals are counted, in milliseconds.
const REFUSALS_INTERVAL_MS: RangeInclusive<u32> = 1..=3_600_000;

/// The budget of refusals that the parameters ask for.
///
/// # Errors
///
/// `EINVAL` if they make no sense, `ENOMEM`.
fn refusals() -> Result<RateLimit> {
    let ms = parameters::refusals_interval_ms.get();
    if !REFUSALS_INTERVAL_MS.contains(&ms) {
        let (from, to) = (REFUSALS_INTERVAL_MS.start(), REFUSALS_INTERVAL_MS.end());
        pr_err!("refusals_interval_ms={ms} is not a number from {from} to {to}\n");
        return Err(EINVAL);
    }
    let interval = Delta::from_millis(ms.into());
    RateLimit::new(parameters::refusals_logged.get(), interval)
}

/// The module's state. It comes down in the order of these fields:
///
/// 1. the ledger is closed: it accepts nothing more, and cancels each item whose turn comes. So
///    removal waits only for the handlers that run;
/// 2. the node, after the calls in flight;
/// 3. the patterns, in the order of the fields of [`Demo`].
struct WorkqueueDemoModule {
    _close: CloseOnDrop,
    _node: procfs::Entry<Demo>,
    _demo: Arc<Demo>,
}

impl kernel::Module for WorkqueueDemoModule {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let demo = Demo::new(refusals()?)?;
        Ok(Self {
            _close: demo.close_on_drop(),
            // Last: from here on the node can be opened, and all has to be there.
            _node: procfs::Entry::new(c"workqueue_demo", 0o644, demo.clone())?,
            _demo: demo,
        })
    }
}
