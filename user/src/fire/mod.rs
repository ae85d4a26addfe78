// SPDX-License-Identifier: GPL-2.0

//! The cases of `wqtest fire`: everything often, at once, and at the worst moment. One file a
//! subject. A case's name is the sentence that it proves.

mod anything;
mod bad_input;
pub mod children;
mod crowd;
mod faults;
mod hog;
pub mod jobs;
mod leaks;
mod numbered;
mod signals;
mod throw;
mod unload;

use crate::cases::{matching_of, Case};

/// In the order in which they run. The last subject checks whether any of them has leaked.
const SUBJECTS: &[&[Case]] =
    &[faults::CASES, bad_input::CASES, signals::CASES, crowd::CASES, unload::CASES, leaks::CASES];

/// The cases whose names contain `filter` and the check for leaks, or all without one.
pub fn matching(filter: Option<&str>) -> Vec<Case> {
    let mut cases = matching_of(SUBJECTS, filter);
    if !cases.is_empty() {
        cases.retain(|case| !is_last(case));
        cases.extend(leaks::CASES);
    }
    cases
}

/// Whether a case checks what the others have left.
pub fn is_last(case: &Case) -> bool {
    leaks::CASES.iter().any(|last| last.name == case.name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::cases;

    #[test]
    fn names_are_unique() {
        let all = [matching(None), cases::matching(None)].concat();
        let names: HashSet<&str> = all.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn whatever_is_run_is_looked_over_at_the_end() {
        assert!(is_last(matching(None).last().unwrap()));
        assert!(is_last(matching(Some("with_a_timer_armed")).last().unwrap()));
        assert_eq!(matching(Some("with_a_timer_armed")).len(), 2);
        assert!(matching(Some("no such case")).is_empty());
    }
}
