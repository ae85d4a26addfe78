// SPDX-License-Identifier: GPL-2.0

//! `wq_echo`: writes to `/dev/wq_echo` become messages, which a work item prints to the log.
//!
//! The path of a message, each step in a file of its own:
//!
//! - [`wq_echo::device`]: write(2) copies it in, and waits or fails where the queue is full;
//! - [`wq_echo::message`]: which of the written bytes are the message;
//! - [`wq_echo::backlog`]: the messages that wait, the counters, and when the worker is called;
//! - [`wq_echo::batch`]: how the messages lie in memory;
//! - [`wq_echo::echo`]: the work item, which takes the whole backlog and prints it;
//! - [`wq_echo::printer`]: what a message looks like in the log;
//! - [`wq_echo::stats`]: the counters in debugfs.

use kernel::{
    debugfs,
    prelude::*,
    sync::Arc, //
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
    pub(crate) mod escaped;
    pub(crate) mod hrtimer;
    pub(crate) mod jiffies;
    pub(crate) mod log_line;
    pub(crate) mod misc_device;
    pub(crate) mod module_param;
    pub(crate) mod owned_queue;
    pub(crate) mod user_result;
}

#[path = "wq_echo"]
mod wq_echo {
    pub(crate) mod backlog;
    pub(crate) mod batch;
    pub(crate) mod device;
    pub(crate) mod echo;
    pub(crate) mod message;
    pub(crate) mod printer;
    pub(crate) mod stats;
}

use abstractions::{
    misc_device::Device,
    module_param::module_params, //
};
use wq_echo::{
    device::EchoDevice,
    echo::Echo,
    stats, //
};

module! {
    type: abstractions::alive::Guarded<WqEchoModule>,
    name: "wq_echo",
    authors: ["The workqueue-rs authors"],
    description: "Prints what is written to /dev/wq_echo from a workqueue",
    license: "GPL",
}

module_params! {
    max_pending: u32 = 1024, 0o444,
        "How many messages may be pending before writers wait (at least 1)";
    quiet: bool = false, 0o644,
        "Count messages without printing them";
}

/// The module's state. It comes down in the order of these fields:
///
/// 1. the device: no more messages come in (while it is open, removal is refused);
/// 2. the statistics, which read the state below;
/// 3. the workqueue, within `EchoDevice`: destroying it prints what is still pending;
/// 4. the backlog, which is empty by then.
#[pin_data]
struct WqEchoModule {
    #[pin]
    _device: Device<EchoDevice>,
    #[pin]
    _stats: debugfs::Scope<stats::Counters>,
    _echo_device: Arc<EchoDevice>,
}

impl kernel::InPlaceModule for WqEchoModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(|| {
            let max_pending = parameters::max_pending.get();
            if max_pending == 0 {
                pr_err!("max_pending=0 would let no message in: it must be at least 1\n");
                return Err(EINVAL);
            }

            let echo = Echo::new(max_pending, &parameters::quiet)?;
            let echo_device = Arc::new(EchoDevice::new(echo.clone())?, GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                _stats <- stats::files(echo),
                _echo_device: echo_device.clone(),
                // Last: once this init has returned the device can be opened.
                _device <- Device::register(c"wq_echo", echo_device),
            }))
        })
    }
}
