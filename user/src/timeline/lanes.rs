// SPDX-License-Identifier: GPL-2.0

//! Where the picture shows things: lanes for workers, rows for waits and for marks.

use super::names;
use super::story::{Run, Story};

/// A worker and its runs.
pub struct Lane<'a> {
    pub pool: String,
    pub worker: String,
    pub runs: Vec<&'a Run>,
    /// For each of `runs`, the row of its wait.
    pub rows: Vec<usize>,
    pub row_count: usize,
}

/// If more waits overlap, they share the last row.
pub const MOST_ROWS: usize = 24;

/// The lanes, with those of a pool next to each other.
pub fn lanes(story: &Story) -> Vec<Lane<'_>> {
    let mut lanes: Vec<Lane> = story
        .workers
        .iter()
        .enumerate()
        .map(|(index, worker)| {
            let runs: Vec<&Run> = story.runs.iter().filter(|run| run.worker == index).collect();
            let waits = runs.iter().map(|run| (wait_begin(run), run.start));
            let (rows, row_count) = rows(waits, MOST_ROWS);
            Lane { pool: names::pool(worker), worker: names::worker(worker), runs, rows, row_count }
        })
        .collect();
    lanes.sort_by(|a, b| (&a.pool, &a.worker).cmp(&(&b.pool, &b.worker)));
    lanes
}

/// When the wait for `run` began: with its timer, or on the queue. A wait whose start was not
/// recorded takes no room.
fn wait_begin(run: &Run) -> u64 {
    run.wait.as_ref().map_or(run.start, |wait| wait.armed.unwrap_or(wait.queued))
}

/// Gives each span a row in which it overlaps no other, up to `most` rows. Returns each span's row
/// and the number of rows.
pub fn rows<T: PartialOrd + Copy>(
    spans: impl Iterator<Item = (T, T)>,
    most: usize,
) -> (Vec<usize>, usize) {
    let spans: Vec<(T, T)> = spans.collect();
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by(|&a, &b| spans[a].0.partial_cmp(&spans[b].0).expect("no NaN"));
    let mut ends: Vec<T> = Vec::new();
    let mut rows = vec![0; spans.len()];
    for index in order {
        let (begin, end) = spans[index];
        let free = ends.iter().position(|&taken| taken <= begin);
        let row = free.unwrap_or(ends.len()).min(most - 1);
        rows[index] = row;
        match ends.get_mut(row) {
            Some(taken) => *taken = end,
            None => ends.push(end),
        }
    }
    (rows, ends.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_row_more_where_things_overlap() {
        let spans = [(0, 10), (5, 8), (8, 12), (10, 11)];
        assert_eq!(rows(spans.into_iter(), 9), (vec![0, 1, 1, 0], 2));
        assert_eq!(rows([(0, 9); 5].into_iter(), 3), (vec![0, 1, 2, 2, 2], 3));
        assert_eq!(rows([].into_iter() as std::array::IntoIter<(u64, u64), 0>, 3), (vec![], 0));
    }
}
