//! A client that shows all kinds of frames, which a normal client has no reason to send.
//!
//! ```text
//! client                              server
//!   | text {"sa   FIN 0                 |
//!   | ping        between the fragments |
//!   | continuation y":1}  FIN 1         |
//!   |==================================>|
//!   |            pong                   |
//!   |<==================================|
//!   | binary, length 7+16 bits          |
//!   | text, length 7+64 bits            |
//!   |==================================>|
//!   |            mail, as ever          |
//! ```

use anyhow::bail;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::client::Client;
use super::super::service::MAX_BODY;
use super::super::talk::MessageQueue;
use super::client;
use crate::outcome::EventKind;

/// The shortest length that needs 16 bits, and the shortest that needs 64.
const SIXTEEN: usize = 126;
const SIXTY_FOUR: usize = 65_536;

/// Opens a WebSocket, sends every kind of frame, and continues like a normal client.
pub async fn run(client: Client) -> anyhow::Result<()> {
    let mut socket = client::connect(&client).await?;
    client.opened();
    let (first, last) = (&b"{\"sa"[..], &b"y\":1}"[..]);
    socket.feed(frame(OpCode::Data(Data::Text), first, false)).await?;
    socket
        .feed(Message::Ping(Bytes::from_static(b"anybody?")))
        .await?;
    socket
        .feed(frame(OpCode::Data(Data::Continue), last, true))
        .await?;
    socket.flush().await?;
    // Waits for the pong; otherwise the next frames could overtake it.
    loop {
        match socket.next().await.transpose()? {
            Some(Message::Pong(_)) => break,
            Some(_) => {}
            None => bail!("the server left without a pong"),
        }
    }
    socket
        .feed(frame(OpCode::Data(Data::Binary), &padded(2, SIXTEEN), true))
        .await?;
    const { assert!(SIXTY_FOUR <= MAX_BODY, "the server takes it") };
    socket
        .send(frame(OpCode::Data(Data::Text), &padded(3, SIXTY_FOUR), true))
        .await?;
    let ended = client::converse(&client, socket, &mut MessageQueue::default()).await;
    client.inbox.happened(EventKind::Closed);
    ended
}

fn frame(opcode: OpCode, content: &[u8], fin: bool) -> Message {
    Message::Frame(Frame::message(Bytes::copy_from_slice(content), opcode, fin))
}

/// JSON padded with white space to `size` bytes. The server expects no such message.
fn padded(number: u64, size: usize) -> Vec<u8> {
    let mut json = format!(r#"{{"say":{number}}}"#).into_bytes();
    json.resize(size.max(json.len()), b' ');
    json
}
