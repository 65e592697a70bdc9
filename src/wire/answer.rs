//! Formats of the answer to a GET, and their layers: a new body format is a layer and a row here.

use super::layers::{Lines, List, Sse};
use super::{Layer, is_media_type};

/// The format of the answer to a GET, where no protocol on top defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON list of mails.
    List,
    /// An event stream.
    Events,
    /// Lines of JSON.
    Lines,
}

/// The format of the answer to a GET of this target (path and query); `None` leaves it to the answer's
/// `Content-Type`. The lab knows its routes, while the field may be replayed from a capture and wrong.
pub type Answers = fn(&[u8]) -> Option<Answer>;

/// Relies on the `Content-Type` of answers.
pub fn as_declared(_target: &[u8]) -> Option<Answer> {
    None
}

/// Whether a `Content-Encoding` names a coding that changes the body (RFC 9110, section 8.4).
pub(super) fn is_coded(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    !field.is_empty() && !field.eq_ignore_ascii_case(b"identity")
}

/// A format, the media type that declares it, and the constructor of its layer.
type Format = (Answer, &'static str, fn() -> Box<dyn Layer>);

/// All formats of bodies. A body with another media type is read as a list, which checks its first bytes.
const FORMATS: &[Format] = &[
    (Answer::List, "application/json", || Box::new(List::default())),
    (Answer::Events, "text/event-stream", || Box::new(Sse::default())),
    (Answer::Lines, "application/x-ndjson", || Box::new(Lines)),
];

impl Answer {
    /// The format that a `Content-Type` declares, with any parameters.
    pub(super) fn declared(content_type: &[u8]) -> Option<Answer> {
        let row = FORMATS.iter().find(|row| is_media_type(content_type, row.1));
        row.map(|row| row.0)
    }

    /// The layer that reads this format.
    pub(super) fn layer(self) -> Box<dyn Layer> {
        let row = FORMATS.iter().find(|row| row.0 == self);
        row.map_or_else(|| Box::new(List::default()) as _, |row| row.2())
    }
}
