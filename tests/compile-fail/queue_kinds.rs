// SPDX-License-Identifier: GPL-2.0

//! Options that a queue cannot combine do not compile.

#![allow(dead_code, unreachable_pub)]

use kernel::prelude::*;

// `module!` would define these.
const __LOG_PREFIX: &[u8] = b"compile_fail\0";
type LocalModule = abstractions::alive::Guarded<()>;

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod owned_queue;
}

use abstractions::owned_queue::OwnedQueue;

fn queues() -> Result {
    OwnedQueue::unbound(c"a")
        .mem_reclaim()
        .highpri()
        .sysfs()
        .max_active(4)
        .build()?;
    OwnedQueue::percpu(c"b")
        .cpu_intensive()
        .freezable()
        .build()?;
    OwnedQueue::ordered(c"c").mem_reclaim().build()?;
    Ok(())
}

#[cfg(misuse)]
fn nonsense() {
    let _ = OwnedQueue::unbound(c"a").cpu_intensive(); //~ E0599 no method named `cpu_intensive`
    let _ = OwnedQueue::unbound(c"a").percpu(); //~ E0599 no method named `percpu`
    let _ = OwnedQueue::ordered(c"a").max_active(2); //~ E0599 `max_active` exists for struct `Builder<Ordered>`, but
    let _ = OwnedQueue::ordered(c"a").cpu_intensive(); //~ E0599 `cpu_intensive`
    let _ = OwnedQueue::ordered(c"a").sysfs(); //~ E0599 `sysfs` exists for struct `Builder<Ordered>`, but
    let _ = OwnedQueue::bh(c"a"); //~ E0599 no function or associated item named `bh`
}

#[cfg(misuse)]
fn drains(queue: &OwnedQueue) {
    queue.drain(); //~ E0599 no method named `drain`
}
