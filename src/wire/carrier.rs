//! What carries content piece by piece: the chunks of HTTP/1 and the DATA frames of HTTP/2.
//!
//! ```text
//!           before                  content            after
//! chunk     d\r\n                   : heartbeat\n\n    \r\n
//! DATA      header, pad length      : heartbeat\n\n    padding
//! ```
//!
//! What surrounds the content counts as control if the content holds nothing else. A unit may lie in several
//! carriers, so their surroundings wait until every byte of the content has a label.

use super::{Kind, Label, Part};

/// The carriers of one body of which something has no label yet, in their order.
#[derive(Debug, Default)]
pub(super) struct Carriers(Vec<Carrier>);

/// Which of them it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Chunk,
    Data,
}

/// A chunk or a DATA frame.
#[derive(Debug)]
pub(super) struct Carrier {
    form: Form,
    /// Offset of its first byte.
    start: u64,
    /// Bytes before the content, bytes of content, and bytes behind it that were read.
    before: u64,
    len: u64,
    after: u64,
    /// How many bytes of content have a label, and which they have.
    labelled: u64,
    control: bool,
    other: bool,
    /// Whether it was read to its end.
    whole: bool,
}

/// Bytes of the header of an HTTP/2 frame.
const DATA_HEADER: u64 = 9;

impl Carriers {
    /// One begins at offset `start`, of which the `before` bytes before its `len` bytes of content were read.
    pub fn begin(&mut self, form: Form, start: u64, before: u64, len: u64) {
        self.0.push(Carrier {
            form,
            start,
            before,
            len,
            after: 0,
            labelled: 0,
            control: false,
            other: false,
            whole: false,
        });
    }

    /// Another `n` bytes behind the content were read.
    pub fn add_after(&mut self, n: u64) {
        if let Some(carrier) = self.0.last_mut() {
            carrier.after += n;
        }
    }

    /// All of the last one was read.
    pub fn end(&mut self) {
        if let Some(carrier) = self.0.last_mut() {
            carrier.whole = true;
        }
    }

    /// Bytes of content, which are never of two carriers, have their label.
    pub fn labelled(&mut self, part: &Part) {
        // Most often it is the last.
        let at = match self.0.last() {
            None => return,
            Some(last) if last.content() <= part.start => self.0.len() - 1,
            Some(_) => self.0.partition_point(|c| c.content() + c.len <= part.start),
        };
        let carrier = &mut self.0[at];
        carrier.labelled += part.len;
        match part.label {
            Label::Control => carrier.control = true,
            _ => carrier.other = true,
        }
    }

    /// Takes out those that were read to their end and of whose content every byte has a label, up to the first
    /// of which that is not so; or `all`, because the content is over or cut.
    pub fn take_decided(&mut self, all: bool) -> impl Iterator<Item = Carrier> {
        let is_decided = |c: &Carrier| all || c.whole && c.labelled == c.len;
        let n = self.0.iter().take_while(|c| is_decided(c)).count();
        self.0.drain(..n)
    }
}

impl Carrier {
    /// Offset of its content.
    fn content(&self) -> u64 {
        self.start + self.before
    }

    /// What surrounds the content: where it stands, how long it is, and what it is.
    pub fn surroundings(&self) -> (Label, [(u64, u64, Kind); 3]) {
        let label = match self.control && !self.other {
            true => Label::Control,
            false => Label::Framing,
        };
        let (header, end) = match self.form {
            Form::Chunk => (self.before, Kind::ChunkEnd),
            Form::Data => (DATA_HEADER, Kind::Padding),
        };
        let first = match self.form {
            Form::Chunk => Kind::ChunkSize,
            Form::Data => Kind::H2FrameHeader,
        };
        let places = [
            (self.start, header, first),
            (self.start + header, self.before - header, Kind::Padding),
            (self.content() + self.len, self.after, end),
        ];
        (label, places)
    }
}
