#![no_main]
//! Any bytes as a stream of STOMP frames: read the same however they are cut, and what was read is read again
//! as it is written.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::stomp::{Item, Limits, Malformed, Parser, Version};

const LIMITS: Limits = Limits {
    headers: 8,
    line: 100,
    body: 1_000,
};

fn read(version: Version, bytes: &[u8], piece: usize) -> (Vec<Item>, Option<Malformed>) {
    let mut parser = Parser::new(LIMITS);
    parser.speak(version);
    let mut items = Vec::new();
    for piece in bytes.chunks(piece) {
        parser.feed(piece);
        loop {
            match parser.next() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(e) => return (items, Some(e)),
            }
        }
    }
    (items, None)
}

fuzz_target!(|data: &[u8]| {
    for version in Version::ALL {
        let (items, end) = read(version, data, data.len().max(1));
        assert_eq!((items.clone(), end), read(version, data, 1));
        for item in items {
            let Item::Frame(frame) = item else { continue };
            let written = frame.to_bytes(version);
            let again = read(version, &written, written.len());
            // A NUL can be read in a header, and is left out when it is written: others take it for the end.
            let has_nul = frame.headers.iter().any(|(n, v)| n.contains('\0') || v.contains('\0'));
            if version == Version::V1_2 && !has_nul {
                // Escapes take more room: a line may be too long by now.
                let same = again == (vec![Item::Frame(frame)], None);
                assert!(same || again.1 == Some(Malformed::LineTooLong), "{again:?}");
            }
        }
    }
});
