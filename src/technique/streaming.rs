//! The server half of the techniques that send mail on one response without end: the mail after the cursor,
//! all later mail, and heartbeats after a silence. The [`Format`] defines how they are written.

use std::collections::VecDeque;
use std::pin::Pin;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::fields;
use super::headers::Headers;
use super::rarely_ready::RarelyReady;
use super::service::Service;
use super::source::{CutOff, Source};
use crate::mail::{Epoch, LogEntry, Notice};
use crate::outcome::Scenario;

/// The format of a stream. Each piece is one chunk.
#[derive(Debug)]
pub struct Format {
    /// The media type of the response.
    pub content_type: &'static str,
    /// The start of the stream in a scenario, if it has one.
    pub start: fn(&Scenario) -> Option<Bytes>,
    /// The heartbeat, which is sent after a silence.
    pub heartbeat: &'static [u8],
    /// A notice about the log, for a client whose cursor had this number; `None` if the format needs none.
    pub notice: fn(Notice, u64, Epoch) -> Option<Bytes>,
    /// An encoded mail.
    pub mail: fn(&LogEntry, Epoch) -> Bytes,
}

/// Bytes of a chunk with less than 16 bytes of content, in addition to the content: its size and two line
/// ends (RFC 9112, section 7.1).
pub const SHORT_CHUNK: usize = 5;

/// A response with all mail of a source; it ends when the server stops.
pub fn response(service: Service, source: Source, format: &'static Format) -> Response {
    let fields = response_fields(&service.headers, format);
    (fields, Body::from_stream(chunks(service, source, format))).into_response()
}

/// The fields of a streaming response.
pub fn response_fields(profile: &Headers, format: &Format) -> HeaderMap {
    let ours = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static(format.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        fields::UNBUFFERED,
    ]);
    let known: Vec<HeaderName> = ours.keys().cloned().collect();
    fields::response(profile, ours, |name| !known.contains(name))
}

/// The server's state for one client: where its mail comes from, and the chunks on their way to it.
struct Subscriber {
    service: Service,
    format: &'static Format,
    source: Source,
    ready: VecDeque<Bytes>,
    /// When the last chunk was sent.
    sent: Instant,
    rare: RarelyReady,
    silence: Pin<Box<Sleep>>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

fn chunks(
    service: Service,
    source: Source,
    format: &'static Format,
) -> impl Stream<Item = Result<Bytes, CutOff>> {
    let subscriber = Subscriber {
        source,
        ready: (format.start)(&service.scenario).into_iter().collect(),
        sent: Instant::now(),
        rare: RarelyReady::default(),
        silence: Box::pin(tokio::time::sleep(service.scenario.heartbeat())),
        shutdown: Box::pin(service.shutdown.clone().cancelled_owned()),
        service,
        format,
    };
    futures_util::stream::unfold(subscriber, async |mut s| s.next().await.map(|chunk| (chunk, s)))
}

impl Subscriber {
    /// The next chunk to write; `None` ends the response.
    async fn next(&mut self) -> Option<Result<Bytes, CutOff>> {
        loop {
            if let Some(chunk) = self.take().transpose() {
                return Some(chunk);
            }
            let other = async {
                tokio::select! {
                    biased;
                    () = &mut self.shutdown => false,
                    () = &mut self.silence => true,
                }
            };
            let silent = tokio::select! {
                biased;
                silent = self.rare.wait(other) => silent,
                () = self.source.ready() => continue,
            };
            if !silent {
                return None;
            }
            // The timer is not reset for every mail, only when it fires too early.
            let heartbeat = self.service.scenario.heartbeat();
            let over = self.sent.elapsed() >= heartbeat;
            if over {
                self.sent = Instant::now();
            }
            self.silence.as_mut().reset(self.sent + heartbeat);
            if over {
                return Some(Ok(Bytes::from_static(self.format.heartbeat)));
            }
        }
    }

    /// The next chunk, if there is one now.
    fn take(&mut self) -> Result<Option<Bytes>, CutOff> {
        let mut chunk = self.ready.pop_front();
        if chunk.is_none() {
            self.ready = VecDeque::new();
            let log = &self.service.mailbox;
            let after = self.source.after();
            let batch = self.source.next()?;
            let notices = batch
                .notices
                .iter()
                .filter_map(|n| (self.format.notice)(*n, after, log.epoch()));
            let mails = batch
                .mails
                .iter()
                .map(|entry| (self.format.mail)(entry, log.epoch()));
            let mut chunks = notices.chain(mails);
            chunk = chunks.next();
            self.ready.extend(chunks);
        }
        if chunk.is_some() && self.ready.is_empty() {
            self.sent = Instant::now();
        }
        Ok(chunk)
    }
}
