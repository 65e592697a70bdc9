//! The parts of a unit of content.

use memchr::memchr_iter;

use super::{Kind, Label};

/// Consecutive bytes of a unit with one label and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub len: usize,
    pub label: Label,
    pub kind: Kind,
    /// For base64, of which a third is framing instead of this label: the position of the first character in
    /// its group of four.
    base64: Option<u8>,
}

/// The spans of a unit in order, with the counts of its contents.
#[derive(Debug, Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    /// The number of complete mails. Only a server's count, and only if the unit was not cut.
    pub mails: usize,
    /// The number of stream events that end in it.
    pub events: usize,
}

impl Span {
    pub fn new(len: usize, label: Label, kind: Kind) -> Span {
        Span {
            len,
            label,
            kind,
            base64: None,
        }
    }

    /// Removes `n` bytes from the beginning and returns them.
    #[inline]
    pub fn take(&mut self, n: usize) -> Span {
        let first = Span { len: n, ..*self };
        self.len -= n;
        // A remainder of 4 fits in a byte.
        self.base64 = self.base64.map(|place| ((usize::from(place) + n) % 4) as u8);
        first
    }

    /// How many of its bytes, which are `text`, are framing although the span is not: in base64, the first of
    /// every four characters, and the padding. The other characters represent the attachment's own bytes.
    /// Only the numbers are defined, not which character counts as which.
    #[inline]
    pub fn base64_framing(&self, text: &[u8]) -> u64 {
        let Some(place) = self.base64.map(usize::from) else {
            return 0;
        };
        let firsts = (place + text.len()).div_ceil(4) - place.div_ceil(4);
        let padding = memchr_iter(b'=', text).filter(|n| (place + n) % 4 != 0);
        (firsts + padding.count()) as u64
    }
}

impl Spans {
    /// Adds a span; one with the same label and kind as the last extends it.
    #[inline]
    pub fn push(&mut self, len: usize, label: Label, kind: Kind) {
        self.add(Span::new(len, label, kind));
    }

    /// Adds base64 whose first character has this position in its group of four.
    pub fn push_base64(&mut self, len: usize, place: u8, kind: Kind) {
        self.add(Span {
            base64: Some(place),
            ..Span::new(len, Label::Payload, kind)
        });
    }

    /// Adds a span as it is, unless it is empty.
    #[inline]
    pub fn add(&mut self, span: Span) {
        let alike = |last: &Span| (last.label, last.kind, last.base64) == (span.label, span.kind, None);
        match self.list.last_mut() {
            _ if span.len == 0 => {}
            Some(last) if span.base64.is_none() && alike(last) => last.len += span.len,
            _ => {
                // Enough for most units, reserved once.
                self.list.reserve(16 * usize::from(self.list.capacity() == 0));
                self.list.push(span);
            }
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Span> {
        self.list.iter()
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Span> {
        self.list.iter_mut()
    }

    /// The length of all spans, bytes.
    pub fn total(&self) -> usize {
        self.list.iter().map(|span| span.len).sum()
    }

    pub fn clear(&mut self) {
        self.list.clear();
        (self.mails, self.events) = (0, 0);
    }
}
