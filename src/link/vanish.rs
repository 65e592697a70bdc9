//! Connections that vanish: from one instant on, nothing arrives at either end, and neither is told.
//!
//! ```text
//!  server ──write──▶ send buffer, until it is full          socket ··· client
//!                    (nothing is acknowledged any more)     (nobody reads it)
//!  server ◀──read─── nothing; an error, once the kernel would have given up
//! ```
//!
//! The server's end of the wire is modelled by [`theory::Sender`](crate::theory::Sender); the server's own
//! time is real. The client's end needs no model: its kernel's buffers are real. A connection that its
//! server has closed stays open towards its client, because closing it would tell the client.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use crate::theory::Sender;

/// Makes all connections of a network vanish at once; shared by the network and the code that decides when.
#[derive(Clone, Debug, Default)]
pub struct Vanish(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    since: OnceLock<Instant>,
    over: CancellationToken,
    /// By number: the connections that are open, or that were open when all vanished.
    connections: Mutex<BTreeMap<u64, Arc<Mutex<dyn Vanishing>>>>,
}

/// A connection that can vanish. It records by itself what becomes of it.
pub(super) trait Vanishing: Debug + Send {
    /// What became of it so far.
    fn fate(&mut self) -> Fate;

    /// Wakes the tasks that wait for it, if it has vanished.
    fn wake(&mut self);
}

/// What became of a connection that vanished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When its server closed it, if it has.
    pub let_go: Option<Instant>,
    /// When its server last wrote, if it did.
    pub wrote: Option<Instant>,
    /// Since when its send buffer has been full, with the server waiting.
    pub stalled: Option<Instant>,
    /// Whether the kernel gave up retransmitting.
    pub broke: bool,
    /// Bytes in the send buffer at the end.
    pub buffered: usize,
    /// Bytes from the client that never arrived.
    pub lost_up: usize,
}

impl Vanish {
    /// Connections that have vanished at an instant, until `over` is cancelled.
    pub(super) fn since_then(since: Instant, over: CancellationToken) -> Vanish {
        Vanish(Arc::new(Shared {
            since: since.into(),
            over,
            ..Shared::default()
        }))
    }

    /// Lets connections vanish now. Only the first call counts; returns its instant.
    pub fn now(&self) -> Instant {
        *self.0.since.get_or_init(Instant::now)
    }

    /// When connections vanished, if they have.
    pub fn since(&self) -> Option<Instant> {
        self.0.since.get().copied()
    }

    /// What became of each connection so far.
    pub fn fates(&self) -> Vec<Fate> {
        let all: Vec<_> = self.0.connections.lock().values().cloned().collect();
        all.iter().map(|connection| connection.lock().fate()).collect()
    }

    /// Ends the vanishing: every connection breaks, and its client is told.
    pub fn end(&self) {
        self.0.over.cancel();
        let all: Vec<_> = self.0.connections.lock().values().cloned().collect();
        for connection in all {
            connection.lock().wake();
        }
    }

    /// Keeps no connection any more, once nobody asks for their fates.
    pub(super) fn forget(&self) {
        self.0.connections.lock().clear();
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.over.is_cancelled()
    }

    /// Returns when it has ended.
    pub(super) async fn over(&self) {
        self.0.over.cancelled().await;
    }

    pub(super) fn enter(&self, number: u64, connection: Arc<Mutex<dyn Vanishing>>) {
        self.0.connections.lock().insert(number, connection);
    }

    pub(super) fn leave(&self, number: u64) {
        self.0.connections.lock().remove(&number);
    }
}

/// The server's end of a connection that has vanished.
#[derive(Debug)]
pub(super) struct Gone {
    since: Instant,
    sender: Sender,
    clock: Clock,
    lost_up: usize,
    stalled: Option<Instant>,
    broke: bool,
    let_go: Option<Instant>,
    shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The task that is woken when the connection breaks.
    alarm: Option<Waker>,
}

impl Gone {
    /// A connection that had this many bytes on their way, `down` and `up`, when it vanished.
    pub(super) fn new(since: Instant, timeout: f64, clock: Clock, down: usize, up: usize) -> Gone {
        let mut sender = Sender::new(timeout);
        sender.send(0.0, down);
        Gone {
            since,
            sender,
            clock,
            lost_up: up,
            stalled: None,
            broke: false,
            let_go: None,
            shut: false,
            reader: None,
            writer: None,
            alarm: None,
        }
    }

    fn breaks(&self) -> Option<Instant> {
        let after = self.sender.breaks()?;
        Some(self.since + Duration::from_secs_f64(after))
    }

    fn check(&mut self, now: Instant) -> io::Result<()> {
        self.broke |= self.breaks().is_some_and(|breaks| breaks <= now);
        if self.broke {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Takes as many bytes as there is room for.
    pub(super) fn poll_write(
        &mut self,
        now: Instant,
        bytes: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.check(now)?;
        if self.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = self.sender.room().min(bytes);
        if room == 0 && bytes > 0 {
            self.stalled.get_or_insert(now);
            self.writer = Some(cx.waker().clone());
            self.set_alarm(cx.waker());
            return Poll::Pending;
        }
        self.sender
            .send(now.duration_since(self.since).as_secs_f64(), room);
        self.stalled = None;
        if let Some(reader) = self.reader.clone() {
            self.set_alarm(&reader);
        }
        Poll::Ready(Ok(room))
    }

    /// Nothing arrives; ready only with the error that ends it.
    pub(super) fn poll_read(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(now)?;
        self.reader = Some(cx.waker().clone());
        self.set_alarm(cx.waker());
        Poll::Pending
    }

    /// Ends the stream, which nobody is told.
    pub(super) fn shut(&mut self) {
        self.shut = true;
    }

    pub(super) fn let_go(&mut self, now: Instant) {
        self.let_go = Some(now);
    }

    pub(super) fn is_let_go(&self) -> bool {
        self.let_go.is_some()
    }

    pub(super) fn wake(&mut self) {
        [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
            .for_each(Waker::wake);
    }

    pub(super) fn fate(&self, wrote: Option<Instant>) -> Fate {
        Fate {
            let_go: self.let_go,
            wrote,
            stalled: self.stalled,
            broke: self.broke,
            buffered: self.sender.buffered(),
            lost_up: self.lost_up,
        }
    }

    fn set_alarm(&mut self, waker: &Waker) {
        let Some(breaks) = self.breaks() else { return };
        if !self.alarm.as_ref().is_some_and(|set| set.will_wake(waker)) {
            self.clock.wake_at(breaks, waker);
            self.alarm = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::theory::SEND_BUFFER;

    fn gone(down: usize) -> Gone {
        Gone::new(clock::now(), 0.2, Clock::start().unwrap(), down, 7)
    }

    fn write(gone: &mut Gone, after: f64, bytes: usize) -> Poll<io::Result<usize>> {
        let now = gone.since + Duration::from_secs_f64(after);
        gone.poll_write(now, bytes, &mut Context::from_waker(Waker::noop()))
    }

    fn read(gone: &mut Gone, after: f64) -> Poll<io::Result<()>> {
        let now = gone.since + Duration::from_secs_f64(after);
        gone.poll_read(now, &mut Context::from_waker(Waker::noop()))
    }

    fn took(polled: Poll<io::Result<usize>>) -> Option<usize> {
        match polled {
            Poll::Ready(written) => Some(written.unwrap()),
            Poll::Pending => None,
        }
    }

    fn timed_out<T: std::fmt::Debug>(polled: Poll<io::Result<T>>) -> bool {
        matches!(polled, Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::TimedOut)
    }

    #[test]
    fn writes_are_taken_until_the_buffer_is_full() {
        let mut gone = gone(120);
        assert_eq!(took(write(&mut gone, 1.0, 1_000)), Some(1_000));
        assert_eq!(gone.fate(None).stalled, None);
        assert_eq!(
            took(write(&mut gone, 2.0, SEND_BUFFER)),
            Some(SEND_BUFFER - 1_120)
        );
        assert_eq!(took(write(&mut gone, 3.0, 1)), None);
        assert_eq!(took(write(&mut gone, 4.0, 1)), None);
        let fate = gone.fate(None);
        assert_eq!(
            fate.stalled,
            Some(gone.since + Duration::from_secs(3)),
            "since the first time"
        );
        assert_eq!((fate.buffered, fate.lost_up), (SEND_BUFFER, 7));
        assert!(!fate.broke && fate.let_go.is_none());
    }

    #[test]
    fn it_breaks_when_the_kernel_gives_up_and_both_ways() {
        let mut gone = gone(0);
        assert!(
            read(&mut gone, 1e6).is_pending(),
            "with nothing to acknowledge: never"
        );
        assert!(gone.alarm.is_none());
        assert_eq!(took(write(&mut gone, 10.0, 5)), Some(5));
        assert!(gone.alarm.is_some(), "whoever waits to read is woken by then");
        assert_eq!(took(write(&mut gone, 500.0, 5)), Some(5));
        // 924.6 s after the oldest byte.
        assert!(read(&mut gone, 934.5).is_pending());
        assert!(timed_out(read(&mut gone, 934.7)));
        assert!(gone.fate(None).broke);
        assert!(timed_out(write(&mut gone, 934.8, 1)));
    }

    #[test]
    fn what_was_under_way_is_never_acknowledged() {
        let mut gone = gone(1);
        assert!(read(&mut gone, 924.5).is_pending());
        assert!(timed_out(read(&mut gone, 924.7)));
    }

    #[test]
    fn after_its_end_nothing_can_be_written() {
        let mut gone = gone(0);
        gone.shut();
        assert!(
            matches!(write(&mut gone, 1.0, 1), Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::BrokenPipe)
        );
    }
}
