// SPDX-License-Identifier: GPL-2.0

//! A handler may arm its own item while it runs, and not later: whoever has stopped the item must
//! be sure.

#![allow(dead_code, unreachable_pub)]

use kernel::{
    prelude::*,
    static_lock_class, //
};

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
    pub(crate) mod work;
}

use abstractions::{
    delayed_work::{
        DelayedHandler,
        Rearm, //
    },
    owned_queue::OwnedQueue, //
};

struct Handler {
    queue: &'static OwnedQueue,
}

impl DelayedHandler for Handler {
    fn run(&self, rearm: &Rearm<'_, Self>) {
        rearm.after(1);

        #[cfg(misuse)]
        let rearm_later = move || {
            rearm.after(1);
        };
        #[cfg(misuse)]
        let _ = self.queue.spawn(GFP_KERNEL, rearm_later, c"rearm_later", static_lock_class!()); //~ E0521 borrowed data escapes outside of method
    }
}
