//! A connection that has become a WebSocket.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::super::limit::MAX_MESSAGE;
use super::super::stream::Stream;
use super::codes;

/// The subprotocol that both sides use; it defines the meaning of messages (RFC 6455, section 1.9).
pub const SUBPROTOCOL: &str = "mailcall";

/// Size of a client's read buffer. tungstenite's default of 128 KiB would be the largest part of an idle
/// connection, and is cleared at every attempt to read.
pub const READ_BUFFER: usize = 4 * 1024;

/// Size of a server's read buffer: it reads after every mail, and replies have about twenty bytes.
pub const SERVER_READ_BUFFER: usize = 512;

/// The same where clients send little else than replies.
pub const SESSION_READ_BUFFER: usize = 128;

/// The number of unanswered pings after which a server considers the client gone.
pub const UNANSWERED: u32 = 2;

/// How long either side waits for the other to close.
pub const CLOSING: Duration = Duration::from_secs(2);

/// A connection that has become a WebSocket.
pub type Socket<S = Stream> = WebSocketStream<codes::Registered<S>>;

/// Starts WebSocket after the opening handshake. `read` holds bytes that were read already; messages have at
/// most `max_message` bytes.
pub async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    read: &[u8],
    role: Role,
    (max_message, read_buffer): (usize, usize),
) -> Socket<S> {
    let mut read = read.to_vec();
    let stream = codes::registered(stream, &mut read);
    let config = Some(config(max_message, read_buffer));
    WebSocketStream::from_partially_read(stream, read, role, config).await
}

/// The server's end of a WebSocket.
pub async fn serve_over<S: AsyncRead + AsyncWrite + Unpin>(stream: S, max_message: usize) -> Socket<S> {
    over(stream, &[], Role::Server, (max_message, SERVER_READ_BUFFER)).await
}

/// A client's end of a WebSocket.
pub async fn ask_over(stream: Stream, read: &[u8]) -> Socket {
    over(stream, read, Role::Client, (MAX_MESSAGE, READ_BUFFER)).await
}

pub fn config(max_message: usize, read_buffer: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(MAX_MESSAGE + 32 * 1024)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

/// The longest reason of a close frame, bytes: a control frame holds 125, and the code takes two (RFC 6455,
/// section 5.5).
pub const MAX_REASON: usize = 123;

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

/// The close code for a peer's error (RFC 6455, section 7.4.1); `None` if the peer is gone.
pub fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}
