// SPDX-License-Identifier: GPL-2.0

//! Hole 12: a handler owns the driver that owns its handle.
//!
//! So the driver owns the last `Arc` of itself and is never dropped. Nothing stops
//! the item, and it ticks on after the module has gone. Nothing here is unsafe.
//!
//! RUN insmod /handler_owns_its_driver.ko $FIXED && { rmmod handler_owns_its_driver & }
//! RUN sleep 9; ! kill -0 $! || echo "rmmod still waits"
//! EXPECT debian: handler_owns_its_driver: cannot be unloaded: still alive: item "zoo_driver"$
//! EXPECT debian: handler_owns_its_driver: tick 5
//! EXPECT debian: rmmod still waits

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    time::Delta, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod cancel;
    pub(crate) mod delayed_work;
    pub(crate) mod jiffies;
    pub(crate) mod owned_queue;
    pub(crate) mod periodic;
}

use abstractions::{
    owned_queue::system_percpu,
    periodic::{
        new_periodic,
        Periodic,
        Ticker, //
    }, //
};

struct Ticks(Atomic<u32>);

impl Ticks {
    fn count(&self) {
        pr_info!("tick {}\n", self.0.fetch_add(1, Relaxed));
    }
}

fn second<T: Ticker>(ticker: T) -> Result<Periodic<T>> {
    let periodic = new_periodic!(system_percpu(), ticker, "zoo_driver")?;
    periodic.start(Delta::from_secs(1));
    Ok(periodic)
}

struct Driver {
    ticks: Ticks,
    ticker: SetOnce<Periodic<OwnsDriver>>,
}

struct OwnsDriver(Arc<Driver>);

impl Ticker for OwnsDriver {
    fn tick(&self) {
        self.0.ticks.count();
    }
}

fn broken() -> Result<Arc<Driver>> {
    let driver = Driver {
        ticks: Ticks(Atomic::new(0)),
        ticker: SetOnce::new(),
    };
    let driver = Arc::new(driver, GFP_KERNEL)?;
    // WRONG: the driver owns the ticker, and the ticker the driver.
    driver.ticker.populate(second(OwnsDriver(driver.clone()))?);
    Ok(driver)
}

struct OwnsTicks(Arc<Ticks>);

impl Ticker for OwnsTicks {
    fn tick(&self) {
        self.0.count();
    }
}

/// Dropped with the module's state, its only owner.
struct FixedDriver {
    _ticks: Arc<Ticks>,
    _ticker: Periodic<OwnsTicks>,
}

fn fixed() -> Result<FixedDriver> {
    let ticks = Arc::new(Ticks(Atomic::new(0)), GFP_KERNEL)?;
    Ok(FixedDriver {
        // The handler owns what it works on, and no more.
        _ticker: second(OwnsTicks(ticks.clone()))?,
        _ticks: ticks,
    })
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "handler_owns_its_driver",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a handler owns the driver that owns its handle",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

enum Specimen {
    Broken { _driver: Arc<Driver> },
    Fixed { _driver: FixedDriver },
}

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(if module_parameters::fixed.value() {
            Self::Fixed { _driver: fixed()? }
        } else {
            Self::Broken { _driver: broken()? }
        })
    }
}
