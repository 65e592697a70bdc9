#![no_main]
//! Any bytes from both sides of a baseline connection.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::{Lengths, Tally};
use mailcall_fuzz::interleave;

fuzz_target!(|data: &[u8]| {
    let (mut whole, mut bytes) = (
        (Lengths::default(), Tally::default()),
        (Lengths::default(), Tally::default()),
    );
    let mut fed = [0; 2];
    for (direction, piece) in interleave(data) {
        fed[direction as usize] += piece.len() as u64;
        whole.0.feed(direction, piece, &mut whole.1);
        piece
            .chunks(1)
            .for_each(|b| bytes.0.feed(direction, b, &mut bytes.1));
    }
    assert_eq!(whole.1, bytes.1);
    assert_eq!(fed, [whole.1.up.total(), whole.1.down.total()]);
});
