//! The server half: a session over whatever carries it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;

use super::super::aside::Aside;
use super::super::routes::Routes;
use super::super::service::{Service, Subprotocol};
use super::super::sockjs::{self, Options};
use super::super::stream::Stream;
use super::super::ws;
use super::agreed::{PATH, SOCKJS_PATH, limits, max_message, overdue, sockjs_heartbeat};
use super::broker::Broker;
use super::channel::{Channel, End, OverSockJs, Socket};
use super::fault::Fault;
use super::session::{Outgoing, Session};
use super::stored::Limits;
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
        Limits::default(),
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
