// SPDX-License-Identifier: GPL-2.0

//! What runs on a worker, and the state behind a file, must be usable on another thread.

#![allow(dead_code, unreachable_pub)]

use core::cell::Cell;

use kernel::prelude::*;
#[cfg(misuse)]
use kernel::{
    seq_file::SeqFile,
    uaccess::UserSliceReader, //
};

#[allow(unused_imports, unused_macros)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod cancel;
    pub(crate) mod owned_queue;
    pub(crate) mod procfs;
    pub(crate) mod user_result;
    pub(crate) mod work;
}

use abstractions::{
    owned_queue::{
        lock_class,
        spawn,
        OwnedQueue, //
    },
    procfs::{
        Entry,
        ProcOperations, //
    },
    work::Handler, //
};

// The log lines of the abstractions begin with its name.
module! {
    type: abstractions::alive::Guarded<Shared>,
    name: "shared",
    authors: ["The workqueue-rs authors"],
    description: "What can be shared between threads",
    license: "GPL",
}

struct Shared;

impl kernel::Module for Shared {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

fn shared<T: Send + Sync>() {}

fn an_owned_queue_is_shared() {
    shared::<OwnedQueue>();
}

fn a_file_is_shared<T: ProcOperations>() {
    shared::<Entry<T>>();
}

struct Counter(Cell<u32>);

#[cfg(misuse)]
impl Handler for Counter {
    //~^ E0277 `Cell<u32>` cannot be shared between threads safely
    fn run(&self) {}
}

#[cfg(misuse)]
impl ProcOperations for Counter {
    //~^ E0277 `Cell<u32>` cannot be shared between threads safely
    fn show(&self, _: &SeqFile) -> Result {
        Ok(())
    }

    fn write(&self, data: UserSliceReader) -> Result<usize> {
        Ok(data.len())
    }
}

#[cfg(misuse)]
fn borrows(queue: &OwnedQueue, number: &mut u32) {
    let add = || *number += 1;
    let _ = queue.spawn(GFP_KERNEL, add, lock_class!("")); //~ E0521 borrowed data escapes outside of function
}

#[cfg(misuse)]
fn sends(queue: &OwnedQueue, pointer: *const u32) {
    let _ = spawn!(queue, GFP_KERNEL, move || drop(pointer)); //~ E0277 cannot be sent between threads safely
}
