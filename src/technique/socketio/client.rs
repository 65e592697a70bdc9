//! The client half: starts with HTTP long polling, tries a WebSocket, and changes to it if it works.
//!
//! ```text
//! client                                              server
//!   | GET …transport=polling                            |
//!   |-------------------------------------------------->|
//!   |            0{"sid":…,"upgrades":["websocket"],…}  |
//!   | POST …  40{"at":"0."}                             |   CONNECT to the namespace
//!   |-------------------------------------------------->|
//!   | GET …                                             |
//!   |            40{"sid":…}                            |   from here on mail comes
//!   | GET …                                             :   held
//!   | GET …transport=websocket, Upgrade                 |
//!   |            101                                    |
//!   | 2probe                                            |
//!   |            3probe          6                      |   the poll ends
//!   | 5                                                 |
//!   |==================================================>|   all the rest is WebSocket
//! ```

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::super::client::Client;
use super::super::http::Http;
use super::super::limit;
use super::super::list::{self};
use super::super::talk::MessageQueue;
use super::super::ws::handshake::{self, NotSwitched};
use super::super::ws::{self, Socket};
use super::requests::{connect, disconnect, get, open, post, read, say, target, upgrade};
use crate::clock;
use crate::mail::Received;
use crate::outcome::EventKind;
use crate::theory::Delivery;
use crate::wire::engineio::{Open, PROBE, Packet, SEPARATOR};
use crate::wire::socketio::{self, Type};

/// How long a client waits for a handshake to be answered.
const OPENING: Duration = Duration::from_secs(10);

/// The client half: keeps a session until the run is over.
pub async fn run(mut client: Client) -> anyhow::Result<()> {
    let mut messages = std::mem::take(&mut client.messages);
    loop {
        let http = Http::new(&client, Delivery::LongPolled)?;
        let opened = tokio::select! {
            biased;
            () = client.stop.cancelled() => return Ok(()),
            opened = tokio::time::timeout(OPENING + client.scenario.link.patience(), open(&client, &http)) => opened,
        };
        match opened.context("the server did not open a session").flatten() {
            Ok(open) => {
                client.inbox.began();
                if let Err(e) = converse(&client, http, &open, &mut messages).await {
                    client.failed(e)?;
                }
                client.inbox.happened(EventKind::Closed);
            }
            Err(e) => client.failed(e)?,
        }
        if !client.wait_to_reconnect(list::RETRY).await {
            return Ok(());
        }
    }
}

/// Opens a WebSocket for the session, and waits for the answer to the probe.
async fn probe(client: &Client, sid: &str) -> anyhow::Result<Socket> {
    let request = upgrade(&client.origin, &client.headers, sid)?;
    let opened = handshake::open(client.dial().await?, request, &client.cookies).await?;
    let mut socket = ws::ask_over(opened.stream, &opened.read).await;
    socket.send(Message::text(Packet::Ping(PROBE).text())).await?;
    loop {
        let heard = match socket.next().await.transpose() {
            Ok(heard) => heard,
            Err(e) => return Err(ws::fail_connection(&mut socket, e).await),
        };
        match heard {
            Some(Message::Text(text)) if Packet::parse(&text) == Ok(Packet::Pong(PROBE)) => {
                return Ok(socket);
            }
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            Some(Message::Close(_)) | None => bail!("the server closed instead of answering the probe"),
            Some(other) => {
                let error = anyhow!("the probe was answered with {other:?}");
                let patience = ws::CLOSING + client.scenario.link.patience();
                return Err(ws::refuse(&mut socket, CloseCode::Policy, error, patience).await);
            }
        }
    }
}

/// The state of a session that does not depend on its transport.
struct Talk<'a> {
    client: &'a Client,
    /// The parts so far of an event whose attachments have not all arrived.
    unfinished: Option<Unfinished>,
    /// Packets to send; each entry holds the packets that answer one message.
    outbox: VecDeque<Vec<String>>,
    stage: Stage,
}

/// An event with missing attachments.
struct Unfinished {
    mail: String,
    ack: Option<u64>,
    missing: usize,
    attachment: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client has asked for the namespace.
    Connecting,
    /// The server has granted the namespace.
    Connected,
    /// The server has closed the namespace; the client has to close the session.
    Disconnected,
    /// The server has closed the session.
    Closed,
}

impl Talk<'_> {
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Disconnected | Stage::Closed)
    }

    /// Handles the body of a poll's answer; returns whether it held nothing but noops.
    fn hear_body(&mut self, body: &str) -> anyhow::Result<bool> {
        let mut answers = Vec::new();
        let mut nothing = true;
        for packet in Packet::payload(body) {
            let packet = packet?;
            nothing &= packet == Packet::Noop;
            self.hear(&packet, &mut answers)?;
        }
        if !answers.is_empty() {
            self.outbox.push_back(answers);
        }
        Ok(nothing)
    }

    /// Handles a packet, and adds the packets that answer it to `answers`.
    fn hear(&mut self, packet: &Packet, answers: &mut Vec<String>) -> anyhow::Result<()> {
        match packet {
            Packet::Ping(what) => answers.push(Packet::Pong(what).text()),
            Packet::Message(text) => answers.extend(self.hear_message(text)?),
            Packet::Binary(bytes) => answers.extend(self.hear_attachment(bytes)?),
            Packet::Close => self.stage = Stage::Closed,
            Packet::Noop => {}
            Packet::Open(_) | Packet::Pong(_) | Packet::Upgrade => bail!("{packet:?} out of place"),
        }
        Ok(())
    }

    fn hear_message(&mut self, text: &str) -> anyhow::Result<Option<String>> {
        let packet = socketio::Packet::parse(text)?;
        match packet.kind {
            Type::Connect => {
                self.stage = Stage::Connected;
                self.client.opened();
            }
            Type::ConnectError => bail!("the namespace was refused: {}", packet.data),
            Type::Disconnect => self.stage = Stage::Disconnected,
            Type::Event | Type::BinaryEvent => return self.hear_event(&packet),
            Type::Ack | Type::BinaryAck => {}
        }
        Ok(None)
    }

    fn hear_event(&mut self, packet: &socketio::Packet) -> anyhow::Result<Option<String>> {
        let arguments = packet.arguments().unwrap_or_default();
        let Some(first) = arguments.get(1).map(|a| a.get()) else {
            return Ok(None);
        };
        match packet.event().as_deref() {
            Some("gap" | "reset" | "epoch") => self.client.inbox.take(serde_json::from_str(first)?),
            Some("mail") if packet.attachments > 0 => {
                self.unfinished = Some(Unfinished {
                    mail: first.into(),
                    ack: packet.ack,
                    missing: packet.attachments,
                    attachment: Vec::new(),
                });
            }
            Some("mail") => return Ok(self.deliver(mail(first)?, packet.ack)),
            _ => {}
        }
        Ok(None)
    }

    fn hear_attachment(&mut self, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        let unfinished = self.unfinished.as_mut().context("an attachment of nothing")?;
        unfinished.attachment.extend_from_slice(bytes);
        limit::check("attachments", unfinished.attachment.len())?;
        unfinished.missing -= 1;
        let Some(whole) = self.unfinished.take_if(|u| u.missing == 0) else {
            return Ok(None);
        };
        let mail = Received {
            attachment: whole.attachment,
            ..mail(&whole.mail)?
        };
        Ok(self.deliver(mail, whole.ack))
    }

    /// Delivers a mail; returns its acknowledgement, if the server asked for one.
    fn deliver(&self, mail: Received, ack: Option<u64>) -> Option<String> {
        let new = self.client.inbox.deliver(&mail);
        ack.filter(|_| new).map(|ack| read(ack, mail.id))
    }
}

fn mail(json: &str) -> anyhow::Result<Received> {
    Received::from_text(json.as_bytes()).context(ws::NO_MAIL)
}

/// The phase of a session that polls and posts, and tries a WebSocket.
struct Polling<'a> {
    talk: Talk<'a>,
    http: Http,
    open: &'a Open,
    getting: Option<BoxFuture<'a, anyhow::Result<String>>>,
    posting: Option<BoxFuture<'a, anyhow::Result<()>>>,
    probing: Option<BoxFuture<'a, anyhow::Result<Socket>>>,
    found: Option<Socket>,
}

/// Waits for the future in `place`, or for ever if there is none.
async fn done<T>(place: &mut Option<BoxFuture<'_, T>>) -> T {
    match place {
        Some(future) => {
            let done = future.await;
            *place = None;
            done
        }
        None => std::future::pending().await,
    }
}

async fn converse(
    client: &Client,
    http: Http,
    open: &Open,
    messages: &mut MessageQueue,
) -> anyhow::Result<()> {
    let talk = Talk {
        client,
        unfinished: None,
        outbox: VecDeque::new(),
        stage: Stage::Connecting,
    };
    let mut polling = Polling {
        talk,
        http,
        open,
        getting: None,
        posting: None,
        probing: None,
        found: None,
    };
    polling.connect().await?;
    let upgraded = polling.poll(messages).await?;
    let talk = polling.end();
    match upgraded {
        Some(socket) => over_websocket(talk, socket, open, messages).await,
        None => Ok(()),
    }
}

impl<'a> Polling<'a> {
    fn get(&self) -> BoxFuture<'a, anyhow::Result<String>> {
        let (client, http, open) = (self.talk.client, self.http.clone(), self.open);
        Box::pin(async move {
            let target = target("polling", &open.sid);
            // A ping ends any silence, so an answer comes within this time.
            tokio::time::timeout(silence(client, open), get(client, &http, &target))
                .await
                .context("no ping came")?
        })
    }

    fn post(&self, packets: &[String]) -> BoxFuture<'a, anyhow::Result<()>> {
        let (client, http, open) = (self.talk.client, self.http.clone(), self.open);
        let body = packets.join(&SEPARATOR.to_string());
        Box::pin(async move { post(client, &http, &target("polling", &open.sid), body).await })
    }

    /// Asks for the namespace, and waits until the server grants it.
    async fn connect(&mut self) -> anyhow::Result<()> {
        self.post(&[connect(self.talk.client.inbox.cursor())]).await?;
        while self.talk.stage == Stage::Connecting {
            let answer = self.get().await?;
            self.talk.hear_body(&answer)?;
        }
        Ok(())
    }

    /// Polls until a WebSocket takes over, which is returned, or until the session is over.
    async fn poll(&mut self, messages: &mut MessageQueue) -> anyhow::Result<Option<Socket>> {
        let (client, open) = (self.talk.client, self.open);
        self.getting = Some(self.get());
        let began = clock::now();
        if open.upgrades.iter().any(|u| u == "websocket") {
            let limit = OPENING + client.scenario.link.patience();
            self.probing = Some(Box::pin(async move {
                let probed = tokio::time::timeout(limit, probe(client, &open.sid)).await;
                probed.context("nobody answered")?
            }));
        }
        loop {
            if self.talk.is_over() {
                return self.follow().await.map(|()| None);
            }
            if self.posting.is_none()
                && self.found.is_none()
                && let Some(packets) = self.talk.outbox.pop_front()
            {
                self.posting = Some(self.post(&packets));
            }
            // Everything sent or asked for by polling has arrived, so nothing can overtake it.
            if self.getting.is_none()
                && self.posting.is_none()
                && let Some(mut socket) = self.found.take()
            {
                socket.send(Message::text(Packet::Upgrade.text())).await?;
                client.inbox.attempted(client.number, "websocket", began, None);
                return Ok(Some(socket));
            }
            tokio::select! {
                biased;
                () = client.should_close() => return self.leave().await.map(|()| None),
                answer = done(&mut self.getting) => {
                    let nothing = self.talk.hear_body(&answer?)?;
                    // A WebSocket is being tried and the server ended the poll with a noop: no new poll.
                    if self.found.is_none() && !(nothing && self.probing.is_some()) {
                        self.getting = Some(self.get());
                    }
                }
                posted = done(&mut self.posting) => posted?,
                probed = done(&mut self.probing) => match probed {
                    Ok(socket) => self.found = Some(socket),
                    Err(e) if limit::is_exceeded(&e) => return Err(e),
                    Err(e) => {
                        // With the session's id, it is what a server answers that does not know it.
                        let unknown = e.downcast_ref() == Some(&NotSwitched(StatusCode::BAD_REQUEST));
                        if unknown {
                            client.inbox.session_unknown();
                        }
                        client.inbox.attempted(client.number, "websocket", began, Some(crate::terminal::causes(&e)));
                        if self.getting.is_none() {
                            self.getting = Some(self.get());
                        }
                    }
                },
                message = messages.next_if_any() => self.talk.outbox.push_back(vec![say(message)]),
            }
        }
    }

    /// Leaves the namespace and closes the session. The held poll still receives an answer.
    async fn leave(&mut self) -> anyhow::Result<()> {
        if let Some(posting) = self.posting.take() {
            posting.await?;
        }
        let goodbye = self.post(&[disconnect(), Packet::Close.text()]);
        let held = self.getting.take();
        let (left, answer) = tokio::join!(goodbye, OptionFuture::from(held));
        left?;
        if let Some(answer) = answer {
            self.talk.hear_body(&answer?)?;
        }
        Ok(())
    }

    /// Drops the HTTP connections: all polls and posts are answered.
    fn end(self) -> Talk<'a> {
        self.talk
    }

    /// Closes the session after the server has left.
    async fn follow(&mut self) -> anyhow::Result<()> {
        match self.talk.stage {
            Stage::Disconnected => self.post(&[Packet::Close.text()]).await,
            _ => Ok(()),
        }
    }
}

/// How long a server may be silent: the time between two pings, and the time after which it would give up.
fn silence(client: &Client, open: &Open) -> Duration {
    let pings = Duration::from_millis(open.ping_interval.saturating_add(open.ping_timeout));
    pings + client.scenario.link.patience()
}

/// Uses the WebSocket from the upgrade to the end of the closing handshake. A message sent on a connection
/// that breaks may be lost, as with any WebSocket.
async fn over_websocket(
    mut talk: Talk<'_>,
    mut socket: Socket,
    open: &Open,
    messages: &mut MessageQueue,
) -> anyhow::Result<()> {
    let client = talk.client;
    let silence = silence(client, open);
    let mut quiet = pin!(tokio::time::sleep(silence));
    loop {
        for packet in std::mem::take(&mut talk.outbox).into_iter().flatten() {
            socket.feed(Message::text(packet)).await?;
        }
        socket.flush().await?;
        if talk.is_over() {
            return close(client, &mut talk, &mut socket).await;
        }
        tokio::select! {
            biased;
            () = client.should_close() => {
                socket.feed(Message::text(disconnect())).await?;
                return close(client, &mut talk, &mut socket).await;
            }
            heard = socket.next() => match heard {
                Some(Ok(message)) => {
                    hear_websocket(&mut talk, &mut socket, &message).await?;
                    quiet.as_mut().reset(tokio::time::Instant::now() + silence);
                }
                Some(Err(e)) => return Err(ws::fail_connection(&mut socket, e).await),
                None => return Ok(()),
            },
            message = messages.next_if_any() => talk.outbox.push_back(vec![say(message)]),
            () = quiet.as_mut() => bail!("no ping came for {silence:?}"),
        }
    }
}

/// Handles a message, or closes the WebSocket because of it.
async fn hear_websocket(talk: &mut Talk<'_>, socket: &mut Socket, message: &Message) -> anyhow::Result<()> {
    match take_websocket(talk, message) {
        Ok(()) => Ok(()),
        Err(e) => {
            let patience = ws::CLOSING + talk.client.scenario.link.patience();
            Err(ws::refuse(socket, CloseCode::Policy, e, patience).await)
        }
    }
}

fn take_websocket(talk: &mut Talk, message: &Message) -> anyhow::Result<()> {
    let mut answers = Vec::new();
    match message {
        Message::Text(text) => talk.hear(&Packet::parse(text)?, &mut answers)?,
        Message::Binary(bytes) => talk.hear(&Packet::Binary((&bytes[..]).into()), &mut answers)?,
        _ => {}
    }
    if !answers.is_empty() {
        talk.outbox.push_back(answers);
    }
    Ok(())
}

async fn close(client: &Client, talk: &mut Talk<'_>, socket: &mut Socket) -> anyhow::Result<()> {
    socket.send(ws::close_frame(CloseCode::Normal)).await?;
    let rest = async {
        while let Some(message) = socket.next().await {
            hear_websocket(talk, socket, &message.map_err(limit::of_websocket)?).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(ws::CLOSING + client.scenario.link.patience(), rest)
        .await
        .context("the server did not answer the close frame")?
}
