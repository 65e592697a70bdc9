//! The client half: connects, receives mail, replies, and closes.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use http::header::{HOST, HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION};
use http_body_util::Full;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::client::Client;
use super::super::headers::{Headers, Purpose};
use super::super::limit;
use super::super::list::{self, Reply};
use super::super::origin::Origin;
use super::super::stream::Stream;
use super::super::talk::MessageQueue;
use super::handshake;
use super::socket::{CLOSING, SUBPROTOCOL, Socket, ask_over, close_code, close_frame, close_with};
use crate::mail::Received;
use crate::outcome::{EventKind, HttpVersion};

/// The error for a message that a client cannot accept.
pub const NO_MAIL: &str = "a message that is no mail";

/// How long a client waits for the server's opening handshake.
const OPENING: Duration = Duration::from_secs(10);

/// The client half: keeps a WebSocket open until the run is over.
pub async fn run(mut client: Client) -> anyhow::Result<()> {
    let mut messages = std::mem::take(&mut client.messages);
    loop {
        let opened = tokio::select! {
            biased;
            () = client.stop.cancelled() => return Ok(()),
            opened = tokio::time::timeout(OPENING + client.scenario.link.patience(), connect(&client)) => opened,
        };
        match opened
            .context("the server did not finish the handshake")
            .flatten()
        {
            Ok(socket) => {
                client.opened();
                if let Err(e) = converse(&client, socket, &mut messages).await {
                    client.failed(e)?;
                }
                client.inbox.happened(EventKind::Closed);
            }
            Err(e) => client.refused(e)?,
        }
        if !client.wait_to_reconnect(list::RETRY).await {
            return Ok(());
        }
    }
}

/// The request that opens a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The request's path and query.
    pub target: &'a str,
    /// The subprotocols offered, separated by commas.
    pub subprotocols: &'a str,
}

/// Opens a WebSocket at `/ws`.
pub async fn connect(client: &Client) -> anyhow::Result<Socket> {
    let opening = Opening {
        target: &client.headers.target("/ws", client.inbox.cursor()),
        subprotocols: SUBPROTOCOL,
    };
    open(client, &opening).await
}

/// The client's side of the opening handshake (RFC 6455, section 4.1).
pub async fn open(client: &Client, opening: &Opening<'_>) -> anyhow::Result<Socket> {
    if client.scenario.http == HttpVersion::Http2 {
        return open_over_http2(client, opening).await;
    }
    let offer = Some(opening.subprotocols);
    let request = handshake::request(&client.origin, &client.headers, opening.target, offer)?;
    let opened = handshake::open(client.dial().await?, request, &client.cookies).await?;
    check_subprotocol(opened.subprotocol, opening)?;
    Ok(ask_over(opened.stream, &opened.read).await)
}

/// Does the opening handshake on a stream of an HTTP/2 connection (RFC 8441, section 5).
async fn open_over_http2(client: &Client, opening: &Opening<'_>) -> anyhow::Result<Socket> {
    let pool = client.tab.pool();
    let mut connection = pool.connection(&client.route(), HttpVersion::Http2).await?;
    let request = extended_connect(&client.origin, &client.headers, opening)?;
    let asked = request.headers().clone();
    let response = connection.send(request).await?;
    ensure!(
        response.status().is_success(),
        "the server answered {}",
        response.status()
    );
    check_subprotocol(handshake::chosen(&asked, response.headers())?, opening)?;
    let stream: Stream = Box::new(TokioIo::new(hyper::upgrade::on(response).await?));
    Ok(ask_over(stream, &[]).await)
}

fn check_subprotocol(chosen: Option<HeaderValue>, opening: &Opening) -> anyhow::Result<()> {
    ensure!(
        chosen.is_some(),
        "the server does not speak the subprotocol {}",
        opening.subprotocols
    );
    Ok(())
}

/// The request that opens a WebSocket on HTTP/2: no key, no upgrade, no hop-by-hop fields.
pub fn extended_connect(
    origin: &Origin,
    headers: &Headers,
    opening: &Opening,
) -> anyhow::Result<http::Request<Full<Bytes>>> {
    let mut request = http::Request::builder()
        .method(Method::CONNECT)
        .uri(origin.http(opening.target))
        .extension(Protocol::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, handshake::VERSION)
        .header(SEC_WEBSOCKET_PROTOCOL, opening.subprotocols)
        .body(Full::default())?;
    for (name, value) in headers.request(Purpose::WebSocket, origin) {
        if name != HOST {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// Uses a WebSocket from the 101 to the end of the closing handshake. A message sent on a connection that
/// breaks may be lost: WebSocket has no receipts.
pub async fn converse(
    client: &Client,
    mut socket: Socket,
    messages: &mut MessageQueue,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            biased;
            () = client.should_close() => return close(client, socket).await,
            heard = socket.next() => match heard {
                None => return Ok(()),
                Some(Ok(message)) => take(client, &mut socket, &message).await?,
                Some(Err(e)) => return Err(fail_connection(&mut socket, e).await),
            },
            message = messages.next_if_any() => socket.send(Message::text(message.json())).await?,
        }
    }
}

/// Fails the connection (RFC 6455, section 7.1.7), with a close code for a server that may still read.
/// Returns the error as a client reports it.
pub async fn fail_connection(socket: &mut Socket, error: Error) -> anyhow::Error {
    if let Some(code) = close_code(&error) {
        let _ = tokio::time::timeout(CLOSING, socket.send(close_frame(code))).await;
    }
    limit::of_websocket(error)
}

/// The most bytes that a server may still send after a client has begun to close.
const MAX_UNREAD: usize = 64 * 1024;

/// Closes a WebSocket because of a message that a client cannot accept. The code is [`CloseCode::Policy`], or
/// [`CloseCode::Unsupported`] where the protocol has no messages of that type (RFC 6455, section 7.4.1); the
/// reason is the error. Waits up to `patience` for the server's close frame; returns the error.
pub async fn refuse(
    socket: &mut Socket,
    code: CloseCode,
    error: anyhow::Error,
    patience: Duration,
) -> anyhow::Error {
    let closing = async {
        // It fails if this side is closing already; the server's close frame is awaited all the same.
        let reason = crate::terminal::causes(&error);
        let _ = socket.send(close_with(code, &reason)).await;
        let mut unread = 0;
        while unread < MAX_UNREAD
            && let Some(Ok(message)) = socket.next().await
        {
            unread += message.len();
        }
    };
    let _ = tokio::time::timeout(patience, closing).await;
    error
}

async fn close(client: &Client, mut socket: Socket) -> anyhow::Result<()> {
    socket.send(close_frame(CloseCode::Normal)).await?;
    let rest = async {
        while let Some(said) = socket.next().await {
            hear(client, &mut socket, &said.map_err(limit::of_websocket)?).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(CLOSING + client.scenario.link.patience(), rest)
        .await
        .context("the server did not answer the close frame")?
}

async fn take(client: &Client, socket: &mut Socket, said: &Message) -> anyhow::Result<()> {
    match hear(client, socket, said).await? {
        Some(id) if client.scenario.reply => Ok(socket.send(Message::text(Reply::json(id))).await?),
        _ => Ok(()),
    }
}

/// Handles a message, or closes because of it; returns the number of a mail that is new.
async fn hear(client: &Client, socket: &mut Socket, said: &Message) -> anyhow::Result<Option<u64>> {
    match receive(client, said) {
        Ok(id) => Ok(id),
        Err(e) => {
            let patience = CLOSING + client.scenario.link.patience();
            Err(refuse(socket, CloseCode::Policy, e.context(NO_MAIL), patience).await)
        }
    }
}

/// Handles a message; returns the number of a mail that is new.
fn receive(client: &Client, said: &Message) -> anyhow::Result<Option<u64>> {
    match said {
        Message::Text(text) => client.inbox.take_text(text.as_bytes()),
        Message::Binary(bytes) => {
            let mail = Received::from_binary(bytes)?;
            Ok(client.inbox.deliver(&mail).then_some(mail.id))
        }
        _ => Ok(None),
    }
}
