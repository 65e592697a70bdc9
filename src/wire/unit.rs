//! A unit being read: collected until it is complete, and labelled at its offsets in the socket's bytes.

use super::{Carried, Direction, Ending, Event, Kind, Label, Layer, Out, Sink, Spans};

/// The largest unit that is collected, bytes: the largest mail that a client accepts.
pub(super) const MAX_UNIT: usize = if cfg!(test) { 1 << 16 } else { 64 << 20 };

/// The most pieces of a unit. HTTP/2 frames hold 16 KiB, so the largest unit needs half of these.
pub(super) const MAX_PIECES: usize = if cfg!(test) { 512 } else { 8192 };

/// The positions of bytes in their direction's stream: offset and length of each piece.
pub(super) type Places = Vec<(u64, u64)>;

/// The bytes of a unit so far.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub bytes: Vec<u8>,
    places: Places,
}

/// The contents of a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitContents {
    /// Whether all of it is control.
    pub control: bool,
    /// Whether some of it is an application's message.
    pub payload: bool,
    /// The label and kind of its last span.
    pub last: (Label, Kind),
}

impl UnitContents {
    /// The label of the headers of frames that carry only this unit.
    pub fn around(&self) -> Label {
        match self.control {
            true => Label::Control,
            false => Label::Framing,
        }
    }
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds bytes with offset `start`.
    pub fn push(&mut self, start: u64, bytes: &[u8]) {
        add_place(&mut self.places, start, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// The last `n` bytes added.
    pub fn last(&mut self, n: usize) -> &mut [u8] {
        let from = self.bytes.len() - n;
        &mut self.bytes[from..]
    }

    /// Removes all but the first `len` bytes; the removed bytes must all have been added last.
    pub fn truncate(&mut self, len: usize) {
        let back = self.bytes.len() - len;
        self.bytes.truncate(len);
        if let Some((_, n)) = self.places.last_mut() {
            *n -= back as u64;
        }
    }

    /// How many bytes may be added before the unit is full, independent of the sizes of reads.
    pub fn room(&self) -> usize {
        MAX_UNIT + 1 - self.bytes.len().min(MAX_UNIT)
    }

    /// Whether no more bytes may be collected.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > MAX_UNIT || self.places.len() > MAX_PIECES
    }

    /// Labels the bytes so far, and forgets them.
    pub fn label<S: Sink>(
        &mut self,
        layer: &mut dyn Layer,
        carried: Carried,
        out: &mut Out<'_, S>,
    ) -> UnitContents {
        let Pending { bytes, places } = std::mem::take(self);
        label_unit(layer, &bytes, &places, carried, out)
    }
}

/// Adds a piece; one that directly follows the last piece extends it.
pub(super) fn add_place(places: &mut Places, start: u64, len: u64) {
    match places.last_mut() {
        _ if len == 0 => {}
        Some((from, n)) if *from + *n == start => *n += len,
        _ => places.push((start, len)),
    }
}

/// Labels a unit at these places.
pub(super) fn label_unit<S: Sink>(
    layer: &mut dyn Layer,
    unit: &[u8],
    places: &[(u64, u64)],
    carried: Carried,
    out: &mut Out<'_, S>,
) -> UnitContents {
    let mut spans = std::mem::take(&mut out.spans);
    layer.label(unit, carried, &mut spans);
    // A byte without a span is a defect of the layer, but every byte must be counted.
    let missing = unit.len().saturating_sub(spans.total());
    debug_assert!(missing == 0, "{missing} bytes of {} have no label", unit.len());
    spans.push(missing, Label::Framing, Kind::Unread);
    let (contents, cursor) = place(unit, &spans, places, out);
    if carried.ending != Ending::Cut {
        match carried.sender {
            Direction::Down => (0..spans.mails).for_each(|_| out.mail()),
            Direction::Up if cursor > 0 => out.client_state(cursor),
            Direction::Up => {}
        }
        (0..spans.events).for_each(|_| out.event(Event::Message(carried.sender)));
    }
    spans.clear();
    out.spans = spans;
    contents
}

/// Passes on the spans with their socket offsets. Returns their contents, and the size of cursors.
fn place<S: Sink>(
    unit: &[u8],
    spans: &Spans,
    places: &[(u64, u64)],
    out: &mut Out<'_, S>,
) -> (UnitContents, u64) {
    let mut contents = UnitContents {
        control: !unit.is_empty(),
        payload: false,
        last: (Label::Framing, Kind::Unread),
    };
    let (mut cursor, mut at) = (0, 0);
    let mut places = places.iter().copied();
    let mut here = (0, 0);
    for span in spans.iter() {
        contents.control &= span.label == Label::Control;
        contents.payload |= span.label == Label::Payload;
        contents.last = (span.label, span.kind);
        if span.kind == Kind::Cursor {
            cursor += span.len as u64;
        }
        let mut rest = *span;
        while rest.len > 0 {
            if here.1 == 0 {
                let Some(next) = places.next() else { break };
                here = next;
            }
            // At most the rest of the span.
            let n = here.1.min(rest.len as u64) as usize;
            let (start, len) = (here.0, n as u64);
            let framing = rest.take(n).base64_framing(&unit[at..at + n]);
            if framing > 0 {
                out.part(start, framing, Label::Framing, span.kind);
            }
            out.part(start + framing, len - framing, span.label, span.kind);
            here = (start + len, here.1 - len);
            at += n;
        }
    }
    (contents, cursor)
}

/// How many of `available` bytes belong to the `left` ones.
pub(super) fn up_to(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}
