// SPDX-License-Identifier: GPL-2.0

//! Hole 19: the longest delay is taken for "never".
//!
//! C compares times by their signed difference, so a delay of more
//! than half of all jiffies is already over. Nothing here is unsafe.
//!
//! RUN insmod /longest_delay_runs_at_once.ko $FIXED && sleep 2
//! EXPECT debian: longest_delay_runs_at_once: no answer after [0-9]+ ms
//! EXPECT kasan: longest_delay_runs_at_once: no answer after [0-9]+ ms

use kernel::{
    impl_has_delayed_work,
    new_delayed_work,
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Jiffies,
        Monotonic, //
    },
    workqueue::{
        self,
        DelayedWork,
        WorkItem, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
}

use abstractions::{
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler,
        DelayedWorkHandle, //
    },
    owned_queue::system_percpu, //
};

/// The awaited request.
struct Request {
    sent: Instant<Monotonic>,
}

impl Request {
    fn new() -> Self {
        Self {
            sent: Instant::now(),
        }
    }

    fn give_up(&self) {
        pr_err!("no answer after {} ms\n", self.sent.elapsed().as_millis());
    }
}

#[pin_data]
struct Timeout {
    #[pin]
    work: DelayedWork<Timeout>,
    request: Request,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Timeout { self.work }
}

impl WorkItem for Timeout {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.request.give_up();
    }
}

impl DelayedHandler for Request {
    fn run(&self) -> Option<Delta> {
        self.give_up();
        None
    }
}

type Handle = DelayedWorkHandle<Request>;

fn broken(limit: Option<Jiffies>) -> Result<Option<Handle>> {
    let item = Arc::pin_init(
        pin_init!(Timeout {
            work <- new_delayed_work!("Timeout"),
            request: Request::new(),
        }),
        GFP_KERNEL,
    )?;
    // WRONG: C takes this for a time that is over.
    let delay = limit.unwrap_or(Jiffies::MAX);
    let _ = workqueue::system_long().enqueue_delayed(item, delay);
    Ok(None)
}

fn fixed(limit: Option<Delta>) -> Result<Option<Handle>> {
    let timeout = new_delayed_work_handle!(system_percpu(), Request::new())?;
    // Without a limit nothing is armed.
    if let Some(delay) = limit {
        timeout.enqueue_delayed(delay);
    }
    Ok(Some(timeout))
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "longest_delay_runs_at_once",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: the longest delay there is, taken for never",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen {
    _timeout: Option<Handle>,
}

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let timeout = if module_parameters::fixed.value() {
            fixed(None)?
        } else {
            broken(None)?
        };
        Ok(Self { _timeout: timeout })
    }
}
