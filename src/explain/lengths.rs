//! The baseline's messages, each after its length.

use super::mail::TABLE;
use super::unit::{Detail, Explained, bytes, number};
use crate::lang::{Text, phrase};
use crate::wire::Direction;
use crate::wire::transcript::Piece;

pub fn cursor(piece: &Piece) -> Explained {
    let cursor = Detail::new("cursor", number(piece).to_string(), "big-endian");
    TABLE.baseline_cursor.part(piece).with(vec![cursor])
}

pub fn title(piece: &Piece) -> Text {
    let length = bytes(number(piece));
    match piece.direction {
        Direction::Up => phrase!("a reply of %{length}", length = length),
        Direction::Down => phrase!("a message of %{length}", length = length),
    }
}

pub fn length(piece: &Piece) -> Explained {
    let length = Detail::new("length", number(piece).to_string(), "bytes, big-endian");
    TABLE.baseline_length.part(piece).with(vec![length])
}
