//! A session: what lies between the application, which sends and receives messages, and whichever
//! connection carries them at the moment. It outlives each of them ("Protocol and framing").

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

/// Bytes that wait for a connection; one message may go beyond.
const MAX_QUEUED: usize = 64 * 1024;

/// Messages that wait for the application.
const MAX_SAID: usize = 8;

/// The application's end of a session.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    said: mpsc::Receiver<Message>,
}

/// A message as the client sent it. Only a raw WebSocket has binary ones: in SockJS's frames, all is text.
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

/// The session is over: nobody will take what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SockJS session is over")]
pub struct Closed;

impl Session {
    /// The next message of the client, for an application that speaks text: what a binary one holds that is not
    /// UTF-8 is U+FFFD. `None` once the session is over. Cancelled, it loses nothing.
    pub async fn recv(&mut self) -> Option<String> {
        Some(match self.recv_any().await? {
            Message::Text(text) => text,
            Message::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// The same as it was sent.
    pub async fn recv_any(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            said = self.said.recv() => said,
            () = self.shared.over.cancelled() => None,
        }
    }

    /// Sends a message of UTF-8. Waits while the connection takes nothing, or there is none.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn send(&self, message: Bytes) -> Result<(), Closed> {
        self.room().await;
        self.put(message)
    }

    /// Sends a message of the type that it has on a raw WebSocket; in SockJS's frames, all is text.
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

    /// The same for bytes that the caller has at hand in both forms: `form(true)` is the frame of one
    /// message as made by [`line`], `form(false)` the message as it is.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn send_as(&self, form: impl Fn(bool) -> Bytes) -> Result<(), Closed> {
        self.room().await;
        self.put_as(form, false)
    }

    /// Waits until there is room for one more message, or the session is over. Cancelled, it loses nothing.
    pub async fn room(&self) {
        loop {
            let room = self.shared.room.notified();
            if self.shared.state.lock().has_room() {
                return;
            }
            room.await;
        }
    }

    /// Sends a message of UTF-8 for which there was [room](Session::room).
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

    /// What is sent from now on was missed by the client: it leaves in growing batches.
    pub fn catches_up(&self) {
        self.shared.state.lock().batch = Some(FIRST_BATCH);
    }

    /// Ends the session; what was sent before still leaves.
    pub fn close(&self, code: u16, reason: &str) {
        self.shared.close(code, reason);
    }
}

/// The frame of one message, with the line end that XHR has behind it.
pub fn line(message: &[u8]) -> Bytes {
    // What an application sends is UTF-8; anything else would not be JSON.
    let quoted = quote(&String::from_utf8_lossy(message));
    format!("a[{quoted}]\n").into()
}

/// What both ends of a session share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    /// Whether messages leave as frames, rather than as they are.
    framed: bool,
    /// Something can leave.
    ready: Notify,
    /// There is room for more.
    room: Notify,
    /// Nobody is attached any more.
    left: Notify,
    /// The application can tell by it that the session is over.
    over: CancellationToken,
    said: mpsc::Sender<Message>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
    queued: usize,
    /// With how many bytes a poll is answered, if that is limited; one message always leaves.
    batch: Option<usize>,
    opened: bool,
    attached: bool,
    /// Since when nobody is attached.
    alone_since: Option<Instant>,
    /// Whether its client has posted anything.
    spoken: bool,
    closing: Option<Bytes>,
}

impl State {
    /// Whether one more message may wait here, or will find that the session is over.
    fn has_room(&self) -> bool {
        self.closing.is_some() || (self.queue.len() < BATCH && self.queued < MAX_QUEUED)
    }

    /// With how many messages a poll is answered; the next one may have twice as many bytes.
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

/// What can be sent now.
#[derive(Debug, PartialEq, Eq)]
pub enum Ready {
    /// Frames of one message each, at least one; or bare messages.
    Messages(Vec<Queued>),
    /// The close frame: the last.
    Close(Bytes),
    /// Nothing for so long that a heartbeat is due.
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

    /// Where messages of the client go.
    pub fn say(&self) -> &mpsc::Sender<Message> {
        &self.said
    }

    /// Its client has posted something.
    pub fn was_spoken_to(&self) {
        self.state.lock().spoken = true;
        self.ready.notify_one();
    }

    /// Whether it takes no messages any more.
    pub fn is_closing(&self) -> bool {
        self.state.lock().closing.is_some()
    }

    /// Ends the session: what waits still leaves, and then the close frame.
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

    /// Ends the session at once, with nothing left to send but the close frame.
    fn interrupt(&self) {
        let mut state = self.state.lock();
        state.queue.clear();
        state.queued = 0;
        drop(state);
        self.close(1002, "Connection interrupted");
    }

    /// What can be sent, without waiting: at most so many messages, or `None`: as many as answer a poll.
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

    /// Waits until something may be there to be sent.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Attaches a connection that receives.
    ///
    /// # Errors
    /// The frame that says why it cannot: the session is over, or has one.
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

    /// Returns once nobody has been attached for so long.
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

/// A connection that receives what a session sends. Dropped before it was let go, it was interrupted, and
/// the session with it: what was on its way may be lost.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    /// Whether it is the session's first, which is told that the session has begun.
    pub first: bool,
    /// Whether what it receives is a script, which any page can load. A browser need not say for whom (where
    /// the server is reached by plain HTTP at another address than the loopback, it does not); of a POST it
    /// always does. So messages wait until the client has posted something.
    pub script: bool,
    attached: bool,
}

impl Receiver {
    /// Waits for what there is to send, at most so many messages (`None`: as many as answer a poll), or until
    /// `silence` is over.
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

    /// Lets go in order: another may follow.
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
