//! Serves HTTP/1 on one connection. hyper reads requests, and writes heads and whole answers. While a connection only waits,
//! without anything left to be written, hyper is put away together with its buffers of 16 kB:
//!
//! ```text
//! hyper ─┬─▶ a handler has no answer yet    ─▶ its future alone waits, and hyper begins anew with the answer
//!        ├─▶ a stream has no piece for now  ─▶ its body alone waits, and its chunks are written here
//!        └─▶ there is no further request    ─▶ the socket alone waits, and hyper begins anew with the next
//! ```
//!
//! So a held request and an open stream cost what their handlers keep, and a chunk passes nothing but the meter.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request, StatusCode, Version};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tower::Service as _;

use super::half_open::{HalfOpen, Watched, half_open};
use super::limits::Limits;
use super::serving::{About, Common};
use crate::link::Outlet;
use crate::technique::fanout::{Joining, Membership};
use crate::technique::rarely_ready::RarelyReady;
use crate::technique::{Switch, put_chunk};

/// The most bytes of a stream that are written at once.
const AT_ONCE: usize = 64 * 1024;

/// Serves HTTP/1 on one connection until it ends.
pub(super) async fn serve_http1<S>(stream: S, about: About, common: Arc<Common>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut stream, watched) = half_open(stream);
    let server = Server {
        about,
        common,
        watched,
        exchange: Arc::default(),
    };
    loop {
        // In a box, which is as large as hyper's connection and ends with it.
        let left = Box::pin(server.speak(stream)).await;
        stream = match left {
            Next::Over => return,
            Next::Switches(stream, switch) => return switch.begin(Box::new(stream)),
            Next::Waits(stream) => stream,
        };
        // How a connection ends is in the ledger; an error here is the client's.
        match Box::pin(server.wait(&mut stream)).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = stream.shutdown().await;
                return;
            }
            Err(_) => return,
        }
    }
}

struct Server {
    about: About,
    common: Arc<Common>,
    watched: Arc<Watched>,
    exchange: Arc<Exchange>,
}

/// What comes after hyper.
enum Next<S> {
    Over,
    /// Another protocol.
    Switches(S, Switch),
    /// There is nothing to do but to wait, for the server or for the next request.
    Waits(S),
}

impl Server {
    /// Lets hyper serve the connection, as long as there is something to do.
    async fn speak<S>(&self, stream: HalfOpen<S>) -> Next<HalfOpen<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
            let (from, outlet) = &self.about;
            if let Some(from) = from {
                request.extensions_mut().insert(*from);
            }
            if let Some(outlet) = outlet {
                request.extensions_mut().insert(outlet.clone());
            }
            self.exchange.begin(request, &self.common.router);
            let exchange = self.exchange.clone();
            poll_fn(move |cx| exchange.poll_answer(cx).map(Ok::<_, Infallible>))
        });
        let Limits {
            head_timeout,
            head_bytes,
            fields,
            ..
        } = self.common.limits;
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(head_bytes)
            .max_header_size(head_bytes)
            .max_headers(fields)
            .writev(false)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        let mut shutdown = std::pin::pin!(self.common.shutdown.cancelled());
        let (mut begins, mut ends) = (self.exchange.is_answered(), false);
        let waits = poll_fn(|cx| {
            // The shutdown comes first, so that an answer that it ends always says `Connection: close`. But a connection
            // that has read nothing would be closed at once.
            let mut over = begins && Pin::new(&mut connection).poll(cx).is_ready();
            if !ends && shutdown.as_mut().poll(cx).is_ready() {
                ends = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            over = over || Pin::new(&mut connection).poll(cx).is_ready();
            begins = false;
            let waits = || self.watched.is_flushed() && self.exchange.waits(ends);
            match over || waits() || self.exchange.switches_in_hyper() {
                true => Poll::Ready(!over),
                false => Poll::Pending,
            }
        })
        .await;
        if self.exchange.switches_in_hyper() {
            self.watched.stop();
            let _ = connection.with_upgrades().await;
            return Next::Over;
        }
        let switch = self.exchange.0.lock().switch.take();
        if !waits && switch.is_none() {
            return Next::Over;
        }
        let parts = connection.into_parts();
        let mut stream = parts.io.into_inner();
        stream.read_first(&parts.read_buf);
        match switch {
            Some(switch) => {
                self.watched.stop();
                Next::Switches(stream, switch)
            }
            None => Next::Waits(stream),
        }
    }

    /// Waits for the answer or for the next request, or sends the stream. Returns whether the connection goes on.
    ///
    /// # Errors
    /// If the client has left, or the stream broke off.
    async fn wait<S>(&self, stream: &mut HalfOpen<S>) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shutdown = &self.common.shutdown;
        match self.exchange.take_sent() {
            Some(Sent { body, joining, .. }) => {
                let keeps = self.exchange.keeps();
                let joining = joining
                    .zip(self.about.1.as_ref())
                    .filter(|_| self.exchange.in_chunks());
                send(stream, body, self.exchange.in_chunks(), joining).await?;
                Ok(keeps && !shutdown.is_cancelled())
            }
            None if self.exchange.is_asked() => {
                let left = poll_fn(|cx| poll_left(stream, cx));
                let mut rare = RarelyReady::default();
                tokio::select! {
                    biased;
                    () = poll_fn(|cx| self.exchange.poll_handler(cx)) => {}
                    left = rare.wait(left) => return Err(left),
                }
                let head = self.exchange.head(shutdown.is_cancelled());
                stream.read_first(head.as_bytes());
                Ok(true)
            }
            None => {
                let more = poll_fn(|cx| stream.poll_more(cx));
                let more = async {
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => Ok(false),
                        more = tokio::time::timeout(self.common.limits.head_timeout, more) => more.unwrap_or(Ok(false)),
                    }
                };
                let more = more.await;
                self.exchange.0.lock().asked = None;
                more
            }
        }
    }
}

/// A request and its answer.
#[derive(Default)]
struct Exchange(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None` before the first request, and while the next is being read.
    asked: Option<Asked>,
    stage: Stage,
    switch: Option<Switch>,
}

#[derive(Default)]
enum Stage {
    #[default]
    None,
    /// The handler has it.
    Asked(RouteFuture<Infallible>),
    /// It has answered, while hyper was put away or, where hyper itself hands the connection over, for another protocol.
    Answered(Response),
    Sent(Sent),
}

/// The body of an answer.
struct Sent {
    body: Body,
    /// How others may send in its place.
    joining: Option<Joining>,
    /// Whether it has no length.
    is_open: bool,
    /// Whether it had no piece when it was asked last.
    waits: bool,
}

/// What decides, of a request, how its answer is written.
struct Asked {
    method: Method,
    version: Version,
    connection: Option<HeaderValue>,
    /// Whether hyper can be put away until the answer comes: there is nothing more to read, and no other protocol follows.
    can_wait: bool,
    /// Whether a body without length is sent in chunks (RFC 9112, section 7.1).
    in_chunks: bool,
    closes: bool,
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Asked {
        let fields = request.headers();
        let connection = fields.get(CONNECTION);
        let switches = fields.contains_key(UPGRADE) || request.method() == Method::CONNECT;
        Asked {
            method: request.method().clone(),
            version: request.version(),
            connection: connection.cloned(),
            can_wait: request.body().is_end_stream() && !switches,
            in_chunks: request.version() == Version::HTTP_11,
            closes: closes(connection),
        }
    }

    /// A head that hyper answers as it would have answered the request's own.
    fn head(&self, ends: bool) -> String {
        let connection = match &self.connection {
            _ if ends => "Connection: close\r\n".into(),
            Some(value) => format!("Connection: {}\r\n", value.to_str().unwrap_or("close")),
            None => String::new(),
        };
        format!("{} / {:?}\r\n{connection}\r\n", self.method, self.version)
    }
}

/// Whether a `Connection` field announces the end (RFC 9112, section 9.6).
fn closes(connection: Option<&HeaderValue>) -> bool {
    let text = connection.and_then(|value| value.to_str().ok());
    text.is_some_and(|text| {
        text.split(',')
            .any(|item| item.trim().eq_ignore_ascii_case("close"))
    })
}

impl Exchange {
    fn begin(&self, request: Request<Incoming>, router: &Router) {
        let mut state = self.0.lock();
        if !matches!(state.stage, Stage::Answered(_)) {
            state.asked = Some(Asked::of(&request));
            // A router is always ready.
            state.stage = Stage::Asked(router.clone().call(request));
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Asked(_))
    }

    fn is_answered(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Answered(_))
    }

    fn in_chunks(&self) -> bool {
        self.0.lock().asked.as_ref().is_some_and(|asked| asked.in_chunks)
    }

    /// Whether the connection goes on after the answer.
    fn keeps(&self) -> bool {
        let state = self.0.lock();
        state
            .asked
            .as_ref()
            .is_some_and(|asked| asked.in_chunks && !asked.closes)
    }

    fn head(&self, ends: bool) -> String {
        self.0
            .lock()
            .asked
            .as_ref()
            .map_or_else(String::new, |asked| asked.head(ends))
    }

    /// Whether hyper has nothing to do but to wait.
    fn waits(&self, ends: bool) -> bool {
        let state = self.0.lock();
        let Some(asked) = &state.asked else {
            return false;
        };
        match &state.stage {
            Stage::None => {
                asked.can_wait && asked.in_chunks && !asked.closes && !ends && state.switch.is_none()
            }
            Stage::Asked(_) => asked.can_wait,
            Stage::Answered(_) => false,
            Stage::Sent(sent) => sent.is_open && sent.waits,
        }
    }

    /// Whether an answer for another protocol waits until hyper's connection can be handed over by hyper.
    fn switches_in_hyper(&self) -> bool {
        match &self.0.lock().stage {
            Stage::Answered(answer) => answer.status() == StatusCode::SWITCHING_PROTOCOLS,
            _ => false,
        }
    }

    fn take_sent(&self) -> Option<Sent> {
        let mut state = self.0.lock();
        match std::mem::take(&mut state.stage) {
            Stage::Sent(sent) => Some(sent),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Returns once the handler has answered.
    fn poll_handler(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if let Stage::Asked(handler) = &mut state.stage {
            let Ok(answer) = ready!(Pin::new(handler).poll(cx));
            state.stage = Stage::Answered(answer);
        }
        Poll::Ready(())
    }

    fn poll_answer(self: &Arc<Exchange>, cx: &mut Context<'_>) -> Poll<Response> {
        // hyper asks again for an answer that was left for it when it begins to hand the connection over.
        let hands_over = self.switches_in_hyper();
        ready!(self.poll_handler(cx));
        let state = &mut *self.0.lock();
        let (Stage::Answered(mut answer), Some(asked)) = (std::mem::take(&mut state.stage), &mut state.asked)
        else {
            return Poll::Pending;
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS && !hands_over {
            state.switch = answer.extensions_mut().remove();
            if state.switch.is_none() {
                state.stage = Stage::Answered(answer);
                return Poll::Pending;
            }
        }
        let fields = answer.headers();
        asked.in_chunks &= answer.version() == Version::HTTP_11;
        asked.closes |= closes(fields.get(CONNECTION));
        if !answer.body().is_end_stream() {
            let is_open = answer.body().size_hint().exact().is_none()
                && !fields.contains_key(CONTENT_LENGTH)
                && !fields.contains_key(TRANSFER_ENCODING);
            let lent = Lent(self.clone(), answer.body().size_hint());
            let joining = answer.extensions_mut().remove();
            let body = std::mem::replace(answer.body_mut(), Body::new(lent));
            state.stage = Stage::Sent(Sent {
                body,
                joining,
                is_open,
                waits: false,
            });
        }
        Poll::Ready(answer)
    }
}

/// The body of an answer as hyper sends it, until hyper is put away; and its length.
struct Lent(Arc<Exchange>, SizeHint);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0.0.lock().stage {
            Stage::Sent(Sent { body, waits, .. }) => {
                let frame = Pin::new(body).poll_frame(cx);
                *waits = frame.is_pending();
                frame
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0.0.lock().stage {
            Stage::Sent(sent) => sent.body.is_end_stream(),
            _ => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0.0.lock().stage {
            Stage::Sent(sent) => sent.body.size_hint(),
            _ => self.1.clone(),
        }
    }
}

impl Drop for Lent {
    /// hyper has sent it, or does not need it: the answer to a HEAD has none.
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        if matches!(&state.stage, Stage::Sent(sent) if !(sent.is_open && sent.waits)) {
            state.stage = Stage::None;
        }
    }
}

/// Returns how the connection has ended.
fn poll_left<S>(stream: &mut HalfOpen<S>, cx: &mut Context<'_>) -> Poll<io::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match ready!(Pin::new(stream).poll_flush(cx)) {
        Ok(()) => Poll::Pending,
        Err(e) => Poll::Ready(e),
    }
}

/// Sends a body to its end, all pieces that are ready in one write; in chunks (RFC 9112, section 7.1) or as it is. While
/// there are none, mail may be sent by the technique's [`Fanout`](crate::technique::fanout::Fanout).
///
/// # Errors
/// If the client has left, or the body breaks off.
async fn send<S>(
    stream: &mut HalfOpen<S>,
    mut body: Body,
    in_chunks: bool,
    joining: Option<(Joining, &Outlet)>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut rare = RarelyReady::default();
    let mut is_over = false;
    while !is_over {
        let mut out = Vec::new();
        let mut member: Option<Membership> = None;
        poll_fn(|cx| {
            // Whatever has woken the task: the body knows only now how far the stream has come.
            if let Some(member) = member.take() {
                out.extend_from_slice(&member.leave());
            }
            let mut joins = joining.as_ref();
            loop {
                joins.iter().for_each(|(joining, _)| joining.announce(true));
                is_over = take(&mut body, &mut out, in_chunks, cx)?;
                if is_over || !out.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let Some((joining, outlet)) = joins.take() else {
                    break;
                };
                member = joining.join(outlet);
                if let Some(member) = &member {
                    if member.poll_dismissed(cx).is_pending() {
                        break;
                    }
                }
                // The body itself has something to send, or has to wait for it.
                joining.announce(false);
            }
            rare.poll(cx, |cx| poll_left(stream, cx)).map(Err)
        })
        .await?;
        stream.write_all(&out).await?;
        // The stream below: whether the client has left is seen when there is nothing to write.
        stream.stream.flush().await?;
    }
    Ok(())
}

/// Takes all pieces that are ready; returns whether they were the last.
///
/// # Errors
/// If the body breaks off.
fn take(body: &mut Body, out: &mut Vec<u8>, in_chunks: bool, cx: &mut Context<'_>) -> io::Result<bool> {
    while out.len() < AT_ONCE {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(None) => {
                if in_chunks {
                    out.extend_from_slice(b"0\r\n\r\n");
                }
                return Ok(true);
            }
            Poll::Ready(Some(frame)) => match frame.map_err(io::Error::other)?.into_data() {
                Ok(piece) if in_chunks && !piece.is_empty() => put_chunk(out, &piece),
                Ok(piece) => out.extend_from_slice(&piece),
                // Trailers, which nothing here has.
                Err(_) => {}
            },
        }
    }
    Ok(false)
}
