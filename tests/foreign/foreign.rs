// SPDX-License-Identifier: GPL-2.0

//! A module that is independent of this tree: `scripts/rust-headers.sh` has to serve any module.
//!
//! It uses what most modules use: the macros, `pin_init!`, allocation, a lock, generic code of
//! other crates.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

module! {
    type: Foreign,
    name: "foreign",
    authors: ["The workqueue-rs authors"],
    description: "A module in Rust that is built with Debian's own tools",
    license: "GPL",
}

#[pin_data]
struct Counts {
    #[pin]
    squares: Mutex<KVec<usize>>,
}

struct Foreign {
    counts: Arc<Counts>,
}

impl kernel::Module for Foreign {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let counts = Arc::pin_init(
            try_pin_init!(Counts {
                squares <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )?;
        for number in 1..=4 {
            counts.squares.lock().push(number * number, GFP_KERNEL)?;
        }
        Ok(Self { counts })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let squares = self.counts.squares.lock();
        pr_info!(
            "{:?}, {} in all\n",
            &squares[..],
            squares.iter().sum::<usize>()
        );
    }
}
