// SPDX-License-Identifier: GPL-2.0

//! The recording as a trace for Perfetto's viewer: a track for each worker, one for waits, one for
//! marks, and an arrow from each queueing to its run.
//!
//! The format is protobuf. The field numbers here are those of Perfetto's own
//! `protos/perfetto/trace/*.proto`, which never change.

use prost::encoding::{bytes, double, fixed64, int32, string, uint32, uint64};

use super::names;
use super::story::{Run, Story, Worker};

/// All packets of one writer carry the same number.
const SEQUENCE: u32 = 1;

/// The writer chooses the numbers of tracks: the process, its marks, the waits, and from here on
/// the workers.
const PROCESS: u64 = 1;
const MARKS: u64 = 2;
const FIRST_WORKER: u64 = 1000;

#[derive(Clone, Copy)]
enum Slice {
    Begin = 1,
    End = 2,
    Instant = 3,
}

/// The trace, in order of time.
pub fn trace(story: &Story) -> Vec<u8> {
    let mut trace = Vec::new();
    packet(&mut trace, |packet| message(packet, 60, &process()));
    packet(&mut trace, |packet| message(packet, 60, &track(MARKS, "typed, queued", PROCESS)));
    for (index, worker) in story.workers.iter().enumerate() {
        packet(&mut trace, |packet| message(packet, 60, &worker_track(index, worker)));
    }
    let mut moments: Vec<(u64, Vec<u8>)> = Vec::new();
    for mark in &story.marks {
        moments.push((mark.time, Event::new(Slice::Instant, MARKS).name(&mark.text).encode()));
    }
    for (flow, run) in (1..).zip(&story.runs) {
        moments.extend(of_run(story, run, flow));
    }
    moments.sort_by_key(|(time, _)| *time);
    for (time, event) in moments {
        packet(&mut trace, |packet| {
            uint64::encode(8, &(time * 1000), packet);
            message(packet, 11, &event);
        });
    }
    trace
}

fn of_run(story: &Story, run: &Run, flow: u64) -> Vec<(u64, Vec<u8>)> {
    let label = names::label(&story.kinds[run.kind]);
    let track = FIRST_WORKER + run.worker as u64;
    let mut begin = Event::new(Slice::Begin, track).name(&label);
    let mut moments = Vec::new();
    if let Some(wait) = &run.wait {
        let waited = (run.start - wait.queued) as f64 / 1000.0;
        begin = begin.note("queue", &wait.queue).number("waited_ms", waited).ends(flow);
        let queue = Event::new(Slice::Instant, MARKS)
            .name(&format!("queue {label}"))
            .note("queue", &wait.queue)
            .note("by", &format!("{} [{}]", wait.by.name, wait.by.pid))
            .begins(flow);
        moments.push((wait.queued, queue.encode()));
    }
    moments.push((run.start, begin.number("cpu", f64::from(run.cpu)).encode()));
    if let Some(end) = run.end {
        moments.push((end, Event::new(Slice::End, track).encode()));
    }
    moments
}

fn packet(trace: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut packet = Vec::new();
    fill(&mut packet);
    uint32::encode(10, &SEQUENCE, &mut packet);
    message(trace, 1, &packet);
}

fn message(buffer: &mut Vec<u8>, number: u32, content: &Vec<u8>) {
    bytes::encode(number, content, buffer);
}

fn process() -> Vec<u8> {
    let mut process = Vec::new();
    int32::encode(1, &0, &mut process);
    string::encode(6, &"workqueues".into(), &mut process);
    let mut descriptor = Vec::new();
    uint64::encode(1, &PROCESS, &mut descriptor);
    message(&mut descriptor, 3, &process);
    descriptor
}

fn track(uuid: u64, name: &str, parent: u64) -> Vec<u8> {
    let mut descriptor = Vec::new();
    uint64::encode(1, &uuid, &mut descriptor);
    string::encode(2, &name.into(), &mut descriptor);
    uint64::encode(5, &parent, &mut descriptor);
    descriptor
}

fn worker_track(index: usize, worker: &Worker) -> Vec<u8> {
    let name = format!("{}: {}", names::pool(worker), names::worker(worker));
    track(FIRST_WORKER + index as u64, &name, PROCESS)
}

/// A TrackEvent under construction.
struct Event {
    bytes: Vec<u8>,
}

impl Event {
    fn new(slice: Slice, track: u64) -> Event {
        let mut bytes = Vec::new();
        int32::encode(9, &(slice as i32), &mut bytes);
        uint64::encode(11, &track, &mut bytes);
        Event { bytes }
    }

    fn name(mut self, name: &str) -> Event {
        string::encode(22, &"workqueue".into(), &mut self.bytes);
        string::encode(23, &name.into(), &mut self.bytes);
        self
    }

    fn note(self, name: &str, value: &str) -> Event {
        self.annotation(name, |bytes| string::encode(6, &value.into(), bytes))
    }

    fn number(self, name: &str, value: f64) -> Event {
        self.annotation(name, |bytes| double::encode(5, &value, bytes))
    }

    fn annotation(mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Event {
        let mut annotation = Vec::new();
        string::encode(10, &name.into(), &mut annotation);
        value(&mut annotation);
        message(&mut self.bytes, 4, &annotation);
        self
    }

    /// An arrow begins here, ...
    fn begins(mut self, flow: u64) -> Event {
        fixed64::encode(47, &flow, &mut self.bytes);
        self
    }

    /// ... and ends here.
    fn ends(mut self, flow: u64) -> Event {
        fixed64::encode(48, &flow, &mut self.bytes);
        self
    }

    fn encode(self) -> Vec<u8> {
        self.bytes
    }
}

/// Decodes a trace by a second description of the format, and checks what is in it.
#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use prost::Message;

    use super::*;
    use crate::timeline::story::tests::example;

    #[derive(Message)]
    struct Trace {
        #[prost(message, repeated, tag = "1")]
        packets: Vec<Packet>,
    }

    #[derive(Message)]
    struct Packet {
        #[prost(uint64, optional, tag = "8")]
        timestamp: Option<u64>,
        #[prost(uint32, tag = "10")]
        sequence: u32,
        #[prost(message, optional, tag = "11")]
        event: Option<TrackEvent>,
        #[prost(message, optional, tag = "60")]
        track: Option<TrackDescriptor>,
    }

    #[derive(Message)]
    struct TrackDescriptor {
        #[prost(uint64, tag = "1")]
        uuid: u64,
        #[prost(string, tag = "2")]
        name: String,
        #[prost(uint64, tag = "5")]
        parent: u64,
    }

    #[derive(Message)]
    struct TrackEvent {
        #[prost(int32, tag = "9")]
        slice: i32,
        #[prost(uint64, tag = "11")]
        track: u64,
        #[prost(string, tag = "23")]
        name: String,
        #[prost(fixed64, repeated, packed = "false", tag = "47")]
        begins: Vec<u64>,
        #[prost(fixed64, repeated, packed = "false", tag = "48")]
        ends: Vec<u64>,
    }

    fn decoded() -> Vec<Packet> {
        let packets = Trace::decode(trace(&example()).as_slice()).unwrap().packets;
        assert!(packets.iter().all(|packet| packet.sequence == SEQUENCE));
        packets
    }

    #[test]
    fn each_event_is_on_a_track_that_was_described_before() {
        let mut tracks = HashMap::new();
        for packet in decoded() {
            if let Some(track) = packet.track {
                assert!(track.uuid == PROCESS || tracks.contains_key(&track.parent), "{track:?}");
                tracks.insert(track.uuid, track.name);
            } else {
                let event = packet.event.unwrap();
                assert!(tracks.contains_key(&event.track), "{event:?}");
            }
        }
        let mut names: Vec<String> = tracks.into_values().collect();
        names.sort();
        assert_eq!(
            names,
            ["", "CPU 0: kworker/0:1 [7]", "typed, queued", "unbound: kworker/u8:1 [7]"]
        );
    }

    #[test]
    fn each_slice_ends_where_its_run_did() {
        let mut runs = Vec::new();
        let mut open = HashMap::new();
        for packet in decoded() {
            let (Some(event), Some(time)) = (packet.event, packet.timestamp) else { continue };
            match event.slice {
                1 => assert!(open.insert(event.track, time).is_none()),
                2 => runs.push((open.remove(&event.track).unwrap(), time)),
                _ => {}
            }
        }
        assert!(open.is_empty());
        assert_eq!(runs, [(30_000, 130_000), (260_000, 290_000)]);
    }

    #[test]
    fn an_arrow_leads_from_each_queueing_to_its_run() {
        let mut begins = HashMap::new();
        let mut arrows = Vec::new();
        for packet in decoded() {
            let (Some(event), Some(time)) = (packet.event, packet.timestamp) else { continue };
            begins.extend(event.begins.iter().map(|flow| (*flow, time)));
            arrows.extend(event.ends.iter().map(|flow| (begins[flow], time)));
        }
        assert_eq!(arrows, [(10_000, 30_000), (241_000, 260_000)]);
    }

    #[test]
    fn what_was_typed_is_an_event_without_length() {
        let packets = decoded();
        let instants = packets.iter().filter_map(|packet| packet.event.as_ref());
        let names: Vec<&str> =
            instants.filter(|event| event.slice == 3).map(|event| event.name.as_str()).collect();
        assert!(names.contains(&"insmod m") && names.contains(&"a<b & \"c\""), "{names:?}");
    }
}
