// SPDX-License-Identifier: GPL-2.0

//! The input for the nodes: text that is nearly right, and text that is not; in one part, in many,
//! and in memory that is only partly readable.

use crate::demo_model;
use crate::harness::random::Random;
use crate::raw::Part;

/// The longest text.
const LONGEST: usize = 8192;
/// What fits into the page before the edge, which has at least this many bytes.
const PAGE: usize = 4096;

/// Draws one text after the other.
pub struct Thrower {
    pub random: Random,
    /// The length of the next text that is drawn by length: each length has its turn.
    next_length: usize,
}

impl Thrower {
    pub fn new(random: Random) -> Thrower {
        Thrower { random, next_length: 0 }
    }

    /// A text for `wq_echo`.
    pub fn message(&mut self) -> Vec<u8> {
        let length = match self.random.below(10) {
            0..=1 => self.turn(),
            // About the length of a message and the line end after it.
            2..=4 => self.random.between(250, 262),
            _ => self.random.below(80),
        };
        let mut text = self.message_of(length);
        if self.random.one_in(3) {
            self.random_line_end(&mut text);
        }
        text
    }

    pub fn message_of(&mut self, length: usize) -> Vec<u8> {
        match self.random.below(4) {
            0 => self.random.bytes(length),
            1 => self.spell(length, &PLAIN),
            _ => self.spell(length, &AWKWARD),
        }
    }

    /// A text for `workqueue_demo`.
    pub fn commands(&mut self) -> Vec<u8> {
        let mut text = match self.random.below(20) {
            0..=14 => self.lines(),
            15..=18 => {
                let length = self.turn();
                self.commands_of(length)
            }
            _ => Vec::new(),
        };
        if self.random.one_in(3) {
            for _ in 0..self.random.between(1, 3) {
                self.mutate(&mut text);
            }
        }
        text
    }

    pub fn commands_of(&mut self, length: usize) -> Vec<u8> {
        match self.random.below(4) {
            0 => self.random.bytes(length),
            1 => self.spell(length, &AWKWARD),
            _ => self.padded(length),
        }
    }

    /// Every length once.
    pub fn all_lengths(&mut self) -> Vec<usize> {
        let mut lengths: Vec<usize> = (0..=LONGEST).collect();
        self.random.shuffle(&mut lengths);
        lengths
    }

    /// Cuts a text into parts, some of which cannot be read.
    pub fn parts(&mut self, text: Vec<u8>) -> Vec<Part> {
        match self.random.below(16) {
            0..=8 => vec![Part::Good(text)],
            9..=11 => self.cut(&text),
            12 => {
                // At the edge, with nothing missing.
                vec![Part::Edge(within_page(text), 0)]
            }
            13 => {
                let beyond = self.random.between(1, PAGE);
                vec![Part::Edge(within_page(text), beyond)]
            }
            14 => {
                let mut parts = self.cut(&text);
                let bad = match self.random.below(3) {
                    0 => Part::Kernel(self.random.between(1, LONGEST)),
                    1 => self.unreadable(),
                    _ => Part::Edge(self.spell(20, &PLAIN), self.random.between(1, 300)),
                };
                let at = self.random.below(parts.len() + 1);
                parts.insert(at, bad);
                parts
            }
            _ => match self.random.below(8) {
                0 => vec![Part::Good(Vec::new()); self.random.between(1025, 1100)],
                1 => vec![Part::Good(Vec::new()); 1024],
                2 => Vec::new(),
                3 => vec![Part::Kernel(self.random.between(1, LONGEST))],
                4 => vec![self.unreadable()],
                // The most parts allowed, of one byte each.
                5 => text.iter().take(1024).map(|&byte| Part::Good(vec![byte])).collect(),
                _ => self.cut(&text),
            },
        }
    }

    /// A part of which nothing can be read.
    fn unreadable(&mut self) -> Part {
        let length = self.random.below(PAGE);
        match self.random.one_in(2) {
            true => Part::Bad(length),
            false => Part::Null(length),
        }
    }

    /// Cuts it into up to nine parts, some of them empty.
    fn cut(&mut self, text: &[u8]) -> Vec<Part> {
        let mut cuts: Vec<usize> =
            (0..self.random.below(9)).map(|_| self.random.below(text.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(text.len());
        let mut from = 0;
        let part = |to: usize| {
            let part = Part::Good(text[from..to].to_vec());
            from = to;
            part
        };
        cuts.into_iter().map(part).collect()
    }

    /// Each length has its turn: 8,193 texts cover them all.
    fn turn(&mut self) -> usize {
        // The step has no common factor with the number of lengths, so each has its turn. It is
        // large, so a few texts already include long ones.
        self.next_length = (self.next_length + 3001) % (LONGEST + 1);
        self.next_length
    }

    /// `length` bytes of pieces.
    fn spell(&mut self, length: usize, pieces: &[&[u8]]) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < length {
            text.extend_from_slice(self.random.pick(pieces));
        }
        text.truncate(length);
        text
    }

    fn random_line_end(&mut self, text: &mut Vec<u8>) {
        let end: &[u8] =
            self.random.pick(&[&b"\n"[..], b"\r\n", b"\r", b"\n\n", b"\n\r", b"\r\n\n", b"\0\n"]);
        let at = text.len() - end.len().min(text.len()) * self.random.below(2);
        text.truncate(at);
        text.extend_from_slice(end);
    }

    /// Some command lines, nearly always of words that exist.
    fn lines(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.random.between(1, 5) {
            let names: Vec<&str> = demo_model::names().collect();
            self.blanks(&mut text, 0);
            if !self.random.one_in(12) {
                text.extend_from_slice(self.random.pick(&names).as_bytes());
            }
            for _ in 0..self.random.pick(&[0, 0, 0, 1, 1, 1, 1, 2]) {
                self.blanks(&mut text, 1);
                let word = if self.random.one_in(4) { self.kind() } else { self.number() };
                text.extend_from_slice(word.as_bytes());
            }
            self.blanks(&mut text, 0);
            text.push(b'\n');
        }
        // A single line needs no end. Of several lines the last needs one, or all are refused.
        let is_alone = text.iter().filter(|&&byte| byte == b'\n').count() == 1;
        if self.random.one_in(if is_alone { 2 } else { 12 }) {
            text.pop();
        }
        text
    }

    fn blanks(&mut self, text: &mut Vec<u8>, least: usize) {
        let most = if self.random.one_in(4) { 3 } else { least };
        for _ in 0..self.random.between(least, most) {
            text.push(self.random.pick(b"  \t"));
        }
    }

    /// A kind of queue, or nearly.
    fn kind(&mut self) -> String {
        const ODD: [&str; 4] = ["Unbound", "per_cpu", "ordered,", "order"];
        let of: &[&str] = if self.random.one_in(8) { &ODD } else { &demo_model::KIND_WORDS };
        self.random.pick(of).to_string()
    }

    /// A number that is valid for some command, or close to one that is.
    fn number(&mut self) -> String {
        const ODD: [&str; 22] = [
            "0",
            "1",
            "-1",
            "+1",
            "3",
            "007",
            "9",
            "10",
            "1000",
            "1001",
            "3600000",
            "3600001",
            "2147483647",
            "2147483648",
            "-2147483648",
            "-2147483649",
            "18446744073709551616",
            "0x10",
            "1e3",
            "1.0",
            "-",
            "\u{0664}",
        ];
        match self.random.below(4) {
            0 => self.random.pick(&ODD).to_string(),
            1 => self.random.between(1, 3).to_string(),
            2 => self.random.between(600_000, 3_600_000).to_string(),
            _ => (self.random.next() as i32 >> self.random.below(32)).to_string(),
        }
    }

    /// Valid lines within `length` bytes, the rest blank.
    fn padded(&mut self, length: usize) -> Vec<u8> {
        let mut text = self.lines();
        let blank = self.random.pick(b"\n \t\n");
        if text.len() > length {
            text.clear();
        }
        match self.random.one_in(2) {
            true => text.resize(length, blank),
            false => {
                let mut padded = vec![blank; length - text.len()];
                padded.append(&mut text);
                text = padded;
            }
        }
        text
    }

    fn mutate(&mut self, text: &mut Vec<u8>) {
        let at = self.random.below(text.len() + 1);
        let byte = self.random.next() as u8;
        match self.random.below(5) {
            0 => text.insert(at, byte),
            1 => text.insert(at, self.random.pick(b"\n \t\r\0-+0\"\\")),
            2 => text.truncate(at),
            _ if at == text.len() => text.push(byte),
            3 => text[at] ^= 1 << (byte % 8),
            _ => {
                text.remove(at);
            }
        }
    }
}

fn within_page(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(PAGE);
    text
}

const PLAIN: [&[u8]; 6] = [b"a", b"word ", b"0123456789", b" ", b"%s%n", b"/"];

/// What could break a line, a quote, an escape or a terminal.
const AWKWARD: [&[u8]; 24] = [
    b"\n",
    b"\r",
    b"\t",
    b"\0",
    b"\x1b[2J",
    b"\x7f",
    b"\"",
    b"\\",
    b"\\x41",
    b"\" (len=1)",
    b"\" +",
    b"+ \"",
    b"\n[    0.000000] wq_echo: \"forged\" (len=6)",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe4\xb8",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xe4\xb8\xad",
    b"\xf0\x9f\x98\x80",
    b"plain text ",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn thrower() -> Thrower {
        Thrower::new(Random::new(5))
    }

    #[test]
    fn gives_each_length_its_turn() {
        let mut thrower = thrower();
        let lengths: HashSet<usize> = (0..=LONGEST).map(|_| thrower.turn()).collect();
        assert_eq!(lengths.len(), LONGEST + 1);
        assert!(lengths.contains(&0) && lengths.contains(&LONGEST));
    }

    #[test]
    fn draws_texts_of_the_length_asked_for() {
        let mut thrower = thrower();
        let mut lengths = thrower.all_lengths();
        for &length in &lengths {
            assert_eq!(thrower.message_of(length).len(), length);
            assert_eq!(thrower.commands_of(length).len(), length);
        }
        lengths.sort_unstable();
        assert!(lengths.into_iter().eq(0..=LONGEST));
    }

    #[test]
    fn cuts_and_loses_nothing() {
        let mut thrower = thrower();
        for _ in 0..100 {
            let text = thrower.message();
            let parts = thrower.cut(&text);
            let joined: Vec<u8> = parts
                .iter()
                .flat_map(|part| match part {
                    Part::Good(bytes) => bytes.clone(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn throws_both_what_is_right_and_what_is_not() {
        let mut thrower = thrower();
        let good = (0..1000)
            .map(|_| thrower.commands())
            .filter(|text| demo_model::parse(text).is_ok_and(|commands| !commands.is_empty()))
            .count();
        assert!((50..900).contains(&good), "{good} of 1000 make sense");
        for _ in 0..1000 {
            let text = thrower.message();
            assert!(text.len() <= LONGEST + 3);
            for part in thrower.parts(text) {
                assert!(part.claims() <= 2 * LONGEST);
            }
        }
    }
}
