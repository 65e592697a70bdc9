//! The client half: connects, takes mail in, replies, and closes.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use http::header::{HOST, SEC_WEBSOCKET_PROTOCOL};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::client::Client;
use super::super::headers::{Headers, Purpose};
use super::super::list::{self, Gap, Reply};
use super::{CLOSING, MAX_MAIL, READ_BUFFER, SUBPROTOCOL, close_code, close_frame, config};
use crate::mail::Received;
use crate::outcome::EventKind;

/// How long a client waits for the other half of the opening handshake.
const OPENING: Duration = Duration::from_secs(10);

/// The client half: keeps a WebSocket open until the run is over.
pub async fn run(client: Client) -> anyhow::Result<()> {
    loop {
        let opened = tokio::select! {
            opened = tokio::time::timeout(OPENING + client.scenario.link.patience(), connect(&client)) => opened,
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
        tokio_tungstenite::client_async_with_config(request, stream, Some(config(MAX_MAIL, READ_BUFFER)))
            .await?;
    if !response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) {
        bail!("the server does not speak the subprotocol {SUBPROTOCOL}");
    }
    Ok(socket)
}

pub fn handshake(authority: &str, headers: &Headers, after: u64) -> anyhow::Result<http::Request<()>> {
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
    tokio::time::timeout(CLOSING + client.scenario.link.patience(), rest)
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
