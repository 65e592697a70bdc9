//! The client's end of a session, over the transport that worked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::memchr;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::task::AbortOnDropHandle;

use super::super::fields;
use super::super::headers::Purpose;
use super::super::limit;
use super::super::unknown_session::UnknownSession;
use super::super::ws;
use super::http::Http;
use super::names;
use crate::wire::sockjs::{Frame, XHR_PRELUDE, list};

/// An open session.
pub struct ClientSession {
    transport: Transport,
    ready: VecDeque<String>,
    over: bool,
    /// How long the server may take to close in order.
    patience: Duration,
}

enum Transport {
    Socket(Box<ws::Socket>),
    Xhr(Xhr),
}

impl std::fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClientSession").field(&self.transport()).finish()
    }
}

impl ClientSession {
    /// A session over a WebSocket on which `o` has arrived.
    pub(super) fn socket(socket: ws::Socket, patience: Duration) -> ClientSession {
        ClientSession::over(Transport::Socket(Box::new(socket)), patience)
    }

    /// A session over XHR whose reader has received `o`.
    pub(super) fn xhr(reader: Reader, patience: Duration) -> ClientSession {
        let (say, said) = mpsc::channel(MAX_SAID);
        let poster = Poster {
            http: reader.http.another(),
            target: format!("{}/xhr_send", reader.session),
            said,
        };
        let streams = reader.streams;
        ClientSession::over(
            Transport::Xhr(Xhr {
                streams,
                reading: Reading::Idle(Box::new(reader)),
                say,
                posting: AbortOnDropHandle::new(tokio::spawn(poster.run())),
            }),
            patience,
        )
    }

    fn over(transport: Transport, patience: Duration) -> ClientSession {
        ClientSession {
            transport,
            ready: VecDeque::new(),
            over: false,
            patience,
        }
    }

    /// The transport, by its name in the original client.
    pub fn transport(&self) -> &'static str {
        match &self.transport {
            Transport::Socket(_) => names::WEBSOCKET,
            Transport::Xhr(Xhr { streams: true, .. }) => names::XHR_STREAMING,
            Transport::Xhr(Xhr { streams: false, .. }) => names::XHR_POLLING,
        }
    }

    /// Whether [`ClientSession::recv`] sends a request, instead of only waiting.
    pub fn asks(&self) -> bool {
        matches!(&self.transport, Transport::Xhr(Xhr { streams: false, .. }))
    }

    /// The next message; `None` once the server has closed the session. Cancellation loses nothing.
    ///
    /// # Errors
    /// If the session fails.
    pub async fn recv(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if self.over {
                return Ok(None);
            }
            let frame = match &mut self.transport {
                Transport::Socket(socket) => next_on(socket, self.patience).await?,
                Transport::Xhr(xhr) => xhr.next().await?,
            };
            match frame {
                Frame::Messages(messages) => self.ready.extend(messages),
                Frame::Heartbeat => {}
                Frame::Close { .. } => self.over = true,
                Frame::Open => {
                    let error = anyhow!(UnknownSession("it has begun another one".into()));
                    return Err(self.refuse(error).await);
                }
            }
        }
    }

    /// Ends the session because of what the server sent. A WebSocket is closed with a code and the error as
    /// reason (RFC 6455, section 7.4.1); XHR has no way to report it. Returns the error.
    pub async fn refuse(&mut self, error: anyhow::Error) -> anyhow::Error {
        match &mut self.transport {
            Transport::Socket(socket) => ws::refuse(socket, CloseCode::Policy, error, self.patience).await,
            Transport::Xhr(_) => error,
        }
    }

    /// Sends a message. Over XHR it needs a request, which it shares with other waiting messages.
    ///
    /// # Errors
    /// If the session has failed.
    pub async fn send(&mut self, message: &str) -> anyhow::Result<()> {
        match &mut self.transport {
            Transport::Socket(socket) => socket.send(Message::text(list(&[message]))).await?,
            Transport::Xhr(xhr) => {
                let sent = xhr.say.send(message.to_owned()).await;
                sent.ok()
                    .context("what was said before did not reach the server")?;
            }
        }
        Ok(())
    }

    /// Closes the session in order, after the messages have been sent.
    pub async fn close(self) {
        match self.transport {
            Transport::Socket(mut socket) => {
                let rest = async {
                    let _ = socket.send(ws::close_frame(CloseCode::Normal)).await;
                    while let Some(Ok(_)) = socket.next().await {}
                };
                let _ = tokio::time::timeout(self.patience, rest).await;
            }
            Transport::Xhr(xhr) => {
                drop(xhr.say);
                let _ = tokio::time::timeout(self.patience, xhr.posting).await;
            }
        }
    }
}

/// The next frame on a WebSocket. Anything else closes it, and the server gets `patience` to do the same.
pub(super) async fn next_on(socket: &mut ws::Socket, patience: Duration) -> anyhow::Result<Frame> {
    loop {
        let (code, error) = match socket.next().await {
            None => bail!("the WebSocket was closed before the session was"),
            Some(Ok(Message::Text(text))) => match Frame::parse(&text) {
                Ok(frame) => return Ok(frame),
                Err(e) => (CloseCode::Policy, e.into()),
            },
            Some(Ok(Message::Binary(_))) => (
                CloseCode::Unsupported,
                anyhow!("a binary message: SockJS has text only"),
            ),
            Some(Ok(_)) => continue,
            Some(Err(e)) => return Err(ws::fail_connection(socket, e).await),
        };
        return Err(ws::refuse(socket, code, error, patience).await);
    }
}

/// The most messages that wait to be posted.
const MAX_SAID: usize = 64;

/// A session over XHR.
struct Xhr {
    streams: bool,
    reading: Reading,
    say: mpsc::Sender<String>,
    posting: AbortOnDropHandle<anyhow::Result<()>>,
}

/// The result of reading: the reader again, and a frame.
type Read = (Box<Reader>, anyhow::Result<Frame>);

/// The reader, idle or busy; it stays busy if the caller of `recv` was cancelled.
enum Reading {
    Idle(Box<Reader>),
    Busy(Pin<Box<dyn Future<Output = Read> + Send>>),
    /// Only during the change from idle to busy.
    Neither,
}

impl Xhr {
    async fn next(&mut self) -> anyhow::Result<Frame> {
        if let Reading::Idle(_) = self.reading
            && let Reading::Idle(reader) = std::mem::replace(&mut self.reading, Reading::Neither)
        {
            self.reading = Reading::Busy(reader.read());
        }
        let Reading::Busy(reading) = &mut self.reading else {
            bail!("the session broke before");
        };
        tokio::select! {
            biased;
            (reader, frame) = reading => {
                self.reading = Reading::Idle(reader);
                frame
            }
            posted = &mut self.posting => {
                // This task ends by itself only on failure.
                posted.context("posting ended")?.context("what was said did not reach the server")?;
                bail!("nothing can be said any more")
            }
        }
    }
}

/// The receiving half of XHR: asks for answers, and reads them frame by frame.
#[derive(Debug)]
pub(super) struct Reader {
    pub http: Http,
    /// The session's URL.
    pub session: String,
    pub streams: bool,
    pub body: Option<Incoming>,
    pub lines: Lines,
}

impl Reader {
    /// The next frame; sends a request if no answer is open.
    pub fn read(mut self: Box<Self>) -> Pin<Box<dyn Future<Output = Read> + Send>> {
        Box::pin(async move {
            let frame = self.frame().await;
            (self, frame)
        })
    }

    pub async fn frame(&mut self) -> anyhow::Result<Frame> {
        loop {
            if let Some(line) = self.lines.next()? {
                if self.streams && line.len() == XHR_PRELUDE {
                    continue;
                }
                return Ok(Frame::parse(&line)?);
            }
            match &mut self.body {
                None => self.body = Some(self.ask().await?),
                Some(body) => match body.frame().await {
                    Some(piece) => {
                        let piece = piece.context("an answer broke")?;
                        self.lines.feed(piece.data_ref().map_or(&[][..], |data| data));
                    }
                    None => {
                        self.lines.end()?;
                        self.body = None;
                        self.http.done();
                    }
                },
            }
        }
    }

    async fn ask(&mut self) -> anyhow::Result<Incoming> {
        let endpoint = if self.streams { "xhr_streaming" } else { "xhr" };
        let settings = self.http.settings();
        let fields = fields::request(&settings.headers, Purpose::Post, &settings.origin, []);
        let target = format!("{}/{endpoint}", self.session);
        let request = self
            .http
            .request(Method::POST, &target, fields, Some(Bytes::new()))?;
        let answer = self.http.send(request).await?;
        expect(&answer, StatusCode::OK, endpoint)?;
        Ok(answer.into_body())
    }
}

pub(super) fn expect<B>(answer: &Response<B>, wanted: StatusCode, what: &str) -> anyhow::Result<()> {
    match answer.status() {
        status if status == wanted => Ok(()),
        status => bail!("{what} answered {status}"),
    }
}

/// Splits bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: BytesMut,
    /// The length of the prefix that is known to hold no line end.
    searched: usize,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> anyhow::Result<Option<String>> {
        match memchr(b'\n', &self.bytes[self.searched..]) {
            Some(n) => {
                let line = self.bytes.split_to(self.searched + n);
                self.bytes.advance(1);
                self.searched = 0;
                Ok(Some(
                    String::from_utf8(line.into()).context("a frame is not UTF-8")?,
                ))
            }
            None => {
                limit::check("a line", self.bytes.len())?;
                self.searched = self.bytes.len();
                Ok(None)
            }
        }
    }

    fn end(&self) -> anyhow::Result<()> {
        match self.bytes.is_empty() {
            true => Ok(()),
            false => bail!("an answer ended within a frame"),
        }
    }
}

/// The sending half of XHR: one request at a time. Messages sent meanwhile share the next request.
struct Poster {
    http: Http,
    target: String,
    said: mpsc::Receiver<String>,
}

impl Poster {
    async fn run(mut self) -> anyhow::Result<()> {
        while let Some(first) = self.said.recv().await {
            let mut messages = vec![first];
            while !messages.is_empty() {
                self.post(&messages).await?;
                messages.clear();
                while let Ok(message) = self.said.try_recv() {
                    messages.push(message);
                }
            }
        }
        Ok(())
    }

    async fn post(&mut self, messages: &[String]) -> anyhow::Result<()> {
        let settings = self.http.settings();
        // Not `application/json`: a browser would first ask whether it may send that (CORS preflight).
        let text = (CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let fields: HeaderMap = fields::request(&settings.headers, Purpose::Post, &settings.origin, [text]);
        let body = Bytes::from(list(messages));
        let request = self
            .http
            .request(Method::POST, &self.target, fields, Some(body))?;
        let answer = self.http.send(request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            bail!(UnknownSession("xhr_send answered 404".into()));
        }
        expect(&answer, StatusCode::NO_CONTENT, "xhr_send")?;
        // The answer is read to its end; otherwise the connection could not be used again.
        limit::whole(answer.into_body()).await?;
        self.http.done();
        Ok(())
    }
}
