//! The server half: runs a session over any transport.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;

use super::super::rarely_ready::RarelyReady;
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
use super::stored::BrokerLimits;
use crate::wire::stomp::{HEART_BEAT, Item, Parser, Version};

#[cfg(test)]
mod tests;

/// The state that the routes share.
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
        BrokerLimits::default(),
    );
    let server = Server {
        broker: Arc::new(broker),
        // The offered subprotocols must not hold a reference to the list that offers them.
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

/// Runs a session over a WebSocket.
async fn speak(Server { broker, service }: Server, io: Stream) {
    let socket = ws::serve_over(io, max_message(&service.tuning)).await;
    let closing = ws::CLOSING + service.scenario.link.patience();
    run(broker, service, Socket { socket, closing }).await;
}

/// Runs a session over a channel.
pub async fn run<C: Channel>(broker: Arc<Broker>, service: Service, channel: C) {
    let session = Session::new(broker, service.clone(), C::BINARY);
    let mut conversation = Conversation {
        session,
        channel,
        parser: Parser::new(limits(&service.tuning)),
        sent: Instant::now(),
        heard: Instant::now(),
        early: Bytes::new(),
        rare: RarelyReady::default(),
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
    // Its unacknowledged messages go to others before the client has closed.
    drop(session);
    channel.end(end, error).await;
}

/// One session with its channel, and when each side last sent something.
struct Conversation<C> {
    session: Session,
    channel: C,
    parser: Parser,
    sent: Instant,
    heard: Instant,
    /// Bytes received while a write waited, and not handled yet.
    early: Bytes,
    rare: RarelyReady,
    service: Service,
}

/// Events other than mail.
enum Other {
    Received(Result<Option<Bytes>, Error>),
    Timer,
    Shutdown,
}

/// What a write waits for.
#[derive(Clone, Copy, Debug)]
enum Write {
    Room,
    Flush,
}

/// Time until the next check, if no heart-beats are agreed on.
const NEVER: Duration = Duration::from_secs(86_400);

impl<C: Channel> Conversation<C> {
    async fn run(&mut self) -> End {
        match self.talk().await {
            Ok(end) | Err(end) => end,
        }
    }

    /// Sends what is queued and handles what the client sends, until one side ends the session.
    async fn talk(&mut self) -> Result<End, End> {
        let shutdown = self.service.shutdown.clone().cancelled_owned();
        let timer = tokio::time::sleep_until(self.deadline());
        tokio::pin!(timer, shutdown);
        let bell = self.session.bell();
        loop {
            if self.session.serve().map_err(End::Fault)? {
                // There may be more, but the client is read first.
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
                    received = self.channel.hear() => Other::Received(received),
                    () = &mut timer => Other::Timer,
                    () = &mut shutdown => Other::Shutdown,
                }
            };
            let other = async {
                match C::STEADY {
                    true => self.rare.wait(other).await,
                    false => other.await,
                }
            };
            let other = tokio::select! {
                () = self.session.mail() => continue,
                () = bell.notified() => continue,
                other = other => other,
            };
            match other {
                Other::Received(received) => {
                    let Some(bytes) = received? else {
                        return Ok(End::Left);
                    };
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

    /// Writes the session's queued frames.
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

    /// Waits until the channel has room or has written. A client that is gone reads nothing, so this may wait
    /// for ever; a client that reads slowly is alive as long as it sends something.
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
                // These bytes are handled only after the write, so no more may pile up here.
                () = super::connection::until(overdue), if self.early.is_empty() => {}
            }
            self.listen()?;
        }
    }

    /// Reads what has arrived by now, when a heart-beat is overdue: this side itself may be late, so the
    /// bytes may be there although the timer fired.
    fn listen(&mut self) -> Result<(), End> {
        let heard = self.channel.hear().now_or_never();
        self.rare.force_poll();
        let bytes = heard.ok_or(End::Gone)??.ok_or(End::Left)?;
        self.heard = Instant::now();
        if bytes.as_ref() != HEART_BEAT {
            self.early = bytes;
        }
        Ok(())
    }

    /// Handles bytes from the client, as a sign of life too.
    async fn hear(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.heard = Instant::now();
        self.take(bytes).await
    }

    /// Handles bytes from the client.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.parser.feed(bytes);
        let heard = self.read().await;
        // Answers to frames before a fault are sent before its ERROR.
        self.write().await?;
        heard?;
        // The transport's own answers must leave before more is read.
        self.wait_for(Write::Flush).await
    }

    /// Handles all complete frames. Their answers are sent once there are enough of them.
    async fn read(&mut self) -> Result<(), End> {
        loop {
            let item = self.parser.next().map_err(|e| End::Fault(e.into()))?;
            let Some(item) = item else { return Ok(()) };
            if let Item::Frame(frame) = item {
                self.session.hear(&frame).map_err(End::Fault)?;
                self.session.kept().await.map_err(End::Fault)?;
                if let Some(version) = self.session.version() {
                    self.parser.speak(version);
                }
            }
            if self.session.is_full() {
                self.write().await?;
            }
        }
    }

    /// When to check for a heart-beat that is due or missing.
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

    /// How long a client with this heart-beat interval may be silent.
    fn patience(&self, every: Duration) -> Duration {
        overdue(every) + self.service.scenario.link.patience()
    }

    /// Sends a heart-beat that is due, or fails if the client's is missing.
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
