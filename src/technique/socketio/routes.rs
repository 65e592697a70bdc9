//! Engine.IO's requests: which transport and session they are for, and which are refused
//! (<https://github.com/socketio/engine.io-protocol>, revision 4).
//!
//! ```text
//! GET  …?EIO=4&transport=polling                 begins a session
//! GET  …?EIO=4&transport=polling&sid=…           asks for packets, and waits if there are none
//! POST …?EIO=4&transport=polling&sid=…           sends packets of the client
//! GET  …?EIO=4&transport=websocket[&sid=…]       both directions, on a WebSocket
//! ```

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::super::fields;
use super::super::routes::Routes;
use super::super::service::ASK_LATER;
use super::front::{Front, is_for_client, records};
use super::names::TEXT;
use super::session::{Broken, Busy, Event, Over, Session, Transport};
use super::websocket;
use crate::wire::engineio::{Packet, SEPARATOR};

/// Why a request is refused. The codes are those of the reference server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    UnknownTransport,
    UnknownSession,
    BadHandshakeMethod,
    BadRequest,
    UnsupportedVersion,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Refusal::UnknownTransport => (0, "Transport unknown"),
            Refusal::UnknownSession => (1, "Session ID unknown"),
            Refusal::BadHandshakeMethod => (2, "Bad handshake method"),
            Refusal::BadRequest => (3, "Bad request"),
            Refusal::UnsupportedVersion => (5, "Unsupported protocol version"),
        };
        let json = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        (
            StatusCode::BAD_REQUEST,
            [(CONTENT_TYPE, "application/json")],
            json,
        )
            .into_response()
    }
}

/// The parameters of a request's query.
#[derive(Debug, Default)]
struct Asked<'a> {
    version: Option<&'a str>,
    transport: Option<&'a str>,
    sid: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(query: &'a str) -> Asked<'a> {
        let mut asked = Asked::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "EIO" => asked.version = Some(value),
                "transport" => asked.transport = Some(value),
                "sid" => asked.sid = Some(value),
                _ => {}
            }
        }
        asked
    }
}

/// The route of Engine.IO.
pub fn routes(path: &'static str, front: Front) -> Routes {
    Routes::new().route(path, any(answer).with_state(Arc::new(front)))
}

async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let asked = Asked::of(&query);
    let answered = match asked.transport {
        Some("polling") => front.poll(&asked, request).await,
        Some("websocket") => front.upgrade(&asked, request).await,
        _ => Err(Refusal::UnknownTransport),
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

impl Front {
    /// Handles long polling: a GET receives packets, a POST sends them.
    async fn poll(self: &Arc<Self>, asked: &Asked<'_>, request: Request) -> Result<Response, Refusal> {
        let Some(sid) = asked.sid else {
            self.check_handshake(asked, request.method())?;
            return Ok(match self.open(&["websocket"]).await {
                Some((_, open)) => self.text(open),
                None => (StatusCode::SERVICE_UNAVAILABLE, [ASK_LATER]).into_response(),
            });
        };
        let session = self.session(sid).ok_or(Refusal::UnknownSession)?;
        if session.transport() == Transport::WebSocket {
            return Err(Refusal::BadRequest);
        }
        match *request.method() {
            Method::GET => self.get(session).await,
            Method::POST => Ok(self.post(session, request).await),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// Handles a WebSocket, for a new session or for one that has been polled so far.
    async fn upgrade(self: &Arc<Self>, asked: &Asked<'_>, request: Request) -> Result<Response, Refusal> {
        let Some(sid) = asked.sid else {
            self.check_handshake(asked, request.method())?;
            return Ok(websocket::accept(self.clone(), None, request));
        };
        let session = self.session(sid).ok_or(Refusal::UnknownSession)?;
        match session.probe() {
            true => Ok(websocket::accept(self.clone(), Some(session), request)),
            false if session.transport() == Transport::WebSocket => {
                Ok(websocket::turn_away(self.clone(), request))
            }
            false => Err(Refusal::BadRequest),
        }
    }

    fn check_handshake(&self, asked: &Asked, method: &Method) -> Result<(), Refusal> {
        // HTTP/2 asks for a WebSocket with CONNECT.
        if !matches!(*method, Method::GET | Method::CONNECT) {
            return Err(Refusal::BadHandshakeMethod);
        }
        match asked.version {
            Some("4") => Ok(()),
            _ => Err(Refusal::UnsupportedVersion),
        }
    }

    /// Answers a poll with packets for the client, or with the packet that ends the poll.
    async fn get(self: &Arc<Self>, session: Arc<Session>) -> Result<Response, Refusal> {
        if !session.begin_get() {
            self.close(&session, Over::Closed);
            return Err(Refusal::BadRequest);
        }
        let (front, polled) = (self.clone(), session.clone());
        let busy = Busy::unless_finished(move || front.close(&polled, Over::Closed));
        let packets = self.next_packets(&session).await;
        busy.finished();
        session.end_get();
        packets.map(|packets| self.text(packets))
    }

    async fn next_packets(self: &Arc<Self>, session: &Arc<Session>) -> Result<Bytes, Refusal> {
        loop {
            let event = tokio::select! {
                // During a probe there is always an event at once, so only the WebSocket takes packets.
                biased;
                event = session.event() => event,
                taken = self.engine.take(&session.uri) => {
                    match self.taken(session, &taken.ok_or(Refusal::UnknownSession)?) {
                        packets if packets.is_empty() => continue,
                        packets => return Ok(packets),
                    }
                }
            };
            let packet = match event {
                Event::Ping => Packet::Ping(""),
                Event::Noop | Event::Over(Over::Left) => Packet::Noop,
                Event::Over(Over::Closed | Over::Lost) => Packet::Close,
            };
            let mut out = packet.text().into_bytes();
            if event == Event::Ping {
                // Queued packets are sent together with the ping.
                let taken = self.engine.take(&session.uri).now_or_never().flatten();
                let packets = taken.map(|taken| self.taken(session, &taken)).unwrap_or_default();
                if !packets.is_empty() {
                    out.push(SEPARATOR as u8);
                    out.extend_from_slice(&packets);
                }
            }
            return Ok(out.into());
        }
    }

    /// Returns the library's packets that are for the client.
    fn taken(self: &Arc<Self>, session: &Session, packets: &Bytes) -> Bytes {
        let all = records(packets).count();
        let mut ours: Vec<&[u8]> = records(packets).filter(|p| is_for_client(p)).collect();
        if ours.is_empty() {
            return Bytes::new();
        }
        session.flow.drained();
        let leaves = self.service.shutdown.is_cancelled();
        if leaves {
            // The server stops, so the client will get no further poll answered.
            ours.push(b"1");
        }
        if ours.contains(&&b"1"[..]) {
            self.close(session, Over::Closed);
        }
        match ours.len() == all && !leaves {
            true => packets.clone(),
            false => ours.join(&(SEPARATOR as u8)).into(),
        }
    }

    /// Handles a POST with packets of the client.
    async fn post(self: &Arc<Self>, session: Arc<Session>, request: Request) -> Response {
        if !session.begin_post() {
            self.close(&session, Over::Closed);
            return Refusal::BadRequest.into_response();
        }
        let (front, posted) = (self.clone(), session.clone());
        let busy = Busy::unless_finished(move || front.close(&posted, Over::Closed));
        let heard = self.hear_body(&session, request).await;
        busy.finished();
        session.end_post();
        match heard {
            Ok(()) => self.text("ok"),
            Err(status) => {
                self.close(&session, Over::Closed);
                match status {
                    StatusCode::BAD_REQUEST => Refusal::BadRequest.into_response(),
                    status => status.into_response(),
                }
            }
        }
    }

    async fn hear_body(self: &Arc<Self>, session: &Arc<Session>, request: Request) -> Result<(), StatusCode> {
        let limit = self.service.tuning.max_payload();
        let body = request.into_body();
        if body.size_hint().lower() > limit as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let collected = Limited::new(body, limit).collect();
        let body = tokio::time::timeout(self.service.body_timeout, collected)
            .await
            .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
            .map_err(|e| match e.is::<LengthLimitError>() {
                true => StatusCode::PAYLOAD_TOO_LARGE,
                false => StatusCode::BAD_REQUEST,
            })?
            .to_bytes();
        let text = str::from_utf8(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
        self.hear(session, text)
            .await
            .map_err(|Broken| StatusCode::BAD_REQUEST)
    }

    /// Passes packets for the library on, and handles the others itself.
    ///
    /// # Errors
    /// If a packet breaks the protocol; the packets before it still take effect.
    async fn hear(self: &Arc<Self>, session: &Arc<Session>, packets: &str) -> Result<(), Broken> {
        let mut ours = String::new();
        let mut heard = Ok(false);
        for packet in Packet::payload(packets) {
            heard = packet.map_err(|_| Broken).and_then(|packet| {
                let leaves = self.admit(session, &packet)?;
                self.pass_on(&packet, &mut ours);
                Ok(leaves)
            });
            if heard != Ok(false) {
                break;
            }
        }
        if !ours.is_empty() && !self.engine.give(&session.uri, ours.into()).await {
            return Err(Broken);
        }
        if heard? {
            self.close(session, Over::Left);
        }
        Ok(())
    }

    fn text(&self, body: impl Into<Body>) -> Response {
        let ours = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(TEXT))]);
        let fields = fields::response(&self.service.headers, ours, |name| *name != CONTENT_TYPE);
        (StatusCode::OK, fields, body.into()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::Router;
    use tokio_util::sync::CancellationToken;

    use super::super::super::service::{Service, Tuning};
    use super::super::engine::Engine;
    use super::*;
    use crate::mail::Mailbox;

    #[test]
    fn a_query_is_read_wherever_things_stand() {
        let asked = Asked::of("t=x&sid=abc&transport=polling&EIO=4&b64");
        assert_eq!(
            (asked.version, asked.transport, asked.sid),
            (Some("4"), Some("polling"), Some("abc"))
        );
        assert!(Asked::of("").transport.is_none());
    }

    #[tokio::test]
    async fn sessions_are_not_without_number() {
        let number = Arc::new(AtomicUsize::new(0));
        let library = Router::new().fallback(async move || {
            let sid = number.fetch_add(1, Ordering::SeqCst);
            format!(r#"0{{"sid":"{sid}","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1}}"#)
        });
        let mut front = Front::new(Engine::new("/", library), false, service());
        front.max_sessions = 2;
        let front = Arc::new(front);
        let status = async || {
            let asked = Asked::of("EIO=4&transport=polling");
            let request = Request::new(Body::empty());
            let answer = front.poll(&asked, request).await.unwrap();
            let is_full = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(answer.headers().contains_key("retry-after"), is_full);
            answer.status()
        };
        assert_eq!((status().await, status().await), (StatusCode::OK, StatusCode::OK));
        assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
        front.close(&front.session("0").unwrap(), Over::Left);
        assert_eq!(status().await, StatusCode::OK);
    }

    fn service() -> Service {
        Service {
            mailbox: Arc::new(Mailbox::new(1, crate::mail::Epoch::of_seed(1))),
            scenario: Arc::default(),
            headers: Arc::default(),
            shutdown: CancellationToken::new(),
            replies: Arc::default(),
            received: Arc::default(),
            body_timeout: Duration::from_secs(1),
            tuning: Tuning::default(),
            subprotocols: Arc::default(),
        }
    }
}
