//! Mail as a JSON list: the answer that polling and long polling share, and the reply that techniques without
//! a channel to the server have to POST.
//!
//! ```text
//! 200 [{"id":4,…},{"id":5,…}]      mail after the cursor
//! 200 [{"gap":3},{"id":8,…}]       three mails are no longer kept
//! 200 [{"epoch":"k3f9"},{"id":1,…}]  the log's name, for a client that asked with the cursor `0.`
//! 200 [{"reset":"k3f9"},{"id":1,…}]  the cursor is of another log: here is this one from its beginning
//! 204                              nothing after the cursor
//! ```
//!
//! A list has at most [`BATCH_MAILS`] mails and, if there is more than one,
//! [`BATCH_BYTES`](crate::mail::BATCH_BYTES) bytes. Where the log has more, the answer contains
//! `Link: <?after=5.k3f9>; rel="next"` (RFC 8288), and the client asks again at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LINK};
use http::{HeaderMap, StatusCode};
use hyper::body::{Frame, SizeHint};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::browser::Closed;
use super::client::Client;
use super::fields;
use super::headers::{Headers, Purpose};
use super::http::{Http, Request};
use super::limit;
use super::service::{MAX_BODY, Service};
use super::talk::{ClientMessage, MessageQueue};
use super::{Origin, Routes, unread};
use crate::mail::{BATCH_MAILS, BATCH_TEXT, Batch, Cursor, LogEntry, Notice, Plan, Planned, Share};
use crate::outcome::{EventKind, HttpVersion, Outcome, Scenario};

/// The cursor in the URL of every technique.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct After {
    /// The cursor's value.
    #[serde(default)]
    pub after: Cursor,
}

/// A client's reply to a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The number of the mail that it has read.
    pub read: u64,
}

impl Reply {
    /// The JSON: `{"read":7}`.
    pub fn json(id: u64) -> String {
        format!(r#"{{"read":{id}}}"#)
    }
}

/// `POST /read` and `POST /say`, for techniques without a channel to the server: replies to mail, and
/// messages that a client sends on its own initiative.
pub fn reply_route(service: Service) -> Routes {
    async fn read(State(service): State<Service>, axum::Json(_): axum::Json<Reply>) -> Response {
        service.replied();
        respond(&service, StatusCode::NO_CONTENT, Bytes::new())
    }
    async fn say(State(service): State<Service>, axum::Json(message): axum::Json<ClientMessage>) -> Response {
        service.record_message(message);
        respond(&service, StatusCode::NO_CONTENT, Bytes::new())
    }
    let in_time = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, service.body_timeout);
    let limits = |methods: MethodRouter<Service>| {
        let limited = methods.layer((
            from_fn(unread::read_on),
            RequestBodyLimitLayer::new(MAX_BODY),
            in_time,
        ));
        limited.with_state(service.clone())
    };
    Routes::new()
        .route("/read", limits(post(read)))
        .route("/say", limits(post(say)))
}

/// The answer to a GET for what is after a cursor.
pub fn answer(service: &Service, batch: &Batch) -> Response {
    if !batch.is_empty() {
        let list = List::of(batch, service.share());
        let fields = response_fields(&service.headers, true);
        let mut response = (StatusCode::OK, fields, Body::new(list)).into_response();
        if let (true, Some(last)) = (batch.more, batch.mails.last()) {
            let after = Cursor::of(last.number, service.mailbox.epoch());
            let next = HeaderValue::from_str(&format!("<?after={after}>; rel=\"next\""));
            response.headers_mut().extend(next.ok().map(|next| (LINK, next)));
        }
        return response;
    }
    match service.headers.empty_body() {
        None => respond(service, StatusCode::NO_CONTENT, Bytes::new()),
        Some(size) => respond(service, StatusCode::OK, padded(size)),
    }
}

/// An empty list of exactly `size` bytes, like the captured server's empty answers.
fn padded(size: usize) -> Bytes {
    let mut list = vec![b' '; size.max(2)];
    list[0] = b'[';
    if let Some(last) = list.last_mut() {
        *last = b']';
    }
    list.into()
}

/// The body of an answer with mail: the shared bytes of the mails one after the other, each fetched when it
/// is written. For a HEAD request none is fetched.
struct List {
    /// The bytes before the first mail.
    start: Option<Bytes>,
    mails: std::vec::IntoIter<Arc<LogEntry>>,
    /// Whether the next mail needs a comma before it, because it is not the first element.
    comma: bool,
    end: bool,
    left: u64,
    /// Counts the mails until it has been written.
    _share: Share,
}

impl List {
    fn of(batch: &Batch, mut share: Share) -> List {
        share.hold(batch.mails.iter().map(|entry| entry.mail.text_len()));
        let notices: Vec<String> = batch.notices.iter().map(Notice::json).collect();
        let start = format!("[{}", notices.join(","));
        let commas = match notices.is_empty() {
            true => batch.mails.len().saturating_sub(1),
            false => batch.mails.len(),
        };
        let mails: usize = batch.mails.iter().map(|entry| entry.mail.text_len()).sum();
        List {
            left: (start.len() + mails + commas + 1) as u64,
            start: Some(start.into()),
            mails: batch.mails.clone().into_iter(),
            comma: !notices.is_empty(),
            end: false,
            _share: share,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(start) = self.start.take() {
            return Some(start);
        }
        if self.mails.len() > 0 && std::mem::replace(&mut self.comma, false) {
            return Some(Bytes::from_static(b","));
        }
        if let Some(entry) = self.mails.next() {
            self.comma = true;
            return Some(entry.text());
        }
        (!std::mem::replace(&mut self.end, true)).then_some(Bytes::from_static(b"]"))
    }
}

impl hyper::body::Body for List {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.next();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn respond(service: &Service, status: StatusCode, body: Bytes) -> Response {
    let fields = response_fields(&service.headers, !body.is_empty());
    (status, fields, Body::from(body)).into_response()
}

/// The fields of an answer's head, without its length and date.
fn response_fields(profile: &Headers, has_body: bool) -> HeaderMap {
    let json = has_body.then_some((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    fields::response(profile, HeaderMap::from_iter(json), |name| {
        has_body || *name != CONTENT_TYPE
    })
}

fn request_fields(profile: &Headers, origin: &Origin) -> HeaderMap {
    fields::request(profile, Purpose::Fetch, origin, [])
}

fn reply_fields(profile: &Headers, origin: &Origin) -> HeaderMap {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields::request(profile, Purpose::Post, origin, [json])
}

/// Asks once and delivers the mails. Returns the numbers of new mails, and whether the log has more. If the
/// answer is incomplete, the mails that arrived whole are delivered.
pub async fn fetch(client: &Client, http: &Http, path: &str) -> anyhow::Result<(Vec<u64>, bool)> {
    client.inbox.happened(EventKind::Requested);
    let target = client.headers.target(path, client.inbox.cursor());
    let request = Request::get(target, request_fields(&client.headers, &client.origin));
    let answered = async {
        let response = http.send(client, request).await?;
        let (status, more) = (response.status(), response.headers().contains_key(LINK));
        fields::uncompressed(path, response.headers())?;
        let (body, broken) = limit::as_far(response.into_body()).await?;
        if broken.is_some() {
            client.inbox.unanswered();
        }
        anyhow::Ok((status, more, body, broken))
    }
    .await;
    let whole = |status: &StatusCode, broken: &Option<_>| status.is_success() && broken.is_none();
    let failed = !answered
        .as_ref()
        .is_ok_and(|(status, _, _, broken)| whole(status, broken));
    client.inbox.happened(if failed {
        EventKind::Failed
    } else {
        client.reconnect.succeeded();
        EventKind::Answered
    });
    match answered? {
        (StatusCode::OK, more, body, None) => Ok((deliver(client, &body)?, more)),
        (StatusCode::OK, _, body, Some(broken)) => {
            let before = client.inbox.cursor();
            let new = deliver_whole(client, &body)?;
            if client.inbox.cursor() == before {
                return Err(broken);
            }
            client.inbox.trouble(&broken);
            Ok((new, true))
        }
        (_, _, _, Some(broken)) => Err(broken),
        (StatusCode::NO_CONTENT, ..) => Ok((Vec::new(), false)),
        (status, ..) => bail!("{path} answered {status}"),
    }
}

fn deliver(client: &Client, body: &[u8]) -> anyhow::Result<Vec<u64>> {
    let mut new = Vec::new();
    for item in serde_json::from_slice::<Vec<&RawValue>>(body).context("the answer is not a JSON list")? {
        new.extend(client.inbox.take_text(item.get().as_bytes())?);
    }
    Ok(new)
}

/// Delivers the complete items of a list whose end is missing.
fn deliver_whole(client: &Client, body: &[u8]) -> anyhow::Result<Vec<u64>> {
    let mut new = Vec::new();
    let mut rest = body.strip_prefix(b"[").unwrap_or_default();
    loop {
        let mut items = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let Some(Ok(item)) = items.next() else {
            return Ok(new);
        };
        let length = items.byte_offset();
        new.extend(client.inbox.take_text(item.get().as_bytes())?);
        rest = &rest[length..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
}

/// Tells the server, one POST for each mail, that it was read.
pub async fn reply(client: &Client, http: &Http, read: &[u64]) {
    for id in read {
        post_message(client, http, "/read", &Reply::json(*id)).await;
    }
}

/// Posts the application's messages, one after the other, so the server receives them in order.
pub async fn talk(client: &Client, http: &Http, mut messages: MessageQueue) -> anyhow::Result<()> {
    while let Some(message) = messages.next().await {
        post_message(client, http, "/say", &message.json()).await;
        // Lets the connection return to the pool, or the next request would open another.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Posts a message. A POST without an answer is sent again, so the server receives it at least once.
async fn post_message(client: &Client, http: &Http, path: &str, json: &str) {
    for _ in 0..TRIES {
        match send(client, http, path, json).await {
            Ok(()) => break,
            Err(e) if e.is::<Closed>() => break,
            Err(e) => client.inbox.trouble(&e),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn send(client: &Client, http: &Http, path: &str, json: &str) -> anyhow::Result<()> {
    let fields = reply_fields(&client.headers, &client.origin);
    let request = Request::post(path, fields, json.to_owned());
    let status = http.send(client, request).await?.status();
    ensure!(status.is_success(), "{path} answered {status}");
    Ok(())
}

/// How often something is posted before the client gives up.
const TRIES: usize = 10;

/// Where a technique without a channel to the server queues its replies.
pub type ReplyQueue = tokio::sync::mpsc::UnboundedSender<u64>;

/// Queues a reply for each new mail, if the scenario wants replies.
pub fn queue_replies(client: &Client, queue: &ReplyQueue, new: &[u64]) {
    if client.scenario.reply {
        for id in new {
            // It fails only after the run is over.
            let _ = queue.send(*id);
        }
    }
}

/// Posts queued replies until the queue is closed.
pub async fn replies(
    client: &Client,
    http: &Http,
    mut queued: tokio::sync::mpsc::UnboundedReceiver<u64>,
) -> anyhow::Result<()> {
    while let Some(id) = queued.recv().await {
        reply(client, http, &[id]).await;
    }
    Ok(())
}

/// About how long a client waits before it connects again for the first time, unless the scenario says it.
pub const RETRY: Duration = Duration::from_millis(100);

/// The round trip in seconds, where the formulas describe the requests: the link only delays, a connection is
/// opened once and in one round trip, and one answer holds all mail of `seconds`.
pub fn plain_rtt(scenario: &Scenario, plan: &Plan, seconds: f64) -> Option<f64> {
    let path = scenario.link.path();
    let opens_plainly = scenario.http != HttpVersion::Http10 && !scenario.tls;
    let plain = path.only_delays() && (path.rtt == 0.0 || (opens_plainly && fit(plan, seconds)));
    plain.then_some(path.rtt)
}

/// Whether all mail of any period of `seconds` fits into one list.
fn fit(plan: &Plan, seconds: f64) -> bool {
    let (mut first, mut bytes) = (0, 0);
    plan.mails.iter().enumerate().all(|(last, planned)| {
        let size =
            |planned: &Planned| planned.mail.json.len() + planned.mail.attachment.len().div_ceil(3) * 4;
        bytes += size(planned);
        while (planned.due - plan.mails[first].due).as_secs_f64() > seconds {
            bytes -= size(&plan.mails[first]);
            first += 1;
        }
        let mails = last + 1 - first;
        mails == 1 || (mails <= BATCH_MAILS && bytes + mails <= BATCH_TEXT)
    })
}

/// The number of requests that only carried replies and messages, where each needs one.
pub fn posts(outcome: &Outcome) -> u64 {
    let said = outcome.talk.as_ref().map_or(0, |t| t.heard + t.duplicated);
    outcome.mails.replies.unwrap_or(0) + said
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::client::testing;
    use super::*;
    use crate::clock;
    use crate::theory::Delivery;

    #[tokio::test]
    async fn a_server_that_is_busy_says_when_to_come_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::plain(listener.local_addr().unwrap().to_string());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 70\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(busy).await.unwrap();
        });
        let client = testing::client(origin, 1);
        let http = Http::new(&client, Delivery::Polled).unwrap();
        let refused = fetch(&client, &http, "/poll").await.unwrap_err();
        assert!(refused.to_string().contains("503"), "{refused:#}");
        let next = client.reconnect.next(RETRY);
        assert!(next > clock::now() + Duration::from_secs(60));
    }
}
