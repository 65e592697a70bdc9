//! The transports that receive over HTTP: streaming, with many frames in one answer, and polling, with one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::super::fields;
use super::server::{Options, SCRIPT, Server, session_fields};
use super::session::{Queued, Ready, Receiver};
use crate::wire::sockjs::{self, Endpoint, Frame, Wrapping};

/// Answers a request that receives frames.
pub async fn answer(server: &Arc<Server>, request: Request, session: &str, endpoint: Endpoint) -> Response {
    let callback = match endpoint {
        Endpoint::HtmlFile | Endpoint::Jsonp => match callback(request.uri().query().unwrap_or_default()) {
            Ok(callback) => callback,
            Err(why) => return server.say(StatusCode::INTERNAL_SERVER_ERROR, why),
        },
        _ => String::new(),
    };
    let receiver = match server.attach(session) {
        Ok(mut receiver) => {
            receiver.script = endpoint == Endpoint::Jsonp;
            Ok(receiver)
        }
        Err(Some(close)) => Err(close),
        Err(None) => return server.say(StatusCode::SERVICE_UNAVAILABLE, "there are too many sessions\n"),
    };
    let ours = receiving_fields(&server.options, request.headers(), endpoint);
    let body = match endpoint {
        Endpoint::Xhr => poll(server, receiver, &Wrapping::Line).await,
        Endpoint::Jsonp => poll(server, receiver, &Wrapping::Call(callback)).await,
        Endpoint::EventSource => stream(server, receiver, Wrapping::Event, Wrapping::Event.prelude()),
        Endpoint::HtmlFile => {
            let page = sockjs::htmlfile(&callback).into_bytes();
            stream(server, receiver, Wrapping::Script, page)
        }
        _ => stream(server, receiver, Wrapping::Line, Wrapping::Line.prelude()),
    };
    server.respond(StatusCode::OK, ours, body)
}

/// The fields of an answer that carries frames.
pub fn receiving_fields(options: &Options, asked: &HeaderMap, endpoint: Endpoint) -> HeaderMap {
    let mut ours = session_fields(options, asked, content(endpoint));
    match endpoint {
        Endpoint::HtmlFile => ours.extend([NO_SNIFFING, fields::UNBUFFERED]),
        Endpoint::XhrStreaming | Endpoint::EventSource => ours.extend([fields::UNBUFFERED]),
        Endpoint::Jsonp => ours.extend([NO_SNIFFING]),
        _ => {}
    }
    ours
}

/// Prevents a browser from guessing another type than the declared one.
const NO_SNIFFING: (HeaderName, HeaderValue) = (
    http::header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);

fn content(endpoint: Endpoint) -> HeaderValue {
    match endpoint {
        // An event stream is always UTF-8 (WHATWG HTML, section 9.2.5).
        Endpoint::EventSource => HeaderValue::from_static("text/event-stream"),
        Endpoint::HtmlFile => HeaderValue::from_static("text/html; charset=UTF-8"),
        _ => SCRIPT,
    }
}

fn callback(query: &str) -> Result<String, &'static str> {
    let named = sockjs::value_of(query, "c").or_else(|| sockjs::value_of(query, "callback"));
    let named = named
        .filter(|c| !c.is_empty())
        .ok_or("\"callback\" parameter required\n")?;
    match sockjs::is_callback(&named) {
        true => Ok(named.into_owned()),
        false => Err("invalid \"callback\" parameter\n"),
    }
}

/// Answers with one frame: the open frame, all queued messages, the close frame, or a heartbeat.
async fn poll(server: &Server, receiver: Result<Receiver, Bytes>, wrapping: &Wrapping) -> Body {
    let mut receiver = match receiver {
        Ok(receiver) => receiver,
        Err(close) => return wrap(wrapping, &close).into(),
    };
    let frame = if receiver.first {
        Bytes::from_static(b"o")
    } else {
        let silence = Instant::now() + server.options.heartbeat;
        match receiver.next(None, silence).await {
            Ready::Messages(messages) => together(&messages),
            Ready::Close(close) => close,
            Ready::Silence => Bytes::from_static(b"h"),
        }
    };
    receiver.let_go();
    wrap(wrapping, &frame).into()
}

/// Merges frames of one message each into one frame.
fn together(frames: &[Queued]) -> Bytes {
    let inner = frames.iter().map(|frame| message(&frame.bytes));
    let mut out = Vec::with_capacity(frames.iter().map(|frame| frame.bytes.len()).sum());
    out.extend_from_slice(b"a[");
    for (n, quoted) in inner.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(quoted);
    }
    out.push(b']');
    out.into()
}

/// The JSON string in a frame of one message, which is `a[…]` and a line end.
fn message(frame: &[u8]) -> &[u8] {
    &frame[2..frame.len() - 2]
}

fn wrap(wrapping: &Wrapping, frame: &[u8]) -> Bytes {
    // Frames are always UTF-8.
    wrapping.wrap(&String::from_utf8_lossy(frame)).into()
}

/// A body of many frames.
fn stream(server: &Server, receiver: Result<Receiver, Bytes>, wrapping: Wrapping, prelude: Vec<u8>) -> Body {
    let mut ready = VecDeque::from([Bytes::from(prelude)]);
    let receiver = match receiver {
        Ok(receiver) => {
            if receiver.first {
                ready.push_back(wrapping.wrap(&Frame::Open.text()).into());
            }
            Some(receiver)
        }
        Err(close) => {
            ready.push_back(wrap(&wrapping, &close));
            None
        }
    };
    let streaming = Streaming {
        left: server.options.response_limit,
        counted: 1,
        heartbeat: server.options.heartbeat,
        wrote: Instant::now(),
        receiver,
        wrapping,
        ready,
    };
    Body::from_stream(futures_util::stream::unfold(streaming, async |mut s| {
        s.next().await.map(|chunk| (Ok::<_, Infallible>(chunk), s))
    }))
}

struct Streaming {
    receiver: Option<Receiver>,
    wrapping: Wrapping,
    ready: VecDeque<Bytes>,
    /// Bytes of frames left until the response ends.
    left: usize,
    /// Chunks at the start that do not count as frames: the prelude.
    counted: usize,
    heartbeat: std::time::Duration,
    wrote: Instant,
}

impl Streaming {
    /// The next chunk; `None` ends the response.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.look().await;
        }
        let Some(chunk) = self.ready.pop_front() else {
            // The session is free for the next request before the client sees this answer's end.
            self.let_go();
            return None;
        };
        match self.counted {
            0 => self.left = self.left.saturating_sub(chunk.len()),
            _ => self.counted -= 1,
        }
        self.wrote = Instant::now();
        Some(chunk)
    }

    /// Waits for a frame, if the response may have another one.
    async fn look(&mut self) {
        let Some(receiver) = self.receiver.as_mut().filter(|_| self.left > 0) else {
            return;
        };
        match receiver.next(Some(1), self.wrote + self.heartbeat).await {
            Ready::Messages(frames) => {
                let frames = frames.into_iter().map(|frame| frame.bytes);
                let frames = frames.map(|frame| match &self.wrapping {
                    Wrapping::Line => frame,
                    other => wrap(other, &frame[..frame.len() - 1]),
                });
                self.ready.extend(frames);
            }
            Ready::Close(close) => {
                self.ready.push_back(wrap(&self.wrapping, &close));
                self.let_go();
            }
            Ready::Silence => self
                .ready
                .push_back(self.wrapping.wrap(&Frame::Heartbeat.text()).into()),
        }
    }

    fn let_go(&mut self) {
        if let Some(mut receiver) = self.receiver.take() {
            receiver.let_go();
        }
    }
}
