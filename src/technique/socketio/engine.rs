//! The library's sessions, as the transports use them: by the requests of Engine.IO's long polling, made
//! in this process.
//!
//! engineioxide keeps the sessions and what waits in them, and speaks Socket.IO inside. Its own transports
//! differ from the protocol where a client or a published test can tell (it pings at once, ends a session
//! whose upgrade fails, takes messages of 64 MiB), so ours stand in front: whatever carries packets
//! outside, a session behind it is polled.

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

/// Packets that a session holds at most: a batch of mails, and what the protocol itself has to say.
pub const CAPACITY: usize = 64;

/// The library's own pings are kept from going out: their clock is the transports'.
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

/// What is taken from a session goes out: whoever fills it waits for that rather than let it queue.
#[derive(Debug, Default)]
pub struct Flow {
    drained: Notify,
    filling: Mutex<Option<DropGuard>>,
}

impl Flow {
    /// All that was there is out.
    pub fn drained(&self) {
        self.drained.notify_one();
    }

    /// Begins to fill it. Who has done so before is to stop, when its token is cancelled: a client may ask
    /// for its namespace twice.
    pub fn fill(&self) -> CancellationToken {
        let filling = CancellationToken::new();
        let guard = filling.clone().drop_guard();
        let mut place = self.filling.lock();
        *place = Some(guard);
        filling
    }

    /// Waits until that has happened once more.
    pub async fn room(&self) {
        self.drained.notified().await;
    }
}

/// How the library is set.
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
    /// Of a service that is found at `path`.
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

    /// Opens a session, with which goes `flow`; returns where it is, and its id.
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

    /// Waits for what a session has for its client, packets with separators; `None`: there is no such
    /// session. Cancelled, it has taken nothing.
    ///
    /// The library answers whoever waits with the first packet alone. What came with it goes with it here.
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

    /// Gives a session what its client has for it; says whether it takes it.
    pub async fn give(&self, session: &Uri, packets: Bytes) -> bool {
        let (status, _) = (self.call)(self.request(Method::POST, session.clone(), packets)).await;
        status == StatusCode::OK
    }
}
