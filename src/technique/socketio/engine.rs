//! Access to the library's sessions: requests of Engine.IO's long polling, made within this process.
//!
//! engineioxide keeps the sessions and their queues, and Socket.IO is built on it. Its own transports differ
//! from the protocol in ways that clients or a published test suite notice (it pings at once, ends a session
//! whose upgrade fails, accepts messages of 64 MiB). So our own transports handle the clients, and they poll
//! the library's session, whatever transport a client uses.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use memchr::memchr;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::Service;

use crate::wire::engineio::{Open, SEPARATOR};

/// The most packets that a session queues: a batch of mails and some of the protocol's own.
pub const CAPACITY: usize = 64;

/// Disables the library's own pings: the transports here send them.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

type Call = dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, (StatusCode, Bytes)> + Send + Sync;

/// The library's service.
#[derive(Clone)]
pub struct Engine {
    call: Arc<Call>,
    path: &'static str,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Flow control of a session: its sender waits until the queue was sent, instead of filling it further.
#[derive(Debug, Default)]
pub struct Flow {
    drained: Notify,
    filling: Mutex<Option<DropGuard>>,
}

impl Flow {
    /// Reports that all queued packets were sent.
    pub fn drained(&self) {
        self.drained.notify_one();
    }

    /// Starts a sender, and cancels the token of the one before, if there was one: a client may ask for its
    /// namespace twice.
    pub fn fill(&self) -> CancellationToken {
        let filling = CancellationToken::new();
        let guard = filling.clone().drop_guard();
        let mut place = self.filling.lock();
        *place = Some(guard);
        filling
    }

    /// Waits for the next [`drained`](Flow::drained).
    pub async fn room(&self) {
        self.drained.notified().await;
    }
}

/// The library's settings.
pub fn config(path: &'static str, max_payload: usize) -> EngineIoConfig {
    EngineIoConfig::builder()
        .req_path(path)
        .ping_interval(NEVER)
        .ping_timeout(NEVER)
        .max_payload(max_payload as u64)
        .max_buffer_size(CAPACITY)
        .build()
}

impl Engine {
    /// An engine for the library's service at `path`.
    pub fn new<S, B>(path: &'static str, service: S) -> Engine
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Debug,
    {
        let call = move |request| -> BoxFuture<'static, (StatusCode, Bytes)> {
            let answer = service.clone().call(request);
            Box::pin(async move {
                let Ok(response) = answer.await;
                let status = response.status();
                let body = response.into_body().collect().await;
                (status, body.map(|b| b.to_bytes()).unwrap_or_default())
            })
        };
        Engine {
            call: Arc::new(call),
            path,
        }
    }

    /// Opens a session that uses `flow`; returns its URI and its id.
    pub async fn open(&self, flow: Arc<Flow>) -> Option<(Uri, String)> {
        let start = self.uri("")?;
        let mut request = self.request(Method::GET, start, Bytes::new());
        request.extensions_mut().insert(flow);
        let (_, opened) = (self.call)(request).await;
        let open: Open = serde_json::from_slice(opened.strip_prefix(b"0")?).ok()?;
        Some((self.uri(&format!("&sid={}", open.sid))?, open.sid))
    }

    fn uri(&self, sid: &str) -> Option<Uri> {
        format!("{}?EIO=4&transport=polling{sid}", self.path).parse().ok()
    }

    fn request(&self, method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request
    }

    /// Waits for a session's packets for its client, with separators; `None` if there is no such session.
    /// Cancellation loses nothing.
    ///
    /// The library answers a waiting poll with the first packet alone. This adds the packets that came with
    /// it.
    pub async fn take(&self, session: &Uri) -> Option<Bytes> {
        let first = self.poll(session).await?;
        if memchr(SEPARATOR as u8, &first).is_some() {
            return Some(first);
        }
        match self.poll(session).now_or_never().flatten() {
            Some(more) if !more.is_empty() => Some([&first[..], &more].join(&(SEPARATOR as u8)).into()),
            _ => Some(first),
        }
    }

    async fn poll(&self, session: &Uri) -> Option<Bytes> {
        let (status, packets) = (self.call)(self.request(Method::GET, session.clone(), Bytes::new())).await;
        (status == StatusCode::OK).then_some(packets)
    }

    /// Passes packets of the client to a session; returns whether it accepts them.
    pub async fn give(&self, session: &Uri, packets: Bytes) -> bool {
        let (status, _) = (self.call)(self.request(Method::POST, session.clone(), packets)).await;
        status == StatusCode::OK
    }
}
