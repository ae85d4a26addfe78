// SPDX-License-Identifier: GPL-2.0

//! A KUnit suite for which the kernel's clock is moved by months: the timers of the longest delays.
//!
//! It is a module of its own, loaded last and with one CPU online: what else goes by that clock
//! has to be quiet (`scripts/kunit.sh` sees to it). The clock is moved while it is loaded. KUnit's
//! own time limit would be over if its thread did that.

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

/// The grid of the longest timers: C's `LVL_GRAN()` of the last level of the timer wheel, of which
/// they are more than 32 points away, and fewer than 64.
const GRANULE: Jiffies = 1 << (WHEEL_HOLDS.ilog2() - 5);

/// More than the wheel holds.
const TOO_LONG: Jiffies = WHEEL_HOLDS + GRANULE;

/// How long after it was armed an item ran that has not run.
const NEVER: Jiffies = Jiffies::MAX;

/// An item, and how long after it was armed it ran.
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

    /// `None`: it has not run.
    fn ran_after(&self) -> Option<Jiffies> {
        match self.ran_after.load(Relaxed) {
            NEVER => None,
            after => Some(after),
        }
    }

    /// Until it has run. Sleeps, and not by the clock that is moved.
    fn wait(&self) {
        while self.ran_after().is_none() {
            fsleep(Delta::from_micros(500));
        }
    }
}

extern "C" {
    /// What C's `rcu_gp_in_progress()` looks at: the lowest two bits are not 0.
    fn rcu_get_gp_seq() -> c_ulong;
}

/// Moves the clock, if a grace period of RCU is under way: one that is asked for, and that the
/// clock tells to have been asked for months ago, is worth a warning to RCU.
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

/// The least that the clock is moved by: far more than passes by itself meanwhile.
const SHORTEST_STEP: Jiffies = GRANULE / 64;

/// Moves the clock, and waits until all timers have fired that are due by then, and all their items
/// have run. Sleeps.
fn pass(jiffies: Jiffies) -> Result {
    // It is due once the clock is moved, and not before, wherever on its grid it lands. The timers
    // that are due then fire in one go. So all their items wait in line when this one runs...
    let fired = Item::armed(jiffies / 2)?;
    while !moved(jiffies) {
        // SAFETY: RCU is there.
        unsafe { bindings::start_poll_synchronize_rcu() };
        fsleep(Delta::from_micros(100));
    }
    fired.wait();
    // ... and this one is behind them: there is one CPU, and none of them sleeps.
    Item::armed(0)?.wait();
    Ok(())
}

/// In steps: what comes too early comes at one of them.
fn pass_until(time: Jiffies) -> Result {
    loop {
        // Less than nothing is left of what has passed while it was moved.
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

/// How long after it was armed an item ran: one of each delay.
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
    // The middle between two points of the grid: there it matters most.
    let now = jiffies::now();
    pass_until(now.next_multiple_of(GRANULE) + GRANULE / 2)?;
    let longest = Item::armed(jiffies::at_least(LONGEST_DELAY))?;
    let wheel_holds = Item::armed(WHEEL_HOLDS)?;
    let too_long = Item::armed(TOO_LONG)?;
    pass_until(too_long.armed_at + TOO_LONG + GRANULE)?;
    SEEN.longest.store(longest.ran_after.load(Relaxed), Relaxed);
    SEEN.wheel_holds
        .store(wheel_holds.ran_after.load(Relaxed), Relaxed);
    SEEN.too_long
        .store(too_long.ran_after.load(Relaxed), Relaxed);
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

    /// Not early, and an eighth late at most.
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
        // Nor is it `NEVER`.
        assert!(after < TOO_LONG);
    }
}
