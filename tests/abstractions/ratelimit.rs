// SPDX-License-Identifier: GPL-2.0

//! Budgets of log lines.

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    abstractions::ratelimit::RateLimit,
    probe, //
};

#[kunit_tests(abstractions_ratelimit)]
mod tests {
    use super::*;

    use crate::probe::ensure;

    /// How many of `lines` may be logged. None of it takes five seconds.
    fn allowed(budget: &RateLimit, lines: usize) -> usize {
        (0..lines).filter(|_| budget.may_log()).count()
    }

    /// Whether some five seconds hold all that `attempt` does.
    fn in_five_seconds(mut attempt: impl FnMut() -> Result<bool>) -> Result {
        ensure!(probe::at_last(&mut attempt)?);
        Ok(())
    }

    #[test]
    fn a_budget_is_used_up_by_so_many_lines_and_no_more() -> Result {
        for burst in [0, 1, RateLimit::DEFAULT_BURST] {
            in_five_seconds(|| Ok(allowed(&RateLimit::new(burst)?, 1000) == burst as usize))?;
        }
        ensure!(allowed(&RateLimit::new(u32::MAX)?, 1000) == 1000);
        ensure!(RateLimit::DEFAULT_BURST == 10);
        Ok(())
    }

    #[test]
    fn nobody_else_uses_a_budget_up() -> Result {
        let ours = RateLimit::new(10)?;
        let theirs = RateLimit::new(10)?;
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
        drop(RateLimit::new(10)?);
        let budget = RateLimit::new(10)?;
        budget.may_log();
        ensure!(probe::lockdep_is_content());
        Ok(())
    }
}
