//! The requests of a Socket.IO client, and the packets in them.

use anyhow::bail;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body_util::Empty;

use super::super::client::Client;
use super::super::fields;
use super::super::headers::{Headers, Purpose};
use super::super::http::{Http, Request};
use super::super::limit;
use super::super::list::Reply;
use super::super::origin::Origin;
use super::super::talk::ClientMessage;
use super::super::unknown_session::UnknownSession;
use super::super::ws::handshake;
use super::names::{PATH, TEXT};
use crate::clock;
use crate::mail::Cursor;
use crate::outcome::EventKind;
use crate::wire::engineio::{Open, Packet};
use crate::wire::socketio::{self, Type};

/// The target of a request; without `sid` it begins a session.
pub fn target(transport: &str, sid: &str) -> String {
    let session = if sid.is_empty() { "" } else { "&sid=" };
    format!("{PATH}?EIO=4&transport={transport}{session}{sid}")
}

/// The fields of a GET that polls.
pub fn poll_fields(profile: &Headers, origin: &Origin) -> HeaderMap {
    fields::request(profile, Purpose::Fetch, origin, [])
}

/// The fields of a POST with packets.
pub fn post_fields(profile: &Headers, origin: &Origin) -> HeaderMap {
    let text = (CONTENT_TYPE, HeaderValue::from_static(TEXT));
    fields::request(profile, Purpose::Post, origin, [text])
}

/// The request for a WebSocket.
pub fn upgrade(origin: &Origin, headers: &Headers, sid: &str) -> anyhow::Result<http::Request<Empty<Bytes>>> {
    handshake::request(origin, headers, &target("websocket", sid), None)
}

/// The acknowledgement of a mail's event, which reports that the mail was read.
pub fn read(ack: u64, id: u64) -> String {
    let json = format!("[{}]", Reply::json(id));
    let packet = socketio::Packet {
        ack: Some(ack),
        ..socketio::Packet::new(Type::Ack, &json)
    };
    Packet::Message(&packet.to_string()).text()
}

/// The event that carries a message of the application.
pub fn say(message: ClientMessage) -> String {
    let json = format!(r#"["say",{}]"#, message.json());
    let packet = socketio::Packet::new(Type::Event, &json);
    Packet::Message(&packet.to_string()).text()
}

/// The packet that asks for the namespace, with the cursor.
pub fn connect(cursor: Cursor) -> String {
    let json = format!(r#"{{"at":"{cursor}"}}"#);
    let packet = socketio::Packet::new(Type::Connect, &json);
    Packet::Message(&packet.to_string()).text()
}

/// The packet that leaves the namespace.
pub fn disconnect() -> String {
    let packet = socketio::Packet::new(Type::Disconnect, "");
    Packet::Message(&packet.to_string()).text()
}

/// Begins a session.
pub async fn open(client: &Client, http: &Http) -> anyhow::Result<Open> {
    let began = clock::now();
    let opened = async {
        let body = get(client, http, &target("polling", "")).await?;
        match Packet::parse(&body)? {
            Packet::Open(json) => Ok(serde_json::from_str(json)?),
            other => bail!("{other:?} instead of an open packet"),
        }
    }
    .await;
    let failed = opened.as_ref().err().map(crate::terminal::causes);
    client.inbox.attempted(client.number, "polling", began, failed);
    opened
}

pub async fn get(client: &Client, http: &Http, target: &str) -> anyhow::Result<String> {
    client.inbox.happened(EventKind::Requested);
    let fields = poll_fields(&client.headers, &client.origin);
    let answered = exchange(client, http, Request::get(target, fields)).await;
    client.inbox.happened(match answered {
        Ok(_) => EventKind::Answered,
        Err(_) => EventKind::Failed,
    });
    answered
}

pub async fn post(client: &Client, http: &Http, target: &str, body: String) -> anyhow::Result<()> {
    let fields = post_fields(&client.headers, &client.origin);
    let request = Request::post(target, fields, body);
    exchange(client, http, request).await.map(drop)
}

pub async fn exchange(client: &Client, http: &Http, request: Request) -> anyhow::Result<String> {
    let response = http.send(client, request).await?;
    let status = response.status();
    let body = limit::whole(response.into_body()).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    // Lets the connection return to the pool, or the next request would open another.
    tokio::task::yield_now().await;
    match status {
        StatusCode::OK => Ok(body),
        // Engine.IO, "Session ID unknown": its code for that is 1.
        StatusCode::BAD_REQUEST if body.contains("\"code\":1,") => {
            bail!(UnknownSession(format!("Engine.IO answered {status}: {body}")))
        }
        _ => bail!("Engine.IO answered {status}: {body}"),
    }
}
