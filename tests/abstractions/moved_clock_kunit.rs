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

/// An item, and how long after it was armed it ran.
#[pin_data]
struct Item {
    #[pin]
    work: DelayedWork<Item>,
    armed_at: Jiffies,
    /// 0: it has not run.
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
                ran_after: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let _ = workqueue::system_long().enqueue_delayed(item.clone(), delay);
        Ok(item)
    }

    fn ran_after(&self) -> Jiffies {
        self.ran_after.load(Relaxed)
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

/// Moves the clock, and lets timers and items run that are due by then. Sleeps.
fn pass(jiffies: Jiffies) {
    while !moved(jiffies) {
        // SAFETY: RCU is there.
        unsafe { bindings::start_poll_synchronize_rcu() };
        fsleep(Delta::from_micros(100));
    }
    let moved_at = jiffies::now();
    // A tick for the timers, one for the workers, the one that is partly over, and some for a
    // machine that is busy.
    while jiffies::now().wrapping_sub(moved_at) < 10 {
        fsleep(Delta::from_micros(500));
    }
}

/// In steps: what comes too early comes at one of them.
fn pass_until(time: Jiffies) {
    loop {
        // Less than nothing is left of what has passed while it was moved.
        let left = time.wrapping_sub(jiffies::now()) as isize;
        if left <= 0 {
            return;
        }
        pass((left as Jiffies).min(GRANULE / 3));
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
    longest: Atomic::new(0),
    wheel_holds: Atomic::new(0),
    too_long: Atomic::new(0),
};

fn observe() -> Result {
    // The middle between two points of the grid: there it matters most.
    let now = jiffies::now();
    pass_until(now.next_multiple_of(GRANULE) + GRANULE / 2);
    let longest = Item::armed(jiffies::at_least(LONGEST_DELAY))?;
    let wheel_holds = Item::armed(WHEEL_HOLDS)?;
    let too_long = Item::armed(TOO_LONG)?;
    pass_until(too_long.armed_at + TOO_LONG + GRANULE);
    SEEN.longest.store(longest.ran_after(), Relaxed);
    SEEN.wheel_holds.store(wheel_holds.ran_after(), Relaxed);
    SEEN.too_long.store(too_long.ran_after(), Relaxed);
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
        assert!(after != 0 && after < TOO_LONG);
    }
}
