// SPDX-License-Identifier: GPL-2.0

//! What a flush waits for: the outstanding items that were queued before it.
//!
//! As in C's `__flush_workqueue()`, an item gets the color that is current when it is queued. A
//! flush makes the next color current. It is over when no item of its own color or an older one is
//! outstanding. So nobody keeps a list of items, however many flush.

use kernel::prelude::*;

/// How many colors there are at a time. C has 16 too (`WORK_NR_COLORS`).
const COLORS: u64 = 16;

/// The color of an item, or of a flush: an older one is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Color(u64);

impl Color {
    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn slot(self) -> usize {
        // CAST: It is less than `COLORS`.
        (self.0 % COLORS) as usize
    }
}

/// How many items of each color are outstanding.
pub(crate) struct Colors {
    outstanding: [u64; COLORS as usize],
    /// No item of an older color is outstanding.
    oldest: Color,
    /// The color of items that are queued now.
    current: Color,
    /// A flush wants the next color to be current, as soon as one is free.
    is_cut: bool,
}

impl Colors {
    pub(crate) fn new() -> Self {
        Self {
            outstanding: [0; COLORS as usize],
            oldest: Color(0),
            current: Color(0),
            is_cut: false,
        }
    }

    /// Counts items that are queued now, and says which color they have.
    pub(crate) fn add(&mut self, items: u64) -> Color {
        self.outstanding[self.current.slot()] += items;
        self.current
    }

    /// Counts an item that has run or was taken back. Returns whether a flush may be over now.
    pub(crate) fn remove(&mut self, color: Color) -> bool {
        let oldest = self.oldest;
        self.outstanding[color.slot()] -= 1;
        self.settle();
        self.oldest > oldest
    }

    /// Begins a flush. Returns its color, or `None` if there is nothing to wait for.
    ///
    /// If all colors are taken, the current one stays until one is free. The flush then waits for
    /// more than was queued before it, but not for ever.
    pub(crate) fn cut(&mut self) -> Option<Color> {
        if self.outstanding[self.current.slot()] > 0 {
            let color = self.current;
            self.is_cut = true;
            self.settle();
            return Some(color);
        }
        // Nothing has been queued since the last cut, which waits for all there is.
        (self.oldest < self.current).then(|| Color(self.current.0 - 1))
    }

    /// Whether a flush of this color is over.
    pub(crate) fn is_flushed(&self, color: Color) -> bool {
        self.oldest > color
    }

    /// Frees the colors without outstanding items, and makes the next one current if that was
    /// wanted.
    fn settle(&mut self) {
        self.free();
        if self.is_cut && self.current.0 - self.oldest.0 < COLORS - 1 {
            self.current = self.current.next();
            self.is_cut = false;
            self.free();
        }
    }

    fn free(&mut self) {
        while self.oldest < self.current && self.outstanding[self.oldest.slot()] == 0 {
            self.oldest = self.oldest.next();
        }
    }
}

#[kunit_tests(workqueue_demo_colors)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_waits_for_what_was_queued_before_it_and_for_nothing_else() -> Result {
        let mut colors = Colors::new();
        assert!(colors.cut().is_none());
        let before = colors.add(2);
        let flush = colors.cut().ok_or(EINVAL)?;
        let behind = colors.add(1);
        assert!(!colors.remove(before));
        assert!(!colors.is_flushed(flush));
        assert!(colors.remove(before));
        assert!(colors.is_flushed(flush));
        assert!(colors.cut().is_some());
        assert!(colors.remove(behind));
        assert!(colors.cut().is_none());
        Ok(())
    }

    #[test]
    fn items_may_end_in_any_order() -> Result {
        let mut colors = Colors::new();
        let old = colors.add(1);
        let first = colors.cut().ok_or(EINVAL)?;
        let new = colors.add(1);
        let second = colors.cut().ok_or(EINVAL)?;
        assert!(!colors.remove(new));
        assert!(!colors.is_flushed(first) && !colors.is_flushed(second));
        assert!(colors.remove(old));
        assert!(colors.is_flushed(first) && colors.is_flushed(second));
        Ok(())
    }

    #[test]
    fn flushes_with_nothing_queued_between_them_share_a_color() -> Result {
        let mut colors = Colors::new();
        let item = colors.add(1);
        let flush = colors.cut();
        for _ in 0..2 * COLORS {
            assert!(colors.cut() == flush);
        }
        assert!(colors.remove(item));
        assert!(colors.is_flushed(flush.ok_or(EINVAL)?));
        Ok(())
    }

    #[test]
    fn every_flush_ends_where_colors_run_out_though_more_is_queued_all_the_time() -> Result {
        const ITEMS: usize = 4 * COLORS as usize;
        let mut colors = Colors::new();
        let mut items = KVec::new();
        let mut flushes = KVec::new();
        for _ in 0..ITEMS {
            items.push(colors.add(1), GFP_KERNEL)?;
            flushes.push(colors.cut().ok_or(EINVAL)?, GFP_KERNEL)?;
        }
        let last = flushes[ITEMS - 1];
        // All items queued before the last flush end. As many are queued behind it.
        for item in items {
            assert!(!colors.is_flushed(last));
            let _ = colors.add(1);
            colors.remove(item);
        }
        // Of those the flush waits only for the ones that had to share its color.
        let shared: u64 = colors.outstanding[last.slot()];
        assert!(shared < ITEMS as u64);
        for _ in 0..shared {
            assert!(!colors.is_flushed(last));
            colors.remove(last);
        }
        assert!(flushes.iter().all(|&flush| colors.is_flushed(flush)));
        Ok(())
    }
}
