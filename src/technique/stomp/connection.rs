//! A client's connection to a broker, ours or another: sends and receives frames, and sends heart-beats by
//! itself.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{self};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::limit;
use super::super::sockjs::ClientSession;
use super::super::ws;
use super::agreed::{CLIENT_LIMITS, overdue};
use super::beats::{Beats, heart_beat};
use super::frames;
use crate::wire::stomp::{Command, Frame, HEART_BEAT, Item, Parser, Version};

/// How long a server may take to send CONNECTED.
const CONNECTING: Duration = Duration::from_secs(10);

/// A client's end of a session.
#[derive(Debug)]
pub struct Connection {
    carrier: Carrier,
    parser: Parser,
    version: Version,
    beats: Beats,
    sent: Instant,
    heard: Instant,
    /// Additional time that messages need on a slow link.
    patience: Duration,
}

/// The transport of the frames.
pub enum Carrier {
    /// A WebSocket of its own.
    Socket(Box<ws::Socket>),
    /// A SockJS session.
    SockJs(Box<ClientSession>),
}

impl From<ClientSession> for Carrier {
    fn from(session: ClientSession) -> Carrier {
        Carrier::SockJs(Box::new(session))
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Carrier::Socket(_) => "WebSocket",
            Carrier::SockJs(_) => "SockJS",
        })
    }
}

impl From<ws::Socket> for Carrier {
    fn from(socket: ws::Socket) -> Carrier {
        Carrier::Socket(Box::new(socket))
    }
}

impl Connection {
    /// Sends CONNECT and waits for CONNECTED. `connect` is usually [`Connection::greeting`].
    ///
    /// # Errors
    /// If the server refuses, or sends something else.
    pub async fn open(carrier: Carrier, connect: &Frame, patience: Duration) -> anyhow::Result<Connection> {
        let now = Instant::now();
        let mut connection = Connection {
            carrier,
            parser: Parser::new(CLIENT_LIMITS),
            version: Version::V1_2,
            beats: Beats::default(),
            sent: now,
            heard: now,
            patience,
        };
        connection.send(connect).await?;
        let answer = tokio::time::timeout(CONNECTING + patience, connection.next())
            .await
            .context("the server did not say CONNECTED")??;
        let answer = answer.context("the server closed instead of saying CONNECTED")?;
        if answer.command != Command::Connected {
            bail!(
                "the server said {} instead of CONNECTED: {}",
                answer.command.name(),
                why(&answer)
            );
        }
        connection.version = Version::best_of(answer.header("version").unwrap_or("1.0"))
            .context("the server speaks a version that was not offered")?;
        connection.parser.speak(connection.version);
        let ours = heart_beat(connect).unwrap_or_default();
        connection.beats = Beats::agreed(ours, heart_beat(&answer).unwrap_or_default());
        Ok(connection)
    }

    /// A CONNECT that offers all versions and heart-beats at this interval in both directions.
    pub fn greeting(host: &str, heart_beat: Duration) -> Frame {
        frames::connect(host, heart_beat)
    }

    /// The agreed version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The agreed times between heart-beats of this side and of the server.
    pub fn heart_beats(&self) -> (Option<Duration>, Option<Duration>) {
        (self.beats.ours, self.beats.theirs)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send(&mut self, frame: &Frame) -> anyhow::Result<()> {
        self.send_all(std::slice::from_ref(frame)).await
    }

    /// Sends frames in one message: the server reads all of them before it acts on the last.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send_all(&mut self, frames: &[Frame]) -> anyhow::Result<()> {
        let is_text = frames.iter().all(|f| std::str::from_utf8(&f.body).is_ok());
        let bytes = match frames {
            [one] => one.to_bytes(self.version),
            all => {
                let each: Vec<Bytes> = all.iter().map(|f| f.to_bytes(self.version)).collect();
                each.concat().into()
            }
        };
        self.carrier.send(bytes, is_text).await?;
        self.sent = Instant::now();
        Ok(())
    }

    /// The next frame; `None` when the server has closed. Cancellation loses nothing.
    ///
    /// # Errors
    /// If the connection fails, or the server was silent for too long.
    pub async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            loop {
                match self.parser.next() {
                    Ok(Some(Item::Frame(frame))) => return Ok(Some(frame)),
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(e) => return Err(self.refuse(e.into()).await),
                }
            }
            let silence = self
                .beats
                .theirs
                .map(|every| self.heard + overdue(every) + self.patience);
            let beat = self.beats.ours.map(|every| self.sent + every);
            tokio::select! {
                // If this side was late, bytes that have arrived count before the timeout does.
                biased;
                () = until(beat) => {
                    self.carrier.send(Bytes::from_static(HEART_BEAT), true).await?;
                    self.sent = Instant::now();
                }
                heard = self.carrier.hear() => match heard? {
                    Some(bytes) => {
                        self.heard = Instant::now();
                        self.parser.feed(&bytes);
                    }
                    None => return Ok(None),
                },
                () = until(silence) => bail!("the server was not heard for too long"),
            }
        }
    }

    /// Closes the transport because of what the server sent, with a code and the error as its reason (RFC
    /// 6455, section 7.4.1). Returns the error.
    pub async fn refuse(&mut self, error: anyhow::Error) -> anyhow::Error {
        let code = match limit::is_exceeded(&error) {
            true => CloseCode::Size,
            false => CloseCode::Policy,
        };
        match &mut self.carrier {
            Carrier::Socket(socket) => ws::refuse(socket, code, error, ws::CLOSING + self.patience).await,
            Carrier::SockJs(session) => session.refuse(error).await,
        }
    }

    /// Sends DISCONNECT; frames may still arrive before its receipt.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn say_goodbye(&mut self) -> anyhow::Result<()> {
        self.send(&frames::disconnect()).await
    }

    /// Closes the transport, and waits until the server has closed it too.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn close(self) -> anyhow::Result<()> {
        self.carrier.close(ws::CLOSING + self.patience).await
    }
}

/// Whether a frame is the receipt of DISCONNECT.
pub fn is_farewell(frame: &Frame) -> bool {
    frame.command == Command::Receipt && frame.header("receipt-id") == Some(frames::FAREWELL)
}

/// The text of an ERROR frame.
pub fn why(frame: &Frame) -> String {
    let body = String::from_utf8_lossy(&frame.body);
    let message = frame.header("message").unwrap_or_default();
    match body.trim() {
        "" => message.into(),
        body if body == message => message.into(),
        body => format!("{message}: {body}"),
    }
}

/// Waits until an instant, or for ever.
pub async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

impl Carrier {
    async fn send(&mut self, bytes: Bytes, is_text: bool) -> anyhow::Result<()> {
        match self {
            Carrier::Socket(socket) => {
                let data = if is_text { Data::Text } else { Data::Binary };
                let frame = frame::Frame::message(bytes, OpCode::Data(data), true);
                Ok(socket.send(Message::Frame(frame)).await?)
            }
            Carrier::SockJs(session) => {
                let text = std::str::from_utf8(&bytes).context("SockJS carries text only")?;
                session.send(text).await
            }
        }
    }

    async fn hear(&mut self) -> anyhow::Result<Option<Bytes>> {
        match self {
            Carrier::Socket(socket) => match socket.next().await {
                None => Ok(None),
                Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
                Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
                Some(Ok(_)) => Ok(Some(Bytes::new())),
                Some(Err(Error::ConnectionClosed)) => Ok(None),
                Some(Err(e)) => Err(ws::fail_connection(socket, e).await),
            },
            Carrier::SockJs(session) => Ok(session.recv().await?.map(Bytes::from)),
        }
    }

    async fn close(self, patience: Duration) -> anyhow::Result<()> {
        match self {
            Carrier::Socket(mut socket) => {
                socket.send(ws::close_frame(CloseCode::Normal)).await?;
                let rest = async {
                    while let Some(said) = socket.next().await {
                        said.map_err(limit::of_websocket)?;
                    }
                    anyhow::Ok(())
                };
                tokio::time::timeout(patience, rest)
                    .await
                    .context("the server did not answer the close frame")?
            }
            Carrier::SockJs(session) => {
                session.close().await;
                Ok(())
            }
        }
    }
}
