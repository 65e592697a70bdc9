//! Mail as a JSON list: the answer that polling and long polling share, and the reply that the
//! techniques without a way back have to POST.
//!
//! ```text
//! 200 [{"id":4,…},{"id":5,…}]      mail after the cursor
//! 200 [{"gap":3},{"id":8,…}]       three mails are no longer kept
//! 200 [{"epoch":"k3f9"},{"id":1,…}]  the log's name, for a client that asked with the cursor `0.`
//! 200 [{"reset":"k3f9"},{"id":1,…}]  the cursor is none of this log: here it is from its beginning
//! 204                              nothing after the cursor
//! ```
//!
//! A list has at most [`BATCH_MAILS`] mails and, if there is more than one, [`BATCH_BYTES`](crate::mail::BATCH_BYTES) bytes. Where the
//! log has more, the answer says so with `Link: <?after=5.k3f9>; rel="next"` (RFC 8288), and the client asks again
//! at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::body::Body;
use axum::extract::State;
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

use super::bill::{Bill, Ending};
use super::client::Client;
use super::fields;
use super::headers::{Headers, Purpose};
use super::heads::{Heads, Length};
use super::http::{Http, Request};
use super::limit;
use super::service::{MAX_BODY, Service};
use super::talk::{self, Said, Says};
use super::{Origin, Routes, Setting};
use crate::mail::{BATCH_MAILS, BATCH_TEXT, Batch, Cursor, Notice, Posted, Received};
use crate::outcome::{EventKind, HttpVersion, Outcome};
use crate::theory::{self, Exchange, Way};

/// The cursor as every technique's URL carries it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct After {
    /// Where the client stands.
    #[serde(default)]
    pub after: Cursor,
}

/// What a client says of each mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The mail it has read.
    pub read: u64,
}

impl Reply {
    /// `{"read":7}`
    pub fn json(id: u64) -> String {
        format!(r#"{{"read":{id}}}"#)
    }
}

/// `POST /read` and `POST /say`, where goes what has no stream of its own: replies to mail, and what a
/// client says of its own accord.
pub fn reply_route(service: Service) -> Routes {
    async fn read(State(service): State<Service>, axum::Json(_): axum::Json<Reply>) -> Response {
        service.replied();
        respond(&service, StatusCode::NO_CONTENT, Bytes::new())
    }
    async fn say(State(service): State<Service>, axum::Json(said): axum::Json<Said>) -> Response {
        service.told(said);
        respond(&service, StatusCode::NO_CONTENT, Bytes::new())
    }
    let in_time = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, service.body_timeout);
    let limits = |methods: MethodRouter<Service>| {
        let limited = methods.layer((RequestBodyLimitLayer::new(MAX_BODY), in_time));
        limited.with_state(service.clone())
    };
    Routes::new()
        .route("/read", limits(post(read)))
        .route("/say", limits(post(say)))
}

/// The answer to a GET for what is after a cursor.
pub fn answer(service: &Service, batch: &Batch) -> Response {
    if !batch.is_empty() {
        let list = List::of(batch);
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

/// An empty list of exactly `size` bytes, as a captured server's empty answers had.
fn padded(size: usize) -> Bytes {
    let mut list = vec![b' '; size.max(2)];
    list[0] = b'[';
    if let Some(last) = list.last_mut() {
        *last = b']';
    }
    list.into()
}

/// The body of an answer with mail: the shared bytes of the mails, one after the other, each looked up when
/// it is written. For a HEAD none is.
struct List {
    /// What stands before the first mail.
    start: Option<Bytes>,
    mails: std::vec::IntoIter<Arc<Posted>>,
    /// The next mail is not the first element, so a comma goes before it.
    comma: bool,
    end: bool,
    left: u64,
}

impl List {
    fn of(batch: &Batch) -> List {
        let notices: Vec<String> = batch.notices.iter().map(Notice::json).collect();
        let start = format!("[{}", notices.join(","));
        let commas = match notices.is_empty() {
            true => batch.mails.len().saturating_sub(1),
            false => batch.mails.len(),
        };
        let mails: usize = batch.mails.iter().map(|posted| posted.mail.text_len()).sum();
        List {
            left: (start.len() + mails + commas + 1) as u64,
            start: Some(start.into()),
            mails: batch.mails.clone().into_iter(),
            comma: !notices.is_empty(),
            end: false,
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        if let Some(start) = self.start.take() {
            return Some(start);
        }
        if self.mails.len() > 0 && std::mem::replace(&mut self.comma, false) {
            return Some(Bytes::from_static(b","));
        }
        if let Some(posted) = self.mails.next() {
            self.comma = true;
            return Some(posted.text());
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

/// Whether any of these answers is more than is given at once.
pub fn exceeds(bill: &Bill, exchanges: &[Exchange]) -> bool {
    exchanges.iter().any(|e| {
        let mails = e.upto - e.after;
        let text = bill.mails(e.after, e.upto).text as u64 + mails;
        mails > BATCH_MAILS as u64 || (mails > 1 && text > BATCH_TEXT as u64)
    })
}

fn respond(service: &Service, status: StatusCode, body: Bytes) -> Response {
    let fields = response_fields(&service.headers, !body.is_empty());
    (status, fields, Body::from(body)).into_response()
}

/// What an answer's head carries, but for its length and date.
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

/// Asks once and delivers what comes; returns the numbers of the mails that were new, and whether there is
/// more. Of an answer that breaks off, the mails that came whole count.
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
        new.extend(deliver_item(client, item)?);
    }
    Ok(new)
}

/// Delivers the items of a list that has no end.
fn deliver_whole(client: &Client, body: &[u8]) -> anyhow::Result<Vec<u64>> {
    let mut new = Vec::new();
    let mut rest = body.strip_prefix(b"[").unwrap_or_default();
    loop {
        let mut items = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let Some(Ok(item)) = items.next() else {
            return Ok(new);
        };
        let length = items.byte_offset();
        new.extend(deliver_item(client, item)?);
        rest = &rest[length..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
}

/// Returns the number of a mail that is new.
fn deliver_item(client: &Client, item: &RawValue) -> anyhow::Result<Option<u64>> {
    if let Ok(notice) = serde_json::from_str::<Notice>(item.get()) {
        client.inbox.take(notice);
        return Ok(None);
    }
    let mail = Received::from_text(item.get().as_bytes())?;
    Ok(client.inbox.deliver(&mail).then_some(mail.id))
}

/// Tells the server, one POST for each mail, that it was read.
pub async fn reply(client: &Client, http: &Http, read: &[u64]) {
    for id in read {
        tell(client, http, "/read", &Reply::json(*id)).await;
    }
}

/// Posts what the application says of its own accord, one message after the other: so they are heard in
/// the order in which they were said.
pub async fn talk(client: &Client, http: &Http, mut says: Says) -> anyhow::Result<()> {
    while let Some(said) = says.next().await {
        tell(client, http, "/say", &said.json()).await;
        // Lets the connection return to the pool, or the next request would open another.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Posts something. A POST that no answer came to is sent again, so the server hears it at least once.
async fn tell(client: &Client, http: &Http, path: &str, json: &str) {
    for _ in 0..TRIES {
        match send(client, http, path, json).await {
            Ok(()) => break,
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

/// Where a technique without a way back puts what it has to say.
pub type Say = tokio::sync::mpsc::UnboundedSender<u64>;

/// Queues a reply for each new mail, if the scenario wants replies.
pub fn say(client: &Client, say: &Say, new: &[u64]) {
    if client.scenario.reply {
        for id in new {
            // Nobody listens only when the run is over.
            let _ = say.send(*id);
        }
    }
}

/// Posts what is said until nobody can say more.
pub async fn replies(
    client: &Client,
    http: &Http,
    mut heard: tokio::sync::mpsc::UnboundedReceiver<u64>,
) -> anyhow::Result<()> {
    while let Some(id) = heard.recv().await {
        reply(client, http, &[id]).await;
    }
    Ok(())
}

/// How long a client waits before it connects again.
pub const RETRY: Duration = Duration::from_millis(100);

/// Has a run acted out with the sizes of its requests and answers, heads and all.
pub fn act(
    bill: &Bill,
    setting: &Setting,
    path: &str,
    run: impl FnOnce(&theory::Sizes) -> theory::Acted,
) -> theory::Acted {
    let asked = request_fields(setting.headers, setting.origin);
    let answered = response_fields(setting.headers, true);
    let nothing = response_fields(setting.headers, false);
    // Each message but the first finds what can be remembered remembered.
    let mut heads = Heads::new(setting.scenario.http);
    let mut ask = |after| {
        let target = setting.headers.target(path, setting.cursor(after));
        heads.request("GET", &target, &asked, setting.origin, None)
    };
    let first = ask(0) as usize;
    let request = ByDigits::new(ask);
    let mut full = |length| heads.response(200, "OK", &answered, Length::Known(length));
    full(0);
    let full = ByDigits::new(full);
    let empty = match setting.headers.empty_body() {
        Some(size) => full.of(size as u64) + size,
        None => heads.response(204, "No Content", &nothing, Length::None) as usize,
    };
    let framed = |len: f64| len + Bill::in_frames(setting, len);
    let sealed = |len: usize| len + setting.tls_framing(len as u64) as usize;
    run(&theory::Sizes {
        request: &|after| sealed(if after == 0 { first } else { request.of(after) }),
        answer: &|after, upto| {
            if upto == after {
                return sealed(empty);
            }
            let length = body_len(bill, setting, after, upto);
            sealed(full.of(length) + framed(length as f64) as usize)
        },
    })
}

/// Lengths that hang on a number only by its digits, looked up rather than worked out each time.
struct ByDigits([usize; 20]);

impl ByDigits {
    fn new(mut length: impl FnMut(u64) -> f64) -> ByDigits {
        ByDigits(std::array::from_fn(|digits| {
            length(10_u64.pow(digits as u32)) as usize
        }))
    }

    fn of(&self, n: u64) -> usize {
        self.0[theory::decimal_digits(n) as usize - 1]
    }
}

/// Bytes of the list of the mails numbered above `after`, up to and with `upto`.
fn body_len(bill: &Bill, setting: &Setting, after: u64, upto: u64) -> u64 {
    bill.mails(after, upto).text as u64 + punctuation(after, upto) + epoch(setting, after)
}

/// Bytes of the notice that names the log, which the first mails have before them, with its comma.
fn epoch(setting: &Setting, after: u64) -> u64 {
    match after {
        0 => setting.notice() as u64 + 1,
        _ => 0,
    }
}

/// Brackets and commas.
fn punctuation(after: u64, upto: u64) -> u64 {
    1 + (upto - after)
}

/// Charges one client's exchanges, as `theory` expects them, for requests and lists. `seconds` is in how
/// many of them the answer's date is another than the one before's.
pub fn charge(bill: &mut Bill, setting: &Setting, path: &str, exchanges: &[Exchange], seconds: f64) {
    let asked = request_fields(setting.headers, setting.origin);
    let answered = response_fields(setting.headers, true);
    let nothing = response_fields(setting.headers, false);
    for Exchange { after, upto, weight } in exchanges.iter().copied() {
        let target = setting.headers.target(path, setting.cursor(after));
        let head = often(weight, || {
            bill.heads.request("GET", &target, &asked, setting.origin, None)
        });
        bill.up.head += head;
        bill.seal_up(weight, head / weight);
        let (status, reason, fields, length) = if upto > after {
            (
                200,
                "OK",
                &answered,
                Length::Known(body_len(bill, setting, after, upto)),
            )
        } else {
            match setting.headers.empty_body() {
                Some(size) => (200, "OK", &answered, Length::Known(size as u64)),
                None => (204, "No Content", &nothing, Length::None),
            }
        };
        let head = often(weight, || bill.heads.response(status, reason, fields, length));
        let body = match length {
            Length::Known(length) => length as f64,
            Length::None | Length::Open => 0.0,
        };
        let frames = Bill::in_frames(setting, body);
        let mails = bill.mails(after, upto);
        bill.down.head += head;
        bill.down.payload += weight * mails.payload;
        if upto > after {
            let notice = epoch(setting, after) as f64;
            bill.down.control += weight * notice;
            bill.down.framing += weight * (body + frames - mails.payload - notice);
        } else {
            bill.down.control += weight * (body + frames);
        }
        bill.seal_down(weight, head / weight + body + frames);
    }
    bill.down.head += seconds * bill.heads.another_second(200, &answered);
    let requests = theory::Requests::of(exchanges);
    bill.requests += requests.total;
    bill.empty = Some(bill.empty.unwrap_or(0.0) + requests.empty);
    bill.connections = connections(setting, requests.total);
    let client_ends = client_ends(setting, bill.connections);
    bill.open_http2(setting, Ending::Client);
    bill.say_goodbye(client_ends, bill.connections);
}

/// What `weight` messages weigh of which only the first is news to the other side.
fn often(weight: f64, mut weigh: impl FnMut() -> f64) -> f64 {
    let first = weigh();
    if weight == 1.0 {
        return first;
    }
    first + (weight - 1.0) * weigh()
}

/// How many of so many connections the client ends, rather than the server behind its answer.
fn client_ends(setting: &Setting, connections: f64) -> f64 {
    match setting.scenario.http {
        HttpVersion::Http10 => 0.0,
        HttpVersion::Http11 | HttpVersion::Http2 => connections,
    }
}

/// How many connections so many requests take that are sent one after the other.
fn connections(setting: &Setting, requests: f64) -> f64 {
    match setting.scenario.http {
        HttpVersion::Http10 => requests,
        HttpVersion::Http11 | HttpVersion::Http2 => 1.0,
    }
}

/// How many requests only brought what clients said, where that needs one each.
pub fn posts(outcome: &Outcome) -> u64 {
    let said = outcome.talk.as_ref().map_or(0, |t| t.heard + t.duplicated);
    outcome.mails.replies.unwrap_or(0) + said
}

/// Charges that the date is another now and then in the answers to replies and messages, where nothing else
/// has one.
pub fn charge_seconds(bill: &mut Bill, setting: &Setting) {
    let nothing = response_fields(setting.headers, false);
    let dates = setting.seconds(f64::INFINITY) * bill.heads.another_second(204, &nothing);
    bill.down.head += dates;
    if setting.scenario.talk_per_s.is_some() {
        bill.said += dates;
    }
}

/// Charges one client's replies, if the scenario wants them, as a POST each. They need a connection of
/// their own where a request is `held` on the other.
pub fn charge_replies(bill: &mut Bill, setting: &Setting, held: bool) {
    if !setting.scenario.reply {
        return;
    }
    let asked = reply_fields(setting.headers, setting.origin);
    let nothing = response_fields(setting.headers, false);
    for id in 1..=setting.plan.mails.len() as u64 {
        let length = Reply::json(id).len() as u64;
        let asked = bill
            .heads
            .request("POST", "/read", &asked, setting.origin, Some(length));
        let frames = Bill::in_frames(setting, length as f64);
        bill.up.head += asked;
        bill.up.framing += frames;
        bill.up.payload += length as f64;
        bill.seal_up(1.0, asked + frames + length as f64);
        if setting.scenario.http == HttpVersion::Http2 && !(held && bill.empty.is_some()) {
            // Head and body leave one after the other, unless the next question takes the head along.
            bill.seal_up(1.0, frames + length as f64);
        }
        let answered = bill.heads.response(204, "No Content", &nothing, Length::None);
        bill.down.head += answered;
        bill.seal_down(1.0, answered);
        bill.requests += 1.0;
    }
    let replies = setting.plan.mails.len() as f64;
    let more = match setting.scenario.http {
        HttpVersion::Http10 => replies,
        HttpVersion::Http11 if held => 1.0,
        HttpVersion::Http11 | HttpVersion::Http2 => 0.0,
    };
    bill.connections += more;
    bill.say_goodbye(client_ends(setting, more), more);
}

/// Charges what clients say of their own accord, if the scenario has them talk, as a POST each. `way` is
/// how a client stands with its connections at an instant.
pub fn charge_talk(bill: &mut Bill, setting: &Setting, way: &dyn Fn(u64, f64) -> Way) {
    if setting.scenario.talk_per_s.is_none() {
        return;
    }
    let asked = reply_fields(setting.headers, setting.origin);
    let nothing = response_fields(setting.headers, false);
    let (mut messages, mut sizes) = (0.0, [0; 2]);
    for (length, weight) in talk::lengths(setting) {
        let frames = Bill::in_frames(setting, length as f64);
        let head = often(weight, || {
            bill.heads
                .request("POST", "/say", &asked, setting.origin, Some(length))
        });
        bill.up.head += head;
        bill.up.framing += weight * frames;
        bill.up.payload += weight * length as f64;
        let request = head / weight + frames + length as f64;
        bill.seal_up(weight, request);
        if setting.scenario.http == HttpVersion::Http2 {
            // Head and body leave one after the other.
            bill.seal_up(weight, frames + length as f64);
        }
        let answered = often(weight, || {
            bill.heads.response(204, "No Content", &nothing, Length::None)
        });
        bill.down.head += answered;
        bill.seal_down(weight, answered / weight);
        bill.said += head + weight * frames + answered;
        messages += weight;
        let sealed = |len: f64| len as usize + setting.tls_framing(len as u64) as usize;
        sizes = [sealed(request), sealed(answered / weight)];
    }
    bill.requests += messages;
    let due = setting.due();
    let says = |client: u64| talk::seconds(setting, client);
    let spoken = setting.trial(&due).post(&says, way, sizes);
    let more = match setting.scenario.http {
        HttpVersion::Http10 => messages,
        HttpVersion::Http11 => spoken.opened,
        HttpVersion::Http2 => 0.0,
    };
    bill.connections += more;
    bill.say_goodbye(client_ends(setting, more), more);
    bill.talk = Some(spoken.acted.latency);
}

/// Of a client that has a request held, or an answer that never ends: where there are no streams, what it
/// says needs another connection.
pub fn occupied(setting: &Setting) -> Way {
    match setting.scenario.http {
        HttpVersion::Http2 => Way::Idle,
        HttpVersion::Http10 | HttpVersion::Http11 => Way::Another,
    }
}
