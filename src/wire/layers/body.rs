//! An HTTP body that a protocol on top fills: an answer to a poll, a stream, what a client posts. It may
//! hold several units, and be cut anywhere by chunk lines and frames.

use super::super::body::{Undecided, Wait};
use super::super::out::Out;
use super::super::{Direction, Event, Kind, Label, Sink};
use super::unit::{MAX_UNIT, Pending, Told, tell};
use super::{Carried, Dialect, Layer};

/// Labels a body.
#[derive(Debug)]
pub(in super::super) struct Body {
    dialect: Dialect,
    sender: Direction,
    /// Bytes of the head before it.
    head: u64,
    pending: Pending,
    /// A unit is too large to be collected: what the rest counts as.
    rest: Option<(Label, Kind)>,
    seen: Seen,
}

/// What the units were.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    control: bool,
    other: bool,
    payload: bool,
}

impl Body {
    pub fn new(dialect: Dialect, sender: Direction, head: u64) -> Body {
        Body {
            dialect,
            sender,
            head,
            pending: Pending::default(),
            rest: None,
            seen: Seen::default(),
        }
    }

    /// Takes the next bytes, the first of which has offset `start`.
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) {
        while !bytes.is_empty() {
            let n = match self.rest {
                Some((label, kind)) => {
                    out.part(start, bytes.len() as u64, label, kind);
                    bytes.len()
                }
                None if self.pending.is_empty() => self.begin(start, bytes, waiting, out),
                None => self.resume(start, bytes, waiting, out),
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
        if !self.pending.is_empty() {
            waiting.expect(Wait::UNIT);
        }
    }

    /// A unit begins; it needs no copy if it is all there.
    fn begin<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let n = self.dialect.unit(bytes, 0, self.sender);
        let Some(n) = n.map(|n| n.clamp(1, bytes.len())).filter(|n| *n <= MAX_UNIT) else {
            let used = self.collect(start, bytes);
            self.check(waiting, out);
            return used;
        };
        let places = [(start, n as u64)];
        let told = tell(self.dialect, &bytes[..n], &places, self.carried(), out);
        self.decided(told, waiting, out);
        n
    }

    /// A unit goes on.
    fn resume<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let before = self.pending.bytes.len();
        let used = self.collect(start, bytes);
        let unit = self.dialect.unit(&self.pending.bytes, before, self.sender);
        let Some(n) = unit.filter(|n| *n <= MAX_UNIT) else {
            self.check(waiting, out);
            return used;
        };
        let n = n.clamp(before, self.pending.bytes.len());
        self.pending.truncate(n);
        let told = self.pending.tell(self.dialect, self.carried(), out);
        self.decided(told, waiting, out);
        n - before
    }

    /// Adds to the unit what it has room for; says how many bytes.
    fn collect(&mut self, start: u64, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.pending.room());
        self.pending.push(start, bytes[..n].iter().copied());
        n
    }

    /// Gives a unit up that is too large to be collected.
    fn check<S: Sink>(&mut self, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        if self.pending.is_full() {
            let told = self.pending.tell(self.dialect, self.carried(), out);
            self.rest = Some(told.last);
            self.decided(told, waiting, out);
        }
    }

    /// Labels what waits, when the body is over (`whole`) or cut.
    pub fn end<S: Sink>(&mut self, whole: bool, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        if !self.pending.is_empty() {
            let told = self.pending.tell(self.dialect, self.carried(), out);
            self.decided(told, waiting, out);
        }
        if whole && self.said() {
            out.said(self.head);
        }
    }

    /// A unit is labelled: so is what stands round it.
    fn decided<S: Sink>(&mut self, told: Told, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        self.seen.control |= told.control;
        self.seen.other |= !told.control;
        self.seen.payload |= told.payload;
        waiting.settle(Wait::UNIT, (told.around(), Kind::Unread), out);
        if !told.control && self.sender == Direction::Down && self.dialect.is_stream() {
            out.event(Event::Message(self.sender));
        }
    }

    fn carried(&self) -> Carried {
        Carried {
            sender: self.sender,
            binary: false,
        }
    }

    /// Whether it is a client's, and something in it is what its application says.
    pub fn said(&self) -> bool {
        self.sender == Direction::Up && self.seen.payload
    }

    /// Whether it answered a poll, and with nothing but control.
    pub fn is_empty_answer(&self) -> bool {
        let answer = self.sender == Direction::Down && self.dialect.is_poll();
        answer && self.seen.control && !self.seen.other
    }
}
