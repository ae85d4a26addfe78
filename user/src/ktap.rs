// SPDX-License-Identifier: GPL-2.0

//! Test results as KTAP version 1.
//!
//! <https://docs.kernel.org/dev-tools/ktap.html>

use std::io::{self, Write};
use std::time::Duration;

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
    TimedOut(String),
}

/// The results of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Totals {
    /// As in kselftest: 0 passed, 1 failed, 4 nothing was tested.
    pub fn exit_status(&self) -> u8 {
        match self {
            Totals { failed: 1.., .. } => 1,
            Totals { passed: 0, .. } => 4,
            _ => 0,
        }
    }
}

/// Writes the version, the plan and then one line a result.
pub struct Ktap<W> {
    out: W,
    number: usize,
    totals: Totals,
}

impl<W: Write> Ktap<W> {
    pub fn begin(mut out: W, planned: usize) -> io::Result<Ktap<W>> {
        writeln!(out, "KTAP version 1\n1..{planned}")?;
        out.flush()?;
        Ok(Ktap { out, number: 0, totals: Totals::default() })
    }

    /// Free text: each line becomes a diagnostic line.
    pub fn diagnostic(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            writeln!(self.out, "# {}", printable(line))?;
        }
        self.out.flush()
    }

    /// The next test's result, and its time if known. A reason of several lines is printed in full
    /// before the result, and its first line with the result.
    pub fn result(
        &mut self,
        name: &str,
        verdict: &Verdict,
        took: Option<Duration>,
    ) -> io::Result<()> {
        self.number += 1;
        let number = self.number;
        let seconds = took.map(|took| format!("{:.3} s", took.as_secs_f64()));
        if let (Verdict::Failed(_) | Verdict::TimedOut(_), Some(seconds)) = (verdict, &seconds) {
            writeln!(self.out, "# {name} took {seconds}")?;
        }
        match verdict {
            Verdict::Passed => {
                self.totals.passed += 1;
                let seconds = seconds.map_or(String::new(), |seconds| format!(" # {seconds}"));
                writeln!(self.out, "ok {number} {name}{seconds}")?;
            }
            Verdict::Skipped(reason) => {
                self.totals.skipped += 1;
                let reason = self.headline(name, reason)?;
                writeln!(self.out, "ok {number} {name} # SKIP {reason}")?;
            }
            Verdict::Failed(reason) => {
                self.totals.failed += 1;
                let reason = self.headline(name, reason)?;
                writeln!(self.out, "not ok {number} {name} # {reason}")?;
            }
            Verdict::TimedOut(reason) => {
                self.totals.failed += 1;
                let reason = self.headline(name, reason)?;
                writeln!(self.out, "not ok {number} {name} # TIMEOUT {reason}")?;
            }
        }
        self.out.flush()
    }

    fn headline(&mut self, name: &str, reason: &str) -> io::Result<String> {
        let mut lines = reason.lines();
        let first = lines.next().unwrap_or("no reason given");
        for line in lines {
            writeln!(self.out, "# {name}: {}", printable(line))?;
        }
        Ok(printable(first))
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }
}

/// What tests quote must not break a line or control a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(results: &[(&str, Verdict)]) -> (String, Totals) {
        let mut out = Vec::new();
        let mut ktap = Ktap::begin(&mut out, results.len()).unwrap();
        for (name, verdict) in results {
            ktap.result(name, verdict, None).unwrap();
        }
        let totals = ktap.totals();
        (String::from_utf8(out).unwrap(), totals)
    }

    #[test]
    fn writes_version_plan_and_results() {
        let (text, totals) = written(&[
            ("a", Verdict::Passed),
            ("b", Verdict::Failed("left is right".into())),
            ("c", Verdict::Skipped("no device".into())),
            ("d", Verdict::TimedOut("60 seconds".into())),
        ]);
        assert_eq!(
            text,
            "KTAP version 1\n1..4\nok 1 a\nnot ok 2 b # left is right\n\
             ok 3 c # SKIP no device\nnot ok 4 d # TIMEOUT 60 seconds\n"
        );
        assert_eq!(totals, Totals { passed: 1, failed: 2, skipped: 1 });
    }

    #[test]
    fn says_how_long_what_was_run_took() {
        let mut out = Vec::new();
        let mut ktap = Ktap::begin(&mut out, 3).unwrap();
        let took = Some(Duration::from_micros(1_234_567));
        ktap.result("a", &Verdict::Passed, took).unwrap();
        ktap.result("b", &Verdict::Failed("left is right".into()), took).unwrap();
        ktap.result("c", &Verdict::Skipped("no device".into()), took).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "KTAP version 1\n1..3\nok 1 a # 1.235 s\n# b took 1.235 s\n\
             not ok 2 b # left is right\nok 3 c # SKIP no device\n"
        );
    }

    #[test]
    fn tells_a_long_reason_in_diagnostic_lines() {
        let (text, _) = written(&[("a", Verdict::Failed("differs\nleft\nri\x1bght".into()))]);
        assert_eq!(
            text,
            "KTAP version 1\n1..1\n# a: left\n# a: ri\\u{1b}ght\nnot ok 1 a # differs\n"
        );
    }

    #[test]
    fn keeps_diagnostics_in_their_lines() {
        let mut out = Vec::new();
        Ktap::begin(&mut out, 0).unwrap().diagnostic("one\ntwo\r中文").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "KTAP version 1\n1..0\n# one\n# two\\r中文\n");
    }

    #[test]
    fn ends_with_the_status_of_kselftest() {
        let totals = |passed, failed, skipped| Totals { passed, failed, skipped }.exit_status();
        assert_eq!(totals(2, 0, 0), 0);
        assert_eq!(totals(2, 0, 1), 0);
        assert_eq!(totals(2, 1, 1), 1);
        assert_eq!(totals(0, 1, 0), 1);
        assert_eq!(totals(0, 0, 3), 4);
        assert_eq!(totals(0, 0, 0), 4);
    }
}
