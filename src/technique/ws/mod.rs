//! WebSocket: "give me what is after N and whatever comes after it, on this connection, on which I
//! also talk to you" (RFC 6455).
//!
//! ```text
//! client                              server
//!   | GET /ws?after=0.                  |
//!   | Upgrade: websocket                |
//!   |---------------------------------->|
//!   |   101 Switching Protocols         |
//!   |<----------------------------------|
//!   |            text {"id":1,…}        |  <- mail 1 arrives
//!   |<==================================|
//!   | text {"read":1}                   |     either side speaks at any time
//!   |==================================>|
//!   |            ping                   |  <- after a silence
//!   |<==================================|
//!   | pong                              |
//!   |==================================>|
//!   | close 1000                        |
//!   |==================================>|
//!   |            close 1000             |
//!   |<==================================|
//! ```

mod client;
mod codes;
pub mod handshake;
mod scene;
mod server;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::limit::MAX_MESSAGE;
use super::service::Stream;
use super::{Demand, Serve, Technique, blocked, flags};
use crate::lang::{t, text};
use crate::outcome::{HttpVersion, Outcome, Scenario};
use crate::theory::{Delivery, Liveness};

pub use client::{NO_MAIL, Opening, fail_connection, open, refuse};
pub use server::{accept, drain, fail, impatient, offered};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "ws",
    title: "WebSocket",
    about: text!("Upgrade once: a connection on which either side sends frames whenever it likes"),
    merit: text!("One connection for both ways; to take up where it was cut is the application's affair."),
    examples: "Examples:\n  mailcall ws --reply\n  mailcall ws --attach 100000 --frames binary\n  \
             mailcall ws --closer server --format json\n  \
             mailcall ws wss://127.0.0.1:8443 --ca ca.pem --mails 10",
    scheme: super::websocket_scheme,
    demand: Demand::Upgrade,
    holds: true,
    streams: true,
    layered: None,
    held_back: super::never,
    cannot,
    flags: &[&flags::HEARTBEAT, &flags::FRAMES, &flags::CLOSER, &flags::BLOCK],
    answers: None,
    serve: Serve::Http(server::serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| super::pushed(scenario),
    delivers: |_| Delivery::Duplex,
    liveness: Liveness::Pinged {
        ping: 2,
        unanswered: UNANSWERED,
    },
    lesson,
};

/// The same with a client that shows what frames can be.
pub const FRAMES: Technique = Technique {
    client: |client| Box::pin(scene::run(client)),
    ..TECHNIQUE
};

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    let old = (scenario.http == HttpVersion::Http10).then_some(text!(
        "its opening handshake is a request of HTTP/1.1 or later (RFC 6455, section 4.1)"
    ));
    old.or_else(|| blocked::websocket(scenario))
}

/// The subprotocol both sides agree on: what the messages mean (RFC 6455, section 1.9).
const SUBPROTOCOL: &str = "mailcall";

/// tungstenite's own 128 KiB would be the largest part of an idle connection, and all of it is
/// cleared at every look whether there is something to read.
pub const READ_BUFFER: usize = 4 * 1024;

/// A server looks after every mail, and what it hears are replies of some twenty bytes.
pub const SERVER_READ_BUFFER: usize = 512;

/// Pings that a server sends in vain before it takes the client for gone.
const UNANSWERED: u32 = 2;

/// How long either side waits for the other to finish closing.
pub const CLOSING: Duration = Duration::from_secs(2);

/// A connection that has become a WebSocket.
pub type Socket<S = Stream> = WebSocketStream<codes::Registered<S>>;

/// Speaks WebSocket behind the opening handshake. `read` was read of the connection already; messages have at
/// most `max_message` bytes.
pub async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    read: &[u8],
    role: Role,
    (max_message, read_buffer): (usize, usize),
) -> Socket<S> {
    let mut read = read.to_vec();
    let stream = codes::Registered::new(stream, &mut read);
    let config = Some(config(max_message, read_buffer));
    WebSocketStream::from_partially_read(stream, read, role, config).await
}

/// The server's end of one.
pub async fn serve_over<S: AsyncRead + AsyncWrite + Unpin>(stream: S, max_message: usize) -> Socket<S> {
    over(stream, &[], Role::Server, (max_message, SERVER_READ_BUFFER)).await
}

/// A client's end of one.
pub async fn ask_over(stream: Stream, read: &[u8]) -> Socket {
    over(stream, read, Role::Client, (MAX_MESSAGE, READ_BUFFER)).await
}

fn config(max_message: usize, read_buffer: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(MAX_MESSAGE + 32 * 1024)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

/// The longest reason of a close frame, bytes: a control frame has 125, and the code takes two (RFC 6455,
/// section 5.5).
const MAX_REASON: usize = 123;

/// A close frame with this code and no reason (RFC 6455, section 5.5.1).
pub fn close_frame(code: CloseCode) -> Message {
    close_with(code, "")
}

/// A close frame with this code and as much of this reason as fits.
pub fn close_with(code: CloseCode, reason: &str) -> Message {
    let fits = reason.floor_char_boundary(MAX_REASON);
    let reason = Utf8Bytes::from(&reason[..fits]);
    Message::Close(Some(CloseFrame { code, reason }))
}

/// The status code for what a peer did wrong (RFC 6455, section 7.4.1); `None` if it is gone.
pub fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}

fn lesson(outcome: &Outcome) -> String {
    let per_mail = outcome.bytes.down.framing as f64 / outcome.carried().max(1) as f64;
    let head = outcome.bytes.up.head + outcome.bytes.down.head;
    let opening = match outcome.connections.opened {
        1 => t!("%{head} bytes of HTTP opened the connection", head = head),
        _ => t!("%{head} bytes of HTTP opened the connections", head = head),
    };
    let reply = match outcome.mails.replies {
        Some(_) => t!(", and each reply went back on the same connection with a header of 6"),
        None => String::new(),
    };
    t!(
        "%{opening}; after that each mail cost %{framing} bytes of frame%{reply}.",
        opening = opening,
        framing = format!("{per_mail:.0}"),
        reply = reply
    )
}
