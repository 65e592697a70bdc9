//! The HTTP client of the techniques whose clients are browsers' `fetch` and `EventSource`: reqwest in a real
//! run, hyper directly in a simulated one, which has no sockets. Both send the same bytes.

use std::sync::Arc;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use http::{Method, Uri, Version};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::client::Client;
use super::gunzip;
use super::origin::{Network, ServerRoute};
use super::stream::Stream;
use crate::outcome::HttpVersion;
use crate::theory::Delivery;

/// An answer whose body has not been read yet.
pub type Response = http::Response<reqwest::Body>;

/// A request for a target of the client's server.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The fields that it carries in addition to those of every request.
    pub fields: HeaderMap,
    /// Its body, if it has one.
    pub body: Option<Bytes>,
}

impl Request {
    /// A GET without a body.
    pub fn get(target: impl Into<String>, fields: HeaderMap) -> Request {
        Request {
            method: Method::GET,
            target: target.into(),
            fields,
            body: None,
        }
    }

    /// A POST with a body.
    pub fn post(target: impl Into<String>, fields: HeaderMap, body: impl Into<Bytes>) -> Request {
        Request {
            method: Method::POST,
            target: target.into(),
            fields,
            body: Some(body.into()),
        }
    }
}

/// One user's HTTP client, like a browser's: its connections are its own, and kept alive.
#[derive(Clone, Debug)]
pub enum Http {
    /// For real runs.
    Reqwest(reqwest::Client),
    /// For simulated runs.
    Hyper(Box<legacy::Client<Connector, Full<Bytes>>>),
}

impl Http {
    /// A client that has no connections yet.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(client: &Client, delivery: Delivery) -> anyhow::Result<Http> {
        let is_http2 = client.scenario.http == HttpVersion::Http2;
        let idle = match delivery {
            // The pool counts from the last request, although the answer to an earlier one is still awaited.
            Delivery::LongPolled | Delivery::Streamed | Delivery::Duplex if is_http2 => None,
            _ => client.scenario.keep_alive(),
        };
        if let Network::Simulated(_) = client.network {
            let connector = Connector(Arc::new(client.route()));
            let http = legacy::Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(idle)
                .http2_only(is_http2)
                .build(connector);
            return Ok(Http::Hyper(Box::new(http)));
        }
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let builder = match is_http2 {
            true => builder.http2_prior_knowledge(),
            false => builder.http1_only(),
        };
        let tls = client.tls.clone().map_or_else(trusting_nobody, Ok)?;
        let builder = builder.pool_idle_timeout(idle).tls_backend_preconfigured(tls);
        #[cfg(unix)]
        let builder = match &client.network {
            Network::Relay(relay) => builder.unix_socket(&**relay),
            Network::Sockets | Network::Simulated(_) => builder,
        };
        Ok(Http::Reqwest(builder.build()?))
    }

    /// Sends a request in the scenario's version of HTTP, and waits for the answer's head. Counts requests
    /// that were sent and not answered.
    ///
    /// # Errors
    /// If no connection can be opened, or no answer comes.
    pub async fn send(&self, client: &Client, request: Request) -> anyhow::Result<Response> {
        let url = client.url(&request.target);
        // In HTTP/1.0 a connection carries one request unless both sides agree otherwise, which ours do not.
        let version = match client.scenario.http {
            HttpVersion::Http10 => Version::HTTP_10,
            HttpVersion::Http11 | HttpVersion::Http2 => Version::HTTP_11,
        };
        let mut request = request;
        if client
            .scenario
            .proxy
            .iter()
            .any(|proxy| proxy.settings.compress.is_some())
        {
            // As a browser does by itself; a proxy compresses only for who asks for it.
            let gzip = HeaderValue::from_static("gzip");
            request.fields.entry(ACCEPT_ENCODING).or_insert(gzip);
        }
        let answer = self.ask(client, request, url, version).await?;
        Ok(gunzip::decoded(answer))
    }

    async fn ask(
        &self,
        client: &Client,
        request: Request,
        url: String,
        version: Version,
    ) -> anyhow::Result<Response> {
        match self {
            Http::Reqwest(http) => {
                let mut built = http.request(request.method, url).headers(request.fields);
                if version == Version::HTTP_10 {
                    built = built.version(version);
                }
                if let Some(body) = request.body {
                    built = built.body(body);
                }
                let answered = built.send().await;
                Ok(answered
                    .inspect_err(|e| {
                        if !e.is_connect() {
                            client.inbox.unanswered();
                        }
                    })?
                    .into())
            }
            Http::Hyper(http) => {
                let mut built = http::Request::new(Full::new(request.body.unwrap_or_default()));
                *built.method_mut() = request.method;
                *built.uri_mut() = url.parse()?;
                *built.version_mut() = version;
                *built.headers_mut() = request.fields;
                // reqwest also sends `Accept: */*` where the request has none.
                let anything = HeaderValue::from_static("*/*");
                built.headers_mut().entry(ACCEPT).or_insert(anything);
                let answered = http.request(built).await;
                Ok(answered
                    .inspect_err(|e| {
                        if !e.is_connect() {
                            client.inbox.unanswered();
                        }
                    })?
                    .map(reqwest::Body::wrap))
            }
        }
    }
}

/// A client for HTTP/1.1 without TLS, with connections of its own.
///
/// # Errors
/// If it cannot be set up.
pub fn unencrypted() -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().http1_only();
    // reqwest wants a configuration although it will not use it.
    Ok(builder.tls_backend_preconfigured(trusting_nobody()?).build()?)
}

/// TLS settings of a client that uses no TLS: without any, reqwest would load the system's certificates for
/// each client.
fn trusting_nobody() -> anyhow::Result<ClientConfig> {
    let nobody = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(nobody)
}

/// Opens hyper's connections like all other connections of the client.
#[derive(Clone, Debug)]
pub struct Connector(Arc<ServerRoute>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let route = self.0.clone();
        Box::pin(async move { Ok(TokioIo::new(route.dial().await?)) })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
