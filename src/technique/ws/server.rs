//! The server half: the handshake, and one session per WebSocket. With `--echo` a session delivers no mail:
//! it sends each message back, with the same type and in one frame, for conformance suites.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::fanout::{Fanout, Membership, Outlet};
use super::super::fields;
use super::super::list::{After, Reply};
use super::super::rarely_ready::RarelyReady;
use super::super::routes::Routes;
use super::super::service::{MAX_BODY, Service, Subprotocol};
use super::super::source::Source;
use super::super::stream::Stream;
use super::super::switch::switch;
use super::super::talk::ClientMessage;
use super::handshake::{self, Flaw};
use super::socket::{
    CLOSING, READ_BUFFER, SESSION_READ_BUFFER, SUBPROTOCOL, Socket, UNANSWERED, close_code, close_frame, over,
};
use crate::mail::{Batch, Cursor, LogEntry};
use crate::outcome::Frames;

/// The largest message that is sent back, bytes, unless another limit was set: the size of the largest case
/// in Autobahn's test suite.
const MAX_ECHO: usize = 16 << 20;

pub fn serve(service: Service) -> Routes {
    let frames = service.scenario.frames;
    let fanout = Fanout::new(&service, move |entry, _| frame(entry, frames));
    Routes::new().route(
        "/ws",
        get(open).connect(open).with_state((Arc::new(service), fanout)),
    )
}

async fn open(
    State((service, fanout)): State<(Arc<Service>, Arc<Fanout>)>,
    Query(After { after }): Query<After>,
    mut request: Request,
) -> Response {
    let asked = offered(request.headers()).find_map(|name| service.subprotocols.named(name));
    if let Some(Subprotocol { name, speak }) = asked {
        return accept(&service, request, Some(name), move |io| speak(io));
    }
    let ours = offered(request.headers()).any(|name| name == SUBPROTOCOL);
    let fanout = request.extensions_mut().remove().map(|outlet| (fanout, outlet));
    let session = service.clone();
    accept(&service, request, ours.then_some(SUBPROTOCOL), move |io| {
        Session::run(session, io, after, fanout)
    })
}

/// Does the opening handshake, and runs `speak` on the upgraded connection.
pub fn accept<F>(
    service: &Service,
    mut request: Request,
    subprotocol: Option<&'static str>,
    speak: impl FnOnce(Stream) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    if let Err(flaw) = handshake::check(&request, &[handshake::VERSION]) {
        return refuse(&request, flaw);
    }
    let (status, mut ours) = handshake::acceptance(&request);
    ours.extend(subprotocol.map(|name| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name))));
    let fields = fields::response(&service.headers, ours, |name| *name != CONTENT_TYPE);
    let mut answer = (status, fields, Body::empty()).into_response();
    switch(service, &mut request, &mut answer, speak);
    answer
}

/// Answers a request that is no handshake. If it lacks the upgrade or our version, the answer names both (RFC
/// 6455, section 4.2.2; RFC 9110, section 15.5.22). A CONNECT needs no upgrade.
fn refuse(request: &Request, flaw: Flaw) -> Response {
    let why = format!("not a WebSocket handshake: {flaw}\n");
    let version = (SEC_WEBSOCKET_VERSION, handshake::VERSION);
    let status = match flaw {
        Flaw::Upgrade | Flaw::Connection | Flaw::Version if request.method() != Method::CONNECT => {
            let wanted = [(CONNECTION, "upgrade"), (UPGRADE, "websocket"), version];
            return (StatusCode::UPGRADE_REQUIRED, wanted, why).into_response();
        }
        Flaw::Protocol => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, [version], why).into_response()
}

/// The subprotocols that a client offers, in its order of preference.
pub fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    handshake::items(headers, &SEC_WEBSOCKET_PROTOCOL).filter_map(|name| str::from_utf8(name).ok())
}

/// Events other than mail.
enum Other {
    Received(Option<Result<Message, Error>>),
    Silence,
    Shutdown,
}

/// Signs that the client is alive.
struct Pulse {
    /// The number of pings since the client last sent something.
    unanswered: u32,
    heard: Instant,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse {
            unanswered: 0,
            heard: Instant::now(),
        }
    }
}

/// The server's end of one WebSocket.
struct Session {
    socket: Socket,
    service: Arc<Service>,
    /// The cursor that the client asked with.
    after: Cursor,
    /// Whether it sends messages back, instead of delivering mail.
    echo: bool,
    /// The fan-out that may send mail in its place, and on what.
    fanout: Option<(Arc<Fanout>, Outlet)>,
}

impl Session {
    async fn run(service: Arc<Service>, io: Stream, after: Cursor, fanout: Option<(Arc<Fanout>, Outlet)>) {
        let echo = service.tuning.echo;
        let limits = match echo {
            true => (service.tuning.max_payload.unwrap_or(MAX_ECHO), READ_BUFFER),
            false => (MAX_BODY, SESSION_READ_BUFFER),
        };
        // In boxes, because a task is as large as what it waits for at any time.
        let mut session = Session {
            socket: Box::pin(over(io, &[], Role::Server, limits)).await,
            after,
            service,
            echo,
            fanout: fanout.filter(|_| !echo),
        };
        let told = match session.talk().await {
            Ok(()) => true,
            Err(e) => Box::pin(fail(&mut session.socket, &e)).await,
        };
        if told {
            let drained = tokio::time::timeout(session.closing(), drain(&mut session.socket));
            let _ = Box::pin(drained).await;
        }
    }

    /// How long to wait until the client has closed.
    fn closing(&self) -> Duration {
        CLOSING + self.service.scenario.link.patience()
    }

    /// Sends what is ready and handles what the client sends, until one side closes.
    async fn talk(&mut self) -> Result<(), Error> {
        let mut source = Source::of(&self.service, Some(self.after));
        let silence = tokio::time::sleep(self.service.scenario.heartbeat());
        let shutdown = self.service.shutdown.clone().cancelled_owned();
        tokio::pin!(silence, shutdown);
        let mut rare = RarelyReady::default();
        let mut pulse = Pulse::default();
        loop {
            if !self.echo && Box::pin(self.send_what_is_ready(&mut source)).await? {
                source.sends();
            }
            let member = self.join(&source);
            let other = {
                let mut mail = (!self.echo && member.is_none()).then(|| Box::pin(source.ready()));
                // Not select!, which would have room for each of these futures twice.
                poll_fn(|cx| {
                    let other = rare.poll(cx, |cx| {
                        if shutdown.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(Other::Shutdown);
                        }
                        match self.socket.poll_next_unpin(cx) {
                            Poll::Ready(received) => Poll::Ready(Other::Received(received)),
                            Poll::Pending => silence.as_mut().poll(cx).map(|()| Other::Silence),
                        }
                    });
                    match (other, &mut mail, &member) {
                        (Poll::Ready(other), ..) => Poll::Ready(Some(other)),
                        (_, Some(mail), _) => mail.as_mut().poll(cx).map(|()| None),
                        (_, _, Some(member)) => member.poll_dismissed(cx).map(|()| None),
                        _ => Poll::Pending,
                    }
                })
                .await
            };
            let rest = member.map_or_else(Bytes::new, Membership::leave);
            if rest.is_empty() && other.is_none() {
                continue;
            }
            if Box::pin(self.handle(rest, other, &mut source, &mut pulse, silence.as_mut())).await? {
                return Ok(());
            }
        }
    }

    /// Sends the rest of what the fan-out could not send completely, and handles what else has happened; returns whether
    /// the connection has ended.
    async fn handle(
        &mut self,
        rest: Bytes,
        other: Option<Other>,
        source: &mut Source,
        pulse: &mut Pulse,
        silence: Pin<&mut Sleep>,
    ) -> Result<bool, Error> {
        if !rest.is_empty() {
            // It may begin in the middle of a frame.
            let io = &mut self.socket.get_mut().stream;
            io.write_all(&rest).await?;
            io.flush().await?;
        }
        match other {
            None => Ok(false),
            Some(Other::Received(None)) => Ok(true),
            Some(Other::Received(Some(received))) => {
                *pulse = Pulse::default();
                self.answer(received?).await
            }
            Some(Other::Silence) => {
                let heartbeat = self.service.scenario.heartbeat();
                // The timer is not reset for every mail, only when it fires too early.
                if source.sent().elapsed() >= heartbeat {
                    self.ping(pulse).await?;
                    source.sends();
                }
                silence.reset(source.sent() + heartbeat);
                Ok(false)
            }
            Some(Other::Shutdown) => {
                self.close(CloseCode::Away).await;
                Ok(true)
            }
        }
    }

    /// Lets the fan-out send its mail, if that is possible.
    fn join(&self, source: &Source) -> Option<Membership> {
        let (fanout, outlet) = self.fanout.as_ref()?;
        fanout.join(outlet, source.shared(&self.service)?)
    }

    /// Handles a message of the client; returns whether it was the last.
    async fn answer(&mut self, said: Message) -> Result<bool, Error> {
        let is_close = said.is_close();
        match said {
            Message::Text(_) | Message::Binary(_) if self.echo => self.socket.feed(said).await?,
            said => self.hear(&said),
        }
        // tungstenite's own answers must leave before more is read: otherwise pongs, and messages sent back,
        // would pile up for a client that sends and never reads.
        self.socket.flush().await?;
        Ok(is_close)
    }

    /// Sends a ping, or fails if the client is gone.
    async fn ping(&mut self, pulse: &mut Pulse) -> Result<(), Error> {
        // Several pings without a sign of life, for longer than an answer takes on this link: the client is
        // gone.
        if pulse.unanswered >= UNANSWERED && pulse.heard.elapsed() > self.service.scenario.link.patience() {
            return Err(Error::ConnectionClosed);
        }
        pulse.unanswered += 1;
        self.socket.send(Message::Ping(Bytes::new())).await
    }

    /// Sends several waiting mails in one write; after a batch the client is read.
    async fn send_what_is_ready(&mut self, source: &mut Source) -> Result<bool, Error> {
        let batch = source.next().map_err(|_| Error::ConnectionClosed)?;
        if batch.is_empty() {
            return Ok(false);
        }
        tokio::select! {
            biased;
            // A client that does not read would not read a close frame either.
            _ = source.cut_off() => Err(Error::ConnectionClosed),
            sent = self.send_batch(&batch) => sent.map(|()| true),
        }
    }

    async fn send_batch(&mut self, batch: &Batch) -> Result<(), Error> {
        // Frames that are the same for all clients pass tungstenite by: it has sent all of its own.
        let frames = self.service.scenario.frames;
        let notices = batch
            .notices
            .iter()
            .map(|notice| encode(notice.json(), Data::Text));
        let mails = batch.mails.iter().map(|mail| frame(mail, frames));
        let all: Vec<_> = notices.chain(mails).collect();
        let io = self.socket.get_mut();
        match &all[..] {
            [one] => io.write_all(one).await?,
            several => io.write_all(&several.concat()).await?,
        }
        Ok(io.flush().await?)
    }

    fn hear(&self, said: &Message) {
        let json = match said {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes.as_ref(),
            // tungstenite answers ping and close itself.
            _ => return,
        };
        if serde_json::from_slice::<Reply>(json).is_ok() {
            self.service.replied();
        } else if let Ok(message) = serde_json::from_slice::<ClientMessage>(json) {
            self.service.record_message(message);
        }
    }

    /// Starts the closing handshake and waits for the client's close frame.
    async fn close(&mut self, code: CloseCode) {
        if self.socket.send(close_frame(code)).await.is_ok() {
            let closing = self.closing();
            let rest = async {
                while let Some(Ok(said)) = self.socket.next().await {
                    self.hear(&said);
                }
            };
            let _ = tokio::time::timeout(closing, rest).await;
        }
    }
}

/// Fails the connection (RFC 6455, section 7.1.7), with a close code if the client may still read it.
pub async fn fail<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>, error: &Error) -> bool {
    let Some(code) = close_code(error) else {
        return false;
    };
    socket.send(close_frame(code)).await.is_ok()
}

/// Reads and drops what the client is still sending, because closing a socket with unread bytes would reset
/// it and could lose the close frame. The caller limits the time.
pub async fn drain<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>) -> std::io::Result<()> {
    let io = socket.get_mut();
    io.shutdown().await?;
    let mut sink = vec![0; 1024];
    while io.read(&mut sink).await? > 0 {}
    Ok(())
}

/// A mail's frame, made once for all clients.
fn frame(entry: &LogEntry, frames: Frames) -> Bytes {
    enum Text {}
    enum Binary {}
    match frames {
        Frames::Text => entry.form::<Text>(|entry| encode(entry.mail.text(), Data::Text)),
        Frames::Binary => entry.form::<Binary>(|entry| encode(entry.mail.binary(), Data::Binary)),
    }
}

/// A frame of the server with this content.
fn encode(content: impl Into<Bytes>, data: Data) -> Bytes {
    let frame = Frame::message(content, OpCode::Data(data), true);
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing into memory cannot fail.
    let _ = frame.format(&mut bytes);
    bytes.into()
}
