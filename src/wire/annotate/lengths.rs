//! The baseline's messages, each behind its length.

use super::super::Direction;
use super::super::transcript::Run;
use super::content::bytes;
use super::{Detail, Explained};
use crate::lang::{Text, phrase};

const SOURCE: &str = "mailcall's own form";

fn number(run: &Run) -> u64 {
    run.bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

pub(super) fn cursor(run: &Run) -> Explained {
    Explained::new(
        run,
        "The cursor, eight bytes: the number of the last mail seen.",
        SOURCE,
    )
    .because("It is all that the server has to know.")
    .with(vec![Detail::new("cursor", number(run).to_string(), "big-endian")])
}

pub(super) fn title(run: &Run) -> Text {
    let length = bytes(number(run));
    match run.direction {
        Direction::Up => phrase!("a reply of %{length}", length = length),
        Direction::Down => phrase!("a message of %{length}", length = length),
    }
}

pub(super) fn length(run: &Run) -> Explained {
    Explained::new(run, "The length of what follows, four bytes.", SOURCE)
        .because("TCP is a stream: it does not say where a message ends (RFC 9293, section 2.2).")
        .with(vec![Detail::new(
            "length",
            number(run).to_string(),
            "bytes, big-endian",
        )])
}
