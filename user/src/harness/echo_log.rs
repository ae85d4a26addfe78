// SPDX-License-Identifier: GPL-2.0

//! The messages of `wq_echo`, reassembled from the kernel log.

use std::time::Instant;

use super::wait::PATIENCE;
use super::{fail, Outcome};
use crate::kmsg::{Log, Record};
use crate::model;

/// One message as it was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The text between the quotes, joined from all records.
    escaped: String,
    /// The length that the line states.
    len: usize,
    /// How many records it took.
    pub records: usize,
}

impl Message {
    /// What was written, as far as the log shows it.
    pub fn text(&self) -> Vec<u8> {
        model::unescape(&self.escaped).unwrap_or_default()
    }

    /// Whether this is the printed form of `text`.
    pub fn is(&self, text: &[u8]) -> bool {
        self.len == text.len() && self.escaped == model::escape(text)
    }
}

/// Joins records into messages.
#[derive(Default)]
pub struct Assembler {
    parts: Vec<String>,
}

impl Assembler {
    /// Takes the next record of `wq_echo`. Returns the message that it completes, if any.
    pub fn add(&mut self, record: &Record) -> Result<Option<Message>, String> {
        self.add_line(record).map_err(|reason| format!("{reason} in {:?}", record.lossy()))
    }

    fn add_line(&mut self, record: &Record) -> Result<Option<Message>, String> {
        let line = std::str::from_utf8(&record.text).map_err(|_| "a character cut in two")?;
        let line = line.strip_prefix(model::PREFIX).ok_or("another prefix")?;
        let (continues, line) = match line.strip_prefix("+ ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        if continues == self.parts.is_empty() {
            return Err("a continuation out of place".into());
        }
        let line = line.strip_prefix('"').ok_or("no opening quote")?;
        if record.cut {
            return Err("an end that readers of /dev/kmsg do not get".into());
        }
        // A quote in the text is escaped, so the last quote ends it.
        let (text, mark) = line.rsplit_once('"').ok_or("no closing quote")?;
        model::unescape(text)?;
        if mark == " +" {
            self.parts.push(text.to_owned());
            return Ok(None);
        }
        let len = mark
            .strip_prefix(" (len=")
            .and_then(|rest| rest.strip_suffix(')'))
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or("an unknown end of line")?;
        Ok(Some(self.finish(text, len)))
    }

    fn finish(&mut self, last: &str, len: usize) -> Message {
        self.parts.push(last.to_owned());
        let parts = std::mem::take(&mut self.parts);
        Message { records: parts.len(), escaped: parts.concat(), len }
    }
}

/// The messages that are printed from some moment on.
pub struct EchoLog {
    log: Log,
    assembler: Assembler,
}

impl EchoLog {
    pub fn from_now() -> Outcome<EchoLog> {
        Ok(EchoLog { log: Log::from_now()?, assembler: Assembler::default() })
    }

    /// Waits for the next message.
    pub fn next(&mut self) -> Outcome<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(record) = self.log.next_until(deadline)? else {
                return fail(format!(
                    "waited {PATIENCE:?} for a line of wq_echo in the kernel log"
                ));
            };
            if let Some(message) = self.take(&record)? {
                return Ok(message);
            }
        }
    }

    /// All messages that have already been printed.
    pub fn printed_already(&mut self) -> Outcome<Vec<Message>> {
        let mut messages = Vec::new();
        for record in self.log.drain()? {
            messages.extend(self.take(&record)?);
        }
        Ok(messages)
    }

    fn take(&mut self, record: &Record) -> Outcome<Option<Message>> {
        if !record.is_from(model::PREFIX) {
            return Ok(None);
        }
        self.assembler.add(record).or_else(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        Record::parse(format!("6,1,2,-;{}\n", text.replace('\\', "\\x5c")).as_bytes()).unwrap()
    }

    fn assemble(lines: &[&str]) -> Result<Vec<Message>, String> {
        let mut assembler = Assembler::default();
        let messages = lines.iter().map(|line| assembler.add(&record(line)));
        Ok(messages.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    #[test]
    fn knows_a_message_by_its_text_and_length() {
        let messages = assemble(&[r#"wq_echo: "a\"b" (len=3)"#, r#"wq_echo: "" (len=0)"#]).unwrap();
        assert!(messages[0].is(b"a\"b") && !messages[0].is(b"a\"c"));
        assert_eq!(messages[0].text(), b"a\"b");
        assert!(messages[1].is(b""));
        let wrong = assemble(&[r#"wq_echo: "ab" (len=3)"#]).unwrap();
        assert!(!wrong[0].is(b"ab"));
    }

    #[test]
    fn puts_continued_messages_together() {
        let lines =
            [r#"wq_echo: "one \" +" +"#, r#"wq_echo: + "two" +"#, r#"wq_echo: + "!" (len=11)"#];
        let messages = assemble(&lines).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].records, 3);
        assert!(messages[0].is(b"one \" +two!"));
    }

    #[test]
    fn refuses_what_cannot_be_a_message() {
        for lines in [
            &[r#"wq_echo: + "a" (len=1)"#][..],
            &[r#"wq_echo: "a" +"#, r#"wq_echo: "b" (len=2)"#],
            &[r#"wq_echo: "a"b" (len=3)"#],
            &[r#"wq_echo: "a\x1" +"#],
            &[r#"wq_echo: "a" (len=)"#],
            &[r#"wq_echo: "a" (len=+1)"#],
            &[r#"wq_echo: a"#],
            &[r#"wq_echo: "a"#],
        ] {
            assert!(assemble(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn refuses_a_record_that_was_cut() {
        let mut cut = record(r#"wq_echo: "abc" (len=3)"#);
        cut.cut = true;
        assert!(Assembler::default().add(&cut).is_err());
    }
}
