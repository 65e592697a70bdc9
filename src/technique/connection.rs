//! HTTP connections of a client that chooses itself which request goes over which, as its protocol has WebSockets
//! beside requests.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;

use super::engine::Engine;
use super::origin::ServerRoute;
use crate::clock;
use crate::outcome::HttpVersion;

/// How long to wait for the setting that allows extended CONNECT; without it the client sends none.
const SETTINGS: Duration = Duration::from_secs(5);

/// A connection to the client's server.
#[derive(Debug)]
pub enum Connection {
    /// One request after the other (RFC 9112).
    One(http1::SendRequest<Full<Bytes>>),
    /// Many at once (RFC 9113).
    Many(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Opens a connection for this version of HTTP. On HTTP/2 it waits until the server has announced extended CONNECT
    /// (RFC 8441, section 3), for five seconds.
    ///
    /// # Errors
    /// If the server cannot be reached.
    async fn open(route: &ServerRoute, version: HttpVersion) -> anyhow::Result<Connection> {
        let io = TokioIo::new(route.dial().await?);
        if version != HttpVersion::Http2 {
            let (send, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            return Ok(Connection::One(send));
        }
        let (send, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        // Only a server that announces extended CONNECT supports it, and hyper does not report the announcement.
        let began = clock::now();
        while !connection.is_extended_connect_protocol_enabled() && clock::since(began) < SETTINGS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::spawn(connection);
        Ok(Connection::Many(send))
    }

    /// Sends a request, and waits for the answer's head. On HTTP/1 the answer's body has to be read to its end before
    /// the next request.
    ///
    /// # Errors
    /// If the server closes without an answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let answer = match self {
            Connection::One(send) => send.send_request(request).await,
            Connection::Many(send) => send.send_request(request).await,
        };
        answer.context("the server did not answer")
    }

    /// Whether the connection accepts another request: the server may have closed an idle one.
    async fn is_ready(&mut self) -> bool {
        match self {
            Connection::One(send) => send.ready().await.is_ok(),
            Connection::Many(send) => send.ready().await.is_ok(),
        }
    }

    /// The same connection for requests in parallel, if it has streams for them.
    fn another(&self) -> Option<Connection> {
        match self {
            Connection::One(_) => None,
            Connection::Many(send) => Some(Connection::Many(send.clone())),
        }
    }
}

/// The connections of one user, which requests use in turn.
#[derive(Debug, Default)]
pub struct Pool {
    engine: OnceLock<Engine>,
    unused: Mutex<Vec<Connection>>,
    /// The one of HTTP/2, which is shared.
    http2: tokio::sync::Mutex<Option<Connection>>,
}

impl Pool {
    /// The engine that has its own connections; the first call makes it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn engine(&self, make: impl FnOnce() -> anyhow::Result<Engine>) -> anyhow::Result<Engine> {
        match self.engine.get() {
            Some(engine) => Ok(engine.clone()),
            None => make().map(|engine| self.engine.get_or_init(|| engine).clone()),
        }
    }

    /// A connection for the next request: one that is not in use, or a new one.
    ///
    /// # Errors
    /// If there is none, and the server cannot be reached.
    pub async fn connection(&self, route: &ServerRoute, version: HttpVersion) -> anyhow::Result<Connection> {
        if version != HttpVersion::Http2 {
            let unused = || self.unused.lock().pop();
            while let Some(mut connection) = unused() {
                if connection.is_ready().await {
                    return Ok(connection);
                }
            }
            return Connection::open(route, version).await;
        }
        let mut shared = self.http2.lock().await;
        if let Some(connection) = &mut *shared
            && connection.is_ready().await
            && let Some(another) = connection.another()
        {
            return Ok(another);
        }
        let opened = Connection::open(route, version).await?;
        *shared = opened.another();
        Ok(opened)
    }

    /// Takes a connection back when its answer has been read to the end.
    pub fn give_back(&self, connection: Connection) {
        if let Connection::One(_) = connection {
            self.unused.lock().push(connection);
        }
    }
}
