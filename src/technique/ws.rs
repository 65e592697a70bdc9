//! WebSocket: "give me what is after N and whatever comes after it, on this connection, on which I
//! also talk to you" (RFC 6455).
//!
//! ```text
//! client                              server
//!   | GET /ws?after=0                   |
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

use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{StatusCode, Uri};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::bill::Bill;
use super::client::Client;
use super::headers::Purpose;
use super::list::{self, After, Gap, Reply};
use super::service::{BATCH, MAX_BODY, Service};
use super::{Serve, Setting, Technique, fields, flags};
use crate::mail::{Posted, Received};
use crate::outcome::{EventKind, Frames, Outcome, Prediction};
use crate::theory;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "ws",
    about: "Upgrade once: a connection on which either side sends frames whenever it likes",
    holds: true,
    flags: &[&flags::HEARTBEAT, &flags::FRAMES, &flags::CLOSER],
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    predict,
    lesson,
};

/// The subprotocol both sides agree on: what the messages mean (RFC 6455, section 1.9).
const SUBPROTOCOL: &str = "mailcall";

/// tungstenite's own 128 KiB would be the largest part of an idle connection, and all of it is
/// cleared at every read.
const READ_BUFFER: usize = 4 * 1024;

/// The largest message a client takes.
const MAX_MAIL: usize = 64 << 20;

/// How long a client waits for the other half of the opening handshake.
const OPENING: Duration = Duration::from_secs(10);

/// How long either side waits for the other to finish closing.
const CLOSING: Duration = Duration::from_secs(2);

fn config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(MAX_MAIL + 32 * 1024)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

fn serve(service: Service) -> Router {
    Router::new().route("/ws", get(upgrade)).with_state(service)
}

/// The server's side of the opening handshake (RFC 6455, section 4.2).
async fn upgrade(
    State(service): State<Service>,
    Query(After { after }): Query<After>,
    mut request: Request,
) -> Response {
    if is_foreign(request.headers()) {
        return (
            StatusCode::FORBIDDEN,
            "this Origin may not open a WebSocket here\n",
        )
            .into_response();
    }
    if !request.body().is_end_stream() {
        // What follows the head would be read as frames.
        return (StatusCode::BAD_REQUEST, "a WebSocket handshake has no body\n").into_response();
    }
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(e) => return refuse(&e),
    };
    if offers_subprotocol(request.headers()) {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    let fields = std::mem::take(response.headers_mut());
    *response.headers_mut() = fields::response(&service.headers, fields, |name| *name != CONTENT_TYPE);
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Fails only if the client left during the handshake: nothing to tell anyone.
        if let Ok(upgraded) = upgraded.await {
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config(MAX_BODY))).await;
            Session {
                socket,
                service,
                cursor: after,
            }
            .run()
            .await;
        }
    });
    response
}

/// Says what a request lacks to be a handshake: where that is the upgrade or our version of it, in the
/// form that names both (RFC 6455, section 4.2.2; RFC 9110, section 15.5.22).
fn refuse(error: &Error) -> Response {
    let why = format!("not a WebSocket handshake: {error}\n");
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketKey | ProtocolError::WrongHttpVersion) => {
            (StatusCode::BAD_REQUEST, why).into_response()
        }
        _ => {
            let wanted = [
                (CONNECTION, "upgrade"),
                (UPGRADE, "websocket"),
                (SEC_WEBSOCKET_VERSION, "13"),
            ];
            (StatusCode::UPGRADE_REQUIRED, wanted, why).into_response()
        }
    }
}

/// Whether a browser says that a page of another origin wants to connect (RFC 6455, section 10.2).
/// Other clients send no Origin.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|o| o.parse::<Uri>().ok()?.into_parts().authority);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    authority.is_none_or(|a| Some(a.as_str().as_bytes()) != host)
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok());
    offers
        .flat_map(|v| v.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
}

/// The server's end of one WebSocket.
struct Session {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    service: Service,
    cursor: u64,
}

impl Session {
    async fn run(mut self) {
        let told = match self.talk().await {
            Ok(()) => true,
            Err(e) => self.fail(&e).await,
        };
        if told {
            let _ = tokio::time::timeout(CLOSING, self.drain()).await;
        }
    }

    /// Sends what there is and hears what is said, until one side closes.
    async fn talk(&mut self) -> Result<(), Error> {
        let mut watch = self.service.mailbox.watch();
        let heartbeat = self.service.scenario.heartbeat();
        let silence = tokio::time::sleep(heartbeat);
        tokio::pin!(silence);
        let mut unanswered = 0;
        loop {
            if self.send_what_is_ready().await? {
                silence.as_mut().reset(Instant::now() + heartbeat);
            }
            tokio::select! {
                () = watch.beyond(self.cursor) => {}
                said = self.socket.next() => {
                    unanswered = 0;
                    let Some(said) = said else { return Ok(()) };
                    let said = said?;
                    self.hear(&said);
                    // What tungstenite answers by itself leaves before more is heard: the pongs of a
                    // client that pings and never reads would pile up.
                    self.socket.flush().await?;
                    if said.is_close() {
                        return Ok(());
                    }
                }
                () = &mut silence => {
                    // Two pings without a sign of life: whoever was there is gone.
                    if unanswered == 2 {
                        return Err(Error::ConnectionClosed);
                    }
                    unanswered += 1;
                    self.socket.send(Message::Ping(Bytes::new())).await?;
                    silence.as_mut().reset(Instant::now() + heartbeat);
                }
                () = self.service.shutdown.cancelled() => {
                    self.close(CloseCode::Away).await;
                    return Ok(());
                }
            }
        }
    }

    /// Several mails that wait together leave in one write; after a batch the client is heard.
    async fn send_what_is_ready(&mut self) -> Result<bool, Error> {
        let batch = self.service.mailbox.read(self.cursor, BATCH);
        if batch.is_empty() {
            return Ok(false);
        }
        if batch.gap > 0 {
            self.socket.feed(Message::text(Gap::json(batch.gap))).await?;
            self.cursor += batch.gap;
        }
        for posted in &batch.mails {
            let message = message(posted, self.service.scenario.frames)?;
            self.socket.feed(message).await?;
            self.cursor = posted.number;
        }
        self.socket.flush().await?;
        Ok(true)
    }

    fn hear(&self, said: &Message) {
        let is_reply = match said {
            Message::Text(text) => serde_json::from_str::<Reply>(text).is_ok(),
            Message::Binary(bytes) => serde_json::from_slice::<Reply>(bytes).is_ok(),
            // tungstenite answers ping and close itself.
            _ => false,
        };
        if is_reply {
            self.service.replied();
        }
    }

    /// Starts the closing handshake and waits for its other half.
    async fn close(&mut self, code: CloseCode) {
        if self.socket.send(close_frame(code)).await.is_ok() {
            let rest = async {
                while let Some(Ok(said)) = self.socket.next().await {
                    self.hear(&said);
                }
            };
            let _ = tokio::time::timeout(CLOSING, rest).await;
        }
    }

    /// Fails the connection (RFC 6455, section 7.1.7): says why, if there is anyone left to tell.
    async fn fail(&mut self, error: &Error) -> bool {
        let Some(code) = close_code(error) else {
            return false;
        };
        self.socket.send(close_frame(code)).await.is_ok()
    }

    /// Lets what the client was still sending run out, because closing a socket with unread bytes
    /// would reset it and could take the close frame along.
    async fn drain(&mut self) -> std::io::Result<()> {
        let io = self.socket.get_mut();
        io.shutdown().await?;
        let mut left = 4 * MAX_BODY;
        let mut sink = vec![0; 1024];
        while left > 0 {
            match io.read(&mut sink).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        Ok(())
    }
}

fn close_frame(code: CloseCode) -> Message {
    let reason = Utf8Bytes::default();
    Message::Close(Some(CloseFrame { code, reason }))
}

/// The status code for what a peer did wrong (RFC 6455, section 7.4.1); `None` if it is gone.
fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}

fn message(posted: &Posted, frames: Frames) -> Result<Message, Error> {
    match frames {
        Frames::Binary => Ok(Message::Binary(posted.form(3, |p| p.mail.binary()))),
        Frames::Text => {
            let text = Utf8Bytes::try_from(posted.form(2, |p| p.mail.text()));
            text.map(Message::Text).map_err(|e| Error::Utf8(e.to_string()))
        }
    }
}

/// The client half: keeps a WebSocket open until the run is over.
async fn run(client: Client) -> anyhow::Result<()> {
    loop {
        let opened = tokio::select! {
            opened = tokio::time::timeout(OPENING, connect(&client)) => opened,
            () = client.stop.cancelled() => return Ok(()),
        };
        match opened
            .context("the server did not finish the handshake")
            .flatten()
        {
            Ok(socket) => {
                client.inbox.happened(EventKind::Opened);
                if let Err(e) = converse(&client, socket).await {
                    client.inbox.trouble(&e);
                }
                client.inbox.happened(EventKind::Closed);
            }
            Err(e) => client.inbox.trouble(&e),
        }
        if !client.pause(list::RETRY).await {
            return Ok(());
        }
    }
}

/// The client's side of the opening handshake (RFC 6455, section 4.1).
async fn connect(client: &Client) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let request = handshake(client.authority.as_str(), &client.headers, client.inbox.cursor())?;
    let stream = TcpStream::connect(&client.authority).await?;
    stream.set_nodelay(true)?;
    let (socket, response) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config(MAX_MAIL))).await?;
    if !response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) {
        bail!("the server does not speak the subprotocol {SUBPROTOCOL}");
    }
    Ok(socket)
}

fn handshake(authority: &str, headers: &super::Headers, after: u64) -> anyhow::Result<http::Request<()>> {
    let mut request = http::Request::builder()
        .uri(format!("ws://{authority}{}", headers.target("/ws", after)))
        .header(HOST, authority)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .body(())?;
    for (name, value) in headers.request(Purpose::WebSocket, authority) {
        if name == HOST {
            request.headers_mut().insert(name, value);
        } else {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// From the 101 to the end of the closing handshake.
async fn converse(client: &Client, mut socket: WebSocketStream<TcpStream>) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            said = socket.next() => match said {
                None => return Ok(()),
                Some(Ok(said)) => take(client, &mut socket, said).await?,
                Some(Err(e)) => return fail(socket, e).await,
            },
            () = client.should_close() => return close(client, socket).await,
        }
    }
}

/// Fails the connection (RFC 6455, section 7.1.7), and says why to a server that may still listen.
async fn fail(mut socket: WebSocketStream<TcpStream>, error: Error) -> anyhow::Result<()> {
    if let Some(code) = close_code(&error) {
        let _ = tokio::time::timeout(CLOSING, socket.send(close_frame(code))).await;
    }
    Err(error.into())
}

async fn close(client: &Client, mut socket: WebSocketStream<TcpStream>) -> anyhow::Result<()> {
    socket.send(close_frame(CloseCode::Normal)).await?;
    let rest = async {
        while let Some(said) = socket.next().await {
            receive(client, &said?)?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(CLOSING, rest)
        .await
        .context("the server did not answer the close frame")?
}

async fn take(client: &Client, socket: &mut WebSocketStream<TcpStream>, said: Message) -> anyhow::Result<()> {
    match receive(client, &said)? {
        Some(id) if client.scenario.reply => Ok(socket.send(Message::text(Reply::json(id))).await?),
        _ => Ok(()),
    }
}

/// Takes a message in; returns the number of a mail that was new.
fn receive(client: &Client, said: &Message) -> anyhow::Result<Option<u64>> {
    let mail = match said {
        Message::Text(text) => match serde_json::from_str::<Gap>(text) {
            Ok(Gap { gap }) => {
                client.inbox.missed(gap);
                return Ok(None);
            }
            Err(_) => Received::from_text(text.as_bytes())?,
        },
        Message::Binary(bytes) => Received::from_binary(bytes)?,
        _ => return Ok(None),
    };
    Ok(client.inbox.deliver(&mail).then_some(mail.id))
}

fn predict(setting: &Setting) -> Prediction {
    let mut bill = Bill::new(setting);
    charge_handshake(&mut bill, setting);
    let binary = setting.scenario.frames == Frames::Binary;
    for number in 1..=setting.plan.mails.len() as u64 {
        let mail = bill.mails(number - 1, number);
        let inside = if binary { LENGTH + mail.payload } else { mail.text };
        bill.down.framing += inside - mail.payload + theory::frame_header(inside as u64, false) as f64;
        bill.down.payload += mail.payload;
        if setting.scenario.reply {
            let length = Reply::json(number).len() as u64;
            bill.up.framing += theory::frame_header(length, true) as f64;
            bill.up.payload += length as f64;
        }
    }
    let due = setting.due();
    let pings = theory::heartbeats(&due, setting.scenario.heartbeat().as_secs_f64(), 0.0) as f64;
    let control = |payload: u64, masked: bool| (theory::frame_header(payload, masked) + payload) as f64;
    // A close frame's body is its two-byte code, either way and from whichever side.
    bill.up.control += control(2, true) + pings * control(0, true);
    bill.down.control += control(2, false) + pings * control(0, false);
    bill.predict("closed form, exact for this schedule", theory::push_latency(0.0))
}

/// The length before the JSON of a binary frame.
const LENGTH: f64 = 4.0;

fn charge_handshake(bill: &mut Bill, setting: &Setting) {
    // The key is random, but not its length; a request that cannot be built is not sent either.
    let Ok(request) = handshake(setting.authority, setting.headers, 0) else {
        return;
    };
    let target = setting.headers.target("/ws", 0);
    bill.up.head += theory::head_len(&format!("GET {target} HTTP/1.1"), request.headers()) as f64;
    let Ok(response) = create_response_with_body(&request, || ()) else {
        return;
    };
    let mut fields = response.headers().clone();
    fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let fields = fields::response(setting.headers, fields, |name| *name != CONTENT_TYPE);
    bill.down.head += fields::response_len("101 Switching Protocols", &fields, fields::Length::None);
    bill.requests += 1.0;
}

fn lesson(outcome: &Outcome) -> String {
    let per_mail = outcome.bytes.down.framing as f64 / outcome.mails.delivered.max(1) as f64;
    let head = outcome.bytes.up.head + outcome.bytes.down.head;
    let reply = match outcome.mails.replies {
        Some(_) => ", and each reply went back on the same connection with a header of 6",
        None => "",
    };
    format!(
        "{head} bytes of HTTP opened the connection{}; after that each mail cost {per_mail:.0} bytes of frame{reply}.",
        if outcome.connections.opened == 1 { "" } else { "s" }
    )
}
