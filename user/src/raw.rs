// SPDX-License-Identifier: GPL-2.0

//! The few system calls that no crate offers safely, and all `unsafe` of the program.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use io_uring::{opcode, types, IoUring};
use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{madvise, mmap_anonymous, mprotect, munmap, MapFlags, MmapAdvise, ProtFlags};
use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};

/// The kernel's page size: on arm64 it may be 16 or 64 KB.
pub fn page_size() -> usize {
    // SAFETY: It only reads what the kernel told the process at its start.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every kernel has pages")
}

/// How many bytes the kernel's log holds: syslog(2), `SYSLOG_ACTION_SIZE_BUFFER`.
pub fn log_size() -> u64 {
    const SIZE_BUFFER: libc::c_int = 10;
    // SAFETY: With this action it takes no buffer.
    let size = unsafe { libc::klogctl(SIZE_BUFFER, std::ptr::null_mut(), 0) };
    u64::try_from(size).unwrap_or(0)
}

/// One part of a writev(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes that can be read.
    Good(Vec<u8>),
    /// Bytes right before the edge, and this many after it that cannot be read. A call may have one
    /// of these.
    Edge(Vec<u8>, usize),
    /// This many bytes that cannot be read.
    Bad(usize),
    /// This many bytes at address 0.
    Null(usize),
    /// This many bytes of the kernel's memory.
    Kernel(usize),
}

impl Part {
    /// How many bytes it claims to have.
    pub fn claims(&self) -> usize {
        match self {
            Part::Good(bytes) => bytes.len(),
            Part::Edge(bytes, beyond) => bytes.len() + beyond,
            Part::Bad(length) | Part::Null(length) | Part::Kernel(length) => *length,
        }
    }
}

/// In the half of the address space that no process has.
const KERNEL_ADDRESS: usize = 0xffff_8880_0000_0000;

/// A page that can be read, followed by one that cannot.
///
/// # Invariants
///
/// `start` is the start of a mapping of two pages that this owns. The first is readable and
/// writable.
pub struct PageEdge {
    start: NonNull<c_void>,
}

impl PageEdge {
    pub fn new() -> Result<PageEdge, Errno> {
        let page = page_size();
        let length = NonZeroUsize::new(2 * page).expect("a page is not empty");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: A new private mapping at an address that the kernel chooses
        // changes no memory that anybody uses.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE)? };
        // INVARIANT: The mapping is new and of this length.
        let edge = PageEdge { start };
        // SAFETY: The second page belongs to the mapping; nothing refers to it.
        unsafe { mprotect(edge.start.byte_add(page), page, ProtFlags::PROT_NONE)? };
        Ok(edge)
    }

    /// write(2) of `readable`, which ends at the edge, and of `beyond` bytes after it that cannot
    /// be read.
    pub fn write(&self, file: &File, readable: &[u8], beyond: usize) -> Result<usize, Errno> {
        assert!(beyond <= page_size(), "more than a page");
        let from = self.lay(readable);
        // SAFETY: The kernel checks the range itself and says EFAULT; write(2)
        // changes nothing in this process.
        let count =
            unsafe { libc::write(file.as_raw_fd(), from.as_ptr(), readable.len() + beyond) };
        Errno::result(count).map(|count| count as usize)
    }

    /// write(2) of one part, or writev(2) of any other number.
    pub fn write_parts(&self, file: &File, parts: &[Part]) -> Result<usize, Errno> {
        let iovecs: Vec<libc::iovec> = parts.iter().map(|part| self.iovec(part)).collect();
        let count = match &iovecs[..] {
            // SAFETY: As in `write`.
            [one] => unsafe { libc::write(file.as_raw_fd(), one.iov_base, one.iov_len) },
            // SAFETY: As in `write`; the array is valid for the call.
            _ => unsafe {
                libc::writev(file.as_raw_fd(), iovecs.as_ptr(), iovecs.len() as libc::c_int)
            },
        };
        Errno::result(count).map(|count| count as usize)
    }

    fn iovec(&self, part: &Part) -> libc::iovec {
        let start = match part {
            Part::Good(bytes) => bytes.as_ptr().cast_mut().cast(),
            Part::Edge(bytes, _) => self.lay(bytes).as_ptr(),
            // SAFETY: The second page belongs to the mapping.
            Part::Bad(_) => unsafe { self.start.byte_add(page_size()) }.as_ptr(),
            Part::Null(_) => std::ptr::null_mut(),
            Part::Kernel(_) => std::ptr::without_provenance_mut(KERNEL_ADDRESS),
        };
        libc::iovec { iov_base: start, iov_len: part.claims() }
    }

    /// Copies `readable` to the end of the page.
    fn lay(&self, readable: &[u8]) -> NonNull<c_void> {
        let page = page_size();
        assert!(readable.len() <= page, "more than a page");
        // SAFETY: Still within the first page, since `readable` fits it.
        let from = unsafe { self.start.byte_add(page - readable.len()) };
        // SAFETY: By the type invariants the first page is writable, and from
        // here to its end there are as many bytes as are copied. `readable`
        // lies elsewhere: nobody has a reference into the mapping.
        unsafe {
            from.cast::<u8>()
                .copy_from_nonoverlapping(NonNull::from(readable).cast::<u8>(), readable.len());
        }
        from
    }
}

impl Drop for PageEdge {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the mapping is owned; no reference
        // into it is left.
        let unmapped = unsafe { munmap(self.start, 2 * page_size()) };
        unmapped.expect("munmap of a mapping of one's own");
    }
}

/// Memory that the kernel may reclaim, together with its content.
///
/// # Invariants
///
/// `start` is the start of a private, writable mapping of [`Disposable::LENGTH`] bytes that this
/// owns and to which nobody has a reference.
pub struct Disposable {
    start: NonNull<c_void>,
}

impl Disposable {
    pub const LENGTH: usize = 16 << 20;
    /// How much is written before the kernel may reclaim it.
    const PIECE: usize = 256 << 10;

    pub fn new() -> Result<Disposable, Errno> {
        let length = NonZeroUsize::new(Disposable::LENGTH).expect("not 0");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: As in `PageEdge::new`.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE)? };
        // INVARIANT: The mapping is new and of this length.
        Ok(Disposable { start })
    }

    /// Writes to each page, and lets the kernel reclaim it from then on.
    pub fn use_all(&mut self) -> Result<(), Errno> {
        for from in (0..Disposable::LENGTH).step_by(Disposable::PIECE) {
            for page in (from..from + Disposable::PIECE).step_by(page_size()) {
                // SAFETY: By the type invariants this lies within the mapping, which is
                // writable, and nobody refers to it.
                unsafe { self.start.byte_add(page).cast::<u8>().write_volatile(1) };
            }
            // SAFETY: The piece belongs to the mapping. That it may read as zeros from now on
            // matters to nobody.
            unsafe {
                madvise(self.start.byte_add(from), Disposable::PIECE, MmapAdvise::MADV_FREE)?;
            }
        }
        Ok(())
    }
}

impl Drop for Disposable {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the mapping is owned; no reference into it is left.
        let unmapped = unsafe { munmap(self.start, Disposable::LENGTH) };
        unmapped.expect("munmap of a mapping of one's own");
    }
}

/// How often [`count_signal`] has run.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Catches `signal` from now on. With `restart` the kernel restarts interrupted system calls.
/// Without it they fail with EINTR.
pub fn count_signals(signal: Signal, restart: bool) -> Result<(), Errno> {
    let flags = if restart { SaFlags::SA_RESTART } else { SaFlags::empty() };
    let action = SigAction::new(SigHandler::Handler(count_signal), flags, SigSet::empty());
    // SAFETY: The handler does nothing but an atomic addition, which may
    // happen at any point of the program.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// How many signals have been caught.
pub fn signals_seen() -> usize {
    SIGNALS.load(Ordering::Relaxed)
}

/// Gives the calling thread the lowest priority of SCHED_RR. All ordinary threads of its CPU wait
/// until it sleeps or ends. Kernel threads of the same priority take turns with it: with PREEMPT_RT
/// they run the timers.
pub fn become_realtime() -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 is the calling thread; the parameters are read during the
    // call only.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &parameters) };
    Errno::result(result).map(drop)
}

/// pwritev2(2) of one part, without waiting (`RWF_NOWAIT`).
pub fn write_nowait(file: &File, bytes: &[u8]) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: The part is valid for the call, which only reads it. -1 is the file's own position.
    let count = unsafe { libc::pwritev2(file.as_raw_fd(), &part, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(count).map(|count| count as usize)
}

/// An io_uring with one write at a time.
pub struct Ring {
    // Dropped first: that cancels the write, which reads `bytes`.
    ring: IoUring,
    bytes: Vec<u8>,
}

impl Ring {
    /// Fails if the kernel has no io_uring, or is configured to refuse it.
    pub fn new() -> io::Result<Ring> {
        Ok(Ring { ring: IoUring::new(1)?, bytes: Vec::new() })
    }

    /// Starts a write of `bytes` to a file that has to stay open meanwhile. The kernel does it when
    /// the file takes them, or with `nowait` at once or never (`RWF_NOWAIT`). Does not wait itself.
    pub fn begin(&mut self, file: &File, bytes: &[u8], nowait: bool) -> io::Result<()> {
        assert!(self.bytes.is_empty(), "a write is under way");
        self.bytes = bytes.to_vec();
        let to = types::Fd(file.as_raw_fd());
        let write = opcode::Write::new(to, self.bytes.as_ptr(), self.bytes.len() as u32)
            .offset(u64::MAX)
            .rw_flags(if nowait { libc::RWF_NOWAIT } else { 0 })
            .build();
        // SAFETY: The bytes are this ring's, which leaves them as they are until the write is over.
        unsafe { self.ring.submission().push(&write) }.expect("the queue holds one");
        self.ring.submit()?;
        Ok(())
    }

    /// The result of the write, if it is over.
    pub fn result(&mut self) -> Option<Result<usize, Errno>> {
        let result = self.ring.completion().next()?.result();
        self.bytes.clear();
        Some(if result < 0 { Err(Errno::from_raw(-result)) } else { Ok(result as usize) })
    }
}

/// Tracing's name for the clock of [`ticks`].
pub const TRACE_CLOCK: &str = if cfg!(target_arch = "x86_64") { "x86-tsc" } else { "mono_raw" };

/// Reads a clock that tracing can use too: the processor's time stamp counter.
#[cfg(target_arch = "x86_64")]
pub fn ticks() -> u64 {
    // SAFETY: It reads a register that every x86-64 processor has.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Reads a clock that tracing can use too: the kernel's monotonic raw clock, which nobody sets. On
/// other processors tracing cannot show the counter itself.
#[cfg(not(target_arch = "x86_64"))]
pub fn ticks() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for the call, which writes it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut now) };
    assert_eq!(result, 0, "every kernel has this clock");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use super::*;

    #[test]
    fn writes_what_is_readable_and_faults_beyond_the_edge() {
        let edge = PageEdge::new().unwrap();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let (mut reader, writer) = (File::from(reader), File::from(writer));
        assert_eq!(edge.write(&writer, b"abc", 0), Ok(3));
        assert_eq!(edge.write(&writer, b"", 10), Err(Errno::EFAULT));
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn writes_parts_that_can_be_read_and_those_that_cannot() {
        let edge = PageEdge::new().unwrap();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let (mut reader, writer) = (File::from(reader), File::from(writer));
        let good = |text: &[u8]| Part::Good(text.to_vec());
        let two = [good(b"ab"), good(b""), Part::Edge(b"cd".to_vec(), 0)];
        assert_eq!(edge.write_parts(&writer, &two), Ok(4));
        for bad in [Part::Bad(5), Part::Null(5), Part::Kernel(5), Part::Edge(Vec::new(), 5)] {
            assert_eq!(bad.claims(), 5);
            assert_eq!(edge.write_parts(&writer, &[bad]), Err(Errno::EFAULT));
        }
        let many = vec![good(b""); 1025];
        assert_eq!(edge.write_parts(&writer, &many), Err(Errno::EINVAL));
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcd");
    }

    #[test]
    fn uses_memory_that_may_be_taken_back() {
        let mut memory = Disposable::new().unwrap();
        memory.use_all().unwrap();
        memory.use_all().unwrap();
    }

    #[test]
    fn counts_the_signals_it_catches() {
        count_signals(Signal::SIGUSR2, true).unwrap();
        let before = signals_seen();
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
        assert_eq!(signals_seen(), before + 1);
        // The process carries on as before.
        OpenOptions::new().read(true).open("/dev/null").unwrap();
    }
}
