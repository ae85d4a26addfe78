// SPDX-License-Identifier: GPL-2.0

//! A KUnit suite of the timers with the longest delays. It moves the kernel's clock by months.
//!
//! It is a module of its own. `scripts/kunit.sh` loads it last and with one CPU online: nothing
//! else that uses this clock may be active. The module's init moves the clock. If KUnit's
//! thread did, its time limit, which goes by this clock, would be over at once.

use core::ptr;

use kernel::{
    bindings,
    impl_has_delayed_work,
    interrupt::local_interrupt_disable,
    new_delayed_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta,
        Jiffies, //
    },
    workqueue::{
        self,
        DelayedWork,
        WorkItem, //
    }, //
};

#[cfg(not(CONFIG_KUNIT = "y"))]
compile_error!("these are KUnit tests, for a kernel with CONFIG_KUNIT: scripts/kunit.sh");

#[allow(dead_code)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod jiffies;
}

use abstractions::jiffies::{
    self,
    LONGEST_DELAY,
    WHEEL_HOLDS, //
};

module! {
    type: abstractions::alive::Guarded<MovedClockKunit>,
    name: "moved_clock_kunit",
    authors: ["The workqueue-rs authors"],
    description: "KUnit suite of the longest delays, which moves the clock",
    license: "GPL",
}

/// The grid of the longest timers: C's `LVL_GRAN()` of the timer wheel's last level. They fire more
/// than 32 grid points ahead, and fewer than 64.
const GRANULE: Jiffies = 1 << (WHEEL_HOLDS.ilog2() - 5);

/// More than the wheel holds, by more than a few of the steps below.
const TOO_LONG: Jiffies = WHEEL_HOLDS + 2 * GRANULE;

/// The `ran_after` of an item that has not run.
const NEVER: Jiffies = Jiffies::MAX;

/// An item that notes how long after it was armed it ran.
#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
    armed_at: Jiffies,
    ran_after: Atomic<Jiffies>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let after = jiffies::now().wrapping_sub(this.armed_at);
        this.ran_after.store(after, Relaxed);
    }
}

impl Item {
    fn armed(delay: Jiffies) -> Result<Arc<Self>> {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- new_delayed_work!("Item"),
                armed_at: jiffies::now(),
                ran_after: Atomic::new(NEVER),
            }),
            GFP_KERNEL,
        )?;
        let _ = workqueue::system_long().enqueue_delayed(item.clone(), delay);
        Ok(item)
    }

    /// `None` if it has not run.
    fn ran_after(&self) -> Option<Jiffies> {
        match self.ran_after.load(Relaxed) {
            NEVER => None,
            after => Some(after),
        }
    }

    /// Waits until it has run. Sleeps, by a clock that is not moved.
    fn wait(&self) {
        while self.ran_after().is_none() {
            fsleep(Delta::from_micros(500));
        }
    }
}

extern "C" {
    /// C's `rcu_gp_in_progress()` looks at this: a grace period is in progress if the lowest two
    /// bits are not 0.
    fn rcu_get_gp_seq() -> c_ulong;
}

/// Moves the clock if an RCU grace period is in progress. Returns whether it did. If one were only
/// requested, RCU would take the request for months old and warn.
fn moved(jiffies: Jiffies) -> bool {
    let _no_interrupt = local_interrupt_disable();
    // SAFETY: It may be called anywhere.
    if unsafe { rcu_get_gp_seq() } & 3 == 0 {
        return false;
    }
    let clock = &raw mut bindings::jiffies_64;
    // SAFETY: It is valid for ever. No interrupt comes, and no other CPU is online: nobody writes
    // it meanwhile.
    unsafe {
        ptr::write_volatile(
            clock,
            ptr::read_volatile(clock).wrapping_add(jiffies as u64),
        )
    };
    true
}

/// The shortest step of the clock. Far less time passes by itself meanwhile.
const SHORTEST_STEP: Jiffies = GRANULE / 64;

/// Moves the clock. Waits until all timers that are due by then have fired and all their items have
/// run. Sleeps.
fn pass(jiffies: Jiffies) -> Result {
    // This item is due once the clock is moved, and not before, wherever on the grid its timer
    // lands. All timers that are due then fire in one go. So all their items are queued when this
    // one runs...
    let fired = Item::armed(jiffies / 2)?;
    while !moved(jiffies) {
        // SAFETY: RCU is there.
        unsafe { bindings::start_poll_synchronize_rcu() };
        fsleep(Delta::from_micros(100));
    }
    fired.wait();
    // ... and this one is queued behind them: there is one CPU, and none of them sleeps.
    Item::armed(0)?.wait();
    Ok(())
}

/// Moves the clock to `time` in steps. A timer that is early fires at one of them.
fn pass_until(time: Jiffies) -> Result {
    loop {
        // Negative if the time has passed while the clock was moved.
        let left = time.wrapping_sub(jiffies::now()) as isize;
        if left <= 0 {
            return Ok(());
        }
        pass((left as Jiffies).clamp(SHORTEST_STEP, GRANULE / 3))?;
    }
}

fn is_alone() -> bool {
    // SAFETY: It is valid for ever, and read as one word.
    unsafe { ptr::read_volatile(&raw const bindings::__num_online_cpus.counter) == 1 }
}

/// How long after they were armed the items ran, one for each delay.
struct Seen {
    longest: Atomic<Jiffies>,
    wheel_holds: Atomic<Jiffies>,
    too_long: Atomic<Jiffies>,
}

static SEEN: Seen = Seen {
    longest: Atomic::new(NEVER),
    wheel_holds: Atomic::new(NEVER),
    too_long: Atomic::new(NEVER),
};

fn observe() -> Result {
    // Begin halfway between two points of the grid: there it matters most.
    let now = jiffies::now();
    pass_until(now.next_multiple_of(GRANULE) + GRANULE / 2)?;
    let longest = Item::armed(jiffies::at_least(LONGEST_DELAY))?;
    let wheel_holds = Item::armed(WHEEL_HOLDS)?;
    let too_long = Item::armed(TOO_LONG)?;
    pass_until(too_long.armed_at + TOO_LONG + GRANULE)?;
    for (seen, item) in [
        (&SEEN.longest, longest),
        (&SEEN.wheel_holds, wheel_holds),
        (&SEEN.too_long, too_long),
    ] {
        let (armed_at, after) = (item.armed_at, item.ran_after.load(Relaxed));
        pr_info!("armed at {armed_at:#x}, ran after {after:#x} jiffies\n");
        seen.store(after, Relaxed);
    }
    Ok(())
}

struct MovedClockKunit;

impl kernel::Module for MovedClockKunit {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if !is_alone() {
            pr_err!("another CPU is online\n");
            return Err(EBUSY);
        }
        observe()?;
        Ok(Self)
    }
}

#[kunit_tests(abstractions_moved_clock)]
mod tests {
    use super::*;

    /// Whether it was not early, and an eighth late at most.
    fn is_in_time(seen: &Atomic<Jiffies>, delay: Jiffies) -> bool {
        (delay..=delay + delay / 8).contains(&seen.load(Relaxed))
    }

    #[test]
    fn a_timer_of_the_longest_delay_is_in_time() {
        let longest = jiffies::at_least(LONGEST_DELAY);
        assert!(is_in_time(&SEEN.longest, longest));
        assert!(longest <= WHEEL_HOLDS);
    }

    #[test]
    fn a_timer_of_what_the_wheel_holds_is_in_time() {
        assert!(is_in_time(&SEEN.wheel_holds, WHEEL_HOLDS));
    }

    #[test]
    fn a_timer_of_more_than_the_wheel_holds_is_early() {
        let after = SEEN.too_long.load(Relaxed);
        // This excludes `NEVER` too.
        assert!(after < TOO_LONG);
    }
}
