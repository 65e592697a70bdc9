//! The client's HTTP: one request after the other on connections that are kept open, or opened for each request where
//! the version of HTTP requires it.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::super::Headers;
use super::super::browser::{Slot, Tab};
use super::super::client::Client;
use super::super::connection::{Connection, Pool};
use super::super::cookies::Cookies;
use super::super::origin::{self, Origin};
use super::super::stream::Stream;
use super::super::ws::handshake;
use crate::outcome::HttpVersion;

/// How a client reaches its server, and with which header profile and HTTP version.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub origin: Origin,
    pub headers: Arc<Headers>,
    pub version: HttpVersion,
    route: origin::ServerRoute,
    pub cookies: Cookies,
    tab: Tab,
}

impl HttpSettings {
    pub fn of(client: &Client) -> HttpSettings {
        HttpSettings {
            origin: client.origin.clone(),
            headers: client.headers.clone(),
            version: client.scenario.http,
            route: client.route(),
            cookies: client.cookies.clone(),
            tab: client.tab.clone(),
        }
    }

    /// Opens a connection to the server.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        self.route.dial().await
    }
}

/// An HTTP client with at most one request at a time.
#[derive(Debug)]
pub struct Http {
    settings: Arc<HttpSettings>,
    pool: Arc<Pool>,
    /// What its last request went over, until that is over.
    used: Option<(Connection, Option<Slot>)>,
}

impl Http {
    pub fn new(settings: Arc<HttpSettings>) -> Http {
        let pool = settings.tab.pool();
        Http {
            settings,
            pool,
            used: None,
        }
    }

    pub fn settings(&self) -> &Arc<HttpSettings> {
        &self.settings
    }

    /// A client for requests in parallel, with the same connections.
    pub fn another(&self) -> Http {
        Http {
            settings: self.settings.clone(),
            pool: self.pool.clone(),
            used: None,
        }
    }

    /// Sends a request; a browser's tab first waits for a free connection. The answer's body has to be read to its end,
    /// and then [`Http::done`] called, before the next request.
    ///
    /// # Errors
    /// If the server cannot be reached, or closes without an answer.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        self.used = None;
        let slot = self.settings.tab.slot().await?;
        let connection = self
            .pool
            .connection(&self.settings.route, self.settings.version)
            .await?;
        let (connection, _) = self.used.insert((connection, slot));
        self.settings.cookies.put(request.headers_mut());
        let answer = connection.send(request).await?;
        self.settings.cookies.keep(answer.headers());
        Ok(answer)
    }

    /// Gives the connection back, whose answer has been read to the end.
    pub fn done(&mut self) {
        if let Some((connection, _slot)) = self.used.take()
            && self.settings.version != HttpVersion::Http10
        {
            self.pool.give_back(connection);
        }
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
