//! A connection over a slower network. Whatever is written on it, and whatever its peer sends, takes as
//! long as [`theory`](crate::theory) computes for a path.
//!
//! ```text
//!  server ──write──▶ line down ──when it arrives──▶ socket ──▶ client
//!  server ◀──read─── line up   ◀──at once────────── socket ◀── client
//!                              a task of its own moves these
//! ```
//!
//! Both lines are at this end, so the socket itself is as fast as ever: the meter below sees the client's
//! bytes when they are sent, and the server's when they arrive. Like a kernel's socket, a connection takes
//! what is written until its buffer is full, and delivers it even if the writer has closed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::conditions::{Assigned, Conditioned, Conditions, Now};
use super::line::Line;
use super::nat::Nat;
use super::vanish::{Fate, Gone, Vanish, Vanishing};
use crate::clock;
use crate::outcome::Link;
use crate::theory::{Path, Pipe};

/// How long a connection that its server has closed waits for a client that reads nothing: a kernel
/// would give up on such an orphan, too.
const ORPHANED: Duration = Duration::from_secs(30);

/// Shapes the connections of a network.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    path: Path,
    seed: u64,
    clock: Clock,
    epoch: Instant,
    vanish: Option<Vanish>,
    nat: Option<Duration>,
    /// Cancelled when nothing is swallowed by a NAT any more.
    nat_over: CancellationToken,
}

impl Shape {
    /// Shapes as `link` says, with delays and losses drawn from `seed`; connections vanish when `vanish` says so.
    ///
    /// # Errors
    /// If its clock cannot start its thread.
    pub(super) fn new(link: &Link, seed: u64, vanish: Option<Vanish>) -> io::Result<Shape> {
        Ok(Shape {
            path: link.path(),
            seed,
            clock: Clock::start()?,
            epoch: clock::now(),
            vanish,
            nat: link.nat(),
            nat_over: CancellationToken::new(),
        })
    }

    /// Ends what a NAT has swallowed.
    pub(super) fn end_nat(&self) {
        self.nat_over.cancel();
    }

    /// Whether all connections have vanished.
    pub(super) fn has_vanished(&self) -> bool {
        self.vanish.as_ref().is_some_and(|v| v.since().is_some())
    }

    fn line(&self, pipe: fn(Path, f64, u64, u64) -> Pipe, connection: u64) -> Line {
        let opened = clock::since(self.epoch).as_secs_f64();
        let pipe = pipe(self.path, opened, self.seed, connection);
        Line::new(pipe, self.clock.clone(), self.epoch)
    }
}

/// The server's end of a shaped connection.
#[derive(Debug)]
pub struct Shaped(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    up: Line,
    down: Line,
    clock: Clock,
    connection: u64,
    /// The first retransmission timeout, in seconds.
    timeout: f64,
    /// Makes it vanish, if anything does.
    vanish: Option<Vanish>,
    /// Its mapping in a NAT, if there is one on the way.
    nat: Option<Nat>,
    /// Whether its client was told that a NAT has forgotten it.
    reset: bool,
    /// Set once it has vanished.
    gone: Option<Gone>,
    /// When the server last wrote.
    wrote: Option<Instant>,
    /// The task that moves bytes between lines and socket.
    mover: Option<Waker>,
    /// When to give up on the client, once the server has closed.
    give_up: Option<Instant>,
    /// Whether it has to end.
    broken: bool,
    /// The network's own path.
    path: Path,
    /// The conditions of its current request, if there may be some.
    assigned: Option<Arc<Assigned>>,
    /// Those that it obeys.
    conditions: Option<Arc<Conditions>>,
    me: Weak<Mutex<Lines>>,
}

impl Shaped {
    /// Shapes a socket just accepted; must be called on a tokio runtime, which then moves its bytes.
    pub(super) fn new<S>(
        mut socket: S,
        shape: &Shape,
        connection: u64,
        assigned: Option<Arc<Assigned>>,
    ) -> Shaped
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let lines = Arc::new_cyclic(|me| {
            Mutex::new(Lines {
                up: shape.line(Pipe::up, connection),
                down: shape.line(Pipe::down, connection),
                clock: shape.clock.clone(),
                connection,
                timeout: shape.path.retransmission_timeout(),
                vanish: shape.vanish.clone(),
                nat: shape
                    .nat
                    .map(|idle| Nat::new(idle, clock::now(), shape.nat_over.clone())),
                reset: false,
                gone: None,
                wrote: None,
                mover: None,
                give_up: None,
                broken: false,
                path: shape.path,
                assigned,
                conditions: None,
                me: me.clone(),
            })
        });
        let shared = lines.clone();
        if let Some(vanish) = &shape.vanish {
            vanish.enter(connection, lines.clone());
        }
        tokio::spawn(async move {
            std::future::poll_fn(|cx| shared.lock().poll_move(&mut socket, cx)).await;
            let (vanish, reset) = {
                let lines = shared.lock();
                (lines.vanish.clone(), lines.reset)
            };
            if let Some(vanish) = vanish.filter(|v| v.since().is_some() && !reset) {
                // Closing the socket would tell the client.
                vanish.over().await;
            }
        });
        Shaped(lines)
    }
}

impl Lines {
    /// Moves all bytes that can move; ready when nothing is left to do for the server.
    fn poll_move(
        &mut self,
        socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.mover = Some(cx.waker().clone());
        let closed = self.give_up.is_some();
        if self.reset {
            return Poll::Ready(());
        }
        let forgotten = self.nat.is_some();
        if let Some(gone) = self.gone() {
            let done = gone.is_let_go() || closed;
            // What had arrived by then is still delivered.
            let _ = self.poll_down(socket, cx);
            if forgotten && self.has_spoken(socket, cx) {
                self.reset = true;
            }
            return if done || self.reset {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        let sent = self.poll_down(socket, cx).is_ready();
        match self.give_up {
            None => {
                self.pull_up(socket, cx);
                if self.reset {
                    return Poll::Ready(());
                }
            }
            Some(_) if sent => return Poll::Ready(()),
            Some(deadline) if deadline <= clock::now() => return Poll::Ready(()),
            Some(_) => {}
        }
        Poll::Pending
    }

    /// Gives the socket what has arrived; ready when the end has, or when the socket takes no more.
    fn poll_down(&mut self, socket: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let arrived = ready!(self.down.poll_arrived(cx));
            if arrived.is_empty() {
                // Shutting it down again has no effect.
                return Pin::new(socket).poll_shutdown(cx).map(drop);
            }
            match ready!(Pin::new(&mut *socket).poll_write(cx, arrived)) {
                Ok(n) => self.down.take(n),
                // A broken socket breaks both directions: the server learns of it when it reads.
                Err(_) => self.down.abandon(),
            }
        }
    }

    /// Takes from the socket what has come.
    fn pull_up(&mut self, socket: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) {
        let mut scratch = [0; 8 * 1024];
        while !self.up.is_closed() {
            let Poll::Ready(room) = self.up.poll_room(cx) else {
                return;
            };
            let len = room.min(scratch.len());
            let mut read = ReadBuf::new(&mut scratch[..len]);
            match Pin::new(&mut *socket).poll_read(cx, &mut read) {
                Poll::Pending => return,
                Poll::Ready(Err(e)) => self.up.close(Err(e)),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.up.close(Ok(())),
                Poll::Ready(Ok(())) => {
                    self.follow_the_request();
                    // The client's packet gets a new mapping, and the answer to that is a reset.
                    self.reset = self.pass_nat();
                    if self.gone().is_some() {
                        return;
                    }
                    self.up.send(&[IoSlice::new(read.filled())], room);
                }
            }
        }
    }

    /// Lets a packet pass the NAT, if there is one. Returns whether the connection is forgotten there.
    fn pass_nat(&mut self) -> bool {
        let forgotten = self.nat.as_mut().and_then(|nat| nat.pass(clock::now()));
        if let (None, Some(vanish)) = (&self.vanish, &forgotten) {
            self.vanish = Some(vanish.clone());
        }
        forgotten.is_some()
    }

    /// Whether the client says something, or leaves.
    fn has_spoken(&self, socket: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> bool {
        let mut scratch = [0; 1];
        let mut read = ReadBuf::new(&mut scratch);
        Pin::new(socket).poll_read(cx, &mut read).is_ready()
    }

    /// Obeys the conditions of the request that was just read.
    fn follow_the_request(&mut self) {
        let Some(assigned) = &self.assigned else { return };
        self.broken |= assigned.is_refused();
        let wanted = assigned.now();
        if self.conditions.as_ref().map(Arc::as_ptr) == wanted.as_ref().map(Arc::as_ptr) {
            return;
        }
        let me: Weak<Mutex<dyn Conditioned>> = self.me.clone();
        if let Some(old) = &self.conditions {
            old.leave(&me);
        }
        let now = wanted.as_ref().map(|conditions| conditions.enter(me));
        self.conditions = wanted;
        self.obey(&now.unwrap_or_default());
    }

    /// The state of a connection that has vanished, if it has: what was on its way at that instant never arrives.
    fn gone(&mut self) -> Option<&mut Gone> {
        if self.gone.is_none() {
            let since = self.vanish.as_ref()?.since()?;
            let (down, up) = (self.down.cut(since), self.up.cut(since));
            let clock = self.clock.clone();
            self.gone = Some(Gone::new(since, self.timeout, clock, down, up));
        }
        self.gone.as_mut()
    }

    /// Wakes the tasks that read, write and move bytes.
    fn wake_all(&mut self) {
        self.up.wake();
        self.down.wake();
        if let Some(mover) = &self.mover {
            mover.wake_by_ref();
        }
    }

    /// Fails if it was to vanish and that is over.
    fn check(&self) -> io::Result<()> {
        match &self.vanish {
            _ if self.broken => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(vanish) if vanish.is_over() => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }

    fn poll_write(&mut self, bufs: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.check()?;
        self.pass_nat();
        if let Some(gone) = self.gone() {
            let n = ready!(gone.poll_write(clock::now(), bufs.iter().map(|b| b.len()).sum(), cx))?;
            self.wrote = Some(clock::now());
            return Poll::Ready(Ok(n));
        }
        if self.down.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.wrote = Some(clock::now());
        let room = ready!(self.down.poll_room(cx));
        Poll::Ready(Ok(self.down.send(bufs, room)))
    }
}

impl Conditioned for Lines {
    fn obey(&mut self, now: &Now) {
        self.broken |= now.refused;
        let path = Path {
            rtt: self.path.rtt + now.away.as_secs_f64(),
            ..self.path
        };
        self.up.set_path(path);
        self.down.set_path(path);
        self.timeout = path.retransmission_timeout();
        // What was lost stays lost.
        if self.gone.is_none()
            && !now.refused
            && let (Some(vanish), Some(me)) = (&now.lost, self.me.upgrade())
        {
            vanish.enter(self.connection, me);
            self.vanish = Some(vanish.clone());
        }
        self.wake_all();
    }

    fn break_off(&mut self) {
        self.broken = true;
        self.wake_all();
    }
}

impl Vanishing for Lines {
    fn fate(&mut self) -> Fate {
        let wrote = self.wrote;
        self.gone().map(|gone| gone.fate(wrote)).unwrap_or_default()
    }

    fn wake(&mut self) {
        if let Some(gone) = self.gone() {
            gone.wake();
        }
    }
}

impl AsyncRead for Shaped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut lines = self.0.lock();
        lines.check()?;
        let ended = match lines.gone() {
            Some(gone) => gone.poll_read(clock::now(), cx),
            None => Poll::Pending,
        };
        let arrived = match lines.up.poll_arrived(cx) {
            Poll::Ready(arrived) => arrived,
            Poll::Pending => return ended,
        };
        if arrived.is_empty() {
            return Poll::Ready(lines.up.end());
        }
        let n = arrived.len().min(buf.remaining());
        buf.put_slice(&arrived[..n]);
        lines.up.take(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Shaped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(&[IoSlice::new(buf)], cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(bufs, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was written is on its way; as with a kernel's socket, there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lines = self.0.lock();
        match lines.gone() {
            Some(gone) => gone.shut(),
            None => lines.down.close(Ok(())),
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Shaped {
    fn drop(&mut self) {
        let mut guard = self.0.lock();
        let lines = &mut *guard;
        if let Some(gone) = lines.gone() {
            gone.let_go(clock::now());
            lines.up.abandon();
            return lines.mover.take().into_iter().for_each(Waker::wake);
        }
        if let Some(vanish) = &lines.vanish {
            vanish.leave(lines.connection);
        }
        lines.down.close(Ok(()));
        lines.up.abandon();
        let deadline = lines.down.last_arrival() + ORPHANED;
        lines.give_up = Some(deadline);
        if let Some(mover) = lines.mover.take() {
            lines.clock.wake_at(deadline, &mover);
            mover.wake();
        }
    }
}
