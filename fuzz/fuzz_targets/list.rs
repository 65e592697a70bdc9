#![no_main]
//! Any bytes as the answer to a poll, until close and as chunks.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::Direction::{Down, Up};
use mailcall_fuzz::check;

fuzz_target!(|data: &[u8]| {
    let request = (Up, &b"GET / HTTP/1.1\r\n\r\n"[..]);
    let heads: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ];
    for head in heads {
        check([request, (Down, head), (Down, data)].into_iter());
    }
});
