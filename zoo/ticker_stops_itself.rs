// SPDX-License-Identifier: GPL-2.0

//! Hole 11 with periodic work: a tick stops the ticks, and so waits for itself.
//!
//! RUN hung_after 3; insmod /ticker_stops_itself.ko $FIXED && sleep 9
//! EXPECT kasan: WARNING: possible recursive locking detected
//! EXPECT kasan: \(zoo_ticks\).*, at: __flush_work
//! EXPECT kasan: INFO: task kworker/.* blocked for more than

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
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

type Ticks = Mutex<Option<Periodic<Stopper>>>;

struct Stopper {
    ticks: Arc<Ticks>,
    stops: bool,
}

impl Ticker for Stopper {
    fn tick(&self) {
        if self.stops {
            if let Some(ticks) = &*self.ticks.lock() {
                // WRONG: this very tick is what is waited for.
                ticks.stop();
            }
        }
    }
}

fn start(stops: bool) -> Result<Arc<Ticks>> {
    let ticks = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
    let ticker = Stopper {
        ticks: ticks.clone(),
        stops,
    };
    let periodic = new_periodic!(system_percpu(), ticker, "zoo_ticks")?;
    periodic.start(Delta::from_millis(10));
    *ticks.lock() = Some(periodic);
    fsleep(Delta::from_millis(500));
    Ok(ticks)
}

fn broken() -> Result {
    start(true)?;
    Ok(())
}

fn fixed() -> Result {
    // From anywhere else, and without the lock that the tick takes.
    let periodic = start(false)?.lock().take();
    drop(periodic);
    Ok(())
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "ticker_stops_itself",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a tick stops the ticks",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen;

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if module_parameters::fixed.value() {
            fixed()?;
        } else {
            broken()?;
        }
        Ok(Self)
    }
}
