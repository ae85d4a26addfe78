// SPDX-License-Identifier: GPL-2.0

//! The writers: the process itself, or several threads at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::error::Error;
use crate::harness::{fail, Outcome};
use crate::raw;

pub fn open(path: &Path) -> Outcome<File> {
    let file = OpenOptions::new().write(true).open(path);
    Ok(file.map_err(|error| Error::from_io(path, &error))?)
}

/// Makes `count` writes of `bytes`. Each has to take all of it.
pub fn write_all(file: &File, bytes: &[u8], count: usize) -> io::Result<()> {
    let mut written = 0;
    // A plain loop: the program is compiled without optimisation, and an iterator would cost as
    // much as the system call.
    while written < count {
        write_one(file, bytes)?;
        written += 1;
    }
    Ok(())
}

/// Makes one write of `bytes`, which has to take all of it.
pub fn write_one(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    match file.write(bytes) {
        Ok(taken) if taken == bytes.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    }
}

/// Has `writers` write `bytes` to `path` `count` times, in equal parts. A single writer is this
/// process, which has no other thread. Several have a thread each. Returns when the first began.
pub fn write_from(path: &Path, writers: usize, bytes: &[u8], count: usize) -> Outcome<Instant> {
    if writers == 1 {
        let file = open(path)?;
        let start = Instant::now();
        write_all(&file, bytes, count)?;
        return Ok(start);
    }
    let begun = at_once(path, writers, |_, file| {
        let start = Instant::now();
        write_all(file, bytes, count / writers).map(|()| start)
    })?;
    begun.into_iter().min().map_or_else(|| fail("no writer"), Ok)
}

/// Runs `job` in `writers` threads that begin at the same time, each with its number and its own
/// open file. Returns their results in order.
pub fn at_once<T: Send>(
    path: &Path,
    threads: usize,
    job: impl Fn(usize, &File) -> io::Result<T> + Sync,
) -> Outcome<Vec<T>> {
    let files = (0..threads).map(|_| open(path)).collect::<Outcome<Vec<_>>>()?;
    let ready = Barrier::new(threads);
    let (ready, job) = (&ready, &job);
    let results = thread::scope(|scope| {
        let spawn = |(number, file)| {
            scope.spawn(move || {
                ready.wait();
                job(number, file)
            })
        };
        let threads: Vec<_> = files.iter().enumerate().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    results
        .into_iter()
        .map(|result| match result {
            Ok(result) => Ok(result?),
            Err(_) => fail("a writer panicked"),
        })
        .collect()
}

/// Does `job` in a thread of real-time priority, which yields its CPU to nobody until it sleeps or
/// ends.
pub fn realtime<T: Send>(job: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    let done = thread::scope(|scope| {
        let thread = scope.spawn(|| -> Outcome<T> {
            raw::become_realtime()?;
            job()
        });
        thread.join()
    });
    done.unwrap_or_else(|_| fail("the thread of real-time priority panicked"))
}
