// SPDX-License-Identifier: GPL-2.0

//! Reduces many samples to one figure.

use std::time::Duration;

/// The sample that `percent` percent of all do not exceed (nearest rank). Needs a sample.
pub fn percentile(samples: &[f64], percent: usize) -> f64 {
    assert!(!samples.is_empty() && percent <= 100);
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted[rank.max(1) - 1]
}

/// The middle sample, or the mean of the two middle ones.
pub fn median(samples: &[f64]) -> f64 {
    assert!(!samples.is_empty());
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Needs a sample.
pub fn mean(samples: &[f64]) -> f64 {
    assert!(!samples.is_empty());
    samples.iter().sum::<f64>() / samples.len() as f64
}

/// One share of a time, in nanoseconds.
pub fn nanoseconds_each(span: Duration, count: usize) -> f64 {
    span.as_nanos() as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_middle() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn finds_percentiles_by_rank() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50), 50.0);
        assert_eq!(percentile(&hundred, 99), 99.0);
        assert_eq!(percentile(&hundred, 100), 100.0);
        assert_eq!(percentile(&hundred, 0), 1.0);
        assert_eq!(percentile(&[7.0, 8.0], 99), 8.0);
        assert_eq!(percentile(&[7.0], 1), 7.0);
    }

    #[test]
    fn finds_the_mean() {
        assert_eq!(mean(&[9.0, 1.0, 2.0]), 4.0);
    }

    #[test]
    fn shares_time() {
        assert_eq!(nanoseconds_each(Duration::from_micros(3), 2000), 1.5);
    }
}
