//! The content of one direction of one HTTP exchange, unit by unit: an answer to a poll, a stream, a client's
//! POST. It may hold several units, and chunk lines and frames may cut it anywhere.

use std::any::TypeId;

use super::layers::{List, Uniform};
use super::unit::{MAX_UNIT, Pending, UnitContents, label_unit};
use super::{Answer, Carried, Dialect, Direction, Ending, Event, Kind, Label, Layer, Out, Seen, Sink};

/// Reads and labels content.
#[derive(Debug)]
pub(super) struct Content {
    layer: Box<dyn Layer>,
    sender: Direction,
    /// The size of the head before it, bytes.
    head: u64,
    pending: Pending,
    /// The label of all further bytes, if it is independent of them or a unit is too large to collect.
    rest: Option<(Label, Kind)>,
    seen: Seen,
}

/// The least number of bytes added to a unit at a time.
const STEP: usize = 512;

impl Content {
    /// Content of this layer, after a head of `head` bytes.
    pub fn new(layer: Box<dyn Layer>, sender: Direction, head: u64) -> Content {
        Content {
            rest: layer.uniform(sender),
            layer,
            sender,
            head,
            pending: Pending::default(),
            seen: Seen::default(),
        }
    }

    /// A request's content, after a head of `head` bytes.
    pub fn request(dialect: Option<Dialect>, head: u64) -> Content {
        let reply = || Box::new(Uniform(Label::Payload, Kind::Reply)) as Box<dyn Layer>;
        Content::new(dialect.map_or_else(reply, Dialect::layer), Direction::Up, head)
    }

    /// The content of the final response to a GET or another request.
    pub fn answer(dialect: Option<Dialect>, get: bool, status: u16, holds: Option<Answer>) -> Content {
        let layer = match status {
            200..300 if let Some(dialect) = dialect.filter(|d| d.is_in_answer(get)) => dialect.layer(),
            200..300 if get => holds.map_or_else(|| Box::new(List::default()) as _, Answer::layer),
            _ => Box::new(Uniform(Label::Control, Kind::OtherBody)),
        };
        Content::new(layer, Direction::Down, 0)
    }

    /// An answer's content in a content coding, all of it counted as payload: what it says lies inside the coding.
    pub fn coded() -> Content {
        Content::new(Box::new(Uniform(Label::Payload, Kind::Coded)), Direction::Down, 0)
    }

    /// Content that cannot be read.
    pub fn unread(sender: Direction) -> Content {
        Content::new(Box::new(Uniform(Label::Control, Kind::Unread)), sender, 0)
    }

    /// Reads the next bytes, the first of which has offset `start`.
    pub fn feed<S: Sink>(&mut self, mut start: u64, mut bytes: &[u8], out: &mut Out<'_, S>) {
        while !bytes.is_empty() {
            let n = match self.rest {
                Some((label, kind)) => {
                    out.part(start, bytes.len() as u64, label, kind);
                    bytes.len()
                }
                None if self.pending.is_empty() => self.begin(start, bytes, out),
                None => self.resume(start, bytes, out),
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
    }

    /// Begins a unit; one that is complete is not copied. Returns the number of bytes used.
    fn begin<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let n = self.layer.unit(bytes, 0, self.sender);
        let Some(n) = n.map(|n| n.clamp(1, bytes.len())).filter(|n| *n <= MAX_UNIT) else {
            return self.collect(start, bytes, out);
        };
        let carried = self.carried(Ending::Whole);
        let places = [(start, n as u64)];
        let contents = label_unit(&mut *self.layer, &bytes[..n], &places, carried, out);
        self.note(contents);
        n
    }

    /// Continues a unit. It copies at most as much as before, so few bytes that follow the unit.
    fn resume<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let before = self.pending.bytes.len();
        let n = self.collect(start, &bytes[..bytes.len().min(before.max(STEP))], out);
        if self.rest.is_some() {
            return n;
        }
        let unit = self.layer.unit(&self.pending.bytes, before, self.sender);
        let Some(end) = unit.map(|end| end.clamp(before, before + n)) else {
            return n;
        };
        self.pending.truncate(end);
        self.label_pending(Ending::Whole, out);
        end - before
    }

    /// Adds bytes to the unit, and gives it up if it is too large. Returns the number of bytes used.
    fn collect<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let n = bytes.len().min(self.pending.room());
        self.pending.push(start, &bytes[..n]);
        if self.pending.is_full() {
            self.rest = Some(self.label_pending(Ending::Cut, out));
        }
        n
    }

    /// The type of its layer, if the bytes so far make no difference to those that come.
    pub fn at_rest(&self) -> Option<TypeId> {
        self.layer
            .at_rest()
            .filter(|_| self.pending.is_empty() && self.rest.is_none())
    }

    /// Labels pending bytes when the content has ended (`whole`) or was cut.
    pub fn end<S: Sink>(&mut self, whole: bool, out: &mut Out<'_, S>) {
        if !self.pending.is_empty() {
            self.label_pending(if whole { Ending::Body } else { Ending::Cut }, out);
        }
        if whole && self.has_message() {
            out.message_head(self.head);
        }
        let answers = whole && self.sender == Direction::Down;
        if answers && self.layer.is_empty_answer(self.seen) {
            out.event(Event::Empty);
        }
    }

    /// Labels the collected bytes. Returns the label and kind of the last span.
    fn label_pending<S: Sink>(&mut self, ending: Ending, out: &mut Out<'_, S>) -> (Label, Kind) {
        let carried = self.carried(ending);
        let contents = self.pending.label(&mut *self.layer, carried, out);
        self.note(contents);
        contents.last
    }

    fn note(&mut self, contents: UnitContents) {
        self.seen.control |= contents.control;
        self.seen.other |= !contents.control;
        self.seen.payload |= contents.payload;
    }

    fn carried(&self, ending: Ending) -> Carried {
        Carried {
            sender: self.sender,
            binary: false,
            ending,
        }
    }

    /// Whether this is a client's content, and a protocol on top carried a message of its application.
    pub fn has_message(&self) -> bool {
        self.sender == Direction::Up && self.seen.payload
    }
}
