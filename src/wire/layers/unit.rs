//! A unit on its way: collected until it is whole, and labelled where the wire had its bytes.

use super::super::out::Out;
use super::super::{Direction, Kind, Label, Sink};
use super::{Carried, Dialect, Layer, Span};

/// The largest unit that is collected, bytes: as large as the largest mail that a client takes.
pub(super) const MAX_UNIT: usize = if cfg!(test) { 1 << 16 } else { 64 << 20 };

/// In how many pieces a unit may come. Frames of HTTP/2 hold 16 KiB, so the largest has half of that.
pub(super) const MAX_PIECES: usize = 8192;

/// What has come of a unit.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub bytes: Vec<u8>,
    /// Where they stand on the wire: start and length of each piece.
    places: Vec<(u64, u64)>,
}

/// What a unit was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Whether nothing in it is anything but control.
    pub control: bool,
    /// Whether something in it is an application's own.
    pub payload: bool,
    /// What its last run is.
    pub last: (Label, Kind),
}

impl Told {
    /// What surrounds the unit counts as this.
    pub fn around(&self) -> Label {
        if self.control {
            Label::Control
        } else {
            Label::Framing
        }
    }
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds bytes that stand at offset `start`.
    pub fn push(&mut self, start: u64, bytes: impl ExactSizeIterator<Item = u8>) {
        let len = bytes.len() as u64;
        self.bytes.extend(bytes);
        match self.places.last_mut() {
            _ if len == 0 => {}
            Some((from, n)) if *from + *n == start => *n += len,
            _ => self.places.push((start, len)),
        }
    }

    /// Gives back what is behind the first `len` bytes, all of which was added last.
    pub fn truncate(&mut self, len: usize) {
        let back = self.bytes.len() - len;
        self.bytes.truncate(len);
        if let Some((_, n)) = self.places.last_mut() {
            *n -= back as u64;
        }
    }

    /// How many bytes of a unit may be added before it is full, whatever the reads that bring them.
    pub fn room(&self) -> usize {
        MAX_UNIT + 1 - self.bytes.len().min(MAX_UNIT)
    }

    /// Whether no more may be collected.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > MAX_UNIT || self.places.len() > MAX_PIECES
    }

    /// Labels what has come, and keeps nothing of it.
    pub fn tell<S: Sink>(&mut self, dialect: Dialect, carried: Carried, out: &mut Out<'_, S>) -> Told {
        let Pending { bytes, places } = std::mem::take(self);
        tell(dialect, &bytes, &places, carried, out)
    }
}

/// Labels a unit that stands at these places.
pub(super) fn tell<S: Sink>(
    dialect: Dialect,
    unit: &[u8],
    places: &[(u64, u64)],
    carried: Carried,
    out: &mut Out<'_, S>,
) -> Told {
    let mut spans = Vec::new();
    dialect.label(unit, carried, &mut spans);
    fit(unit.len(), &mut spans);
    if carried.sender == Direction::Down {
        (0..mails(&spans)).for_each(|_| out.mail());
    }
    let mut told = Told {
        control: !spans.is_empty(),
        payload: false,
        last: (Label::Framing, Kind::Unread),
    };
    let mut cursor = 0;
    let mut places = places.iter().copied();
    let mut place = (0, 0);
    for span in &spans {
        told.control &= span.label == Label::Control;
        told.payload |= span.label == Label::Payload;
        told.last = (span.label, span.kind);
        if span.kind == Kind::Cursor {
            cursor += span.len as u64;
        }
        let mut left = span.len as u64;
        while left > 0 {
            if place.1 == 0 {
                let Some(next) = places.next() else { break };
                place = next;
            }
            let n = left.min(place.1);
            out.part(place.0, n, span.label, span.kind);
            place = (place.0 + n, place.1 - n);
            left -= n;
        }
    }
    if cursor > 0 && carried.sender == Direction::Up {
        out.told(cursor);
    }
    told
}

/// How many mails the runs of a unit are of: what keeps two of them apart is neither of a mail's own
/// kinds nor an escape. An attachment that comes as a unit of its own is part of a mail before it.
fn mails(spans: &[Span]) -> usize {
    let inside = |span: &Span| {
        matches!(
            span.kind,
            Kind::Mail | Kind::Attachment | Kind::AttachmentKey | Kind::Escape
        )
    };
    let runs = spans.split(|span| !inside(span));
    runs.filter(|run| run.iter().any(|span| span.kind == Kind::Mail))
        .count()
}

/// Makes the runs as long as the unit: what a layer leaves out or adds is a defect of it, and no byte
/// may go uncounted.
fn fit(len: usize, spans: &mut Vec<Span>) {
    spans.retain(|span| span.len > 0);
    let mut left = len;
    for span in spans.iter_mut() {
        span.len = span.len.min(left);
        left -= span.len;
    }
    debug_assert!(left == 0, "{left} bytes of {len} have no label");
    if left > 0 {
        spans.push(Span::new(left, Label::Framing, Kind::Unread));
    }
}
