//! The server half of the techniques that send mail on one response without end: the mail after the cursor,
//! all later mail, and heartbeats after a silence. The [`Format`] defines how they are written.

use std::collections::VecDeque;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::fanout::{Fanout, Joining};
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

/// The streams of one format.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The service that they belong to.
    pub service: Service,
    format: &'static Format,
    fanout: Arc<Fanout>,
}

impl Streams {
    pub fn new(service: Service, format: &'static Format) -> Streams {
        let encode = |entry: &LogEntry, epoch| {
            let piece = (format.mail)(entry, epoch);
            let mut chunk = BytesMut::new();
            put_chunk(&mut chunk, &piece);
            chunk.freeze()
        };
        Streams {
            fanout: Fanout::new(&service, encode),
            service,
            format,
        }
    }

    /// A response with all mail of a source; it ends when the server stops.
    pub fn response(self, source: Source) -> Response {
        let fields = response_fields(&self.service.headers, self.format);
        let progress = source.shared(&self.service);
        let joining = progress.map(|progress| Joining::new(&self.fanout, progress));
        let body = Body::from_stream(chunks(self.service, source, self.format));
        let mut response = (fields, body).into_response();
        if let Some(joining) = joining {
            response.extensions_mut().insert(joining);
        }
        response
    }
}

/// The most bytes that a chunk has in addition to its content.
const MOST_FRAMING: usize = 20;

/// Appends a chunk with this content (RFC 9112, section 7.1).
pub fn put_chunk(out: &mut BytesMut, content: &[u8]) {
    out.reserve(content.len() + MOST_FRAMING);
    // Writing into memory cannot fail.
    let _ = write!(out, "{:X}\r\n", content.len());
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n");
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
            let over = self.source.sent().elapsed() >= heartbeat;
            if over {
                self.source.sends();
            }
            self.silence.as_mut().reset(self.source.sent() + heartbeat);
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
            self.source.sends();
        }
        Ok(chunk)
    }
}
