//! The client's HTTP: one request after the other on a connection that is kept open, or opened for each
//! request where the version of HTTP requires it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::super::Headers;
use super::super::client::Client;
use super::super::origin::{self, Origin};
use super::super::stream::Stream;
use super::super::ws::handshake;
use crate::clock;
use crate::outcome::HttpVersion;

/// How long to wait for the setting that allows extended CONNECT; without it the client sends none.
const SETTINGS: Duration = Duration::from_secs(5);

/// How a client reaches its server, and with which header profile and HTTP version.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub origin: Origin,
    pub headers: Arc<Headers>,
    pub version: HttpVersion,
    route: origin::ServerRoute,
}

impl HttpSettings {
    pub fn of(client: &Client) -> HttpSettings {
        HttpSettings {
            origin: client.origin.clone(),
            headers: client.headers.clone(),
            version: client.scenario.http,
            route: client.route(),
        }
    }

    /// Opens a connection to the server.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        self.route.dial().await
    }
}

/// An HTTP client with at most one connection.
#[derive(Debug)]
pub struct Http {
    settings: Arc<HttpSettings>,
    connection: Option<Connection>,
}

#[derive(Debug)]
enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Many(http2::SendRequest<Full<Bytes>>),
}

impl Http {
    pub fn new(settings: Arc<HttpSettings>) -> Http {
        Http {
            settings,
            connection: None,
        }
    }

    pub fn settings(&self) -> &Arc<HttpSettings> {
        &self.settings
    }

    /// Hands over its connection; an HTTP/2 connection is shared.
    pub fn take(&mut self) -> Http {
        let shared = self.another();
        Http {
            settings: self.settings.clone(),
            connection: std::mem::replace(&mut self.connection, shared.connection),
        }
    }

    /// A client for parallel requests: on the same connection, if it has streams.
    pub fn another(&self) -> Http {
        let connection = match &self.connection {
            Some(Connection::Many(send)) => Some(Connection::Many(send.clone())),
            _ => None,
        };
        Http {
            settings: self.settings.clone(),
            connection,
        }
    }

    /// Sends a request. The answer's body has to be read to its end before the next request.
    ///
    /// # Errors
    /// If the server cannot be reached, or closes without an answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        if self.settings.version == HttpVersion::Http10 || !self.is_ready().await {
            self.connection = Some(connect(&self.settings).await?);
        }
        let answer = match self.connection.as_mut().context("no connection")? {
            Connection::One(send) => send.send_request(request).await,
            Connection::Many(send) => send.send_request(request).await,
        };
        answer.context("the server did not answer")
    }

    /// Opens a tunnel for a WebSocket on a stream of the connection (RFC 8441, section 5).
    ///
    /// # Errors
    /// If there is no such connection, or the server refuses.
    pub async fn tunnel(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Stream> {
        let asked = request.headers().clone();
        let response = self.send(request).await?;
        ensure!(
            response.status().is_success(),
            "the server answered {}",
            response.status()
        );
        handshake::chosen(&asked, response.headers())?;
        Ok(Box::new(TokioIo::new(hyper::upgrade::on(response).await?)))
    }

    /// Whether the connection accepts another request: the server may have closed an idle one.
    async fn is_ready(&mut self) -> bool {
        match &mut self.connection {
            None => false,
            Some(Connection::One(send)) => send.ready().await.is_ok(),
            Some(Connection::Many(send)) => send.ready().await.is_ok(),
        }
    }

    /// A request for `target` with these fields, and with those of every request.
    ///
    /// # Errors
    /// If the target is invalid.
    pub fn request(
        &self,
        method: Method,
        target: &str,
        fields: HeaderMap,
        body: Option<Bytes>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let length = body.as_ref().map(Bytes::len);
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.headers_mut() = fields;
        let headers = request.headers_mut();
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if self.settings.version == HttpVersion::Http2 {
            headers.remove(HOST);
            *request.uri_mut() = self.settings.origin.http(target).parse()?;
            *request.version_mut() = Version::HTTP_2;
            return Ok(request);
        }
        if !headers.contains_key(HOST) {
            headers.insert(HOST, HeaderValue::from_str(&self.settings.origin.authority)?);
        }
        *request.uri_mut() = target.parse()?;
        if self.settings.version == HttpVersion::Http10 {
            *request.version_mut() = Version::HTTP_10;
        }
        Ok(request)
    }
}

async fn connect(settings: &HttpSettings) -> anyhow::Result<Connection> {
    let io = TokioIo::new(settings.dial().await?);
    if settings.version != HttpVersion::Http2 {
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
