//! A session lies between the application, which sends and receives messages, and the connection that carries
//! them at the moment. It outlives its connections ("Protocol and framing").

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::service::{BATCH, FIRST_BATCH};
use crate::wire::sockjs::{Frame, quote};

/// The most bytes that wait for a connection; one message may exceed it.
const MAX_QUEUED: usize = 64 * 1024;

/// The most messages that wait for the application.
const MAX_SAID: usize = 8;

/// The application's end of a session.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    said: mpsc::Receiver<Message>,
}

/// A message as the client sent it. Only a raw WebSocket has binary ones; SockJS's frames are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Characters.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// A message that waits for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The frame of one message, or the message as it is.
    pub bytes: Bytes,
    /// Whether a raw WebSocket sends it as a binary message.
    pub is_binary: bool,
}

/// The session is over, so nothing can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SockJS session is over")]
pub struct Closed;

impl Session {
    /// The client's next message, for an application that expects text: invalid UTF-8 in a binary message
    /// becomes U+FFFD. `None` once the session is over. Cancellation loses nothing.
    pub async fn recv(&mut self) -> Option<String> {
        Some(match self.recv_any().await? {
            Message::Text(text) => text,
            Message::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// The client's next message, text or binary.
    pub async fn recv_any(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            said = self.said.recv() => said,
            () = self.shared.over.cancelled() => None,
        }
    }

    /// Sends a UTF-8 message. Waits while the connection accepts nothing, or there is none.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn send(&self, message: Bytes) -> Result<(), Closed> {
        self.room().await;
        self.put(message)
    }

    /// Sends a message; on a raw WebSocket it keeps its type, in SockJS's frames it becomes text.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn send_any(&self, message: Message) -> Result<(), Closed> {
        match message {
            Message::Text(text) => self.send(text.into()).await,
            Message::Binary(bytes) if self.shared.framed => self.send(bytes).await,
            Message::Binary(bytes) => {
                self.room().await;
                self.put_as(|_| bytes.clone(), true)
            }
        }
    }

    /// Sends a message that the caller has in both forms: `form(true)` is a frame as made by [`line`],
    /// `form(false)` the bare message.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn send_as(&self, form: impl Fn(bool) -> Bytes) -> Result<(), Closed> {
        self.room().await;
        self.put_as(form, false)
    }

    /// Waits until there is room for one more message, or the session is over. Cancellation loses nothing.
    pub async fn room(&self) {
        loop {
            let room = self.shared.room.notified();
            if self.shared.state.lock().has_room() {
                return;
            }
            room.await;
        }
    }

    /// Sends a UTF-8 message after [room](Session::room) has returned.
    ///
    /// # Errors
    /// If the session is over.
    pub fn put(&self, message: Bytes) -> Result<(), Closed> {
        self.put_as(
            |framed| if framed { line(&message) } else { message.clone() },
            false,
        )
    }

    fn put_as(&self, form: impl Fn(bool) -> Bytes, is_binary: bool) -> Result<(), Closed> {
        let mut state = self.shared.state.lock();
        if state.closing.is_some() {
            return Err(Closed);
        }
        let bytes = form(self.shared.framed);
        state.queued += bytes.len();
        state.queue.push_back(Queued { bytes, is_binary });
        drop(state);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// Announces that the client missed the following messages: polls then receive growing batches.
    pub fn catches_up(&self) {
        self.shared.state.lock().batch = Some(FIRST_BATCH);
    }

    /// Ends the session; earlier messages are still sent.
    pub fn close(&self, code: u16, reason: &str) {
        self.shared.close(code, reason);
    }
}

/// The frame of one message, with the line end that follows it in XHR.
pub fn line(message: &[u8]) -> Bytes {
    // Applications send UTF-8; anything else would not be JSON.
    let quoted = quote(&String::from_utf8_lossy(message));
    format!("a[{quoted}]\n").into()
}

/// What both ends of a session share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    /// Whether messages are sent as SockJS frames, instead of bare.
    framed: bool,
    /// Signals that there is something to send.
    ready: Notify,
    /// Signals that there is room for more.
    room: Notify,
    /// Signals that no connection is attached any more.
    left: Notify,
    /// Cancelled when the session is over, for the application.
    over: CancellationToken,
    said: mpsc::Sender<Message>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
    queued: usize,
    /// The most bytes in a poll's answer, if limited; it holds at least one message.
    batch: Option<usize>,
    opened: bool,
    attached: bool,
    /// Since when no connection is attached.
    alone_since: Option<Instant>,
    /// Whether the client has posted anything.
    spoken: bool,
    closing: Option<Bytes>,
}

impl State {
    /// Whether a sender need not wait: there is room, or the session is over.
    fn has_room(&self) -> bool {
        self.closing.is_some() || (self.queue.len() < BATCH && self.queued < MAX_QUEUED)
    }

    /// The number of messages for a poll's answer; doubles the limit for the next one.
    fn batched(&mut self) -> usize {
        let Some(batch) = self.batch else {
            return usize::MAX;
        };
        self.batch = Some(batch.saturating_mul(2));
        let mut bytes = 0;
        let fits = |message: &&Queued| {
            bytes += message.bytes.len();
            bytes <= batch
        };
        self.queue.iter().take_while(fits).count().max(1)
    }
}

/// What can be sent at the moment.
#[derive(Debug, PartialEq, Eq)]
pub enum Ready {
    /// Frames of one message each, at least one; or bare messages.
    Messages(Vec<Queued>),
    /// The close frame, after which nothing follows.
    Close(Bytes),
    /// Nothing was sent for so long that a heartbeat is due.
    Silence,
}

impl Shared {
    /// Both ends of a new session.
    pub fn new(framed: bool) -> (Arc<Shared>, Session) {
        let (say, said) = mpsc::channel(MAX_SAID);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                alone_since: Some(Instant::now()),
                ..State::default()
            }),
            framed,
            ready: Notify::new(),
            room: Notify::new(),
            left: Notify::new(),
            over: CancellationToken::new(),
            said: say,
        });
        let session = Session {
            shared: shared.clone(),
            said,
        };
        (shared, session)
    }

    /// The queue for messages of the client.
    pub fn say(&self) -> &mpsc::Sender<Message> {
        &self.said
    }

    /// Records that the client has posted something.
    pub fn was_spoken_to(&self) {
        self.state.lock().spoken = true;
        self.ready.notify_one();
    }

    /// Whether the session accepts no messages any more.
    pub fn is_closing(&self) -> bool {
        self.state.lock().closing.is_some()
    }

    /// Ends the session: queued messages are still sent, and then the close frame.
    pub fn close(&self, code: u16, reason: &str) {
        let mut state = self.state.lock();
        if state.closing.is_some() {
            return;
        }
        let reason = reason.to_owned();
        state.closing = Some(Frame::Close { code, reason }.text().into());
        drop(state);
        self.over.cancel();
        self.ready.notify_one();
        self.room.notify_one();
    }

    /// Ends the session at once; only the close frame is still sent.
    fn interrupt(&self) {
        let mut state = self.state.lock();
        state.queue.clear();
        state.queued = 0;
        drop(state);
        self.close(1002, "Connection interrupted");
    }

    /// Takes what can be sent now: up to `most` messages, or with `None` as many as a poll's answer holds.
    pub fn take(&self, most: Option<usize>) -> Option<Ready> {
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            return state.closing.clone().map(Ready::Close);
        }
        let most = most.unwrap_or_else(|| state.batched()).min(state.queue.len());
        let messages: Vec<Queued> = state.queue.drain(..most).collect();
        state.queued -= messages.iter().map(|m| m.bytes.len()).sum::<usize>();
        drop(state);
        self.room.notify_one();
        Some(Ready::Messages(messages))
    }

    /// Waits until there may be something to send.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Attaches a receiving connection.
    ///
    /// # Errors
    /// The close frame with the reason: the session is over, or has a connection already.
    pub fn attach(self: &Arc<Self>) -> Result<Receiver, Bytes> {
        let mut state = self.state.lock();
        if state.attached {
            return Err(Bytes::from_static(b"c[2010,\"Another connection still open\"]"));
        }
        if let (Some(close), true) = (&state.closing, state.queue.is_empty()) {
            let close = close.clone();
            state.alone_since = Some(Instant::now());
            return Err(close);
        }
        state.attached = true;
        state.alone_since = None;
        Ok(Receiver {
            shared: self.clone(),
            first: !std::mem::replace(&mut state.opened, true),
            script: false,
            attached: true,
        })
    }

    fn detach(&self) {
        let mut state = self.state.lock();
        state.attached = false;
        state.alone_since = Some(Instant::now());
        drop(state);
        self.left.notify_one();
    }

    /// Returns once no connection has been attached for `delay`.
    pub async fn abandoned(&self, delay: Duration) {
        loop {
            let since = self.state.lock().alone_since;
            match since {
                None => self.left.notified().await,
                Some(since) => {
                    tokio::time::sleep_until(since + delay).await;
                    if self.state.lock().alone_since == Some(since) {
                        return;
                    }
                }
            }
        }
    }
}

/// A connection that receives a session's messages. If it is dropped before `let_go`, it was interrupted, and
/// the session ends: messages under way may be lost.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    /// Whether it is the session's first connection, which receives the open frame.
    pub first: bool,
    /// Whether it receives scripts, which any page can load. For a script, a browser does not always name the
    /// page's origin (not over plain HTTP to an address other than the loopback); for a POST it always does.
    /// So messages wait until the client has posted something.
    pub script: bool,
    attached: bool,
}

impl Receiver {
    /// Waits for something to send, up to `most` messages (`None`: as many as a poll's answer holds), or
    /// until `silence`.
    pub async fn next(&mut self, most: Option<usize>, silence: Instant) -> Ready {
        loop {
            let ready = match self.script && !self.shared.state.lock().spoken {
                true => self.shared.state.lock().closing.clone().map(Ready::Close),
                false => self.shared.take(most),
            };
            if let Some(ready) = ready {
                return ready;
            }
            tokio::select! {
                biased;
                () = self.shared.ready() => {}
                () = tokio::time::sleep_until(silence) => return Ready::Silence,
            }
        }
    }

    /// Detaches in order, so that another connection may follow.
    pub fn let_go(&mut self) {
        if std::mem::take(&mut self.attached) {
            self.shared.detach();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.attached {
            self.shared.interrupt();
            self.let_go();
        }
    }
}
