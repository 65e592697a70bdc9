//! The client half of server-sent events, as a browser's `EventSource` behaves (WHATWG HTML, section 9.2). It
//! reconnects by itself with `Last-Event-ID`. When it gives up, its application may start a new
//! `EventSource`, which knows no id and therefore sends `after=` in its URL.
//!
//! ```text
//! the answer                                    what it does
//!   200, text/event-stream                      reads events; reconnects when they end
//!   301, 302, 303, 307, 308 with Location       asks there, at most 20 times
//!   a connection that breaks                    reconnects after `retry`, with Last-Event-ID; after each failure it
//!                                               waits longer, as the standard permits
//!   204                                         ends for good: the server asks it not to come back
//!   any other status or content type            fails; the application starts a new EventSource
//! ```

use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http_body_util::BodyExt;
use reqwest::Url;
use sse_stream::{Sse, SseStream};

use super::client::Client;
use super::http::{Http, Request, Response};
use super::{fields, limit};
use crate::clock;
use crate::outcome::EventKind;
use crate::wire::is_media_type;

/// The id of the last event that a reconnecting `EventSource` has seen (WHATWG HTML, section 9.2.4).
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How many redirects are followed (WHATWG Fetch, "HTTP-redirect fetch").
const MAX_REDIRECTS: usize = 20;

/// One event that was dispatched to the application.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its event type: `message` where the stream names none.
    pub kind: String,
    /// The content of its `data` lines.
    pub data: String,
    /// The last id in the stream up to and with this event.
    pub last_event_id: String,
}

/// Why an `EventSource` is closed.
#[derive(Debug)]
pub enum Closed {
    /// The run is over.
    Over,
    /// It failed; a new one may succeed.
    Failed(anyhow::Error),
    /// The server refuses it, or its stream cannot be read: a new one would fail as well.
    Useless(anyhow::Error),
}

/// Why there is no stream to read.
#[derive(Debug)]
enum Refused {
    /// A connection failed; the next one may not.
    Network(anyhow::Error),
    Closed(Closed),
}

/// An `EventSource`.
#[derive(Debug)]
pub struct EventSource<'a> {
    client: &'a Client,
    http: &'a Http,
    /// The path and query that it was created with. Every reconnection asks for these, also after redirects.
    target: String,
    /// The fields that it sends in addition to `Last-Event-ID`.
    fields: HeaderMap,
    last_event_id: String,
    reconnection_time: Duration,
}

impl<'a> EventSource<'a> {
    /// An `EventSource` for `target`. It waits for `reconnection_time` before it reconnects, until the stream
    /// sets another time.
    pub fn new(
        client: &'a Client,
        http: &'a Http,
        target: String,
        fields: HeaderMap,
        reconnection_time: Duration,
    ) -> EventSource<'a> {
        EventSource {
            client,
            http,
            target,
            fields,
            last_event_id: String::new(),
            reconnection_time,
        }
    }

    /// Keeps a stream open and passes every event to `dispatch`, until the `EventSource` is closed.
    pub async fn run(mut self, mut dispatch: impl FnMut(Message)) -> Closed {
        let client = self.client;
        loop {
            let ended = tokio::select! {
                biased;
                () = client.should_close() => Ok(()),
                ended = self.follow(&mut dispatch) => ended,
            };
            client.inbox.happened(EventKind::Closed);
            match ended {
                Ok(()) => {}
                Err(Refused::Network(e)) => client.inbox.trouble(&e),
                Err(Refused::Closed(closed)) => return closed,
            }
            if client.inbox.complete() {
                // All mail has arrived: another stream would only wait for the end of the run.
                client.stop.cancelled().await;
                return Closed::Over;
            }
            if !client.wait_to_reconnect_from(self.reconnection_time).await {
                return Closed::Over;
            }
        }
    }

    /// One stream, from its request to its end.
    async fn follow(&mut self, dispatch: &mut impl FnMut(Message)) -> Result<(), Refused> {
        let asked = clock::now();
        let (target, response) = self.connect().await?;
        if let Err(closed) = acceptable(&target, &response) {
            self.client.inbox.happened(EventKind::Failed);
            return Err(Refused::Closed(closed));
        }
        self.client.inbox.asked(asked, true);
        self.client.opened();
        let pieces = lossy(limit::events(response.into_body().into_data_stream()));
        let mut events = SseStream::from_bytes_stream(pieces);
        while let Some(block) = events.next().await {
            let block = block.context("the event stream broke").map_err(broken)?;
            self.interpret(block).into_iter().for_each(&mut *dispatch);
        }
        Ok(())
    }

    /// Sends the request, and follows redirects.
    async fn connect(&self) -> Result<(String, Response), Refused> {
        let mut target = self.target.clone();
        for _ in 0..=MAX_REDIRECTS {
            let request = Request::get(&*target, self.request_fields());
            let response = self
                .http
                .send(self.client, request)
                .await
                .inspect_err(|_| self.client.inbox.happened(EventKind::Failed))
                .map_err(Refused::Network)?;
            match location(&response) {
                Some(location) => target = self.redirected(&target, location)?,
                None => return Ok((target, response)),
            }
        }
        Err(Refused::Network(anyhow!(
            "{} leads to more than {MAX_REDIRECTS} redirects, which is as many as are followed",
            self.target
        )))
    }

    fn request_fields(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        // An id may hold control characters, which no header field can carry.
        match HeaderValue::from_str(&self.last_event_id) {
            Ok(id) if !id.is_empty() => _ = fields.insert(LAST_EVENT_ID, id),
            _ => {}
        }
        fields
    }

    /// The path and query of a redirect's target.
    ///
    /// A browser follows to another origin only where that origin permits it (CORS). This client never does:
    /// bytes to another server could not be counted.
    fn redirected(&self, from: &str, location: &HeaderValue) -> Result<String, Refused> {
        let origin = &self.client.origin;
        let at = || format!("{from} redirects to {location:?}, ");
        let url = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|location| {
                let base = Url::parse(&origin.http(from)).ok()?;
                base.join(location).ok().map(|to| (base, to))
            });
        let Some((base, url)) = url else {
            return Err(Refused::Network(anyhow!("{}which is no URL", at())));
        };
        if url.origin() != base.origin() {
            let why = anyhow!(
                "{}another origin than {}: only redirects to the same one are followed",
                at(),
                origin.http("")
            );
            return Err(Refused::Closed(Closed::Useless(why)));
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(format!("{}{query}", url.path()))
    }

    /// Applies a block of the stream; returns the event to dispatch, if there is one.
    fn interpret(&mut self, block: Sse) -> Option<Message> {
        if let Some(ms) = block.retry {
            self.reconnection_time = Duration::from_millis(ms);
        }
        if let Some(id) = block.id {
            self.last_event_id = id;
        }
        let kind = block.event.filter(|kind| !kind.is_empty());
        Some(Message {
            kind: kind.unwrap_or_else(|| "message".into()),
            data: block.data?,
            last_event_id: self.last_event_id.clone(),
        })
    }
}

/// How to treat a stream's error: a server that sent more than a client reads would do so again.
fn broken(error: anyhow::Error) -> Refused {
    match limit::is_exceeded(&error) {
        true => Refused::Closed(Closed::Useless(error)),
        false => Refused::Network(error),
    }
}

/// The target of a redirect, if the answer is one.
fn location(response: &Response) -> Option<&HeaderValue> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| redirects)
}

/// Checks that an answer is an event stream that can be read.
fn acceptable(target: &str, response: &Response) -> Result<(), Closed> {
    let path = target.split('?').next().unwrap_or_default();
    let status = response.status();
    if status == StatusCode::NO_CONTENT {
        return Err(Closed::Useless(anyhow!(
            "{path} answered 204 No Content, which asks an EventSource not to reconnect"
        )));
    }
    if status != StatusCode::OK {
        return Err(Closed::Failed(anyhow!("{path} answered {status}")));
    }
    let kind = response.headers().get_all(CONTENT_TYPE).iter().next_back();
    if !kind.is_some_and(|kind| is_media_type(kind, "text/event-stream")) {
        return Err(Closed::Failed(match kind {
            Some(kind) => anyhow!("{path} answered with Content-Type {kind:?}, not text/event-stream"),
            None => anyhow!("{path} answered without Content-Type, not with text/event-stream"),
        }));
    }
    fields::uncompressed(path, response.headers()).map_err(Closed::Useless)
}

/// A body as UTF-8: invalid bytes become U+FFFD. A character may be split between two pieces of the body.
fn lossy<E>(body: impl Stream<Item = Result<Bytes, E>>) -> impl Stream<Item = Result<Bytes, E>> {
    let mut cut = Vec::new();
    body.map(move |piece| piece.map(|piece| replaced(&mut cut, piece)))
}

/// Converts one piece; `cut` holds the beginning of a character whose end has not arrived yet.
fn replaced(cut: &mut Vec<u8>, piece: Bytes) -> Bytes {
    if cut.is_empty() && std::str::from_utf8(&piece).is_ok() {
        return piece;
    }
    let mut bytes = std::mem::take(cut);
    bytes.extend_from_slice(&piece);
    let mut text = String::with_capacity(bytes.len());
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid();
        if chunks.peek().is_none() && may_go_on(invalid) {
            *cut = invalid.to_vec();
        } else if !invalid.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.into()
}

/// Whether bytes are invalid only because their last character is incomplete.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::Origin;
    use super::super::client::testing;
    use super::*;
    use crate::theory::Delivery;

    /// A server that sends the next answer to each connection; also returns the request heads.
    async fn answering(answers: Vec<Vec<u8>>) -> (Origin, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::plain(listener.local_addr().unwrap().to_string());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (asked, here) = (Arc::clone(&heads), origin.http(""));
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                asked.lock().push(String::from_utf8(head).unwrap());
                let answer = match std::str::from_utf8(&answer) {
                    Ok(text) => text.replace("HERE", &here).into_bytes(),
                    Err(_) => answer,
                };
                // In two writes, which the client may read as two pieces.
                let (one, two) = answer.split_at(answer.len() * 9 / 10);
                stream.write_all(one).await.unwrap();
                stream.flush().await.unwrap();
                stream.write_all(two).await.unwrap();
            }
        });
        (origin, heads)
    }

    struct Seen {
        closed: Closed,
        messages: Vec<Message>,
        heads: Vec<String>,
    }

    impl Seen {
        fn why(&self) -> String {
            match &self.closed {
                Closed::Over => String::new(),
                Closed::Failed(why) | Closed::Useless(why) => format!("{why:#}"),
            }
        }

        fn useless(&self) -> bool {
            matches!(self.closed, Closed::Useless(_))
        }

        /// The target and the `Last-Event-ID` of each request.
        fn asked(&self) -> Vec<(String, Option<String>)> {
            let field = |head: &str| {
                let line = head.lines().find_map(|l| l.strip_prefix("last-event-id: "));
                line.map(String::from)
            };
            let target = |head: &str| head.split(' ').nth(1).unwrap().to_owned();
            self.heads.iter().map(|h| (target(h), field(h))).collect()
        }
    }

    /// The result of an `EventSource` for `/sse?after=0` that receives these answers.
    async fn given(answers: &[impl AsRef<[u8]>]) -> Seen {
        let answers = answers.iter().map(|a| a.as_ref().to_vec()).collect();
        let (origin, heads) = answering(answers).await;
        let client = testing::client(origin, 3);
        let http = Http::new(&client, Delivery::Streamed).unwrap();
        let source = EventSource::new(
            &client,
            &http,
            "/sse?after=0".into(),
            HeaderMap::new(),
            Duration::from_millis(1),
        );
        let mut messages = Vec::new();
        let running = source.run(|message| messages.push(message));
        let closed = tokio::time::timeout(Duration::from_secs(30), running)
            .await
            .unwrap();
        let heads = heads.lock().clone();
        Seen {
            closed,
            messages,
            heads,
        }
    }

    const ENOUGH: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    fn stream(body: impl AsRef<[u8]>) -> Vec<u8> {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        [head, body.as_ref()].concat()
    }

    fn answer(head: &str) -> Vec<u8> {
        format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
    }

    #[tokio::test]
    async fn a_stream_is_read_as_the_standard_says() {
        for (body, expected) in [
            (&b"data: a\n\n"[..], &[("message", "a")][..]),
            (b"\xEF\xBB\xBFdata: a\n\n", &[("message", "a")]),
            (
                b"data:a\r\rdata: b\r\n\r\n",
                &[("message", "a"), ("message", "b")],
            ),
            (b"data: 1\ndata:  2\ndata\n\n", &[("message", "1\n 2\n")]),
            (
                b"event: gap\ndata: 3\n\ndata: a\n\n",
                &[("gap", "3"), ("message", "a")],
            ),
            (b"event\ndata: a\n\n", &[("message", "a")]),
            (b"event: x\nid: 3\n\ndata: a\n\n", &[("message", "a")]),
            (b": c\nfoo: bar\nData: b\ndata: a\n\n", &[("message", "a")]),
            (b"data: a\xFF\xE2\x82z\n\n", &[("message", "a\u{FFFD}\u{FFFD}z")]),
            (b"ev\xC3ent: x\ndata: a\n\n", &[("message", "a")]),
            (b"data\n\n", &[("message", "")]),
            (b"data: never ends\n", &[]),
        ] {
            let seen = given(&[&stream(body), ENOUGH]).await;
            let messages: Vec<_> = seen.messages.iter().map(|m| (&*m.kind, &*m.data)).collect();
            assert_eq!(messages, expected, "{}", body.escape_ascii());
            assert!(seen.useless());
        }
    }

    #[test]
    fn no_cut_changes_what_is_replaced() {
        let bytes: &[u8] = b"a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xFF\xE2\x82\xC3\xF0\x9Fz\xC3";
        let whole = String::from_utf8_lossy(&bytes[..bytes.len() - 1]);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut cut = Vec::new();
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let text: Vec<u8> = pieces
                    .iter()
                    .flat_map(|piece| replaced(&mut cut, Bytes::copy_from_slice(piece)))
                    .collect();
                assert_eq!(String::from_utf8(text).unwrap(), whole, "{first}, {second}");
                assert_eq!(cut, b"\xC3");
            }
        }
    }

    #[tokio::test]
    async fn it_reconnects_where_it_was() {
        let answers = [
            stream("retry: 1\n\n"),
            stream("id: 5\ndata: a\n\n"),
            // An id that contains a NUL is ignored; so is the id of an incomplete event.
            stream(b"id: 6\0\ndata: b\n\nid: 7\ndata: c"),
            stream("id: 8\n\n"),
            stream("id\n\n"),
            stream("id: \u{e9}\n\n"),
            // A header field cannot carry this one.
            stream("id: \u{1}\n\n"),
            ENOUGH.to_vec(),
        ];
        let ids = [
            None,
            None,
            Some("5"),
            Some("5"),
            Some("8"),
            None,
            Some("\u{e9}"),
            None,
        ];
        let seen = given(&answers).await;
        let asked: Vec<_> = ids
            .iter()
            .map(|id| ("/sse?after=0".into(), id.map(String::from)))
            .collect();
        assert_eq!(seen.asked(), asked);
    }

    #[tokio::test]
    async fn retry_is_digits_alone() {
        for (line, ms) in [
            ("retry: 7", 7),
            ("retry:7", 7),
            ("retry: 7ms", 1),
            ("retry: +7", 1),
            ("retry: 7.5", 1),
            ("retry", 1),
            ("retry: 99999999999999999999999", 1),
        ] {
            let client = testing::client(Origin::plain("127.0.0.1:1"), 1);
            let http = Http::new(&client, Delivery::Streamed).unwrap();
            let wait = Duration::from_millis(1);
            let mut source = EventSource::new(&client, &http, "/".into(), HeaderMap::new(), wait);
            let body =
                futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(format!("{line}\n\n")))]);
            let mut events = SseStream::from_bytes_stream(body);
            while let Some(block) = events.next().await {
                assert_eq!(source.interpret(block.unwrap()), None);
            }
            assert_eq!(source.reconnection_time.as_millis(), ms, "{line}");
        }
    }

    #[tokio::test]
    async fn redirects_are_followed_and_forgotten() {
        for (status, location, to) in [
            ("301 Moved Permanently", "/other?a=1", "/other?a=1"),
            ("302 Found", "other", "/other"),
            ("303 See Other", "HERE/other#part", "/other"),
            ("307 Temporary Redirect", "?after=1", "/sse?after=1"),
            ("308 Permanent Redirect", "//HOST/x", "/x"),
        ] {
            let location = match location {
                "//HOST/x" => "HERE/y/../x".to_owned(),
                other => other.to_owned(),
            };
            let redirect = answer(&format!("{status}\r\nLocation: {location}"));
            let seen = given(&[redirect.clone(), stream("id: 2\n\n"), redirect, ENOUGH.to_vec()]).await;
            let id = || Some("2".to_owned());
            let first = "/sse?after=0".to_owned();
            let expected = [
                (first.clone(), None),
                (to.into(), None),
                (first, id()),
                (to.into(), id()),
            ];
            assert_eq!(seen.asked(), expected, "{status}");
        }
    }

    #[tokio::test]
    async fn a_redirect_that_leads_nowhere_is_refused() {
        let around = vec![answer("307 Temporary Redirect\r\nLocation: /sse"); MAX_REDIRECTS + 1];
        let seen = given(&[around, vec![ENOUGH.to_vec()]].concat()).await;
        assert_eq!(
            seen.heads.len(),
            MAX_REDIRECTS + 2,
            "it asks again, from the start"
        );
        let seen = given(&[answer("302 Found\r\nLocation: http://127.0.0.1:9/sse")]).await;
        assert!(
            seen.useless() && seen.why().contains("\"http://127.0.0.1:9/sse\", another origin"),
            "{}",
            seen.why()
        );
        let seen = given(&[answer("302 Found\r\nLocation: http://[/"), ENOUGH.to_vec()]).await;
        assert_eq!(seen.heads.len(), 2);
        // Without Location it is treated like any other status.
        let seen = given(&[answer("302 Found")]).await;
        assert!(!seen.useless() && seen.why().contains("302"), "{}", seen.why());
    }

    #[tokio::test]
    async fn what_is_no_event_stream_fails() {
        for (head, why) in [
            ("502 Bad Gateway", "/sse answered 502 Bad Gateway"),
            ("404 Not Found\r\nContent-Type: text/event-stream", "404"),
            ("201 Created\r\nContent-Type: text/event-stream", "201"),
            (
                "200 OK\r\nContent-Type: text/html; x=text/event-stream",
                "Content-Type \"text/html",
            ),
            (
                "200 OK\r\nContent-Type: text/event-streams",
                "Content-Type \"text/event-streams\"",
            ),
            ("200 OK", "without Content-Type"),
        ] {
            let seen = given(&[answer(head)]).await;
            assert!(
                !seen.useless() && seen.why().contains(why),
                "{head}: {}",
                seen.why()
            );
        }
        for kind in [
            "TEXT/Event-Stream",
            "text/event-stream ;charset=latin1",
            " text/event-stream",
        ] {
            let fine = answer(&format!("200 OK\r\nContent-Type: {kind}"));
            let seen = given(&[&fine, ENOUGH]).await;
            assert!(seen.useless() && seen.heads.len() == 2, "{kind}: {}", seen.why());
        }
    }

    #[tokio::test]
    async fn what_another_would_not_change_ends_it_for_good() {
        let seen = given(&[ENOUGH]).await;
        assert!(seen.useless() && seen.why().contains("204"), "{}", seen.why());
        let coded = |coding| {
            answer(&format!(
                "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: {coding}"
            ))
        };
        for coding in ["deflate", "br", "Zstd", "x-unknown"] {
            let seen = given(&[coded(coding)]).await;
            assert!(
                seen.useless() && seen.why().contains(&format!("Content-Encoding \"{coding}\"")),
                "{}",
                seen.why()
            );
        }
        let seen = given(&[coded("Identity"), ENOUGH.to_vec()]).await;
        assert_eq!(seen.heads.len(), 2, "{}", seen.why());
    }
}
