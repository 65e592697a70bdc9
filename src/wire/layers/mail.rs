//! WebSocket messages without a protocol on top: mails and notices from the server, replies from the client.

use std::any::TypeId;

use super::super::{Carried, Direction, Kind, Label, Layer, Spans};
use super::mail_text;
use super::text::message;

/// Labels WebSocket messages without a protocol on top. Every message of a client is a reply.
#[derive(Debug)]
pub(in super::super) struct Mail;

impl Layer for Mail {
    fn uniform(&self, sender: Direction) -> Option<(Label, Kind)> {
        (sender == Direction::Up).then_some((Label::Payload, Kind::Reply))
    }

    fn at_rest(&self) -> Option<TypeId> {
        Some(TypeId::of::<Mail>())
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
