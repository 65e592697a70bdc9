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
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, HttpBody};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::exchange::{Exchange, Sent};
use super::half_open::{HalfOpen, Watched, half_open};
use super::limits::Limits;
use crate::technique::fanout::{Joining, Membership, Outlet};
use crate::technique::rarely_ready::RarelyReady;
use crate::technique::{Switch, put_chunk};

/// What all connections of a server have in common.
pub(super) struct Common {
    pub router: Router,
    /// Whether a WebSocket may be asked for over HTTP/2 (RFC 8441), which proxies and balancer cannot pass on.
    pub connects: bool,
    pub limits: Limits,
    pub shutdown: CancellationToken,
}

/// The address of the client that sends a request, where somebody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// What handlers may want to know of a connection over HTTP/1.
pub(super) type About = (Option<ClientAddress>, Option<Outlet>);

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
        let switch = self.exchange.take_switch();
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
                self.exchange.end();
                more
            }
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
                if let Some(member) = member.take() {
                    out.extend_from_slice(&member.leave());
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
