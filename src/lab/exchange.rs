//! The request that a connection of HTTP/1 carries now, and its answer: what hyper, as long as it serves the connection, and
//! [`http1`](super::http1), which serves it at other times, both know.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request, StatusCode, Version};
use hyper::body::{Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tower::Service as _;

use crate::technique::Switch;
use crate::technique::fanout::Joining;

/// A request and its answer.
#[derive(Default)]
pub struct Exchange(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None` before the first request, and while the next is being read.
    asked: Option<Asked>,
    stage: Stage,
    switch: Option<Switch>,
}

#[derive(Default)]
enum Stage {
    #[default]
    None,
    /// The handler has it.
    Asked(RouteFuture<Infallible>),
    /// It has answered: without hyper, or with a change of protocol for which hyper itself hands the connection over.
    Answered(Response),
    Sent(Sent),
}

/// The body of an answer.
pub struct Sent {
    pub body: Body,
    /// How the fan-out may send in its place.
    pub joining: Option<Joining>,
    /// Whether it has no length.
    is_open: bool,
    /// Whether it had no piece when it was asked last.
    waits: bool,
}

/// What decides, of a request, how its answer is written.
struct Asked {
    method: Method,
    version: Version,
    /// The `Connection` fields' values that decide whether the connection goes on (RFC 9112, section 9.3).
    connection: Vec<HeaderValue>,
    /// Whether the answer can be awaited without hyper: there is nothing more to read, and no other protocol follows.
    can_wait: bool,
    /// Whether a body without length is sent in chunks (RFC 9112, section 7.1).
    in_chunks: bool,
    closes: bool,
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Asked {
        let fields = request.headers();
        let switches = fields.contains_key(UPGRADE) || request.method() == Method::CONNECT;
        let connection: Vec<HeaderValue> = fields.get_all(CONNECTION).iter().cloned().collect();
        Asked {
            method: request.method().clone(),
            version: request.version(),
            can_wait: request.body().is_end_stream() && !switches,
            in_chunks: request.version() == Version::HTTP_11,
            closes: closes(&connection),
            connection,
        }
    }

    /// A head that hyper answers as it would have answered the request's own.
    pub fn head(&self, ends: bool) -> String {
        let mut head = format!("{} / {:?}\r\n", self.method, self.version);
        let values = self.connection.iter().filter_map(|value| value.to_str().ok());
        for value in values.chain(ends.then_some("close")) {
            head += &format!("Connection: {value}\r\n");
        }
        head + "\r\n"
    }
}

/// Whether an answer has a body of known length, and no field that says how it is sent.
fn is_whole(answer: &Response) -> bool {
    let mut fields = answer.headers().keys();
    answer.status() == StatusCode::OK
        && answer.version() == Version::HTTP_11
        && answer.body().size_hint().exact().is_some_and(|length| length > 0)
        && !fields.any(|name| name == TRANSFER_ENCODING || name == CONNECTION)
}

/// Whether `Connection` fields announce the end (RFC 9112, section 9.6).
fn closes<'a>(connection: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    let values = connection.into_iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split(','));
    items.any(|item| item.trim().eq_ignore_ascii_case("close"))
}

impl Exchange {
    pub fn begin(&self, request: Request<Incoming>, router: &Router) {
        let mut state = self.0.lock();
        if !matches!(state.stage, Stage::Answered(_)) {
            state.asked = Some(Asked::of(&request));
            // A router is always ready.
            state.stage = Stage::Asked(router.clone().call(request));
        }
    }

    pub fn is_asked(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Asked(_))
    }

    pub fn in_chunks(&self) -> bool {
        self.0.lock().asked.as_ref().is_some_and(|asked| asked.in_chunks)
    }

    /// Whether the connection goes on after the answer.
    pub fn keeps(&self) -> bool {
        let state = self.0.lock();
        state
            .asked
            .as_ref()
            .is_some_and(|asked| asked.in_chunks && !asked.closes)
    }

    pub fn head(&self, ends: bool) -> String {
        self.0
            .lock()
            .asked
            .as_ref()
            .map_or_else(String::new, |asked| asked.head(ends))
    }

    /// The protocol to speak on the connection after the answer, instead of HTTP.
    pub fn take_switch(&self) -> Option<Switch> {
        self.0.lock().switch.take()
    }

    /// Forgets the request: the next one is awaited.
    pub fn end(&self) {
        self.0.lock().asked = None;
    }

    /// Whether hyper has nothing to do but to wait.
    pub fn waits(&self, ends: bool) -> bool {
        let state = self.0.lock();
        let Some(asked) = &state.asked else {
            return false;
        };
        match &state.stage {
            Stage::None => {
                asked.can_wait && asked.in_chunks && !asked.closes && !ends && state.switch.is_none()
            }
            Stage::Asked(_) => asked.can_wait,
            Stage::Answered(_) => false,
            Stage::Sent(sent) => asked.can_wait && sent.is_open && sent.waits,
        }
    }

    /// Whether an answer for another protocol waits until hyper's connection can be handed over by hyper.
    pub fn switches_in_hyper(&self) -> bool {
        match &self.0.lock().stage {
            Stage::Answered(answer) => answer.status() == StatusCode::SWITCHING_PROTOCOLS,
            _ => false,
        }
    }

    pub fn take_sent(&self) -> Option<Sent> {
        let mut state = self.0.lock();
        match std::mem::take(&mut state.stage) {
            Stage::Sent(sent) => Some(sent),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Takes the handler's answer if it needs no hyper: what a GET over HTTP/1.1 has asked for, whole, on a connection that
    /// goes on.
    pub fn take_whole(&self) -> Option<Response> {
        let mut state = self.0.lock();
        let asked = state.asked.as_ref()?;
        let goes_on = asked.method == Method::GET && asked.in_chunks && !asked.closes;
        match std::mem::take(&mut state.stage) {
            Stage::Answered(answer) if goes_on && is_whole(&answer) => Some(answer),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Returns once the handler has answered.
    pub fn poll_handler(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if let Stage::Asked(handler) = &mut state.stage {
            let Ok(answer) = ready!(Pin::new(handler).poll(cx));
            state.stage = Stage::Answered(answer);
        }
        Poll::Ready(())
    }

    pub fn poll_answer(self: &Arc<Exchange>, cx: &mut Context<'_>) -> Poll<Response> {
        // hyper asks again for an answer that was left for it when it begins to hand the connection over.
        let hands_over = self.switches_in_hyper();
        ready!(self.poll_handler(cx));
        let state = &mut *self.0.lock();
        let (Stage::Answered(mut answer), Some(asked)) = (std::mem::take(&mut state.stage), &mut state.asked)
        else {
            return Poll::Pending;
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS && !hands_over {
            state.switch = answer.extensions_mut().remove();
            if state.switch.is_none() {
                state.stage = Stage::Answered(answer);
                return Poll::Pending;
            }
        }
        let fields = answer.headers();
        asked.in_chunks &= answer.version() == Version::HTTP_11;
        asked.closes |= closes(fields.get_all(CONNECTION));
        if !answer.body().is_end_stream() {
            let is_open = answer.body().size_hint().exact().is_none()
                && !fields.contains_key(CONTENT_LENGTH)
                && !fields.contains_key(TRANSFER_ENCODING);
            let joining = answer.extensions_mut().remove();
            let body = std::mem::replace(answer.body_mut(), Body::new(Lent(self.clone())));
            state.stage = Stage::Sent(Sent {
                body,
                joining,
                is_open,
                waits: false,
            });
        }
        Poll::Ready(answer)
    }
}

/// The body of an answer, while hyper sends it.
struct Lent(Arc<Exchange>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0.0.lock().stage {
            Stage::Sent(Sent { body, waits, .. }) => {
                let frame = Pin::new(body).poll_frame(cx);
                *waits = frame.is_pending();
                frame
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0.0.lock().stage {
            Stage::Sent(sent) => sent.body.is_end_stream(),
            _ => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0.0.lock().stage {
            Stage::Sent(sent) => sent.body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Lent {
    /// hyper has sent it, or does not need it: the answer to a HEAD has none.
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        if matches!(&state.stage, Stage::Sent(sent) if !(sent.is_open && sent.waits)) {
            state.stage = Stage::None;
        }
    }
}
