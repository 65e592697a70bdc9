//! The server half: a session over whatever carries it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::aside::Aside;
use super::super::routes::Routes;
use super::super::service::{Service, Subprotocol};
use super::super::sockjs::{self, Options};
use super::super::stream::Stream;
use super::super::ws;
use super::agreed::{PATH, SOCKJS_PATH, limits, max_message, overdue, sockjs_heartbeat};
use super::broker::{self, Broker};
use super::session::{Fault, Outgoing, Session};
use crate::wire::stomp::{HEART_BEAT, Item, Parser, Version};

#[cfg(test)]
mod tests;

/// What the routes share.
#[derive(Clone, Debug)]
struct Server {
    broker: Arc<Broker>,
    service: Service,
}

pub fn serve(service: Service) -> Routes {
    let scenario = &service.scenario;
    let broker = Broker::new(
        service.mailbox.clone(),
        scenario.topics.clone(),
        broker::Limits::default(),
    );
    let server = Server {
        broker: Arc::new(broker),
        // Those who are offered here must not hold on to the offer.
        service: Service {
            subprotocols: Arc::default(),
            ..service.clone()
        },
    };
    for version in Version::ALL {
        let server = server.clone();
        service.subprotocols.offer(Subprotocol {
            name: version.subprotocol(),
            speak: Arc::new(move |io| Box::pin(speak(server.clone(), io))),
        });
    }
    let options = Options {
        heartbeat: sockjs_heartbeat(scenario),
        max_payload: max_message(&service.tuning),
        ..Options::of(&service)
    };
    let shared = server.broker.clone();
    let sockjs = sockjs::routes(SOCKJS_PATH, service, options, move |service, session| {
        let closing = ws::CLOSING + service.scenario.link.patience();
        Box::pin(run(shared.clone(), service, OverSockJs { session, closing }))
    });
    Routes::new()
        .route(PATH, get(open).connect(open).with_state(server))
        .merge(sockjs)
}

async fn open(State(server): State<Server>, request: Request) -> Response {
    let offered: Vec<&str> = ws::offered(request.headers()).collect();
    let chosen = Version::ALL
        .iter()
        .map(|v| v.subprotocol())
        .find(|name| offered.contains(name));
    let service = server.service.clone();
    ws::accept(&service, request, chosen, move |io| speak(server, io))
}

/// Has a session over a WebSocket.
async fn speak(Server { broker, service }: Server, io: Stream) {
    let socket = ws::serve_over(io, max_message(&service.tuning)).await;
    let closing = ws::CLOSING + service.scenario.link.patience();
    run(broker, service, Socket { socket, closing }).await;
}

/// What carries the frames of a session.
pub trait Channel: Sized {
    /// Whether it carries bytes that are not text.
    const BINARY: bool;

    /// Whether [`Channel::hear`] waits on the very same things each time.
    const STEADY: bool;

    /// What the client says next, perhaps nothing; `None` when it has left. Cancelled, it loses nothing.
    async fn hear(&mut self) -> Result<Option<Bytes>, Error>;

    /// Waits until there is room for something to write. Cancelled, it loses nothing.
    async fn room(&mut self) -> Result<(), End>;

    /// Takes something to write, for which there was room.
    fn put(&mut self, outgoing: Outgoing) -> Result<(), End>;

    /// Writes what was taken. Cancelled, it loses nothing.
    async fn flush(&mut self) -> Result<(), End>;

    /// Ends it; `error` goes before.
    async fn end(self, end: End, error: Option<Outgoing>);
}

/// How a session ends.
#[derive(Debug)]
pub enum End {
    /// The client left.
    Left,
    /// It said that it will.
    Leaving,
    /// It is gone, or was not heard for too long.
    Gone,
    /// What carries the frames was broken.
    Broken(Error),
    /// The session was.
    Fault(Fault),
    /// The server ends.
    Shutdown,
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Broken(error)
    }
}

/// Has a session over a channel.
pub async fn run<C: Channel>(broker: Arc<Broker>, service: Service, channel: C) {
    let session = Session::new(broker, service.clone(), C::BINARY);
    let mut conversation = Conversation {
        session,
        channel,
        parser: Parser::new(limits(&service.tuning)),
        sent: Instant::now(),
        heard: Instant::now(),
        early: Bytes::new(),
        aside: Aside::default(),
        service,
    };
    let end = conversation.run().await;
    let Conversation { channel, session, .. } = conversation;
    let error = match &end {
        End::Fault(fault) => Some(Outgoing::Frame(
            fault.frame(),
            session.version().unwrap_or(Version::V1_2),
        )),
        _ => None,
    };
    // What it held is others' before the client has closed.
    drop(session);
    channel.end(end, error).await;
}

/// One session, and when either side was last heard.
struct Conversation<C> {
    session: Session,
    channel: C,
    parser: Parser,
    sent: Instant,
    heard: Instant,
    /// What was heard while a write waited, and is not taken in yet.
    early: Bytes,
    aside: Aside,
    service: Service,
}

/// What can happen besides mail.
enum Other {
    Said(Result<Option<Bytes>, Error>),
    Timer,
    Shutdown,
}

/// What a write waits for.
#[derive(Clone, Copy, Debug)]
enum Write {
    Room,
    Flush,
}

/// What is next, if nothing is agreed on.
const NEVER: Duration = Duration::from_secs(86_400);

impl<C: Channel> Conversation<C> {
    async fn run(&mut self) -> End {
        match self.talk().await {
            Ok(end) | Err(end) => end,
        }
    }

    /// Sends what there is and hears what is said, until one side ends it.
    async fn talk(&mut self) -> Result<End, End> {
        let shutdown = self.service.shutdown.clone().cancelled_owned();
        let timer = tokio::time::sleep_until(self.deadline());
        tokio::pin!(timer, shutdown);
        let bell = self.session.bell();
        loop {
            if self.session.serve().map_err(End::Fault)? {
                // There may be more. Before it is looked for, the client is heard.
                bell.notify_one();
            }
            self.write().await?;
            if !self.early.is_empty() {
                let early = std::mem::take(&mut self.early);
                self.take(&early).await?;
                continue;
            }
            if self.session.is_leaving() {
                return Ok(End::Leaving);
            }
            let other = async {
                tokio::select! {
                    said = self.channel.hear() => Other::Said(said),
                    () = &mut timer => Other::Timer,
                    () = &mut shutdown => Other::Shutdown,
                }
            };
            let other = async {
                match C::STEADY {
                    true => self.aside.wait(other).await,
                    false => other.await,
                }
            };
            let other = tokio::select! {
                () = self.session.mail() => continue,
                () = bell.notified() => continue,
                other = other => other,
            };
            match other {
                Other::Said(said) => {
                    let Some(bytes) = said? else { return Ok(End::Left) };
                    let was_connected = self.session.version().is_some();
                    self.hear(&bytes).await?;
                    if !was_connected {
                        timer.as_mut().reset(self.deadline());
                    }
                }
                Other::Timer => {
                    self.beat().await?;
                    timer.as_mut().reset(self.deadline());
                }
                Other::Shutdown => return Ok(End::Shutdown),
            }
        }
    }

    /// Writes what the session has to say.
    async fn write(&mut self) -> Result<(), End> {
        if !self.session.has_written() {
            return Ok(());
        }
        for outgoing in self.session.written() {
            self.wait_for(Write::Room).await?;
            self.channel.put(outgoing)?;
        }
        self.wait_for(Write::Flush).await?;
        self.sent = Instant::now();
        Ok(())
    }

    /// Waits for the channel to write. A client that is gone reads nothing, and so the write may wait for
    /// ever; one that reads slowly is there as long as it is heard.
    async fn wait_for(&mut self, write: Write) -> Result<(), End> {
        loop {
            let theirs = self.session.beats().theirs;
            let overdue = theirs.map(|every| self.heard + self.patience(every));
            let channel = &mut self.channel;
            let written = async move {
                match write {
                    Write::Room => channel.room().await,
                    Write::Flush => channel.flush().await,
                }
            };
            tokio::select! {
                biased;
                written = written => return written,
                // What it has said is not taken in before the write is over, and is not to pile up here.
                () = super::connection::until(overdue), if self.early.is_empty() => {}
            }
            self.listen()?;
        }
    }

    /// Hears what has come by now, when the client should have been heard: whoever was late may be this
    /// side, and the timer not the only one who is due.
    fn listen(&mut self) -> Result<(), End> {
        let heard = self.channel.hear().now_or_never();
        self.aside.look();
        let bytes = heard.ok_or(End::Gone)??.ok_or(End::Left)?;
        self.heard = Instant::now();
        if bytes.as_ref() != HEART_BEAT {
            self.early = bytes;
        }
        Ok(())
    }

    /// Hears the client.
    async fn hear(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.heard = Instant::now();
        self.take(bytes).await
    }

    /// Takes in what it said.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.parser.feed(bytes);
        let heard = self.read().await;
        // What was done before a fault is told before it.
        self.write().await?;
        heard?;
        // What the transport answers by itself leaves before more is heard.
        self.wait_for(Write::Flush).await
    }

    /// Takes in all frames that are there. What they are answered leaves when there is enough of it.
    async fn read(&mut self) -> Result<(), End> {
        loop {
            let item = self.parser.next().map_err(|e| End::Fault(e.into()))?;
            let Some(item) = item else { return Ok(()) };
            if let Item::Frame(frame) = item {
                self.session.hear(&frame).map_err(End::Fault)?;
                if let Some(version) = self.session.version() {
                    self.parser.speak(version);
                }
            }
            if self.session.is_full() {
                self.write().await?;
            }
        }
    }

    /// When to look whether a heart-beat is due, or missing.
    fn deadline(&self) -> Instant {
        if self.session.version().is_none() {
            return self.heard + self.service.body_timeout;
        }
        let beats = self.session.beats();
        let ours = beats.ours.map(|every| self.sent + every);
        let theirs = beats.theirs.map(|every| self.heard + self.patience(every));
        let next = [ours, theirs].into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + NEVER)
    }

    /// How long a client that wants to be heard so often may be silent.
    fn patience(&self, every: Duration) -> Duration {
        overdue(every) + self.service.scenario.link.patience()
    }

    /// Says that this side is there, or finds that the other is not.
    async fn beat(&mut self) -> Result<(), End> {
        if self.session.version().is_none() {
            return Err(End::Fault(Fault::silent()));
        }
        let beats = self.session.beats();
        if beats
            .theirs
            .is_some_and(|every| self.heard.elapsed() >= self.patience(every))
        {
            self.listen()?;
        }
        if beats.ours.is_some_and(|every| self.sent.elapsed() >= every) {
            let bytes = Bytes::from_static(HEART_BEAT);
            let is_text = true;
            self.wait_for(Write::Room).await?;
            self.channel.put(Outgoing::Made { bytes, is_text })?;
            self.wait_for(Write::Flush).await?;
            self.sent = Instant::now();
        }
        Ok(())
    }
}

/// A WebSocket that carries a session.
struct Socket {
    socket: ws::Socket,
    closing: Duration,
}

impl Channel for Socket {
    const BINARY: bool = true;
    const STEADY: bool = true;

    async fn hear(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(match self.socket.next().await.transpose()? {
            Some(Message::Text(text)) => Some(text.into()),
            Some(Message::Binary(bytes)) => Some(bytes),
            Some(Message::Close(_)) | None => None,
            // tungstenite answers a ping itself.
            Some(_) => Some(Bytes::new()),
        })
    }

    async fn room(&mut self) -> Result<(), End> {
        Ok(poll_fn(|cx| self.socket.poll_ready_unpin(cx)).await?)
    }

    fn put(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let (bytes, is_text) = outgoing.into_bytes();
        let data = if is_text { Data::Text } else { Data::Binary };
        let frame = Frame::message(bytes, OpCode::Data(data), true);
        Ok(self.socket.start_send_unpin(Message::Frame(frame))?)
    }

    async fn flush(&mut self) -> Result<(), End> {
        Ok(self.socket.flush().await?)
    }

    async fn end(mut self, end: End, error: Option<Outgoing>) {
        if let Some(error) = error
            && (self.room().await.is_err() || self.put(error).is_err())
        {
            return;
        }
        let told = match end {
            End::Gone => false,
            End::Left => self.socket.flush().await.is_ok(),
            End::Broken(e) => ws::fail(&mut self.socket, &e).await,
            End::Leaving => self.wait().await || self.close(CloseCode::Normal).await,
            End::Shutdown => self.close(CloseCode::Away).await,
            End::Fault(Fault { is_limit: true, .. }) => self.close(CloseCode::Size).await,
            End::Fault(_) => self.close(CloseCode::Protocol).await,
        };
        if told {
            let _ = tokio::time::timeout(self.closing, ws::drain(&mut self.socket)).await;
        }
    }
}

impl Socket {
    /// Starts the closing handshake and waits for its other half.
    async fn close(&mut self, code: CloseCode) -> bool {
        self.socket.send(ws::close_frame(code)).await.is_ok() && {
            self.wait().await;
            true
        }
    }

    /// Waits for the client to close; what it says before is not heard any more.
    async fn wait(&mut self) -> bool {
        let closed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        tokio::time::timeout(self.closing, closed).await.is_ok()
    }
}

/// A SockJS session that carries one of STOMP.
struct OverSockJs {
    session: sockjs::Session,
    closing: Duration,
}

impl Channel for OverSockJs {
    const BINARY: bool = false;
    const STEADY: bool = false;

    async fn hear(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.session.recv().await.map(Bytes::from))
    }

    async fn room(&mut self) -> Result<(), End> {
        self.session.room().await;
        Ok(())
    }

    fn put(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let (bytes, is_text) = outgoing.into_bytes();
        if !is_text {
            return Err(End::Fault(Fault::not_text()));
        }
        self.session.put(bytes).map_err(|_| End::Gone)
    }

    async fn flush(&mut self) -> Result<(), End> {
        Ok(())
    }

    async fn end(mut self, end: End, error: Option<Outgoing>) {
        if let Some(error) = error {
            let _ = self.room().await;
            let _ = self.put(error);
        }
        match end {
            End::Leaving => {
                let left = async { while self.session.recv().await.is_some() {} };
                let _ = tokio::time::timeout(self.closing, left).await;
            }
            End::Fault(Fault { is_limit: true, .. }) => self.session.close(1009, "too much"),
            End::Fault(_) => self.session.close(1002, "protocol error"),
            End::Gone => self.session.close(1002, "no heart-beat"),
            End::Left | End::Broken(_) | End::Shutdown => {}
        }
    }
}
