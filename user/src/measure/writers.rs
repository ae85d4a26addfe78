// SPDX-License-Identifier: GPL-2.0

//! Those that write: the process itself, or several threads at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::bench::{fail, Outcome};
use crate::error::Error;

pub fn open(path: &Path) -> Outcome<File> {
    let file = OpenOptions::new().write(true).open(path);
    Ok(file.map_err(|error| Error::from_io(path, &error))?)
}

/// So many writes of `bytes`, each taken whole.
pub fn write_all(file: &File, bytes: &[u8], count: usize) -> io::Result<()> {
    let mut written = 0;
    // Plain steps: the program is compiled without optimisation, and an iterator
    // would cost as much as the system call.
    while written < count {
        write_one(file, bytes)?;
        written += 1;
    }
    Ok(())
}

/// One write of `bytes`, which is taken whole.
pub fn write_one(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    match file.write(bytes) {
        Ok(taken) if taken == bytes.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    }
}

/// Has `writers` write `count` times `bytes` to `path`, in equal parts: one in this
/// very process, which has no other thread, several in a thread each. Returns
/// when the first began.
pub fn write_from(path: &Path, writers: usize, bytes: &[u8], count: usize) -> Outcome<Instant> {
    if writers == 1 {
        let file = open(path)?;
        let start = Instant::now();
        write_all(&file, bytes, count)?;
        return Ok(start);
    }
    let files = (0..writers).map(|_| open(path)).collect::<Outcome<Vec<_>>>()?;
    let ready = Barrier::new(writers);
    let begun = thread::scope(|scope| {
        let threads: Vec<_> = files
            .iter()
            .map(|file| {
                scope.spawn(|| {
                    ready.wait();
                    let start = Instant::now();
                    write_all(file, bytes, count / writers).map(|()| start)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut first: Option<Instant> = None;
    for start in begun {
        match start {
            Ok(start) => { let start = start?; first = Some(first.map_or(start, |first| first.min(start))) },
            Err(_) => return fail("a writer panicked"),
        }
    }
    first.map_or_else(|| fail("no writer"), Ok)
}
