//! Serves HTTP/1 on one connection. hyper reads requests, and writes heads and whole answers. While a connection only waits
//! for the server, without anything left to be written, hyper is put away together with its buffers of 16 kB:
//!
//! ```text
//! hyper ─┬─▶ a handler has no answer yet    ─▶ its future alone waits, and hyper begins anew with the answer
//!        └─▶ a stream has no piece for now  ─▶ its body alone waits, and its chunks are written here
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
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::half_open::{HalfOpen, Watched, half_open};
use super::limits::Limits;
use super::serving::{About, ClientAddress};
use crate::link::Outlet;
use crate::technique::fanout::{Joining, Membership};
use crate::technique::put_chunk;
use crate::technique::rarely_ready::RarelyReady;

/// The most bytes of a stream that are written at once.
const AT_ONCE: usize = 64 * 1024;

/// Serves HTTP/1 on one connection until it ends.
pub(super) async fn serve_http1<S>(
    stream: S,
    (from, outlet): About,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut stream, watched) = half_open(stream);
    let server = Server {
        from,
        outlet,
        router,
        limits,
        shutdown,
        watched,
        exchange: Arc::default(),
    };
    loop {
        // In a box, which is as large as hyper's connection and ends with it.
        let Some(waiting) = Box::pin(server.speak(stream)).await else {
            return;
        };
        stream = waiting;
        // How a connection ends is in the ledger; an error here is the client's.
        match server.wait(&mut stream).await {
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
    from: Option<ClientAddress>,
    outlet: Option<Outlet>,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    watched: Arc<Watched>,
    exchange: Arc<Exchange>,
}

/// Why hyper's connection is not polled any more.
enum Left {
    Over,
    Switches,
    Waits,
}

impl Server {
    /// Lets hyper serve the connection. Returns it when there is nothing to do but to wait for the server; `None` if it is
    /// over, or speaks another protocol.
    async fn speak<S>(&self, stream: HalfOpen<S>) -> Option<HalfOpen<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
            if let Some(from) = self.from {
                request.extensions_mut().insert(from);
            }
            if let Some(outlet) = &self.outlet {
                request.extensions_mut().insert(outlet.clone());
            }
            self.exchange.begin(request, &self.router);
            let exchange = self.exchange.clone();
            poll_fn(move |cx| exchange.poll_answer(cx).map(Ok::<_, Infallible>))
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_buf_size(self.limits.head_bytes)
            .max_header_size(self.limits.head_bytes)
            .max_headers(self.limits.fields)
            .writev(false)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        let mut shutdown = std::pin::pin!(self.shutdown.cancelled());
        let (mut begins, mut ends) = (self.exchange.is_answered(), false);
        let left = poll_fn(|cx| {
            // The shutdown comes first, so that an answer that it ends always says `Connection: close`. But a connection
            // that has read nothing would be closed at once.
            let mut over = begins && Pin::new(&mut connection).poll(cx).is_ready();
            if !ends && shutdown.as_mut().poll(cx).is_ready() {
                ends = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            over = over || Pin::new(&mut connection).poll(cx).is_ready();
            begins = false;
            match self.exchange.left() {
                _ if over => Poll::Ready(Left::Over),
                Some(Left::Waits) if !self.watched.is_flushed() => Poll::Pending,
                Some(left) => Poll::Ready(left),
                None => Poll::Pending,
            }
        });
        match left.await {
            Left::Over => None,
            Left::Switches => {
                self.watched.stop();
                let _ = connection.with_upgrades().await;
                None
            }
            Left::Waits => {
                let parts = connection.into_parts();
                let mut stream = parts.io.into_inner();
                stream.read_first(&parts.read_buf);
                Some(stream)
            }
        }
    }

    /// Waits for the answer, or sends the stream. Returns whether there is more to come on the connection.
    ///
    /// # Errors
    /// If the client has left, or the stream broke off.
    async fn wait<S>(&self, stream: &mut HalfOpen<S>) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let sent = self.exchange.take_body();
        let is_ending = || self.shutdown.is_cancelled();
        if let Some((body, joining)) = sent {
            let (in_chunks, closes) = {
                let asked = &self.exchange.0.lock().asked;
                (asked.in_chunks, asked.closes)
            };
            let joining = joining.filter(|_| in_chunks).zip(self.outlet.as_ref());
            send(stream, body, in_chunks, joining).await?;
            return Ok(in_chunks && !closes && !is_ending());
        }
        unless_left(stream, poll_fn(|cx| self.exchange.poll_handler(cx))).await?;
        let head = self.exchange.0.lock().asked.head(is_ending());
        stream.read_first(head.as_bytes());
        Ok(true)
    }
}

/// A request and its answer.
#[derive(Default)]
struct Exchange(Mutex<State>);

#[derive(Default)]
struct State {
    asked: Asked,
    stage: Stage,
    /// Whether the connection can speak another protocol.
    can_switch: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    None,
    /// The handler has it.
    Asked(RouteFuture<Infallible>),
    /// It has answered, while hyper was put away or for another protocol.
    Answered(Response),
    /// The body of the answer, who may send in its place, and whether it had no piece when it was asked last.
    Sent(Body, Option<Joining>, bool),
}

/// What decides, of a request, how its answer is written.
#[derive(Clone, Default)]
struct Asked {
    method: Method,
    version: Version,
    connection: Option<HeaderValue>,
    /// Whether hyper can be put away until the answer comes: there is nothing more to read, and no other protocol follows.
    can_wait: bool,
    in_chunks: bool,
    closes: bool,
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Asked {
        let connection = request.headers().get(CONNECTION);
        Asked {
            method: request.method().clone(),
            version: request.version(),
            connection: connection.cloned(),
            can_wait: request.body().is_end_stream()
                && !request.headers().contains_key(UPGRADE)
                && request.method() != Method::CONNECT,
            in_chunks: false,
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
            state.asked = Asked::of(&request);
            // A router is always ready.
            state.stage = Stage::Asked(router.clone().call(request));
        }
    }

    fn is_answered(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Answered(_))
    }

    /// What hyper waits for, if it is something that it need not wait for.
    fn left(&self) -> Option<Left> {
        let mut state = self.0.lock();
        match &state.stage {
            Stage::Asked(_) if state.asked.can_wait => Some(Left::Waits),
            Stage::Sent(_, _, true) => Some(Left::Waits),
            Stage::Answered(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                state.can_switch = true;
                Some(Left::Switches)
            }
            _ => None,
        }
    }

    /// The body that is being sent.
    fn take_body(&self) -> Option<(Body, Option<Joining>)> {
        let mut state = self.0.lock();
        match std::mem::take(&mut state.stage) {
            Stage::Sent(body, joining, _) => Some((body, joining)),
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
        ready!(self.poll_handler(cx));
        let state = &mut *self.0.lock();
        let mut answer = match std::mem::take(&mut state.stage) {
            Stage::Answered(answer)
                if answer.status() != StatusCode::SWITCHING_PROTOCOLS || state.can_switch =>
            {
                answer
            }
            other => {
                state.stage = other;
                return Poll::Pending;
            }
        };
        let fields = answer.headers();
        let is_open = answer.body().size_hint().exact().is_none()
            && !fields.contains_key(CONTENT_LENGTH)
            && !fields.contains_key(TRANSFER_ENCODING);
        if is_open {
            let versions = [state.asked.version, answer.version()];
            state.asked.in_chunks = versions == [Version::HTTP_11; 2];
            state.asked.closes |= closes(fields.get(CONNECTION));
            let body = std::mem::replace(answer.body_mut(), Body::new(Lent(self.clone())));
            let joining = answer.extensions_mut().remove();
            state.stage = Stage::Sent(body, joining, false);
        }
        Poll::Ready(answer)
    }
}

/// The body of an answer as hyper sends it, until it is put away.
struct Lent(Arc<Exchange>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0.0.lock().stage {
            Stage::Sent(body, _, waits) => {
                let frame = Pin::new(body).poll_frame(cx);
                *waits = frame.is_pending();
                frame
            }
            _ => Poll::Ready(None),
        }
    }
}

impl Drop for Lent {
    /// hyper has sent it, or does not need it: the answer to a HEAD has none.
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        if matches!(state.stage, Stage::Sent(_, _, false)) {
            state.stage = Stage::None;
        }
    }
}

/// Waits for something, unless the client leaves first.
async fn unless_left<S, F: Future>(stream: &mut HalfOpen<S>, something: F) -> io::Result<F::Output>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut rare = RarelyReady::default();
    tokio::select! {
        biased;
        done = something => Ok(done),
        left = rare.wait(poll_fn(|cx| poll_left(stream, cx))) => Err(left),
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
