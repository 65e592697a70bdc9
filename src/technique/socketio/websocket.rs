//! Engine.IO's WebSocket transport, server side: each message holds one packet.
//!
//! ```text
//! client                              server
//!   | GET …transport=websocket&sid=…    |   for a session that is polled
//!   |---------------------------------->|
//!   |            101                    |
//!   | 2probe                            |   may I use this WebSocket?
//!   |==================================>|   a poll that is held ends with 6
//!   |            3probe                 |
//!   | 5                                 |   from here on all packets use it
//!   |==================================>|
//! ```
//!
//! Until the `5` the session stays on polling: a WebSocket that fails earlier does not affect it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::stream::Stream;
use super::super::ws::{self, Socket};
use super::front::{Front, is_for_client, records};
use super::session::{Broken, Event, Over, Session, Transport};
use crate::wire::engineio::{PROBE, Packet};

/// How long a client may take from its request to its `5`, as in the reference server.
const UPGRADING: Duration = Duration::from_secs(10);

/// How a WebSocket's use ended.
enum Ended {
    /// The client has closed the WebSocket, or is gone.
    Theirs,
    /// The client has left the session.
    Left,
    /// The server has to close.
    Ours,
    /// The client does not answer pings.
    Lost,
    /// The client broke the rules of WebSocket.
    Failed(Error),
    /// The client broke the rules of Engine.IO.
    Broken,
    /// The session has another WebSocket already.
    Taken,
}

/// Why a second WebSocket of a session is closed.
const TAKEN: &str = "the session has a WebSocket already";

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

/// Does the opening handshake for a new session, or for `session`.
pub fn accept(front: Arc<Front>, session: Option<Arc<Session>>, request: Request) -> Response {
    let service = front.service.clone();
    let trying = session.clone();
    let response = ws::accept(&service, request, None, move |io| speak(front, session, io));
    if let Some(session) = trying.filter(|_| response.status().is_client_error()) {
        session.set_transport(Transport::Polling);
    }
    response
}

/// Accepts a second WebSocket for a session and closes it at once, as the reference server does ("ignores
/// WebSocket connection with same sid after upgrade" in the protocol's tests). If the handshake were refused,
/// a page's script would not learn the reason.
pub fn turn_away(front: Arc<Front>, request: Request) -> Response {
    let service = front.service.clone();
    ws::accept(&service, request, None, async move |io| {
        let mut socket = ws::serve_over(io, front.service.tuning.max_payload()).await;
        say_goodbye(&front, &mut socket, Ended::Taken).await;
    })
}

async fn speak(front: Arc<Front>, session: Option<Arc<Session>>, io: Stream) {
    let mut socket = ws::serve_over(io, front.service.tuning.max_payload()).await;
    let ended = match session {
        Some(session) => match try_out(&front, &session, &mut socket).await {
            Ok(()) => carry(&front, &session, &mut socket).await,
            Err(ended) => {
                session.set_transport(Transport::Polling);
                ended
            }
        },
        None => match begin(&front, &mut socket).await {
            Ok(session) => carry(&front, &session, &mut socket).await,
            Err(ended) => ended,
        },
    };
    say_goodbye(&front, &mut socket, ended).await;
}

/// Opens a session that starts on the WebSocket.
async fn begin(front: &Arc<Front>, socket: &mut Socket) -> Result<Arc<Session>, Ended> {
    let (session, open) = front.open(&[]).await.ok_or(Ended::Ours)?;
    session.set_transport(Transport::WebSocket);
    match socket.send(Message::text(open)).await {
        Ok(()) => Ok(session),
        Err(e) => {
            front.close(&session, Over::Closed);
            Err(e.into())
        }
    }
}

/// Waits for the probe, answers it, and waits for the `5`.
async fn try_out(front: &Arc<Front>, session: &Arc<Session>, socket: &mut Socket) -> Result<(), Ended> {
    let asked = async {
        expect(socket, &Packet::Ping(PROBE)).await?;
        session.set_transport(Transport::Probing { heard: true });
        socket.send(Message::text(Packet::Pong(PROBE).text())).await?;
        expect(socket, &Packet::Upgrade).await
    };
    let patience = UPGRADING + front.service.scenario.link.patience();
    let asked = tokio::select! {
        biased;
        () = session.ended.cancelled() => Err(Ended::Ours),
        asked = tokio::time::timeout(patience, asked) => asked.unwrap_or(Err(Ended::Ours)),
    };
    asked.map(|()| session.set_transport(Transport::WebSocket))
}

async fn expect(socket: &mut Socket, packet: &Packet<'_>) -> Result<(), Ended> {
    loop {
        match socket.next().await.transpose()? {
            Some(Message::Text(text)) if Packet::parse(&text).as_ref() == Ok(packet) => return Ok(()),
            Some(Message::Text(_) | Message::Binary(_)) => return Err(Ended::Broken),
            Some(Message::Close(_)) | None => return Err(Ended::Theirs),
            Some(_) => {}
        }
    }
}

/// Carries a session's packets until the session or the WebSocket ends.
async fn carry(front: &Arc<Front>, session: &Arc<Session>, socket: &mut Socket) -> Ended {
    let ended = tokio::select! {
        biased;
        () = session.ended.cancelled() => Ended::Ours,
        ended = converse(front, session, socket) => ended.err().unwrap_or(Ended::Ours),
    };
    let over = match ended {
        Ended::Theirs | Ended::Left => Over::Left,
        _ => Over::Closed,
    };
    front.close(session, over);
    match session.over() {
        Some(Over::Lost) => Ended::Lost,
        _ => ended,
    }
}

async fn converse(front: &Arc<Front>, session: &Arc<Session>, socket: &mut Socket) -> Result<(), Ended> {
    loop {
        tokio::select! {
            biased;
            taken = front.engine.take(&session.uri) => {
                send(session, socket, &taken.ok_or(Ended::Ours)?).await?;
            }
            event = session.event() => match event {
                Event::Ping => socket.send(Message::text(Packet::Ping("").text())).await?,
                Event::Noop => {}
                Event::Over(_) => return Ok(()),
            },
            said = socket.next() => match said.transpose()? {
                Some(said) => {
                    let heard = hear(front, session, &said).await;
                    // tungstenite's own answers must leave before more is read.
                    socket.flush().await?;
                    heard?;
                }
                None => return Err(Ended::Theirs),
            },
        }
    }
}

/// Sends the library's packets in one write, and then reports that there is room for more.
async fn send(session: &Session, socket: &mut Socket, packets: &Bytes) -> Result<(), Ended> {
    for packet in records(packets).filter(|p| is_for_client(p)) {
        let message = match packet {
            b"1" => return Err(Ended::Ours),
            [b'b', ..] => binary(packet).ok_or(Ended::Ours)?,
            text => (packets.slice_ref(text), Data::Text),
        };
        let (content, data) = message;
        let frame = Frame::message(content, OpCode::Data(data), true);
        socket.feed(Message::Frame(frame)).await?;
    }
    socket.flush().await?;
    session.flow.drained();
    Ok(())
}

/// The content of a binary packet; on a WebSocket it needs no base64.
fn binary(packet: &[u8]) -> Option<(Bytes, Data)> {
    match Packet::parse(str::from_utf8(packet).ok()?) {
        Ok(Packet::Binary(bytes)) => Some((bytes.into_owned().into(), Data::Binary)),
        _ => None,
    }
}

/// Handles a message of the client.
async fn hear(front: &Arc<Front>, session: &Arc<Session>, said: &Message) -> Result<(), Ended> {
    let packet = match said {
        Message::Text(text) => Packet::parse(text).map_err(|_| Ended::Broken)?,
        Message::Binary(bytes) => Packet::Binary((&bytes[..]).into()),
        Message::Close(_) => return Err(Ended::Theirs),
        _ => return Ok(()),
    };
    if front.admit(session, &packet).map_err(|Broken| Ended::Broken)? {
        return Err(Ended::Left);
    }
    let mut ours = String::new();
    front.pass_on(&packet, &mut ours);
    if !ours.is_empty() && !front.engine.give(&session.uri, ours.into()).await {
        return Err(Ended::Ours);
    }
    Ok(())
}

/// Closes the WebSocket (RFC 6455, section 7), with a code for an error of the client.
async fn say_goodbye(front: &Front, socket: &mut Socket, ended: Ended) {
    let goodbye = async {
        let close = match ended {
            Ended::Theirs => None,
            Ended::Left => Some(ws::close_frame(CloseCode::Normal)),
            Ended::Ours => Some(ws::close_frame(CloseCode::Away)),
            Ended::Lost => {
                // The client may still listen, so it gets a close frame, but no time to answer.
                let _ = socket.send(ws::close_frame(CloseCode::Away)).now_or_never();
                return;
            }
            Ended::Broken => Some(ws::close_frame(CloseCode::Policy)),
            Ended::Taken => Some(ws::close_with(CloseCode::Policy, TAKEN)),
            Ended::Failed(error) => match ws::close_code(&error) {
                Some(code) => Some(ws::close_frame(code)),
                None => return,
            },
        };
        if let Some(close) = close {
            if socket.send(close).await.is_err() {
                return;
            }
            while let Some(Ok(_)) = socket.next().await {}
        }
        let _ = ws::drain(socket).await;
    };
    let closing = ws::CLOSING + front.service.scenario.link.patience();
    let _ = tokio::time::timeout(closing, goodbye).await;
}
