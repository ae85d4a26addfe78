// SPDX-License-Identifier: GPL-2.0

//! The picture's horizontal axis. Stretches in which nothing happens are folded: they take little
//! room, however long they are.

/// Converts microseconds to points from the left.
pub struct Scale {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub from: u64,
    pub to: u64,
    pub x: f64,
    pub width: f64,
    pub folded: bool,
}

/// How wide a fold is drawn.
const FOLD: f64 = 44.0;

impl Scale {
    /// `moments` are the times at which something happens, sorted, at least one. A gap longer than
    /// `fold` is folded, except an eighth of `fold` on each side. All other stretches together are
    /// as wide as `width`.
    pub fn new(moments: &[u64], fold: u64, width: f64) -> Scale {
        let mut pieces: Vec<Piece> = Vec::new();
        let span = moments[moments.len() - 1] - moments[0];
        let margin = (fold / 8).min(span / 10).max(1);
        let first = moments[0].saturating_sub(margin);
        let last = moments[moments.len() - 1] + margin;
        let mut begin = first;
        for pair in moments.windows(2) {
            if pair[1] - pair[0] > fold {
                pieces.push(Piece::new(begin, pair[0] + margin, false));
                pieces.push(Piece::new(pair[0] + margin, pair[1] - margin, true));
                begin = pair[1] - margin;
            }
        }
        pieces.push(Piece::new(begin, last, false));
        place(&mut pieces, width);
        Scale { pieces }
    }

    pub fn x(&self, time: u64) -> f64 {
        let piece = self.pieces.iter().find(|piece| time <= piece.to).unwrap_or(self.last());
        let part = time.saturating_sub(piece.from) as f64 / (piece.to - piece.from) as f64;
        piece.x + piece.width * part.min(1.0)
    }

    pub fn width(&self) -> f64 {
        self.last().x + self.last().width
    }

    pub fn folds(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.folded)
    }

    /// Times at round distances from `zero`, for labels at least `room` apart. None lies within a
    /// fold.
    pub fn ticks(&self, zero: u64, room: f64) -> Vec<u64> {
        let step = round_up(room / self.points_a_microsecond());
        let mut ticks = Vec::new();
        for piece in self.pieces.iter().filter(|piece| !piece.folded) {
            let first = piece.from.saturating_sub(zero).div_ceil(step);
            let last = piece.to.saturating_sub(zero) / step;
            ticks.extend((first..=last).map(|n| zero + n * step).filter(|t| *t <= piece.to));
        }
        // A short piece between two folds puts its label close to another.
        let mut right = f64::NEG_INFINITY;
        ticks.retain(|&tick| {
            let fits = self.x(tick) - right >= room * 0.7;
            if fits {
                right = self.x(tick);
            }
            fits
        });
        ticks
    }

    fn points_a_microsecond(&self) -> f64 {
        let piece = self.pieces.iter().find(|piece| !piece.folded).expect("the first is not");
        piece.width / (piece.to - piece.from) as f64
    }

    fn last(&self) -> &Piece {
        self.pieces.last().expect("there is at least one")
    }
}

impl Piece {
    fn new(from: u64, to: u64, folded: bool) -> Piece {
        Piece { from, to, x: 0.0, width: 0.0, folded }
    }
}

fn place(pieces: &mut [Piece], width: f64) {
    let shown = pieces.iter().filter(|piece| !piece.folded);
    let total: u64 = shown.map(|piece| piece.to - piece.from).sum();
    let mut x = 0.0;
    for piece in pieces {
        piece.x = x;
        piece.width = match piece.folded {
            true => FOLD,
            false => width * (piece.to - piece.from) as f64 / total as f64,
        };
        x += piece.width;
    }
}

/// Up to 1, 2 or 5 with zeros.
fn round_up(least: f64) -> u64 {
    let mut decade = 1;
    loop {
        for step in [1, 2, 5].map(|digit| digit * decade) {
            if step as f64 >= least {
                return step;
            }
        }
        decade *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_even_where_nothing_is_folded() {
        let scale = Scale::new(&[1000, 1500, 2000], 800, 1200.0);
        assert_eq!(scale.width(), 1200.0);
        assert_eq!(scale.x(900), 0.0);
        assert_eq!(scale.x(2100), 1200.0);
        assert_eq!(scale.x(1500), 600.0);
        assert_eq!(scale.folds().count(), 0);
    }

    #[test]
    fn folds_what_is_idle_for_long() {
        let scale = Scale::new(&[0, 100, 1_000_000, 1_000_100], 800, 400.0);
        let folds: Vec<_> = scale.folds().collect();
        assert_eq!(folds.len(), 1);
        assert_eq!((folds[0].from, folds[0].to), (200, 999_900));
        assert_eq!(scale.width(), 400.0 + FOLD);
        // As far from the fold on the right as on the left.
        assert!(scale.x(1_000_000) - scale.x(100) < 2.0 * 110.0 + FOLD);
        assert!(scale.x(100) < scale.x(500_000) && scale.x(500_000) < scale.x(1_000_000));
    }

    #[test]
    fn never_runs_backwards() {
        let moments = [5, 6, 900, 901, 5000, 5001, 5002, 80_000];
        let scale = Scale::new(&moments, 100, 700.0);
        for pair in moments.windows(2) {
            assert!(scale.x(pair[0]) < scale.x(pair[1]), "{pair:?}");
        }
        assert!(scale.x(0) >= 0.0);
        assert_eq!(scale.x(u64::MAX), scale.width());
    }

    #[test]
    fn draws_a_single_moment() {
        let scale = Scale::new(&[7], 800, 100.0);
        assert!(scale.x(7) > 0.0 && scale.x(7) < 100.0);
    }

    #[test]
    fn has_round_ticks_outside_of_folds() {
        let scale = Scale::new(&[1_000_000, 1_400_000, 9_000_000, 9_300_000], 400_000, 900.0);
        let ticks = scale.ticks(1_000_000, 80.0);
        assert!(ticks.len() >= 4, "{ticks:?}");
        for pair in ticks.windows(2) {
            assert!(scale.x(pair[1]) - scale.x(pair[0]) >= 50.0, "{ticks:?}");
        }
        for tick in &ticks {
            assert_eq!(tick % 50_000, 0);
            assert!(!scale.folds().any(|fold| fold.from < *tick && *tick < fold.to));
        }
        assert_eq!(round_up(3.2), 5);
        assert_eq!(round_up(51.0), 100);
        assert_eq!(round_up(0.1), 1);
    }
}
