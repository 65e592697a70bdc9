//! What a WebSocket carries where no protocol is on top: mails and notices one way, replies the other.

use super::super::{Carried, Direction, Kind, Label, Layer, Spans};
use super::mail_text;
use super::text::message;

/// What a WebSocket carries by itself. What a client says is a reply, whatever it is.
#[derive(Debug)]
pub(in super::super) struct Mail;

impl Layer for Mail {
    fn uniform(&self, sender: Direction) -> Option<(Label, Kind)> {
        (sender == Direction::Up).then_some((Label::Payload, Kind::Reply))
    }

    fn unit(&mut self, bytes: &[u8], _from: usize, _sender: Direction) -> Option<usize> {
        Some(bytes.len())
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        match carried.binary {
            true => mail_text::binary(unit, spans),
            false => message(unit, carried.sender, spans),
        }
    }
}
