//! A session from its transports' side: which one carries it, when it is pinged, and when it is over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::Uri;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::Flow;
use crate::wire::socketio::{self, Type};

/// The most attachments that an event may have, as in the reference server.
const MAX_ATTACHMENTS: usize = 10;

/// How late a timer may be: tokio rounds up to a millisecond twice, and then the task has to be scheduled.
/// The session must be over for a request that comes exactly at the end of the ping timeout.
const LATE: Duration = Duration::from_millis(3);

/// The transport that carries the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Answers to GETs, and POSTs.
    #[default]
    Polling,
    /// Still polling, while a WebSocket is being tried.
    Probing {
        /// Whether the WebSocket has sent its probe; then every poll ends at once.
        heard: bool,
    },
    /// Messages of a WebSocket.
    WebSocket,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The client has closed it.
    Left,
    /// The server has closed it.
    Closed,
    /// The client answers no ping.
    Lost,
}

/// Something to send other than messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A ping.
    Ping,
    /// A noop, which ends the poll.
    Noop,
    /// The end of the session.
    Over(Over),
}

/// The client broke the protocol; its session has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// A session of Engine.IO.
#[derive(Debug)]
pub struct Session {
    /// Its id.
    pub sid: String,
    /// The library's URI of the session.
    pub uri: Uri,
    /// Tells the sender when the queue was emptied.
    pub flow: Arc<Flow>,
    /// Cancelled when the session is over.
    pub ended: CancellationToken,
    state: Mutex<State>,
    /// Wakes the one transport that waits for an event.
    bell: Notify,
    pong: Notify,
}

#[derive(Debug, Default)]
struct State {
    transport: Transport,
    getting: bool,
    posting: bool,
    ping: bool,
    /// The number of attachments that have not arrived.
    attachments: usize,
    over: Option<Over>,
}

/// A GET or a POST under way. If it is dropped before `finished`, the client has cut it off.
#[derive(Debug)]
pub struct Busy<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Busy<F> {
    /// Runs `cut` if the request is cut off.
    pub fn unless_finished(cut: F) -> Busy<F> {
        Busy(Some(cut))
    }

    /// The request has ended normally.
    pub fn finished(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Busy<F> {
    fn drop(&mut self) {
        if let Some(cut) = self.0.take() {
            cut();
        }
    }
}

impl Session {
    /// A new session, with polling as its transport.
    pub fn new(sid: String, uri: Uri, flow: Arc<Flow>) -> Session {
        Session {
            sid,
            uri,
            flow,
            ended: CancellationToken::new(),
            state: Mutex::default(),
            bell: Notify::new(),
            pong: Notify::new(),
        }
    }

    /// The transport in use.
    pub fn transport(&self) -> Transport {
        self.state.lock().transport
    }

    /// Changes the transport.
    pub fn set_transport(&self, transport: Transport) {
        self.state.lock().transport = transport;
        self.bell.notify_one();
    }

    /// Begins to try a WebSocket; false if the session has one, or one is being tried.
    pub fn probe(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.transport == Transport::Polling;
        if free {
            state.transport = Transport::Probing { heard: false };
        }
        free
    }

    /// Why the session is over, if it is.
    pub fn over(&self) -> Option<Over> {
        self.state.lock().over
    }

    /// Begins a GET; false if another one is under way.
    pub fn begin_get(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().getting, true)
    }

    /// Ends the GET.
    pub fn end_get(&self) {
        self.state.lock().getting = false;
    }

    /// Begins a POST; false if another one is under way.
    pub fn begin_post(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().posting, true)
    }

    /// Ends the POST.
    pub fn end_post(&self) {
        self.state.lock().posting = false;
    }

    /// Waits for an event, on either transport.
    pub async fn event(&self) -> Event {
        loop {
            let rung = self.bell.notified();
            if let Some(event) = self.event_now() {
                return event;
            }
            rung.await;
        }
    }

    fn event_now(&self) -> Option<Event> {
        let mut state = self.state.lock();
        if let Some(over) = state.over {
            return Some(Event::Over(over));
        }
        if state.transport == (Transport::Probing { heard: true }) {
            return Some(Event::Noop);
        }
        std::mem::take(&mut state.ping).then_some(Event::Ping)
    }

    /// Records the client's answer to a ping.
    pub fn ponged(&self) {
        self.pong.notify_one();
    }

    /// Pings at a fixed interval; returns when an answer is missing.
    pub async fn beat(&self, interval: Duration, timeout: Duration) {
        let mut next = Instant::now() + interval;
        loop {
            tokio::time::sleep_until(next).await;
            // A pong without a ping does not count.
            let _ = self.pong.notified().now_or_never();
            self.state.lock().ping = true;
            self.bell.notify_one();
            let patience = next + timeout.saturating_sub(LATE);
            if tokio::time::timeout_at(patience, self.pong.notified())
                .await
                .is_err()
            {
                return;
            }
            next = (next + interval).max(Instant::now());
        }
    }

    /// Ends the session; false if it had ended before.
    pub fn end(&self, over: Over) -> bool {
        let mut state = self.state.lock();
        if state.over.is_some() {
            return false;
        }
        state.over = Some(over);
        drop(state);
        self.bell.notify_one();
        self.ended.cancel();
        true
    }

    /// Checks a message of the client in its context.
    ///
    /// # Errors
    /// If it is no Socket.IO packet, has too many attachments, or comes where an attachment is due.
    pub fn admit(&self, message: &str) -> Result<(), Broken> {
        let mut state = self.state.lock();
        let packet = socketio::Packet::parse(message).map_err(|_| Broken)?;
        // Only servers send this type.
        let is_servers = packet.kind == Type::ConnectError;
        if is_servers || state.attachments > 0 || packet.attachments > MAX_ATTACHMENTS {
            return Err(Broken);
        }
        state.attachments = packet.attachments;
        Ok(())
    }

    /// Checks an attachment in its context.
    ///
    /// # Errors
    /// If none is due.
    pub fn admit_attachment(&self) -> Result<(), Broken> {
        let mut state = self.state.lock();
        state.attachments = state.attachments.checked_sub(1).ok_or(Broken)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("x".into(), Uri::from_static("/"), Arc::default())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn pings_keep_their_cadence_and_wait_for_their_answers() {
        let session = session();
        let began = Instant::now();
        let beating = session.beat(SECOND, SECOND / 2);
        let answering = async {
            for n in 1..=3 {
                assert_eq!(session.event().await, Event::Ping);
                assert_eq!(began.elapsed(), SECOND * n);
                // A pong without a ping does not count later either.
                session.ponged();
                session.ponged();
            }
        };
        tokio::join!(beating, answering);
        assert_eq!(began.elapsed(), SECOND * 4 + SECOND / 2 - LATE);
    }

    #[tokio::test]
    async fn a_poll_ends_when_a_websocket_is_heard_or_the_session_is_over() {
        let session = session();
        assert!(session.probe() && !session.probe());
        assert_eq!(session.event().now_or_never(), None);
        session.set_transport(Transport::Probing { heard: true });
        assert_eq!(session.event().await, Event::Noop);
        session.set_transport(Transport::WebSocket);
        assert_eq!(session.event().now_or_never(), None);
        assert!(session.end(Over::Left) && !session.end(Over::Closed));
        assert!(session.ended.is_cancelled() && session.over() == Some(Over::Left));
    }

    #[test]
    fn attachments_come_behind_their_event_and_nowhere_else() {
        let session = session();
        assert_eq!(session.admit_attachment(), Err(Broken));
        assert_eq!(session.admit(r#"52-["photos"]"#), Ok(()));
        assert_eq!(session.admit(r#"2["mail"]"#), Err(Broken));
        assert_eq!(session.admit_attachment(), Ok(()));
        assert_eq!(session.admit_attachment(), Ok(()));
        assert_eq!(session.admit_attachment(), Err(Broken));
        assert_eq!(session.admit(r#"511-["photos"]"#), Err(Broken));
        assert_eq!(session.admit(r#"4{"message":"no"}"#), Err(Broken));
        assert_eq!(session.admit("abc"), Err(Broken));
        assert_eq!(session.admit("0"), Ok(()));
    }
}
