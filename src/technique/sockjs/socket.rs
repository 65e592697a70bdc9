//! The WebSocket transport. Its session lives as long as the connection, and is not in the table of sessions:
//! "it is valid to reuse `session_id`".

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::service::BATCH;
use super::super::stream::Stream;
use super::super::switch::switch;
use super::super::ws;
use super::super::ws::handshake::{self, Flaw};
use super::server::{GO_AWAY, Server};
use super::session::{self, Queued, Ready, Shared};
use crate::wire::sockjs::{self, Frame};

/// The supported versions of WebSocket, which differ only in their names: the drafts hybi-07 and hybi-10 that
/// browsers had before the RFC, and the RFC itself.
const VERSIONS: [&str; 3] = ["7", "8", "13"];

/// Does the opening handshake (RFC 6455, section 4.2); refusals use the words of the protocol's tests.
/// `framed` distinguishes SockJS from the raw WebSocket of a service.
pub fn accept(server: &Arc<Server>, mut request: Request, framed: bool) -> Response {
    if let Err(flaw) = handshake::check(&request, &VERSIONS) {
        return refuse(server, flaw);
    }
    let (status, accepted) = handshake::acceptance(&request);
    let mut answer = server.respond(status, accepted, Body::empty());
    let running = server.clone();
    switch(&server.service, &mut request, &mut answer, move |io| {
        run(running, io, framed)
    });
    answer
}

fn refuse(server: &Server, flaw: Flaw) -> Response {
    let why = match flaw {
        Flaw::Upgrade => "Can \"Upgrade\" only to \"WebSocket\".".to_owned(),
        Flaw::Connection => "\"Connection\" must be \"Upgrade\".".to_owned(),
        Flaw::Version => "the versions of WebSocket spoken here are 7, 8 and 13".to_owned(),
        flaw => format!("not a WebSocket handshake: {flaw}"),
    };
    let status = match flaw {
        Flaw::Protocol => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::BAD_REQUEST,
    };
    server.say(status, why + "\n")
}

/// Runs a session from its first frame to its last.
async fn run(server: Arc<Server>, io: Stream, framed: bool) {
    let socket = ws::serve_over(io, server.options.max_payload).await;
    let (shared, session) = Shared::new(framed);
    let app = server.app.run(server.service.clone(), session);
    let app = async {
        app.await;
        shared.close(GO_AWAY.0, GO_AWAY.1);
    };
    let connection = async {
        let mut carrier = Carrier {
            socket,
            shared: &shared,
            framed,
            heard: VecDeque::new(),
        };
        let ended = carrier.run(&server).await;
        // This tells the application that the client is gone.
        shared.close(1002, "Connection interrupted");
        if let Some(code) = ended.err().as_ref().and_then(ws::close_code) {
            let _ = carrier.socket.send(ws::close_frame(code)).await;
        }
        let leaving = ws::CLOSING + server.service.scenario.link.patience();
        let _ = tokio::time::timeout(leaving, ws::drain(&mut carrier.socket)).await;
    };
    tokio::join!(app, connection);
}

/// The connection's end of a session.
struct Carrier<'a> {
    socket: ws::Socket,
    shared: &'a Arc<Shared>,
    framed: bool,
    /// Messages that the application has not taken yet; until then, no more is read.
    heard: VecDeque<session::Message>,
}

impl Carrier<'_> {
    /// Carries messages in both directions until one side closes.
    async fn run(&mut self, server: &Server) -> Result<(), Error> {
        if self.framed {
            self.socket.send(text(Bytes::from_static(b"o"))).await?;
        }
        let shutdown = server.service.shutdown.clone();
        let silence = tokio::time::sleep(server.options.heartbeat);
        tokio::pin!(silence);
        let mut sent = Instant::now();
        loop {
            match self.send_what_is_ready().await? {
                Sent::Nothing => {}
                Sent::Messages => sent = Instant::now(),
                Sent::Close(goodbye) => return self.close(goodbye).await,
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !self.shared.is_closing() => {
                    self.shared.close(GO_AWAY.0, GO_AWAY.1);
                }
                () = self.shared.ready() => {}
                said = self.socket.next(), if self.heard.is_empty() => {
                    let Some(said) = said.transpose()? else { return Ok(()) };
                    if self.hear(&said).await? {
                        return Ok(());
                    }
                }
                place = self.shared.say().reserve(), if !self.heard.is_empty() => match (place, self.heard.pop_front()) {
                    (Ok(place), Some(message)) => place.send(message),
                    // The application has stopped receiving.
                    _ => self.heard.clear(),
                },
                () = &mut silence => {
                    // The timer is not reset for every message, only when it fires too early.
                    if sent.elapsed() >= server.options.heartbeat {
                        if self.framed {
                            self.socket.send(text(Bytes::from_static(b"h"))).await?;
                        }
                        sent = Instant::now();
                    }
                    silence.as_mut().reset(sent + server.options.heartbeat);
                }
            }
        }
    }

    /// Sends all waiting messages in one write, each as its own frame.
    async fn send_what_is_ready(&mut self) -> Result<Sent, Error> {
        let sent;
        match self.shared.take(Some(BATCH)) {
            None | Some(Ready::Silence) => return Ok(Sent::Nothing),
            Some(Ready::Messages(messages)) => {
                for message in messages {
                    let Queued { bytes, is_binary } = message;
                    let message = match (self.framed, is_binary) {
                        (true, _) => text(bytes.slice(..bytes.len() - 1)),
                        (false, true) => Message::Binary(bytes),
                        (false, false) => text(bytes),
                    };
                    self.socket.feed(message).await?;
                }
                sent = Sent::Messages;
            }
            Some(Ready::Close(close)) => {
                sent = Sent::Close(match self.framed {
                    true => ws::close_frame(CloseCode::Normal),
                    false => said_by(&close),
                });
                if self.framed {
                    self.socket.feed(text(close)).await?;
                }
            }
        }
        self.socket.flush().await?;
        Ok(sent)
    }

    /// Handles a message of the client; returns whether it was the last.
    async fn hear(&mut self, said: &Message) -> Result<bool, Error> {
        let text = match said {
            Message::Text(text) if self.framed => text.as_str(),
            Message::Binary(bytes) if self.framed => std::str::from_utf8(bytes).unwrap_or("\u{fffd}"),
            Message::Text(text) => {
                self.heard.push_back(session::Message::Text(text.to_string()));
                return Ok(false);
            }
            Message::Binary(bytes) => {
                self.heard.push_back(session::Message::Binary(bytes.clone()));
                return Ok(false);
            }
            _ => {
                // tungstenite's own answers must leave before more is read.
                self.socket.flush().await?;
                return Ok(said.is_close());
            }
        };
        match sockjs::said(text) {
            Ok(messages) => {
                self.heard
                    .extend(messages.into_iter().map(session::Message::Text));
                Ok(false)
            }
            // In the protocol: "the server must abruptly terminate the ws connection".
            Err(_) => {
                let goodbye = ws::close_with(CloseCode::Library(3000), "Broken framing.");
                self.socket.send(goodbye).await?;
                Ok(true)
            }
        }
    }

    /// Starts the closing handshake and waits for the client's close frame.
    async fn close(&mut self, goodbye: Message) -> Result<(), Error> {
        self.socket.send(goodbye).await?;
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = tokio::time::timeout(ws::CLOSING, rest).await;
        Ok(())
    }
}

enum Sent {
    Nothing,
    Messages,
    /// All messages and SockJS's close frame; this WebSocket close frame follows.
    Close(Message),
}

/// The WebSocket close frame with the code of a SockJS close frame, for a client that gets no SockJS frames.
fn said_by(close: &[u8]) -> Message {
    match std::str::from_utf8(close).map(Frame::parse) {
        Ok(Ok(Frame::Close { code, reason })) => ws::close_with(code.into(), &reason),
        _ => ws::close_frame(CloseCode::Normal),
    }
}

/// Messages are valid UTF-8 when they are created: they are not checked again for every client.
fn text(content: Bytes) -> Message {
    Message::Frame(frame::Frame::message(content, OpCode::Data(Data::Text), true))
}
