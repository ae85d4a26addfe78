// SPDX-License-Identifier: GPL-2.0

//! Budgets of log lines.

use kernel::{
    bindings,
    prelude::*,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use crate::{
    abstractions::ratelimit::RateLimit,
    probe, //
};

#[kunit_tests(abstractions_ratelimit)]
mod tests {
    use super::*;

    use crate::probe::ensure;

    /// A budget of `burst` lines in five seconds.
    fn budget(burst: u32) -> Result<RateLimit> {
        RateLimit::new(burst, RateLimit::DEFAULT_INTERVAL)
    }

    /// How many of `lines` lines may be logged.
    fn allowed(budget: &RateLimit, lines: usize) -> usize {
        (0..lines).filter(|_| budget.may_log()).count()
    }

    /// Repeats `attempt` until it succeeds: an interval of five seconds may end while it runs.
    fn in_five_seconds(mut attempt: impl FnMut() -> Result<bool>) -> Result {
        ensure!(probe::at_last(&mut attempt)?);
        Ok(())
    }

    #[test]
    fn a_budget_is_used_up_by_so_many_lines_and_no_more() -> Result {
        for burst in [0, 1, RateLimit::DEFAULT_BURST] {
            in_five_seconds(|| Ok(allowed(&budget(burst)?, 1000) == burst as usize))?;
        }
        ensure!(allowed(&budget(u32::MAX)?, 1000) == 1000);
        ensure!(RateLimit::DEFAULT_BURST == 10);
        Ok(())
    }

    #[test]
    fn a_budget_is_there_again_when_its_interval_is_over() -> Result {
        const HALF: Delta = Delta::from_millis(25);
        const INTERVAL: Delta = Delta::from_millis(50);
        // If this takes longer than the interval, it says nothing about the time before its end.
        ensure!(probe::at_last(|| {
            let budget = RateLimit::new(2, INTERVAL)?;
            let begun = Instant::<Monotonic>::now();
            let within = allowed(&budget, 10);
            fsleep(HALF);
            let still_within = allowed(&budget, 10);
            let was_within = begun.elapsed() < INTERVAL;
            fsleep(INTERVAL);
            let behind = allowed(&budget, 1);
            Ok(was_within && (within, still_within, behind) == (2, 0, 1))
        })?);
        Ok(())
    }

    #[test]
    fn an_interval_is_a_jiffy_at_least() -> Result {
        for none in [Delta::ZERO, Delta::from_millis(-5)] {
            ensure!(probe::at_last(|| Ok(allowed(
                &RateLimit::new(1, none)?,
                2
            ) == 1))?);
        }
        // C would warn of an interval that is too long for it.
        let for_ever = RateLimit::new(1, Delta::from_nanos(i64::MAX))?;
        ensure!(allowed(&for_ever, 2) == 1);
        ensure!(RateLimit::DEFAULT_INTERVAL.as_millis() == 5_000);
        Ok(())
    }

    #[test]
    fn nobody_else_uses_a_budget_up() -> Result {
        let ours = budget(10)?;
        let theirs = budget(10)?;
        for _ in 0..100 {
            theirs.may_log();
            // SAFETY: It is a string.
            unsafe { bindings::__printk_ratelimit(c"abstractions_kunit".as_char_ptr()) };
        }
        ensure!(allowed(&ours, 10) == 10);
        Ok(())
    }

    #[test]
    fn lockdep_knows_the_lock_of_a_budget() -> Result {
        drop(budget(10)?);
        let budget = budget(10)?;
        budget.may_log();
        ensure!(probe::lockdep_is_content());
        Ok(())
    }
}
