// SPDX-License-Identifier: GPL-2.0

//! The end-to-end cases, one file a subject. A case's name is the sentence that it proves.

mod demo_concurrency;
mod demo_custom;
mod demo_data;
mod demo_delayed;
mod demo_flush;
mod demo_grammar;
mod demo_immediate;
mod demo_kinds;
mod demo_module;
mod demo_periodic;
mod demo_reset;
mod demo_table;
pub mod echo_bound;
mod echo_counters;
mod echo_errors;
mod echo_escape;
mod echo_lines;
mod echo_module;
mod echo_nowait;
mod echo_order;
mod echo_poll;
mod echo_signals;
mod echo_split;
mod program;

use crate::harness::{Harness, Outcome};

/// One named test.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Harness) -> Outcome,
}

/// Lists functions of a module as its cases, under their own names.
macro_rules! cases {
    ($($name:ident,)*) => {
        pub const CASES: &[$crate::cases::Case] = &[
            $($crate::cases::Case { name: stringify!($name), run: $name },)*
        ];
    };
}
pub(crate) use cases;

/// In the order in which they run: from one message to many, and the removal of modules last.
const SUBJECTS: &[&[Case]] = &[
    echo_lines::CASES,
    echo_split::CASES,
    echo_escape::CASES,
    echo_errors::CASES,
    echo_order::CASES,
    echo_counters::CASES,
    echo_bound::CASES,
    echo_poll::CASES,
    echo_nowait::CASES,
    echo_signals::CASES,
    echo_module::CASES,
    demo_table::CASES,
    demo_immediate::CASES,
    demo_delayed::CASES,
    demo_custom::CASES,
    demo_kinds::CASES,
    demo_data::CASES,
    demo_periodic::CASES,
    demo_flush::CASES,
    demo_reset::CASES,
    demo_grammar::CASES,
    demo_concurrency::CASES,
    demo_module::CASES,
    program::CASES,
];

/// The cases whose names contain `filter`, or all without one.
pub fn matching(filter: Option<&str>) -> Vec<Case> {
    matching_of(SUBJECTS, filter)
}

pub fn matching_of(subjects: &[&[Case]], filter: Option<&str>) -> Vec<Case> {
    let all = subjects.iter().flat_map(|cases| cases.iter());
    all.filter(|case| filter.is_none_or(|part| case.name.contains(part))).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_result_line() {
        let names: Vec<&str> = matching(None).iter().map(|case| case.name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in names {
            assert!(name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        }
    }

    #[test]
    fn filters_by_a_part_of_the_name() {
        assert!(matching(Some("demo_")).iter().all(|case| case.name.contains("demo_")));
        assert!(!matching(Some("echo_")).is_empty());
        assert!(matching(Some("no such case")).is_empty());
    }
}
