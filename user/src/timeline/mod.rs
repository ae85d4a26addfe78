// SPDX-License-Identifier: GPL-2.0

//! What the kernel's workqueues did while a command ran: as a picture, for Perfetto, for programs.
//!
//! - [`recorder`]: runs the command with tracing on, and returns [`event`]s
//! - [`story`]: turns these into what happened to each work item
//! - [`names`]: readable names for functions, workers, times
//! - [`scale`], [`lanes`], [`svg`]: the picture
//! - [`perfetto`], [`json`]: the other forms

mod event;
mod json;
mod lanes;
mod names;
mod perfetto;
mod recorder;
mod scale;
mod story;
mod svg;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use story::Story;

use crate::error::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Names of the queues and modules whose items are shown.
    pub names: Vec<String>,
    pub svg: Option<PathBuf>,
    pub perfetto: Option<PathBuf>,
    pub json: Option<PathBuf>,
    /// The heading of the picture, instead of the command.
    pub title: Option<String>,
    /// The picture folds longer stretches in which nothing happens.
    pub fold_ms: u32,
    pub command: Vec<OsString>,
}

/// Whose items the picture shows by default.
pub const NAMES: [&str; 2] = ["wq_echo", "workqueue_demo"];

/// Runs the command and writes the requested files. Returns how the command ended.
pub fn run(options: &Options) -> Result<ExitStatus, Error> {
    let recording = recorder::record(&options.command, &options.names)?;
    let story = Story::of(&recording.events, &options.names);
    let kernel = kernel();
    if let Some(path) = &options.svg {
        write(path, picture(options, &story, &kernel, &recording.notes).as_bytes())?;
    }
    if let Some(path) = &options.perfetto {
        write(path, &perfetto::trace(&story))?;
    }
    if let Some(path) = &options.json {
        let value = json::value(&story, &kernel, &recording.notes);
        write(path, format!("{value:#}\n").as_bytes())?;
    }
    for note in &recording.notes {
        eprintln!("wqtest: {note}");
    }
    Ok(recording.status)
}

fn picture(options: &Options, story: &Story, kernel: &str, notes: &[String]) -> String {
    let words: Vec<_> = options.command.iter().map(|word| word.to_string_lossy()).collect();
    let title = options.title.clone().unwrap_or_else(|| words.join(" "));
    let span = story.span().map_or(0, |(first, last)| last - first);
    let subtitle = format!(
        "{kernel}; {} runs of work items by {} workers in {}",
        story.runs.len(),
        story.workers.len(),
        names::duration(span)
    );
    svg::draw(&svg::Drawing {
        story,
        title: &title,
        subtitle: &subtitle,
        notes,
        fold: u64::from(options.fold_ms) * 1000,
    })
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(|error| Error::from_io(path, &error))
}
