#![no_main]
//! Any bytes in any order from both sides of an HTTP/2 connection, as they are and behind an opening
//! with streams of each sort.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::Direction::{Down, Up};
use mailcall::wire::http2::PREFACE;
use mailcall_fuzz::{check_http2, interleave};

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// A GET on stream 1, another on 3, a WebSocket on 5.
const REQUESTS: &[u8] = b"\0\0\x01\x01\x05\0\0\0\x01\x82\
    \0\0\x01\x01\x05\0\0\0\x03\x82\
    \0\0\x1e\x01\x04\0\0\0\x05\x02\x07CONNECT\0\x09:protocol\x09websocket";

/// A list, an event stream, a WebSocket.
const RESPONSES: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x01\x88\
    \0\0\x15\x01\x04\0\0\0\x03\x88\x0f\x10\x11text/event-stream\
    \0\0\x01\x01\x04\0\0\0\x05\x88";

fuzz_target!(|data: &[u8]| {
    let pieces = interleave(data);
    check_http2(pieces.iter().copied());
    let opening = [
        (Up, PREFACE),
        (Up, SETTINGS),
        (Down, SETTINGS),
        (Up, REQUESTS),
        (Down, RESPONSES),
    ];
    check_http2(opening.into_iter().chain(pieces));
});
