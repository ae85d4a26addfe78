// SPDX-License-Identifier: GPL-2.0

//! `rust_ways`: what each way of queueing costs through the abstractions, to compare with `c_ways`.
//! `c_ways.c` says what is logged and what the parameter does.

use kernel::{
    bindings,
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

#[allow(dead_code)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
    pub(crate) mod periodic;
    pub(crate) mod work;
}

use abstractions::{
    delayed_work::{
        new_delayed_work_handle,
        DelayedHandler, //
    },
    jiffies::JIFFY,
    owned_queue::{
        spawn,
        OwnedQueue, //
    },
    periodic::{
        new_periodic,
        Periodic,
        Ticker, //
    },
    work::{
        new_work_handle,
        Handler, //
    },
};

const BATCH: usize = 64;
const STARTS: i64 = 500;
const BATCHES: i64 = 50;

/// When the last handler started.
static STARTED: Atomic<i64> = Atomic::new(0);
/// What it was given.
static SEEN: Atomic<u64> = Atomic::new(0);

/// The time in nanoseconds. It is no `Instant`: there is no static atomic of that.
fn now() -> i64 {
    // SAFETY: This may be called in any context but an NMI's.
    unsafe { bindings::ktime_get() }
}

fn note() {
    STARTED.store(now(), Relaxed);
}

#[pin_data]
struct Shared {
    #[pin]
    work: Work<Shared>,
}

impl_has_work! {
    impl HasWork<Self> for Shared { self.work }
}

impl WorkItem for Shared {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {
        note();
    }
}

#[pin_data]
struct Boxed {
    #[pin]
    work: Work<Boxed>,
    value: u64,
}

impl_has_work! {
    impl HasWork<Self> for Boxed { self.work }
}

impl WorkItem for Boxed {
    type Pointer = Pin<KBox<Self>>;

    fn run(this: Pin<KBox<Self>>) {
        note();
        SEEN.store(this.value, Relaxed);
    }
}

struct Noted;

impl Handler for Noted {
    fn run(&self) {
        note();
    }
}

impl DelayedHandler for Noted {
    fn run(&self) -> Option<Delta> {
        note();
        None
    }
}

/// Calls `make` for `BATCH` items.
fn batch<T>(make: impl Fn() -> Result<T>) -> Result<KVec<T>> {
    let mut items = KVec::with_capacity(BATCH, GFP_KERNEL)?;
    for _ in 0..BATCH {
        items.push(make()?, GFP_KERNEL)?;
    }
    Ok(items)
}

fn measure<T>(
    way: &str,
    queue: &OwnedQueue,
    items: &[T],
    enqueue: impl Fn(&T) -> Result,
) -> Result {
    let mut start = 0;
    for _ in 0..STARTS {
        let before = now();
        enqueue(&items[0])?;
        queue.flush();
        start += STARTED.load(Relaxed) - before;
    }
    let mut whole = 0;
    for _ in 0..BATCHES {
        let before = now();
        for item in items {
            enqueue(item)?;
        }
        queue.flush();
        whole += now() - before;
    }
    let (start, whole) = (start / STARTS, whole / (BATCHES * BATCH as i64));
    pr_info!("{way} start={start} whole={whole}\n");
    Ok(())
}

fn measure_all(queue: &Arc<OwnedQueue>) -> Result {
    let shared = batch(|| Arc::pin_init(pin_init!(Shared { work <- new_work!() }), GFP_KERNEL))?;
    measure("arc", queue, &shared, |item| {
        let _ = queue.enqueue(item.clone());
        Ok(())
    })?;

    let handles = batch(|| new_work_handle!(queue.clone(), Noted))?;
    measure("handle", queue, &handles, |item| {
        item.enqueue();
        Ok(())
    })?;

    let values = [0; BATCH];
    measure("boxed", queue, &values, |&value| {
        let item = pin_init!(Boxed { work <- new_work!(), value });
        queue.enqueue(KBox::pin_init(item, GFP_KERNEL)?);
        Ok(())
    })?;

    measure("closure", queue, &values, |&value| {
        let job = move || {
            note();
            SEEN.store(value, Relaxed);
        };
        Ok(spawn!(queue, GFP_KERNEL, job)?)
    })?;

    let delayed = batch(|| new_delayed_work_handle!(queue.clone(), Noted))?;
    measure("delayed", queue, &delayed, |item| {
        item.enqueue_delayed(Delta::ZERO);
        Ok(())
    })
}

struct CountTicks {
    since: i64,
    ticks: Atomic<u64>,
}

impl Ticker for CountTicks {
    fn tick(&self) {
        self.ticks.add(1, Relaxed);
    }
}

type Ticks = Periodic<CountTicks, Arc<OwnedQueue>>;

module! {
    type: abstractions::alive::Guarded<RustWays>,
    name: "rust_ways",
    authors: ["The workqueue-rs authors"],
    description: "Measures ways of queueing through the abstractions",
    license: "GPL",
    params: {
        tick: bool {
            default: false,
            description: "Tick every other jiffy and measure nothing",
        },
    },
}

struct RustWays {
    ticks: Option<Ticks>,
}

impl kernel::Module for RustWays {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // C copies the name for each run, so both twins use the same one.
        let queue = Arc::new(OwnedQueue::percpu(c"ways").build()?, GFP_KERNEL)?;
        if !module_parameters::tick.value() {
            measure_all(&queue)?;
            return Ok(Self { ticks: None });
        }
        let ticker = CountTicks {
            since: now(),
            ticks: Atomic::new(0),
        };
        let ticks = new_periodic!(queue, ticker)?;
        // The twin ticks as often: its delay of one jiffy takes up to two.
        ticks.start(JIFFY * 2);
        Ok(Self { ticks: Some(ticks) })
    }
}

impl Drop for RustWays {
    fn drop(&mut self) {
        if let Some(periodic) = &self.ticks {
            periodic.stop();
            let CountTicks { since, ticks } = periodic.ticker();
            let ticks = ticks.load(Relaxed).max(1);
            pr_info!("period={}\n", (now() - since) / ticks as i64);
        }
    }
}
