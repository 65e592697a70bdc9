//! What the answer to a GET may hold, and what reads it: a new body format is a layer and a row here.

use super::layers::{Lines, List, Sse};
use super::{Layer, is_media_type};

/// What the answer to a GET holds where no protocol on top says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON list of mails.
    List,
    /// An event stream.
    Events,
    /// Lines of JSON.
    Lines,
}

/// What the answer to a GET of this target (path and query) holds; `None` leaves it to the answer's
/// `Content-Type`. Whoever knows the routes knows it; the field may be a replayed one that is not true.
pub type Answers = fn(&[u8]) -> Option<Answer>;

/// Believes what answers say of themselves.
pub fn as_declared(_target: &[u8]) -> Option<Answer> {
    None
}

/// A format, the media type that declares it, and what reads it.
type Format = (Answer, &'static str, fn() -> Box<dyn Layer>);

/// Every format of a body. What declares none of them is read as a list, which looks what it is.
const FORMATS: &[Format] = &[
    (Answer::List, "application/json", || Box::new(List::default())),
    (Answer::Events, "text/event-stream", || Box::new(Sse::default())),
    (Answer::Lines, "application/x-ndjson", || Box::new(Lines)),
];

impl Answer {
    /// What a `Content-Type` says that the answer holds, whatever its parameters.
    pub(super) fn declared(content_type: &[u8]) -> Option<Answer> {
        let row = FORMATS.iter().find(|row| is_media_type(content_type, row.1));
        row.map(|row| row.0)
    }

    /// What reads it.
    pub(super) fn layer(self) -> Box<dyn Layer> {
        let row = FORMATS.iter().find(|row| row.0 == self);
        row.map_or_else(|| Box::new(List::default()) as _, |row| row.2())
    }
}
