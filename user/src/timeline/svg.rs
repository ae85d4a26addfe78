// SPDX-License-Identifier: GPL-2.0

//! The picture: a lane for each worker, time from left to right.

use svg::node::element::{Definitions, Group, Line, Path, Pattern, Rectangle, Style, Text, Title};
use svg::Document;

use super::lanes::{self, Lane};
use super::names;
use super::scale::Scale;
use super::story::{Idle, Mark, MarkKind, Run, Story};

/// What is drawn, and how.
pub struct Drawing<'a> {
    pub story: &'a Story,
    /// What was run, and where.
    pub title: &'a str,
    pub subtitle: &'a str,
    /// What the reader has to know but cannot see in the picture.
    pub notes: &'a [String],
    /// Longer idle stretches are folded: microseconds.
    pub fold: u64,
}

const LEFT: f64 = 190.0;
const TIME_WIDTH: f64 = 1080.0;
const RIGHT: f64 = 20.0;
const BAR: f64 = 18.0;
const WAIT: f64 = 6.0;
const GAP: f64 = 6.0;
const MARK: f64 = 15.0;
const MOST_MARK_ROWS: usize = 6;
/// The approximate width of a letter.
const LETTER: f64 = 6.4;

/// A colour for each kind, and a pattern that distinguishes it when printed in grey.
const FILLS: [(&str, &str); 8] = [
    ("#2f7fe0", ""),
    ("#e07b10", "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4"),
    ("#2a9d4a", "M2,2 h2 v2 h-2 z M6,6 h2 v2 h-2 z"),
    ("#9a63e0", "M4,0 v8"),
    ("#d8483f", "M0,4 h8"),
    ("#168f8f", "M0,0 l8,8 M8,0 l-8,8"),
    ("#8a6d3b", "M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4"),
    ("#c2478f", "M4,0 v8 M0,4 h8"),
];

const STYLE: &str = "
svg { color: #1f2328; font: 12px system-ui, sans-serif }
.paper { fill: #ffffff }
.band { fill: #000000; fill-opacity: .035 }
text { fill: currentColor }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill-opacity: .75 }
.typed { font: 11px ui-monospace, monospace }
.grid { stroke: currentColor; stroke-opacity: .12 }
.mark { stroke: currentColor; stroke-opacity: .38 }
.on { fill: #ffffff; stroke: #000000; stroke-opacity: .5; stroke-width: 2px; paint-order: stroke; font-size: 11px }
.queued { fill-opacity: .45 }
.armed { fill-opacity: .12; stroke-width: 1; stroke-dasharray: 3 2 }
.fold { fill: none; stroke: currentColor; stroke-opacity: .5 }
.folded { fill: currentColor; fill-opacity: .06 }
@media (prefers-color-scheme: dark) {
  svg { color: #e6edf3 }
  .paper { fill: #0d1117 }
  .band { fill: #ffffff; fill-opacity: .045 }
}
@media print { svg { color: #000000 } .paper { fill: none } }
";

pub fn draw(drawing: &Drawing) -> String {
    let moments = drawing.story.moments();
    if moments.is_empty() {
        return nothing(drawing);
    }
    let scale = Scale::new(&moments, drawing.fold, TIME_WIDTH);
    Sheet { drawing, scale, zero: moments[0], body: Group::new(), y: 0.0 }.draw()
}

/// A picture that says it has nothing to show.
fn nothing(drawing: &Drawing) -> String {
    let text = "Nothing of these queues or modules was recorded.";
    page(480.0, 70.0)
        .add(words(drawing.title, 12.0, 24.0, "title"))
        .add(words(text, 12.0, 50.0, "small"))
        .to_string()
}

fn page(width: f64, height: f64) -> Document {
    Document::new()
        .set("viewBox", (0.0, 0.0, tenth(width), tenth(height)))
        .set("width", tenth(width))
        .set("height", tenth(height))
        .set("role", "img")
        .add(Style::new(STYLE))
        .add(patterns())
        .add(Rectangle::new().set("class", "paper").set("width", "100%").set("height", "100%"))
}

fn patterns() -> Definitions {
    let kinds = FILLS.iter().enumerate();
    kinds.fold(Definitions::new(), |all, (kind, (color, lines))| {
        let ground = Rectangle::new().set("width", 8).set("height", 8).set("fill", *color);
        let lines = Path::new()
            .set("d", *lines)
            .set("stroke", "#ffffff")
            .set("stroke-opacity", 0.45)
            .set("fill", "none");
        all.add(
            Pattern::new()
                .set("id", format!("kind{kind}"))
                .set("width", 8)
                .set("height", 8)
                .set("patternUnits", "userSpaceOnUse")
                .add(ground)
                .add(lines),
        )
    })
}

/// A picture under construction, from top to bottom.
struct Sheet<'a> {
    drawing: &'a Drawing<'a>,
    scale: Scale,
    /// The axis counts from here.
    zero: u64,
    body: Group,
    y: f64,
}

impl<'a> Sheet<'a> {
    fn draw(mut self) -> String {
        self.add(words(self.drawing.title, 12.0, 22.0, "title"));
        self.add(words(self.drawing.subtitle, 12.0, 39.0, "small"));
        self.y = 52.0;
        let marks = self.mark_labels();
        let top = self.y;
        self.lanes();
        self.idle();
        let bottom = self.y;
        self.axis(top, bottom);
        self.folds(top, bottom);
        // Below everything else, so that it hides no bar.
        let lines = marks.into_iter().map(|(x, y)| line(x, y, x, bottom, "mark"));
        let lines = lines.fold(Group::new(), Group::add);
        self.body = Group::new().add(lines).add(std::mem::take(&mut self.body));
        self.legend();
        self.notes();
        page(LEFT + self.scale.width() + RIGHT, self.y + 8.0).add(self.body).to_string()
    }

    fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        self.body = std::mem::take(&mut self.body).add(node);
    }

    fn x(&self, time: u64) -> f64 {
        LEFT + self.scale.x(time)
    }

    /// A time as the axis counts it.
    fn at(&self, time: u64) -> String {
        format!("{:.3} s", (time - self.zero) as f64 / 1_000_000.0)
    }

    /// Draws what was typed, above the lanes. Returns where the line of each label begins.
    fn mark_labels(&mut self) -> Vec<(f64, f64)> {
        let right = LEFT + self.scale.width() + RIGHT;
        let mut labels = Vec::new();
        for burst in self.bursts() {
            let text = burst_text(burst);
            let width = text.chars().count() as f64 * LETTER + 10.0;
            let x = self.x(burst[0].time);
            // At the right edge a label stands on the other side of its line.
            let left = if x + width > right { x - width } else { x };
            labels.push((burst, text, left, left + width));
        }
        let spans = labels.iter().map(|(_, _, left, right)| (*left, *right));
        let (rows, count) = lanes::rows(spans, usize::MAX);
        let top = self.y;
        self.y += count.min(MOST_MARK_ROWS) as f64 * MARK + GAP;
        let mut lines = Vec::new();
        for ((burst, text, left, _), row) in labels.into_iter().zip(rows) {
            let y = top + row.min(MOST_MARK_ROWS) as f64 * MARK;
            // If there is no room for the label, only the line is drawn.
            if row < MOST_MARK_ROWS {
                let numbers: Vec<String> = burst.iter().map(|m| self.mark_numbers(m)).collect();
                let title = Title::new(clean(&numbers.join("\n")));
                self.add(words(&text, left + 3.0, y + 10.0, "typed").add(title));
            }
            lines.extend(burst.iter().map(|mark| (self.x(mark.time), y + 1.0)));
        }
        lines
    }

    /// Marks so close together that they would hide each other share a label.
    fn bursts(&self) -> Vec<&'a [Mark]> {
        let near = |a: &Mark, b: &Mark| {
            a.kind == b.kind
                && matches!(a.kind, MarkKind::Write { .. })
                && self.x(b.time) - self.x(a.time) < MARK
        };
        let chunks = self.drawing.story.marks.chunk_by(near);
        // Two or three are easier to read one by one.
        chunks
            .flat_map(|chunk| chunk.chunks(if chunk.len() < 4 { 1 } else { chunk.len() }))
            .collect()
    }

    fn mark_numbers(&self, mark: &Mark) -> String {
        let Mark { time, task, kind, text } = mark;
        let to = match kind {
            MarkKind::Write { file } => format!(", to {file}"),
            MarkKind::Module | MarkKind::Note => String::new(),
        };
        format!("{text}\nat {}{to}, by {} [{}]", self.at(*time), task.name, task.pid)
    }

    fn lanes(&mut self) {
        let story = self.drawing.story;
        let mut pool = None;
        for lane in lanes::lanes(story) {
            let first = pool.as_ref() != Some(&lane.pool);
            pool = Some(lane.pool.clone());
            self.lane(&lane, first);
        }
    }

    fn lane(&mut self, lane: &Lane, first: bool) {
        let waits = lane.row_count as f64 * WAIT;
        let height = waits + BAR + GAP;
        self.band(height);
        let base = self.y + waits + GAP / 2.0;
        if first {
            self.add(words(&lane.pool, 12.0, base + 13.0, ""));
        }
        self.add(words(&lane.worker, LEFT - 8.0, base + 13.0, "small").set("text-anchor", "end"));
        for (run, row) in lane.runs.iter().zip(&lane.rows) {
            let y = self.y + GAP / 2.0 + *row as f64 * WAIT;
            self.wait(run, y);
        }
        for run in &lane.runs {
            self.run(run, base);
        }
        self.y += height + 2.0;
    }

    fn band(&mut self, height: f64) {
        let band = rectangle(LEFT, self.y, self.scale.width(), height, "band");
        self.add(band);
    }

    fn run(&mut self, run: &Run, y: f64) {
        let x = self.x(run.start);
        let end = run.end.map_or(LEFT + self.scale.width(), |end| self.x(end));
        let width = (end - x).max(1.5);
        let label = names::label(&self.drawing.story.kinds[run.kind]);
        let bar = rectangle(x, y, width, BAR, "").set("fill", fill(run.kind)).set("rx", 2);
        let mut group = Group::new().add(Title::new(clean(&self.run_numbers(run)))).add(bar);
        if width > label.chars().count() as f64 * LETTER + 6.0 {
            group = group.add(words(&label, x + 4.0, y + 13.0, "on"));
        }
        self.add(group);
    }

    fn run_numbers(&self, run: &Run) -> String {
        let story = self.drawing.story;
        let mut numbers = names::full_name(&story.kinds[run.kind]);
        if let Some(wait) = &run.wait {
            if let Some(armed) = wait.armed {
                numbers += &format!("\narmed at {}", self.at(armed));
                numbers += &format!(" for {}", names::duration(wait.queued - armed));
            }
            numbers += &format!("\nqueued on {} at {}", wait.queue, self.at(wait.queued));
            numbers += &format!(" by {} [{}]", wait.by.name, wait.by.pid);
            numbers += &format!("\nwaited {}", names::duration(run.start - wait.queued));
        }
        numbers += &format!("\nstarted at {} on CPU {}", self.at(run.start), run.cpu);
        numbers += &match run.end {
            Some(end) => format!("\nran {}", names::duration(end - run.start)),
            None => "\nstill runs at the end".into(),
        };
        numbers
    }

    fn wait(&mut self, run: &Run, y: f64) {
        let Some(wait) = &run.wait else { return };
        let numbers = self.run_numbers(run);
        if let Some(armed) = wait.armed {
            self.pale(run.kind, armed, wait.queued, y, "armed", &numbers);
        }
        self.pale(run.kind, wait.queued, run.start, y, "queued", &numbers);
    }

    fn pale(&mut self, kind: usize, from: u64, to: u64, y: f64, class: &str, numbers: &str) {
        let x = self.x(from);
        let width = (self.x(to) - x).max(0.8);
        let bar = rectangle(x, y, width, WAIT - 1.5, class)
            .set("fill", color(kind))
            .set("stroke", if class == "armed" { color(kind) } else { "none" });
        self.add(bar.add(Title::new(clean(numbers))));
    }

    /// What did not run has its own lane.
    fn idle(&mut self) {
        let story = self.drawing.story;
        if story.idle.is_empty() {
            return;
        }
        let (first, last) = story.span().expect("it has moments");
        let spans = story.idle.iter().map(|idle| {
            let begin = idle.armed.or(idle.queued).unwrap_or(first);
            (begin, idle.end.unwrap_or(if idle.queued.is_some() { begin + 1 } else { last }))
        });
        let spans: Vec<(u64, u64)> = spans.collect();
        let (rows, count) = lanes::rows(spans.iter().copied(), lanes::MOST_ROWS);
        let height = count as f64 * (WAIT + 3.0) + GAP;
        self.band(height);
        self.add(words("did not run", 12.0, self.y + height / 2.0 + 4.0, ""));
        for ((idle, row), (from, to)) in story.idle.iter().zip(rows).zip(spans) {
            let y = self.y + GAP / 2.0 + row as f64 * (WAIT + 3.0);
            let class = if idle.queued.is_some() { "queued" } else { "armed" };
            self.pale(idle.kind, from, to, y, class, &self.idle_numbers(idle));
            if idle.end.is_some() || idle.queued.is_some() {
                self.cross(self.x(to), y + (WAIT - 1.5) / 2.0);
            }
        }
        self.y += height + 2.0;
    }

    fn idle_numbers(&self, idle: &Idle) -> String {
        let mut numbers = names::full_name(&self.drawing.story.kinds[idle.kind]);
        for (verb, moment) in [("armed", idle.armed), ("queued", idle.queued)] {
            if let Some(moment) = moment {
                numbers += &format!("\n{verb} at {}", self.at(moment));
            }
        }
        numbers += &match (idle.end, idle.queued) {
            (Some(end), _) => format!("\ncancelled at {}", self.at(end)),
            (None, Some(_)) => "\nit did not run; nothing tells when it was cancelled".into(),
            (None, None) => "\nstill armed at the end".into(),
        };
        numbers
    }

    fn cross(&mut self, x: f64, y: f64) {
        let d = format!("M{:.1},{:.1} l6,6 m0,-6 l-6,6", x - 3.0, y - 3.0);
        self.add(Path::new().set("d", d).set("stroke", "currentColor").set("stroke-width", 1.5));
    }

    fn axis(&mut self, top: f64, bottom: f64) {
        let ticks = self.scale.ticks(self.zero, 76.0);
        for tick in ticks {
            let x = self.x(tick);
            self.add(line(x, top, x, bottom + 4.0, "grid"));
            let label = match tick - self.zero {
                0 => "0".into(),
                time => names::duration(time),
            };
            self.add(words(&label, x, bottom + 16.0, "small").set("text-anchor", "middle"));
        }
        self.y = bottom + 26.0;
    }

    /// Across all lanes, so that no bar seems shorter than it is.
    fn folds(&mut self, top: f64, bottom: f64) {
        let folds: Vec<(f64, f64, u64)> = self
            .scale
            .folds()
            .map(|fold| (LEFT + fold.x, fold.width, fold.to - fold.from))
            .collect();
        for (x, width, time) in folds {
            self.add(rectangle(x, top, width, bottom - top, "folded"));
            for edge in [x, x + width] {
                self.add(Path::new().set("d", zigzag(edge, top, bottom)).set("class", "fold"));
            }
            let label = names::duration(time);
            let middle = x + width / 2.0;
            self.add(words(&label, middle, bottom - 4.0, "small").set("text-anchor", "middle"));
        }
    }

    fn legend(&mut self) {
        let story = self.drawing.story;
        let (mut x, mut y) = (LEFT, self.y + 14.0);
        for (kind, function) in story.kinds.iter().enumerate() {
            let label = names::label(function);
            let count = story.runs.iter().filter(|run| run.kind == kind).count();
            let label = match count {
                1 => format!("{label}, 1 run"),
                _ => format!("{label}, {count} runs"),
            };
            let width = label.chars().count() as f64 * LETTER + 34.0;
            if x > LEFT && x + width > LEFT + self.scale.width() {
                (x, y) = (LEFT, y + 18.0);
            }
            let swatch =
                rectangle(x, y - 11.0, 16.0, 13.0, "").set("fill", fill(kind)).set("rx", 2);
            self.add(swatch);
            let title = Title::new(clean(&names::full_name(function)));
            self.add(words(&label, x + 21.0, y, "small").add(title));
            x += width;
        }
        let how =
            "solid: it runs · pale: it waits, from queueing to its start · dashed: its timer \
                   is armed · zigzag: nothing begins or ends for so long";
        self.add(words(how, LEFT, y + 18.0, "small"));
        self.y = y + 24.0;
    }

    fn notes(&mut self) {
        for note in self.drawing.notes {
            self.y += 14.0;
            self.add(words(&format!("Note: {note}."), LEFT, self.y, "small"));
        }
    }
}

fn burst_text(burst: &[Mark]) -> String {
    match burst {
        [first, .., last] => {
            format!("{} … {} ({})", mark_text(first), mark_text(last), burst.len())
        }
        _ => mark_text(&burst[0]),
    }
}

fn mark_text(mark: &Mark) -> String {
    const MOST: usize = 40;
    let text: String = match mark.text.chars().count() {
        0..=MOST => mark.text.clone(),
        _ => mark.text.chars().take(MOST - 1).chain(['…']).collect(),
    };
    match &mark.kind {
        MarkKind::Write { .. } | MarkKind::Module => text,
        MarkKind::Note => format!("# {text}"),
    }
}

fn fill(kind: usize) -> String {
    format!("url(#kind{})", kind % FILLS.len())
}

fn color(kind: usize) -> &'static str {
    FILLS[kind % FILLS.len()].0
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, class: &str) -> Rectangle {
    let rectangle = Rectangle::new()
        .set("x", tenth(x))
        .set("y", tenth(y))
        .set("width", tenth(width))
        .set("height", tenth(height));
    if class.is_empty() {
        rectangle
    } else {
        rectangle.set("class", class)
    }
}

fn words(text: &str, x: f64, y: f64, class: &str) -> Text {
    let words = Text::new(clean(text)).set("x", tenth(x)).set("y", tenth(y));
    if class.is_empty() {
        words
    } else {
        words.set("class", class)
    }
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Line {
    Line::new()
        .set("x1", tenth(x1))
        .set("y1", tenth(y1))
        .set("x2", tenth(x2))
        .set("y2", tenth(y2))
        .set("class", class)
}

fn zigzag(x: f64, top: f64, bottom: f64) -> String {
    let mut path = format!("M{:.1},{:.1}", x, top);
    let mut y = top;
    let mut side = 3.0;
    while y < bottom {
        path += &format!(" l{side},5");
        side = if side == 3.0 { -3.0 } else { 3.0 };
        y += 5.0;
    }
    path
}

/// A smaller part of a point is invisible.
fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Replaces what XML cannot hold with a sign for it.
fn clean(text: &str) -> String {
    let in_xml = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars().map(|c| if in_xml(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use svg::parser::Event;

    use super::*;
    use crate::timeline::story::tests::example;

    fn drawn(story: &Story, title: &str) -> String {
        let notes = ["a note".to_string()];
        draw(&Drawing { story, title, subtitle: "s", notes: &notes, fold: 250_000 })
    }

    /// The names of its elements, in order.
    fn elements(picture: &str) -> Vec<String> {
        let events = svg::read(picture).unwrap();
        events
            .filter_map(|event| match event {
                Event::Tag(name, svg::node::element::tag::Type::Start, _) => Some(name.to_string()),
                Event::Tag(name, svg::node::element::tag::Type::Empty, _) => Some(name.to_string()),
                Event::Error(error) => panic!("{error}"),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn says_of_each_bar_what_it_is() {
        let picture = drawn(&example(), "t");
        assert!(picture.contains("f\nqueued on q at 0.000 s by sh [7]\nwaited 20 µs\nstarted at 0.000 s on CPU 0\nran 100 µs"), "{picture}");
        assert!(picture.contains("armed at 0.000 s for 201 µs"), "{picture}");
        assert!(picture.contains("cancelled at 0.000 s"), "{picture}");
        // Two runs with a wait each, one of them with a timer, one cancelled timer, two marks.
        assert_eq!(elements(&picture).iter().filter(|name| *name == "title").count(), 9);
    }

    #[test]
    fn shows_any_text_as_it_is() {
        let picture = drawn(&example(), "<&>\u{1b}[31m\u{ffff}");
        assert!(picture.contains("&lt;&amp;&gt;\u{fffd}[31m\u{fffd}"), "{picture}");
        assert!(picture.contains("a&lt;b &amp; \"c\""), "{picture}");
        elements(&picture);
    }

    #[test]
    fn says_so_where_there_is_nothing_to_show() {
        let picture = drawn(&Story::default(), "t");
        assert!(picture.contains("Nothing of these"), "{picture}");
        elements(&picture);
    }

    #[test]
    fn tells_kinds_apart_without_colours() {
        let mut lines: Vec<&str> = FILLS.iter().map(|(_, lines)| *lines).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), FILLS.len());
    }
}
