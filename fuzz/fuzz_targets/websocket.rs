#![no_main]
//! Any bytes from both sides behind a handshake.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::Direction::{Down, Up};
use mailcall_fuzz::{check, interleave};

fuzz_target!(|data: &[u8]| {
    let handshake = [
        (Up, &b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"[..]),
        (Down, &b"HTTP/1.1 101 Switching Protocols\r\n\r\n"[..]),
    ];
    check(handshake.into_iter().chain(interleave(data)));
});
