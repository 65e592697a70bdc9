//! The client half: chooses a transport as the original client does, and receives mail over it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_VERSION};
use http::{Method, StatusCode};
use hyper::ext::Protocol;
use rand::rngs::SysRng;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::super::client::Client;
use super::super::fields;
use super::super::headers::{Headers, Purpose};
use super::super::limit;
use super::super::list::{self, Reply};
use super::super::origin::Origin;
use super::super::talk::MessageQueue;
use super::super::ws::{self, handshake};
use super::client_session::{ClientSession, Lines, Reader, expect, next_on};
use super::http::{Http, HttpSettings};
use super::names::{INFO, PREFIX, WEBSOCKET, XHR_POLLING, XHR_STREAMING, say_cursor};
use crate::clock;
use crate::mail::Received;
use crate::outcome::{Closer, EventKind, HttpVersion};
use crate::wire::sockjs::Frame;

/// How long the request for `/info` may take.
const INFO_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a round trip may take, computed from the duration of `/info` as the original client does.
pub fn retransmission_timeout(info: Duration) -> Duration {
    if info > Duration::from_millis(100) {
        info * 4
    } else {
        info + Duration::from_millis(300)
    }
}

/// The number of round trips that every transport gets to open.
pub const ROUND_TRIPS: u32 = 2;

/// Additional time for every client but the first: all open at the same instant, on one processor.
const TIMEOUT_EACH: Duration = Duration::from_millis(10);

/// The part of `/info` that the client uses.
#[derive(Debug, Deserialize)]
struct Info {
    websocket: bool,
}

/// Opens a session at `prefix`: asks for `/info`, which also measures a round trip, then tries one transport
/// after the other until one works. Each attempt is recorded in the client's inbox.
///
/// # Errors
/// If there is no such server, or no transport works.
pub async fn connect(client: &Client, prefix: &str) -> anyhow::Result<ClientSession> {
    let mut http = Http::new(Arc::new(HttpSettings::of(client)));
    let began = clock::now();
    let patience = client.scenario.link.patience();
    let info = tokio::time::timeout(INFO_TIMEOUT + patience, info(&mut http, prefix)).await;
    let info = info.unwrap_or_else(|_| bail!("timed out"));
    let took = clock::since(began);
    let failed = info.as_ref().err().map(crate::terminal::causes);
    client.inbox.attempted(client.number, INFO, began, failed);
    let info = info.context("/info")?;
    let crowd = TIMEOUT_EACH * (client.scenario.clients - 1) as u32;
    let timeout = retransmission_timeout(took) * ROUND_TRIPS + crowd;
    let mut failures = Vec::new();
    for transport in [WEBSOCKET, XHR_STREAMING, XHR_POLLING] {
        if transport == WEBSOCKET && (!info.websocket || client.scenario.http == HttpVersion::Http10) {
            continue;
        }
        let began = clock::now();
        let session = format!("{prefix}/{}", session_path()?);
        let opened = tokio::time::timeout(timeout, open(transport, &mut http, session)).await;
        let opened = opened.unwrap_or_else(|_| bail!("timed out after {} ms", timeout.as_millis()));
        let failed = opened.as_ref().err().map(crate::terminal::causes);
        client
            .inbox
            .attempted(client.number, transport, began, failed.clone());
        if opened.is_ok() {
            client.inbox.asked(began, transport == XHR_STREAMING);
        }
        match opened {
            Ok(Opened::Socket(socket)) => return Ok(ClientSession::socket(*socket, ws::CLOSING + patience)),
            Ok(Opened::Xhr(reader)) => return Ok(ClientSession::xhr(reader, ws::CLOSING + patience)),
            Err(e) if limit::is_exceeded(&e) => return Err(e),
            Err(e) => failures.push(format!("{transport}: {}", crate::terminal::causes(&e))),
        }
    }
    bail!("all transports failed; {}", failures.join("; "))
}

/// The path `/<server>/<session>`: three digits for load balancers, and an id that cannot be guessed. HPACK's
/// Huffman code has six bits for each of these characters, so all sessions cost the same.
pub fn session_path() -> anyhow::Result<String> {
    const DIGITS: &[u8] = b"3456789";
    const CHARACTERS: &[u8] = b"-3456789=A_bdfghlmnpru";
    let mut rng = ChaCha8Rng::try_from_rng(&mut SysRng).context("the system has no random numbers")?;
    let mut pick = |from: &[u8], n: usize| -> String {
        (0..n)
            .map(|_| char::from(from[rng.random_range(0..from.len())]))
            .collect()
    };
    Ok(format!("{}/{}", pick(DIGITS, 3), pick(CHARACTERS, 8)))
}

async fn info(http: &mut Http, prefix: &str) -> anyhow::Result<Info> {
    let settings = http.settings();
    let fields = info_request(&settings.headers, &settings.origin);
    let request = http.request(Method::GET, &format!("{prefix}/info"), fields, None)?;
    let answer = http.send(request).await?;
    expect(&answer, StatusCode::OK, "it")?;
    let body = limit::whole(answer.into_body()).await?;
    http.done();
    serde_json::from_slice(&body).context("it is not what it should be")
}

/// The fields of the request for `/info`.
pub fn info_request(headers: &Headers, origin: &Origin) -> HeaderMap {
    fields::request(headers, Purpose::Fetch, origin, [])
}

enum Opened {
    Socket(Box<ws::Socket>),
    Xhr(Reader),
}

/// Opens a session over a transport, and waits for `o`.
async fn open(transport: &str, http: &mut Http, session: String) -> anyhow::Result<Opened> {
    if transport == WEBSOCKET {
        let mut socket = open_socket(http, &format!("{session}/websocket")).await?;
        begun(next_on(&mut socket, ws::CLOSING).await?)?;
        return Ok(Opened::Socket(Box::new(socket)));
    }
    let mut reader = Reader {
        http: http.another(),
        session,
        streams: transport == XHR_STREAMING,
        body: None,
        lines: Lines::default(),
    };
    begun(reader.frame().await?)?;
    Ok(Opened::Xhr(reader))
}

fn begun(frame: Frame) -> anyhow::Result<()> {
    match frame {
        Frame::Open => Ok(()),
        Frame::Close { code, reason } => bail!("the server closed the session at once: {code} {reason}"),
        Frame::Messages(_) | Frame::Heartbeat => bail!("the session did not begin with `o`"),
    }
}

async fn open_socket(http: &mut Http, target: &str) -> anyhow::Result<ws::Socket> {
    let settings = http.settings().clone();
    if settings.version == HttpVersion::Http2 {
        let fields = connect_fields(&settings.headers, &settings.origin);
        let mut request = http.request(Method::CONNECT, target, fields, None)?;
        request
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
        let tunnel = http.tunnel(request).await?;
        return Ok(ws::ask_over(tunnel, &[]).await);
    }
    let request = handshake::request(&settings.origin, &settings.headers, target, None)?;
    let opened = handshake::open(settings.dial().await?, request, &settings.cookies).await?;
    Ok(ws::ask_over(opened.stream, &opened.read).await)
}

/// The fields of the request that opens a WebSocket on HTTP/2.
pub fn connect_fields(headers: &Headers, origin: &Origin) -> HeaderMap {
    let version = (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    fields::request(headers, Purpose::WebSocket, origin, [version])
}

/// The client half: keeps a session until the run is over.
pub async fn run(mut client: Client) -> anyhow::Result<()> {
    let mut messages = std::mem::take(&mut client.messages);
    loop {
        let opened = tokio::select! {
            biased;
            () = client.stop.cancelled() => return Ok(()),
            opened = connect(&client, PREFIX) => opened,
        };
        match opened {
            Ok(session) => {
                client.opened();
                if let Err(e) = converse(&client, session, &mut messages).await {
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

/// Uses the session to its end. Messages on a session that fails may be lost: SockJS has no receipts.
async fn converse(
    client: &Client,
    mut session: ClientSession,
    messages: &mut MessageQueue,
) -> anyhow::Result<()> {
    session.send(&say_cursor(client.inbox.cursor())).await?;
    loop {
        // A client with all its mail stops asking, unless it waits for the server to close.
        let leaves = client.scenario.closer == Closer::Client;
        let asks = !(leaves && session.asks() && client.inbox.complete());
        tokio::select! {
            biased;
            () = client.should_close() => break,
            heard = session.recv(), if asks => match heard? {
                None => break,
                Some(text) => match take(client, &text) {
                    Ok(Some(id)) if client.scenario.reply => session.send(&Reply::json(id)).await?,
                    Ok(_) => {}
                    Err(e) => return Err(session.refuse(e.context(ws::NO_MAIL)).await),
                },
            },
            message = messages.next_if_any() => session.send(&message.json()).await?,
        }
    }
    session.close().await;
    Ok(())
}

/// Handles a message; returns the number of a mail that is new.
fn take(client: &Client, text: &str) -> anyhow::Result<Option<u64>> {
    if let Ok(notice) = serde_json::from_str(text) {
        client.inbox.take(notice);
        return Ok(None);
    }
    let mail = Received::from_text(text.as_bytes())?;
    Ok(client.inbox.deliver(&mail).then_some(mail.id))
}
