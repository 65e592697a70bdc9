//! The HTTP client of the techniques whose clients are browsers' `fetch` and `EventSource`.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use http::{Method, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;

use super::browser::Slot;
use super::client::Client;
use super::engine::Engine;
use super::{gunzip, reconnect};
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

/// The request as a browser sends it, where something on the way compresses: only for who asks for it.
fn accepting(client: &Client, mut request: Request) -> Request {
    let mut proxies = client.scenario.proxy.iter();
    if proxies.any(|proxy| proxy.settings.compress.is_some()) {
        let gzip = HeaderValue::from_static("gzip");
        request.fields.entry(ACCEPT_ENCODING).or_insert(gzip);
    }
    request
}

/// One user's HTTP client, like a browser's: its connections are its own, or those of the browser whose tab the
/// client is.
#[derive(Clone, Debug)]
pub struct Http(Engine);

impl Http {
    /// A client that has no connections of its own yet.
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
        let engine = client
            .tab
            .pool()
            .engine(|| Engine::new(client.route(), is_http2, idle))?;
        Ok(Http(engine))
    }

    /// Sends a request in the scenario's version of HTTP, and waits for the answer's head. A browser's tab first waits
    /// for a free connection. Counts requests that were sent and not answered.
    ///
    /// # Errors
    /// If no connection can be opened, or no answer comes.
    pub async fn send(&self, client: &Client, request: Request) -> anyhow::Result<Response> {
        let slot = client.tab.slot().await?;
        let mut request = accepting(client, request);
        client.cookies.put(&mut request.fields);
        let response = self.send_now(client, request).await?;
        client.cookies.keep(response.headers());
        if let Some(wait) = reconnect::retry_after(response.status(), response.headers()) {
            client.reconnect.wait_at_least(wait);
        }
        let response = gunzip::decoded(response);
        Ok(match slot {
            None => response,
            Some(slot) => response.map(|body| reqwest::Body::wrap(holding(body, slot))),
        })
    }

    async fn send_now(&self, client: &Client, request: Request) -> anyhow::Result<Response> {
        let url = client.url(&request.target);
        // In HTTP/1.0 a connection carries one request unless both sides agree otherwise, which ours do not.
        let version = match client.scenario.http {
            HttpVersion::Http10 => Version::HTTP_10,
            HttpVersion::Http11 | HttpVersion::Http2 => Version::HTTP_11,
        };
        match &self.0 {
            Engine::Reqwest(http) => {
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
            Engine::Hyper(http) => {
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

/// A body that keeps its connection in use until it is dropped.
fn holding(body: reqwest::Body, slot: Slot) -> impl Body<Data = Bytes, Error = reqwest::Error> {
    body.map_frame(move |frame| {
        let _in_use = &slot;
        frame
    })
}
