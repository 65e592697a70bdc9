#![no_main]
//! Any bytes from both sides where a protocol stands on top, which one the first byte says: messages
//! behind a handshake, or a body each way.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::Direction::{Down, Up};
use mailcall_fuzz::{check, interleave};

const SOCKETS: [&str; 4] = [
    "/stomp HTTP/1.1\r\nSec-WebSocket-Protocol: v12.stomp",
    "/sockjs/0/x/websocket HTTP/1.1",
    "/socket.io/?EIO=4 HTTP/1.1",
    "/engine.io/?EIO=4 HTTP/1.1",
];

const BODIES: [&str; 8] = [
    "/sockjs/0/x/xhr",
    "/sockjs/0/x/xhr_streaming",
    "/sockjs/0/x/eventsource",
    "/sockjs/0/x/htmlfile",
    "/sockjs/0/x/jsonp",
    "/sockjs/0/x/xhr_send",
    "/sockjs/0/x/jsonp_send",
    "/socket.io/?EIO=4",
];

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let first = usize::from(first) % (SOCKETS.len() + BODIES.len());
    let (request, response) = match SOCKETS.get(first) {
        Some(socket) => (
            format!("GET {socket}\r\nUpgrade: websocket\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ),
        None => (
            format!(
                "POST {} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
                BODIES[first - SOCKETS.len()]
            ),
            "HTTP/1.1 200 OK\r\n\r\n",
        ),
    };
    let opening = [(Up, request.as_bytes()), (Down, response.as_bytes())];
    check(opening.into_iter().chain(interleave(data)));
});
