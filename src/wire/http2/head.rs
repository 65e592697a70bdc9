//! The parts of a header block on which further reading depends.

use super::super::answer::is_coded;
use super::super::state;
use super::super::{Answer, offers_stomp};
use super::hpack::Field;

/// A decoded header block.
#[derive(Default)]
pub(super) struct Head {
    pub method: Option<Vec<u8>>,
    pub path: Vec<u8>,
    pub websocket: bool,
    /// Whether it offers STOMP.
    pub stomp: bool,
    pub status: Option<u16>,
    /// The format that a response's `content-type` declares.
    pub declared: Option<Answer>,
    /// Whether a response's body is in a content coding.
    pub coded: bool,
    /// Size on the wire of the fields that carry the client's state, bytes.
    pub state: u64,
}

impl Head {
    pub fn read(fields: &[Field]) -> Head {
        let mut head = Head::default();
        for field in fields {
            let value = &field.value[..];
            match &field.name[..] {
                b":method" => head.method = Some(value.to_vec()),
                b":protocol" => head.websocket = value.eq_ignore_ascii_case(b"websocket"),
                b":status" => head.status = std::str::from_utf8(value).ok().and_then(|s| s.parse().ok()),
                b"content-type" => head.declared = Answer::declared(value),
                b"content-encoding" => head.coded |= is_coded(value),
                b":path" => {
                    head.path = value.to_vec();
                    if state::cursor(value) > 0 {
                        head.state += field.len as u64;
                    }
                }
                b"sec-websocket-protocol" => head.stomp |= offers_stomp(value),
                name if state::is_state(name) => head.state += field.len as u64,
                _ => {}
            }
        }
        head
    }
}
