// SPDX-License-Identifier: GPL-2.0

//! Nobody can add a kind of queue, or let an ordered queue run its items side by side.

#![allow(dead_code, unreachable_pub)]

// `module!` would define these.
const __LOG_PREFIX: &[u8] = b"compile_fail\0";
type LocalModule = abstractions::alive::Guarded<()>;

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}

use abstractions::owned_queue::{
    Builder,
    Concurrent,
    Kind, //
};

fn of_any_kind<K: Kind>(builder: Builder<K>) -> Builder<K> {
    builder.mem_reclaim()
}

fn four_at_once<K: Concurrent>(builder: Builder<K>) -> Builder<K> {
    builder.max_active(4)
}

#[cfg(misuse)]
impl Concurrent for abstractions::owned_queue::Ordered {} //~ E0277 `Ordered: sealed::Concurrent` is not satisfied

#[cfg(misuse)]
enum BottomHalf {}

#[cfg(misuse)]
impl Kind for BottomHalf {
    //~^ E0277 `BottomHalf: sealed::Kind` is not satisfied
    const FLAGS: kernel::bindings::wq_flags = kernel::bindings::wq_flags_WQ_BH;
}
