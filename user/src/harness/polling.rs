// SPDX-License-Identifier: GPL-2.0

//! Whether a file is writable, asked in each available way.

use std::fs::File;
use std::os::fd::AsFd;

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::select::{select, FdSet};
use nix::sys::time::{TimeVal, TimeValLike};

use super::wait::PATIENCE;
use super::{fail, Outcome};

/// Waits in one way until a file is writable. Returns whether it was in time.
pub type Way = fn(&File) -> Outcome<bool>;

pub const WAYS: [(&str, Way); 3] =
    [("poll", wait_by_poll), ("select", wait_by_select), ("epoll", wait_by_epoll)];

/// What poll(2) says of a file now, asked for reading and writing.
pub fn events_now(file: &File) -> Outcome<PollFlags> {
    let asked = PollFlags::POLLIN
        | PollFlags::POLLOUT
        | PollFlags::POLLRDNORM
        | PollFlags::POLLWRNORM
        | PollFlags::POLLPRI;
    let mut fds = [PollFd::new(file.as_fd(), asked)];
    poll(&mut fds, PollTimeout::ZERO)?;
    Ok(fds[0].revents().unwrap_or(PollFlags::empty()))
}

/// What it says of a file to which a write would not wait.
pub fn writable() -> PollFlags {
    PollFlags::POLLOUT | PollFlags::POLLWRNORM
}

pub fn wait_by_poll(file: &File) -> Outcome<bool> {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    Ok(poll(&mut fds, timeout())? == 1)
}

fn wait_by_select(file: &File) -> Outcome<bool> {
    let mut set = FdSet::new();
    set.insert(file.as_fd());
    let mut timeout = TimeVal::milliseconds(PATIENCE.as_millis() as i64);
    Ok(select(None, None, Some(&mut set), None, Some(&mut timeout))? == 1)
}

fn wait_by_epoll(file: &File) -> Outcome<bool> {
    let epoll = watch(file, EpollFlags::empty())?;
    let mut events = [EpollEvent::empty()];
    Ok(epoll.wait(&mut events, epoll_timeout())? == 1)
}

/// An epoll set with this file, for all events.
pub fn watch(file: &File, flags: EpollFlags) -> Outcome<Epoll> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let asked = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLPRI | flags;
    epoll.add(file, EpollEvent::new(asked, 0))?;
    Ok(epoll)
}

/// The events of a set, now or soon: the counters change before pollers are woken.
pub fn told(epoll: &Epoll) -> Outcome<EpollFlags> {
    let mut events = [EpollEvent::empty()];
    match epoll.wait(&mut events, epoll_timeout())? {
        0 => fail("an epoll set has nothing to tell"),
        _ => Ok(events[0].events()),
    }
}

/// The events of a set now.
pub fn told_now(epoll: &Epoll) -> Outcome<Option<EpollFlags>> {
    let mut events = [EpollEvent::empty()];
    let count = epoll.wait(&mut events, EpollTimeout::ZERO)?;
    Ok((count > 0).then(|| events[0].events()))
}

fn epoll_timeout() -> EpollTimeout {
    EpollTimeout::try_from(PATIENCE).expect("it fits")
}

fn timeout() -> PollTimeout {
    PollTimeout::try_from(PATIENCE).expect("it fits")
}
