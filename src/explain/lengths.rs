//! The baseline's messages, each behind its length.
use super::unit::{Detail, Explained, bytes};
use crate::lang::{Text, phrase};
use crate::wire::Direction;
use crate::wire::transcript::Piece;

const SOURCE: &str = "mailcall's own form";

fn number(run: &Piece) -> u64 {
    run.bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

pub fn cursor(run: &Piece) -> Explained {
    Explained::new(
        run,
        "The cursor, eight bytes: the number of the last mail seen.",
        SOURCE,
    )
    .because("It is all that the server has to know.")
    .with(vec![Detail::new("cursor", number(run).to_string(), "big-endian")])
}

pub fn title(run: &Piece) -> Text {
    let length = bytes(number(run));
    match run.direction {
        Direction::Up => phrase!("a reply of %{length}", length = length),
        Direction::Down => phrase!("a message of %{length}", length = length),
    }
}

pub fn length(run: &Piece) -> Explained {
    Explained::new(run, "The length of what follows, four bytes.", SOURCE)
        .because("TCP is a stream: it does not say where a message ends (RFC 9293, section 2.2).")
        .with(vec![Detail::new(
            "length",
            number(run).to_string(),
            "bytes, big-endian",
        )])
}
