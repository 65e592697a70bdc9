//! Serves HTTP/1 on one connection. hyper reads requests and writes answers. When everything is written and the connection
//! only waits, hyper's connection is dropped together with its buffers of 16 kB:
//!
//! ```text
//! hyper ─┬─▶ a handler has no answer yet    ─▶ its future waits; its answer, if it is whole, is written here
//!        ├─▶ a stream has no piece for now  ─▶ its body waits; its chunks are written here
//!        └─▶ there is no further request    ─▶ the socket waits; a new hyper connection reads the next request
//! ```
//!
//! So a held request and an open stream cost what their handlers keep, and a chunk passes nothing but the meter.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::{Buf, BytesMut};
use futures_util::future::BoxFuture;
use http::Request;
use http::header::{CONTENT_LENGTH, DATE};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

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

/// Serves HTTP/1 on one connection until it ends, and what the connection becomes.
pub(super) fn serve_http1<S>(
    stream: S,
    about: About,
    common: Arc<Common>,
) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // In a box, which ends with HTTP.
    let http = Box::pin(serve(stream, about, common));
    async move {
        if let Some(other) = http.await {
            other.await;
        }
    }
}

/// Serves HTTP/1 on one connection until it ends, or becomes another protocol's.
async fn serve<S>(stream: S, about: About, common: Arc<Common>) -> Option<BoxFuture<'static, ()>>
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
    let shutdown = pin!(server.common.shutdown.cancelled());
    let timer = pin!(tokio::time::sleep(server.common.limits.head_timeout));
    let mut ends = Ends { shutdown, timer };
    loop {
        // In a box, which is as large as hyper's connection and ends with it.
        let left = Box::pin(server.speak(stream, &mut ends.shutdown)).await;
        stream = match left {
            Next::Over => return None,
            Next::Switches(stream, switch) => return switch.speak(Box::new(stream)),
            Next::Waits(stream) => stream,
        };
        // How a connection ends is in the ledger; an error here is the client's.
        match server.wait(&mut stream, &mut ends).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = stream.shutdown().await;
                return None;
            }
            Err(_) => return None,
        }
    }
}

/// What ends a connection from the server's side. Each connection has these once, because it takes time to register with
/// the token and with the runtime's timers.
struct Ends<'a, 'b> {
    shutdown: Pin<&'a mut WaitForCancellationFuture<'b>>,
    /// Runs out when the limit for a request's first bytes may have been reached, or earlier.
    timer: Pin<&'a mut Sleep>,
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
    async fn speak<S>(
        &self,
        stream: HalfOpen<S>,
        shutdown: &mut Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Next<HalfOpen<S>>
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
        let mut connection = builder(&self.common.limits).serve_connection(TokioIo::new(stream), service);
        let (mut begins, mut ends) = (true, false);
        let waits = poll_fn(|cx| {
            loop {
                // The shutdown comes first, so that an answer that it ends always says `Connection: close`. But a connection
                // that has read nothing would be closed at once.
                if !begins && !ends && shutdown.as_mut().poll(cx).is_ready() {
                    ends = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                let over = Pin::new(&mut connection).poll(cx).is_ready();
                let waits = || self.watched.is_flushed() && self.exchange.waits(ends);
                if over || waits() || self.exchange.switches_in_hyper() {
                    return Poll::Ready(!over);
                }
                if !std::mem::take(&mut begins) {
                    return Poll::Pending;
                }
            }
        })
        .await;
        if self.exchange.switches_in_hyper() {
            self.watched.stop();
            // In a box: `speak` is allocated for each request, and without the box it would be twice as large.
            let _ = Box::pin(connection.with_upgrades()).await;
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
    async fn wait<S>(&self, stream: &mut HalfOpen<S>, ends: &mut Ends<'_, '_>) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let is_shutdown = || self.common.shutdown.is_cancelled();
        match self.exchange.take_sent() {
            Some(Sent { body, joining, .. }) => {
                let keeps = self.exchange.keeps();
                let joining = joining
                    .zip(self.about.1.as_ref())
                    .filter(|_| self.exchange.in_chunks());
                send(stream, BytesMut::new(), body, self.exchange.in_chunks(), joining).await?;
                Ok(keeps && !is_shutdown())
            }
            None if self.exchange.is_asked() => {
                tokio::select! {
                    biased;
                    () = poll_fn(|cx| self.exchange.poll_handler(cx)) => {}
                    left = poll_fn(|cx| poll_left(stream, cx)) => return Err(left),
                }
                let closes = is_shutdown();
                if let Some(answer) = (!closes).then(|| self.exchange.take_whole()).flatten() {
                    let head = head(&answer);
                    send(stream, head, answer.into_body(), false, None).await?;
                    return self.wait_for_request(stream, ends).await;
                }
                stream.read_first(self.exchange.head(closes).as_bytes());
                Ok(true)
            }
            None => self.wait_for_request(stream, ends).await,
        }
    }

    /// Returns whether there is a further request, once that is known.
    ///
    /// # Errors
    /// If the client has left.
    async fn wait_for_request<S>(&self, stream: &mut HalfOpen<S>, ends: &mut Ends<'_, '_>) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let until = Instant::now() + self.common.limits.head_timeout;
        let more = poll_fn(|cx| {
            if ends.shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(false));
            }
            if let Poll::Ready(more) = stream.poll_more(cx) {
                return Poll::Ready(more);
            }
            while ends.timer.as_mut().poll(cx).is_ready() {
                if ends.timer.deadline() >= until {
                    return Poll::Ready(Ok(false));
                }
                ends.timer.as_mut().reset(until);
            }
            Poll::Pending
        })
        .await;
        self.exchange.end();
        more
    }
}

/// hyper with a server's limits.
fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_header_size(limits.head_bytes)
        .max_headers(limits.fields)
        .writev(false)
        .half_close(true);
    builder
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

/// Calls `put` with the value of `Date` (RFC 9110, section 6.6.1), which is made once a second.
fn with_date(put: impl FnOnce(&[u8])) {
    thread_local!(static LAST: RefCell<(u64, String)> = RefCell::default());
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(last, date)| {
        if *last != second || date.is_empty() {
            (*last, *date) = (second, httpdate::fmt_http_date(now));
        }
        put(date.as_bytes());
    });
}

/// The head of an answer whose body has a known length, as hyper writes it.
fn head(answer: &Response) -> BytesMut {
    let length = answer.body().size_hint().lower();
    let mut head = BytesMut::with_capacity(512 + length as usize);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    let mut put = |name: &str, value: &[u8]| {
        for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(piece);
        }
    };
    let (mut has_length, mut has_date) = (false, false);
    for (name, value) in answer.headers() {
        put(name.as_str(), value.as_bytes());
        has_length |= name == CONTENT_LENGTH;
        has_date |= name == DATE;
    }
    if !has_length {
        put(CONTENT_LENGTH.as_str(), length.to_string().as_bytes());
    }
    if !has_date {
        with_date(|date| put(DATE.as_str(), date));
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Sends a body to its end, all pieces that are ready in one write; in chunks (RFC 9112, section 7.1) or as it is. While
/// there are none, mail may be sent by the technique's [`Fanout`](crate::technique::fanout::Fanout).
///
/// # Errors
/// If the client has left, or the body breaks off.
async fn send<S>(
    stream: &mut HalfOpen<S>,
    mut out: BytesMut,
    mut body: Body,
    in_chunks: bool,
    joining: Option<(Joining, &Outlet)>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut rare: Option<RarelyReady> = None;
    let mut member: Option<Membership> = None;
    let (mut unflushed, mut is_over) = (false, false);
    poll_fn(|cx| {
        // Whatever has woken the task: the body knows only now how far the stream has come.
        if let Some(member) = member.take() {
            out.extend_from_slice(&member.leave());
        }
        loop {
            if let Some((joining, _)) = &joining {
                joining.announce(out.is_empty() && !unflushed);
            }
            // The body is asked also while the client takes nothing: it may have been woken in the place of others.
            if !is_over {
                is_over = take(&mut body, &mut out, in_chunks, cx)?;
            }
            if !out.is_empty() {
                unflushed = true;
                let n = ready!(Pin::new(&mut *stream).poll_write(cx, &out))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                out.advance(n);
                if out.is_empty() {
                    // No memory is kept for a stream that waits.
                    out = BytesMut::new();
                }
                continue;
            }
            if unflushed {
                // The stream below: whether the client has left is seen when there is nothing to write.
                ready!(Pin::new(&mut stream.stream).poll_flush(cx))?;
                unflushed = false;
                continue;
            }
            if is_over {
                return Poll::Ready(Ok(()));
            }
            if let Some((joining, outlet)) = &joining {
                if let Some(joined) = joining.join(outlet) {
                    if joined.poll_dismissed(cx).is_pending() {
                        member = Some(joined);
                        break;
                    }
                    out.extend_from_slice(&joined.leave());
                    continue;
                }
                // The body itself has something to send, or has to wait for it.
                joining.announce(false);
                is_over = take(&mut body, &mut out, in_chunks, cx)?;
                if is_over || !out.is_empty() {
                    continue;
                }
            }
            break;
        }
        let rare = rare.get_or_insert_default();
        rare.poll(cx, |cx| poll_left(stream, cx)).map(Err)
    })
    .await
}

/// Takes pieces that are ready, up to [`AT_ONCE`]; returns whether they were the last.
///
/// # Errors
/// If the body breaks off.
fn take(body: &mut Body, out: &mut BytesMut, in_chunks: bool, cx: &mut Context<'_>) -> io::Result<bool> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::{get, post};
    use futures_util::stream;
    use parking_lot::Mutex;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;

    fn connect_to(router: Router, buffer: usize) -> DuplexStream {
        let common = Common {
            router,
            connects: false,
            limits: Limits::for_clients(1, Duration::ZERO),
            shutdown: CancellationToken::new(),
        };
        let (client, server) = duplex(buffer);
        tokio::spawn(serve_http1(server, (None, None), Arc::new(common)));
        client
    }

    /// A connection to a server of answers that are there at once, late, and in pieces.
    fn connect() -> DuplexStream {
        let late = async || {
            tokio::time::sleep(Duration::from_secs(5)).await;
            "late"
        };
        let pieces = async || {
            let pieces = stream::unfold(0, async |n| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                (n < 2).then(|| (Ok::<_, Infallible>(format!("piece {n}")), n + 1))
            });
            Body::from_stream(pieces)
        };
        let router = Router::new()
            .route("/now", get("now"))
            .route("/late", get(late))
            .route("/pieces", get(pieces).merge(post(pieces)));
        connect_to(router, 1 << 16)
    }

    /// What the server sends until it closes, or for 25 s.
    async fn heard(client: &mut DuplexStream, said: &str) -> String {
        client.write_all(said.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(25), client.read_to_end(&mut heard)).await;
        String::from_utf8(heard).unwrap()
    }

    /// The same without its dates.
    async fn answers(client: &mut DuplexStream, said: &str) -> String {
        let heard = heard(client, said).await;
        let lines = heard.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with("date: ")).collect()
    }

    fn asks(target: &str, fields: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    }

    const LATE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n";
    const NOW: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 3\r\n\r\nnow";
    const PIECES: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\npiece 0\r\n7\r\npiece 1\r\n0\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn each_request_is_answered_in_its_turn_however_it_arrives() {
        let all = asks("/late", "") + &asks("/pieces", "") + &asks("/now", "") + &asks("/late", "");
        let expected = format!("{LATE}\r\nlate{PIECES}{NOW}{LATE}\r\nlate");
        for piece in [usize::MAX, 100, 7, 1] {
            let mut client = connect();
            let (last, pieces) = {
                let mut pieces: Vec<&[u8]> = all.as_bytes().chunks(piece.min(all.len())).collect();
                (pieces.pop().unwrap(), pieces)
            };
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let last = std::str::from_utf8(last).unwrap();
            assert_eq!(answers(&mut client, last).await, expected, "in pieces of {piece}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_awaited_answer_has_the_head_that_hyper_writes() {
        let fields = [("x-first", "1"), ("content-type", "text/x"), ("x-last", "2")];
        let late = async move || {
            tokio::time::sleep(Duration::from_secs(5)).await;
            (fields, "mail")
        };
        let router = Router::new()
            .route("/now", get(async move || (fields, "mail")))
            .route("/late", get(late));
        let mut all = Vec::new();
        for target in ["/now", "/late"] {
            let heard = heard(&mut connect_to(router.clone(), 1 << 16), &asks(target, "")).await;
            let date = heard.find("date: ").unwrap() + "date: ".len();
            let end = date + heard[date..].find("\r\n").unwrap();
            assert!(httpdate::parse_http_date(&heard[date..end]).is_ok(), "{heard}");
            all.push([&heard[..date], &heard[end..]].concat());
        }
        assert_eq!(all[0], all[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_its_client_says_so() {
        for fields in [
            "Connection: close\r\n",
            "Connection: x\r\nConnection: y, Close\r\n",
        ] {
            let mut client = connect();
            let heard = answers(&mut client, &(asks("/late", fields) + &asks("/now", ""))).await;
            assert_eq!(heard, format!("{LATE}connection: close\r\n\r\nlate"), "{fields}");
            let mut client = connect();
            let heard = answers(&mut client, &(asks("/pieces", fields) + &asks("/now", ""))).await;
            assert!(
                heard.ends_with("0\r\n\r\n") && heard.contains("connection: close"),
                "{heard}"
            );
        }
        let mut client = connect();
        let heard = answers(&mut client, "GET /late HTTP/1.0\r\n\r\n").await;
        assert!(
            heard.starts_with("HTTP/1.0 200") && heard.ends_with("\r\n\r\nlate"),
            "{heard}"
        );
        let mut client = connect();
        let heard = answers(&mut client, "GET /pieces HTTP/1.0\r\n\r\n").await;
        assert!(heard.ends_with("\r\n\r\npiece 0piece 1"), "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_reads_is_no_request() {
        let body = asks("/now", "");
        let said = format!(
            "POST /pieces HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let heard = answers(&mut connect(), &said).await;
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
        assert!(heard.contains("piece 1"), "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_is_not_waited_for() {
        for target in ["/late", "/pieces", "/now"] {
            let mut client = connect();
            client.write_all(asks(target, "").as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            client.shutdown().await.unwrap();
            let began = tokio::time::Instant::now();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(1), "{target}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_ahead_of_its_client_up_to_a_limit() {
        const PIECES: usize = 100;
        const SIZE: usize = 10_000;
        let (say, said) = mpsc::channel(PIECES);
        let said = Arc::new(Mutex::new(Some(said)));
        let answer = async move || {
            let said: Option<mpsc::Receiver<String>> = said.lock().take();
            Body::from_stream(stream::unfold(said, async |said| {
                let mut said = said?;
                let piece = said.recv().await?;
                Some((Ok::<_, Infallible>(piece), Some(said)))
            }))
        };
        let mut client = connect_to(Router::new().route("/said", get(answer)), 1_000);
        client
            .write_all(asks("/said", "Connection: close\r\n").as_bytes())
            .await
            .unwrap();
        // Each comes when the client has taken nothing of the one before.
        for _ in 0..PIECES {
            say.send("m".repeat(SIZE)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let taken = say.capacity();
        let most = (AT_ONCE + 1_000) / SIZE + 1;
        assert!((most - 1..=most).contains(&taken), "{taken} of {most}");
        drop(say);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard.iter().filter(|byte| **byte == b'm').count(), PIECES * SIZE);
    }
}
