//! The library under the techniques' HTTP client: reqwest in a real run, hyper directly in a simulated one, which has
//! no sockets. Both send the same bytes.

use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::origin::{Network, ServerRoute};
use super::stream::Stream;

/// An HTTP library with connections of its own, which are kept alive. Clones share them.
#[derive(Clone, Debug)]
pub enum Engine {
    /// For real runs.
    Reqwest(reqwest::Client),
    /// For simulated runs, and for clients that read their connections in a way of their own.
    Hyper(Box<legacy::Client<Connector, Full<Bytes>>>),
}

impl Engine {
    /// An engine without connections yet, for HTTP/2 or for an older version. An unused connection is closed after
    /// `idle`, if that is given.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(route: ServerRoute, is_http2: bool, idle: Option<Duration>) -> anyhow::Result<Engine> {
        if matches!(route.network, Network::Simulated(_)) || route.reading.is_some() {
            let http = legacy::Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(idle)
                .http2_only(is_http2)
                .build(Connector(Arc::new(route)));
            return Ok(Engine::Hyper(Box::new(http)));
        }
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let builder = match is_http2 {
            true => builder.http2_prior_knowledge(),
            false => builder.http1_only(),
        };
        let tls = route.tls.map_or_else(trusting_nobody, Ok)?;
        let builder = builder.pool_idle_timeout(idle).tls_backend_preconfigured(tls);
        #[cfg(unix)]
        let builder = match &route.network {
            Network::Relay(relay) => builder.unix_socket(&**relay),
            Network::Sockets | Network::Simulated(_) => builder,
        };
        Ok(Engine::Reqwest(builder.build()?))
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
