//! Real HTTP/2 for tests: the `h2` crate at both ends of a pipe in memory, with a record of the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::super::Direction;

/// The bytes that crossed, in order.
pub type Crossed = Vec<(Direction, Vec<u8>)>;

/// A request and its answer, with their content in pieces; each piece is a DATA frame.
pub struct Exchange {
    pub request: Request<()>,
    pub up: Vec<&'static [u8]>,
    pub response: Response<()>,
    pub down: Vec<&'static [u8]>,
}

/// A request or response and its content.
type Said<T> = (T, Vec<&'static [u8]>);

struct Tap {
    pipe: DuplexStream,
    writes: Direction,
    crossed: Arc<Mutex<Crossed>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.pipe).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = written {
            self.crossed.lock().push((self.writes, buf[..n].to_vec()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Sends these requests one after the other over one connection, each answered before the next.
pub fn converse(exchanges: Vec<Exchange>) -> Crossed {
    converse_with(&h2::client::Builder::new(), exchanges)
}

/// The same with this client configuration.
pub fn converse_with(builder: &h2::client::Builder, exchanges: Vec<Exchange>) -> Crossed {
    let (client, server) = tokio::io::duplex(1 << 20);
    let crossed = Arc::<Mutex<Crossed>>::default();
    let tap = |pipe, writes| Tap {
        pipe,
        writes,
        crossed: Arc::clone(&crossed),
    };
    let (client, server) = (tap(client, Direction::Up), tap(server, Direction::Down));
    let (requests, responses) = exchanges
        .into_iter()
        .map(|e| ((e.request, e.up), (e.response, e.down)))
        .unzip();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let served = tokio::spawn(serve(server, responses));
        ask(client, builder, requests).await;
        served.await.unwrap();
    });
    std::mem::take(&mut *crossed.lock())
}

async fn ask(tap: Tap, builder: &h2::client::Builder, requests: Vec<Said<Request<()>>>) {
    let (mut client, connection) = builder.handshake(tap).await.unwrap();
    let connection = tokio::spawn(connection);
    for (request, content) in requests {
        let tunnel = request.method() == Method::CONNECT;
        while tunnel && !client.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        client = client.ready().await.unwrap();
        let (response, mut up) = client
            .send_request(request, content.is_empty() && !tunnel)
            .unwrap();
        if !tunnel {
            send(&mut up, &content);
        }
        let mut down = response.await.unwrap().into_body();
        if tunnel {
            send(&mut up, &content);
        }
        while let Some(data) = down.data().await {
            let n = data.unwrap().len();
            down.flow_control().release_capacity(n).unwrap();
        }
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

async fn serve(tap: Tap, responses: Vec<Said<Response<()>>>) {
    let mut builder = h2::server::Builder::new();
    let mut server = builder
        .enable_connect_protocol()
        .handshake::<_, Bytes>(tap)
        .await
        .unwrap();
    let mut responses = responses.into_iter();
    while let Some(asked) = server.accept().await {
        let (request, mut answer) = asked.unwrap();
        let (response, content) = responses.next().unwrap();
        let mut down = answer.send_response(response, content.is_empty()).unwrap();
        send(&mut down, &content);
        tokio::spawn(async move {
            let mut up = request.into_body();
            while let Some(data) = up.data().await {
                let n = data.unwrap().len();
                up.flow_control().release_capacity(n).unwrap();
            }
        });
    }
}

fn send(stream: &mut h2::SendStream<Bytes>, content: &[&'static [u8]]) {
    for (n, piece) in content.iter().enumerate() {
        let last = n + 1 == content.len();
        stream.send_data(Bytes::from_static(piece), last).unwrap();
    }
}
