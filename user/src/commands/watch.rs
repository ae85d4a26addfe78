// SPDX-License-Identifier: GPL-2.0

//! `wqtest watch`: a live view, until Ctrl-C.

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{stats, Done, OUTPUT};
use crate::demo_node;
use crate::echo_counters::EchoCounters;
use crate::error::Error;

/// Milliseconds between views.
const PERIOD: u16 = 1000;

pub fn run() -> Done {
    // A file descriptor instead of a handler: one poll(2) waits for the signal and for the time, so
    // there is no race.
    let signals = ending_signals().map_err(|errno| Error::from_errno("signalfd", errno))?;
    let is_drawn = io::stdout().is_terminal()
        && may_draw(env::var_os("NO_COLOR").as_deref(), env::var_os("TERM").as_deref());
    let mut screen = Screen::new(is_drawn, io::stdout());
    let mut before = None;
    let shown = loop {
        let echo = EchoCounters::read();
        if let Err(error) = screen.show(&view(&echo, before.as_ref())) {
            break Err(error);
        }
        before = echo.ok().or(before);
        if wait(&signals)? {
            break Ok(());
        }
    };
    match screen.close().and(shown) {
        // A reader that has gone away has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::from_io(OUTPUT, &error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn ending_signals() -> Result<SignalFd, Errno> {
    let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)
}

/// Waits for the time of the next view. Returns true if a signal came first.
fn wait(signals: &SignalFd) -> Result<bool, Error> {
    let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, PollTimeout::from(PERIOD)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::from_errno("signalfd", errno)),
    }
}

/// The current view. A missing module is reported in its place, so that the view survives while a
/// module is removed and loaded again.
fn view(echo: &Result<EchoCounters, Error>, before: Option<&EchoCounters>) -> String {
    let demo = demo_node::read_text();
    let mut text = String::from("wqtest watch: anew each second, Ctrl-C ends\n\n");
    text.push_str(&stats::as_text(echo.as_ref().ok(), None));
    match (echo, before) {
        (Ok(echo), Some(before)) => {
            let rate = echo.printed.saturating_sub(before.printed);
            text.push_str(&format!("  printed in the last second: {rate}\n"));
        }
        (Ok(_), None) => text.push_str("  printed in the last second: -\n"),
        (Err(error), _) => text.push_str(&format!("{error}\n")),
    }
    text.push('\n');
    match demo {
        Ok(demo) => text.push_str(&stats::as_text(None, Some(&demo))),
        Err(error) => text.push_str(&format!("{error}\n")),
    }
    text
}

/// Whether the terminal supports escape sequences, and its user wants them.
fn may_draw(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

/// Shows the views: drawn over each other on a terminal, otherwise one below the other.
struct Screen<W: Write> {
    out: W,
    is_drawn: bool,
    is_open: bool,
}

/// Switches to the alternate screen, so that the old content comes back, and hides the cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const CLEAR_TO_END_OF_SCREEN: &str = "\x1b[J";

impl<W: Write> Screen<W> {
    fn new(is_drawn: bool, out: W) -> Screen<W> {
        Screen { out, is_drawn, is_open: false }
    }

    fn show(&mut self, view: &str) -> io::Result<()> {
        let mut frame = String::new();
        if self.is_drawn {
            if !self.is_open {
                frame.push_str(ENTER);
            }
            frame.push_str(HOME);
            for line in view.lines() {
                frame.push_str(&format!("{line}{CLEAR_TO_END_OF_LINE}\n"));
            }
            frame.push_str(CLEAR_TO_END_OF_SCREEN);
        } else {
            if self.is_open {
                frame.push('\n');
            }
            frame.push_str(view);
        }
        self.is_open = true;
        // One write for each view, so that nobody sees half of one.
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }

    fn close(&mut self) -> io::Result<()> {
        if self.is_drawn && self.is_open {
            self.is_open = false;
            self.out.write_all(LEAVE.as_bytes())?;
        }
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // Every way out restores the terminal.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(is_drawn: bool) -> String {
        let mut out = Vec::new();
        let mut screen = Screen::new(is_drawn, &mut out);
        screen.show("one\ntwo\n").unwrap();
        screen.show("three\n").unwrap();
        drop(screen);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn draws_views_over_each_other_and_gives_the_terminal_back() {
        let text = shown(true);
        assert!(text.starts_with(ENTER) && text.ends_with(LEAVE));
        assert_eq!(text.matches(ENTER).count(), 1);
        assert_eq!(text.matches(LEAVE).count(), 1);
        assert_eq!(text.matches(HOME).count(), 2);
        assert!(text.contains("two\x1b[K\n\x1b[J"));
    }

    #[test]
    fn prints_plain_text_where_nothing_is_drawn() {
        assert_eq!(shown(false), "one\ntwo\n\nthree\n");
    }

    #[test]
    fn draws_only_where_that_is_wanted() {
        let drawn = |no_color: Option<&str>, term: Option<&str>| {
            may_draw(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(drawn(None, Some("xterm")));
        assert!(drawn(Some(""), Some("linux")));
        assert!(!drawn(Some("1"), Some("xterm")));
        assert!(!drawn(None, Some("dumb")));
        assert!(!drawn(None, None));
    }

    #[test]
    fn tells_of_a_module_that_is_missing() {
        let missing = Err(Error::new("/x", "not found"));
        assert!(view(&missing, None).contains("\n/x: not found\n"));
    }
}
