//! The carriers of content: the chunks of HTTP/1 and the DATA frames of HTTP/2.
//!
//! ```text
//!           before                  content            after
//! chunk     d\r\n                   : heartbeat\n\n    \r\n
//! DATA      header, pad length      : heartbeat\n\n    padding
//! ```
//!
//! The bytes around the content count as control if the content is control alone. A unit may extend over
//! several carriers, so these bytes wait until the whole content has labels.

use super::{Kind, Label, Part};

/// The carriers of one body that are not fully labelled yet, in order.
#[derive(Debug, Default)]
pub(super) struct Carriers(Vec<Carrier>);

/// The kind of carrier.
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
    /// Bytes read before the content, of the content (its full length), and after it.
    before: u64,
    len: u64,
    after: u64,
    /// How many bytes of content have a label, and whether some are control and some are not.
    labelled: u64,
    control: bool,
    other: bool,
    /// Whether it was read completely.
    whole: bool,
}

/// The size of an HTTP/2 frame's header, bytes.
const DATA_HEADER: u64 = 9;

impl Carriers {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A carrier begins at offset `start`; the `before` bytes before its `len` bytes of content were read.
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

    /// Another `n` bytes after the content were read.
    pub fn add_after(&mut self, n: u64) {
        if let Some(carrier) = self.0.last_mut() {
            carrier.after += n;
        }
    }

    /// The last carrier was read completely.
    pub fn end(&mut self) {
        if let Some(carrier) = self.0.last_mut() {
            carrier.whole = true;
        }
    }

    /// Records that bytes of content have their label. They never belong to two carriers.
    pub fn labelled(&mut self, part: &Part) {
        // Usually they belong to the last one.
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

    /// Removes the carriers that were read completely and whose content has labels, up to the first that is
    /// not finished; with `all`, removes all of them, because the content has ended or was cut.
    pub fn take_decided(&mut self, all: bool) -> impl Iterator<Item = Carrier> {
        let is_decided = |c: &Carrier| all || c.whole && c.labelled == c.len;
        let n = self.0.iter().take_while(|c| is_decided(c)).count();
        self.0.drain(..n)
    }
}

impl Carrier {
    /// The offset of its content.
    fn content(&self) -> u64 {
        self.start + self.before
    }

    /// The bytes around the content: their label, and the offset, length and kind of each part.
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
