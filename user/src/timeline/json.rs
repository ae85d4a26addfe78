// SPDX-License-Identifier: GPL-2.0

//! The recording as JSON. docs/schemas/timeline.json describes it.

use serde_json::{json, Value};

use super::event::Task;
use super::names;
use super::story::{Idle, Mark, MarkKind, Run, Story, Worker};

pub fn value(story: &Story, kernel: &str, notes: &[String]) -> Value {
    json!({
        "version": 1,
        "kernel": kernel,
        "kinds": story.kinds.iter().map(|function| json!({
            "label": names::label(function),
            "function": names::full_name(function),
            "module": function.module,
        })).collect::<Vec<Value>>(),
        "workers": story.workers.iter().map(worker).collect::<Vec<Value>>(),
        "runs": story.runs.iter().map(run).collect::<Vec<Value>>(),
        "idle": story.idle.iter().map(idle).collect::<Vec<Value>>(),
        "marks": story.marks.iter().map(mark).collect::<Vec<Value>>(),
        "notes": notes,
    })
}

fn worker(worker: &Worker) -> Value {
    let pid = match worker {
        Worker::Thread(task) => Some(task.pid),
        Worker::Softirq(_) => None,
    };
    json!({ "name": names::worker(worker), "pool": names::pool(worker), "pid": pid })
}

fn run(run: &Run) -> Value {
    let wait = run.wait.as_ref();
    json!({
        "kind": run.kind,
        "worker": run.worker,
        "cpu": run.cpu,
        "queue": wait.map(|wait| &wait.queue),
        "armed_us": wait.and_then(|wait| wait.armed),
        "queued_us": wait.map(|wait| wait.queued),
        "queued_by": wait.map(|wait| task(&wait.by)),
        "start_us": run.start,
        "end_us": run.end,
    })
}

fn idle(idle: &Idle) -> Value {
    json!({
        "kind": idle.kind,
        "armed_us": idle.armed,
        "queued_us": idle.queued,
        "cancelled_us": idle.end,
    })
}

fn mark(mark: &Mark) -> Value {
    let (kind, file) = match &mark.kind {
        MarkKind::Write { file } => ("write", Some(file)),
        MarkKind::Module => ("module", None),
        MarkKind::Note => ("note", None),
    };
    json!({
        "time_us": mark.time,
        "kind": kind,
        "file": file,
        "text": mark.text,
        "by": task(&mark.task),
    })
}

fn task(task: &Task) -> Value {
    json!({ "name": task.name, "pid": task.pid })
}
