// SPDX-License-Identifier: GPL-2.0

//! The kernel log, read record by record from `/dev/kmsg`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::error::Error;
use crate::model::hex_byte;

const KMSG: &str = "/dev/kmsg";

/// The most that one read of `/dev/kmsg` returns (`PRINTK_MESSAGE_MAX`). The kernel escapes a
/// record and then cuts it at this length.
const OUTPUT_MAX: usize = 2048;

/// One record of the kernel log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// 0 for the kernel itself, 1 and up for processes.
    pub facility: u32,
    /// As in `KERN_WARNING`: 4.
    pub level: u32,
    pub seq: u64,
    /// Since boot.
    pub time: Duration,
    /// As the kernel was given it, unescaped.
    pub text: Vec<u8>,
    /// The escaped form did not fit one read: `text` lacks its end.
    pub cut: bool,
}

impl Record {
    /// Parses `prio,seq,usec,flags[,...];text\n[ KEY=value\n...]`.
    pub fn parse(raw: &[u8]) -> Result<Record, String> {
        let bad = |what: &str| format!("{what} in {:?}", String::from_utf8_lossy(raw));
        let semicolon = raw.iter().position(|&b| b == b';').ok_or_else(|| bad("no ';'"))?;
        let header = std::str::from_utf8(&raw[..semicolon]).map_err(|_| bad("not UTF-8"))?;
        let mut fields = header.split(',');
        let mut number = |name: &str| {
            fields.next().and_then(|field| field.parse::<u64>().ok()).ok_or_else(|| bad(name))
        };
        let priority = number("no priority")? as u32;
        let seq = number("no sequence number")?;
        let time = Duration::from_micros(number("no time stamp")?);

        // The first line is the text. A dictionary may follow.
        let body = &raw[semicolon + 1..];
        let text = body.split(|&b| b == b'\n').next().unwrap_or(body);
        // A cut record may still end in a newline: the last escape may not fit and leave a byte for
        // it.
        let cut = raw.len() >= OUTPUT_MAX - 1;
        Ok(Record {
            facility: priority >> 3,
            level: priority & 7,
            seq,
            time,
            text: undo_hex(if cut { sure_part(text) } else { text }),
            cut,
        })
    }

    /// The text for people's eyes.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Whether the kernel itself logged this record, and it begins with `prefix`. A process that
    /// writes to `/dev/kmsg` cannot get facility 0.
    pub fn is_from(&self, prefix: &str) -> bool {
        self.facility == 0 && self.text.starts_with(prefix.as_bytes())
    }
}

/// Undoes the escapes of `/dev/kmsg`, which shows control bytes, bytes from 127 up and backslashes
/// as `\xNN`.
fn undo_hex(escaped: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let [first, tail @ ..] = rest {
        let byte = match rest {
            [b'\\', b'x', high, low, ..] => hex_byte(*high, *low),
            _ => None,
        };
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &rest[4..] } else { tail };
    }
    out
}

/// The part of a cut record that is certainly whole.
///
/// The last bytes of the kernel's buffer hold half of an escape that does not fit, or a later
/// character that does. Before them each backslash begins an escape of four bytes. So a backslash
/// among the last three bytes begins half of one.
fn sure_part(escaped: &[u8]) -> &[u8] {
    const ESCAPE: usize = 4;
    let sure = &escaped[..escaped.len().saturating_sub(ESCAPE)];
    let last = sure.len().saturating_sub(ESCAPE - 1);
    match sure[last..].iter().position(|&b| b == b'\\') {
        Some(half) => &sure[..last + half],
        None => sure,
    }
}

/// An open `/dev/kmsg`.
pub struct Log {
    file: File,
}

impl Log {
    /// Reads records that are logged from now on.
    pub fn from_now() -> Result<Log, Error> {
        Log::open(SeekFrom::End(0))
    }

    /// Reads every record that the kernel still has.
    pub fn from_oldest() -> Result<Log, Error> {
        Log::open(SeekFrom::Start(0))
    }

    fn open(from: SeekFrom) -> Result<Log, Error> {
        let explain = |error| Error::from_io(Path::new(KMSG), &error);
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(KMSG)
            .map_err(explain)?;
        file.seek(from).map_err(explain)?;
        Ok(Log { file })
    }

    /// The next record, if there already is one.
    pub fn try_next(&mut self) -> Result<Option<Record>, Error> {
        let mut raw = [0; 4 * OUTPUT_MAX];
        match self.file.read(&mut raw) {
            Ok(length) => Record::parse(&raw[..length])
                .map(Some)
                .map_err(|reason| Error::new(KMSG, reason)),
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                Errno::EAGAIN => Ok(None),
                Errno::EPIPE => Err(Error::new(
                    KMSG,
                    "the kernel overwrote records before they were read: boot with a larger log_buf_len",
                )),
                _ => Err(Error::from_io(Path::new(KMSG), &error)),
            },
        }
    }

    /// Sleeps until the next record, but not past `deadline`.
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Record>, Error> {
        loop {
            if let Some(record) = self.try_next()? {
                return Ok(Some(record));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    fn wait(&self, at_most: Duration) -> Result<(), Error> {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Error::from_errno(KMSG, errno)),
        }
    }

    /// All records that are already there.
    pub fn drain(&mut self) -> Result<Vec<Record>, Error> {
        std::iter::from_fn(|| self.try_next().transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_record_apart() {
        let record = Record::parse(b"6,339,5140900,-;wq_echo: \"a\" (len=1)\n").unwrap();
        assert_eq!((record.facility, record.level, record.seq), (0, 6, 339));
        assert_eq!(record.time, Duration::from_micros(5_140_900));
        assert_eq!(record.text, b"wq_echo: \"a\" (len=1)");
        assert!(!record.cut);
        assert!(record.is_from("wq_echo: "));
    }

    #[test]
    fn leaves_the_dictionary_and_further_header_fields_out() {
        let record =
            Record::parse(b"14,1,2,c,caller=T1;hello;,\n SUBSYSTEM=x\n DEVICE=y\n").unwrap();
        assert_eq!(record.text, b"hello;,");
        assert_eq!((record.facility, record.level), (1, 6));
        assert!(!record.is_from("hello"), "a process wrote this");
    }

    #[test]
    fn undoes_the_escapes_of_dev_kmsg_once() {
        let record =
            Record::parse(b"6,1,2,-;\\x5cx1b \\x5c\\x22 \\xe4\\xb8\\xad\\x0a\\x7f\n").unwrap();
        assert_eq!(record.text, "\\x1b \\\" 中\n\x7f".as_bytes());
    }

    #[test]
    fn keeps_what_is_no_escape() {
        assert_eq!(undo_hex(b"\\x5"), b"\\x5");
        assert_eq!(undo_hex(b"\\xG0\\"), b"\\xG0\\");
        assert_eq!(undo_hex(b""), b"");
    }

    #[test]
    fn notices_a_record_cut_by_the_size_of_a_read() {
        let mut raw = b"6,1,2,-;".to_vec();
        raw.resize(OUTPUT_MAX, b'a');
        assert!(Record::parse(&raw).unwrap().cut);
        raw.truncate(OUTPUT_MAX - 2);
        assert!(!Record::parse(&raw).unwrap().cut);
        // How the kernel ends 300 backslashes and a quote.
        for end in [&b"\\x5"[..], b"\\x\"", b"\\\"", b"\"", b""] {
            let mut raw = b"6,1,2,-;".to_vec();
            raw.resize(OUTPUT_MAX - 4 * 300 - end.len(), b'a');
            raw.extend(b"\\x5c".repeat(300));
            raw.extend_from_slice(end);
            let text = Record::parse(&raw).unwrap().text;
            let kept = text.iter().filter(|&&b| b == b'\\').count();
            assert!((298..=300).contains(&kept), "{kept}");
            assert!(text.ends_with(b"\\"));
        }
    }

    #[test]
    fn refuses_what_is_no_record() {
        for raw in [&b""[..], b"6,1,2,-", b"a,1,2,-;x", b"6,,2,-;x", b"6,1;x", b"\xff;x"] {
            assert!(Record::parse(raw).is_err());
        }
    }
}
