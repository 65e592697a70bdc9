//! Sends each mail to all clients that have everything before it, from one task.
//!
//! ```text
//! log ─▶ Fanout ─▶ bytes, made once ─┬─▶ socket        of a client that waits
//!                                    ├─▶ socket
//!                                    └─▶ socket, full  ─▶ its own task gets the rest to send
//! ```
//!
//! A client's stream is a member while its own task has nothing to write: then a mail costs one system call for each
//! client, and no task is woken. Whatever else a client needs (a heartbeat, an answer, a gap, the end), its task does after
//! it has left, and then it comes back. Only plain connections of the kernel can be members ([`Outlet`]), in real time.

use std::collections::VecDeque;
use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use slab::Slab;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::service::{BATCH, Service};
use crate::mail::{Epoch, LogEntry, Mailbox, Position, Watch};
use crate::wire::Known;

/// How many members are served before other tasks may run.
const IN_A_ROW: usize = 256;

/// A member's meter reads what was sent after so many batches at the latest, or at once if a batch is large.
const UNCOUNTED: u64 = 32;

/// The size of a large batch, bytes.
const LARGE: usize = 16 * 1024;

/// The sending side of a plain connection of the kernel.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// Its socket.
    pub socket: Arc<TcpStream>,
    /// Who counts what is sent on it.
    pub counts: Arc<dyn Counts>,
}

/// Counts what is sent on a connection by others than its task.
pub trait Counts: fmt::Debug + Send + Sync {
    /// Whether its bytes may be counted later: not if somebody's account shows them as they cross.
    fn is_free(&self) -> bool;

    /// So many bytes were sent, on whichever of the server's connections.
    fn moved(&self, bytes: usize);

    /// These were sent on this connection; `known` is what they were on another.
    fn count(&self, sent: &mut dyn Iterator<Item = &Bytes>, known: &mut Known);
}

/// Sends as many of the bytes as the kernel takes now; 0 if the connection has failed, which its task will notice.
fn send(socket: &TcpStream, bytes: &[u8]) -> usize {
    loop {
        match SockRef::from(socket).send(bytes) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            sent => return sent.unwrap_or(0),
        }
    }
}

/// How far a client's stream has come.
#[derive(Debug)]
pub struct Progress {
    /// What was sent.
    pub position: Position,
    /// When something was sent last.
    pub sent: Instant,
    /// Whether the stream need not wait for mail, because it is about to become a member.
    pub joins: bool,
}

impl Progress {
    /// Nothing was sent yet.
    pub fn of(position: Position) -> SharedProgress {
        Arc::new(Mutex::new(Progress {
            position,
            sent: Instant::now(),
            joins: false,
        }))
    }
}

/// How far a client's stream has come, shared by its task and by the fan-out.
pub type SharedProgress = Arc<Mutex<Progress>>;

/// Makes the bytes that are sent for a mail.
type Encode = dyn Fn(&LogEntry, Epoch) -> Bytes + Send + Sync;

/// Sends mail in one encoding to its members.
pub struct Fanout {
    log: Arc<Mailbox>,
    encode: Box<Encode>,
    /// One for each thread of the server, and whose turn it is.
    crowds: Vec<Mutex<Crowd>>,
    turn: AtomicUsize,
}

impl fmt::Debug for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fanout")
            .field("crowds", &self.crowds)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Crowd {
    members: Slab<Member>,
    /// Whether a task sends to them.
    is_served: bool,
    /// The last mail that was sent, or is being sent, and the log that it is of.
    after: u64,
    generation: u64,
    /// The newest batches, and the index of the first, counted from 0.
    batches: VecDeque<Bytes>,
    first: u64,
    sent: Option<Instant>,
    /// What these batches were to the meter that read them last.
    known: (Range<u64>, Known),
}

#[derive(Debug)]
struct Member {
    socket: Arc<TcpStream>,
    /// The last mail that it has.
    after: u64,
    /// The index of the next batch for it, and of the first that its meter has not read.
    next: u64,
    uncounted: u64,
    is_dismissed: bool,
    /// Apart, because it is not needed for each mail.
    aside: Box<Aside>,
}

#[derive(Debug)]
struct Aside {
    counts: Arc<dyn Counts>,
    /// What a member's task has to send first after it has left.
    rest: Bytes,
    waker: Option<Waker>,
}

impl Member {
    /// Lets its meter read what was sent of the batches, the first of which has index `first`.
    fn count(&mut self, batches: &VecDeque<Bytes>, first: u64, known: &mut (Range<u64>, Known)) {
        let range = self.uncounted..self.next;
        if range.is_empty() {
            return;
        }
        if known.0 != range {
            *known = (range.clone(), Known::default());
        }
        let mut sent = batches.range((range.start - first) as usize..(range.end - first) as usize);
        self.aside.counts.count(&mut sent, &mut known.1);
        self.uncounted = self.next;
    }

    fn dismiss(&mut self, rest: Bytes) {
        self.is_dismissed = true;
        self.aside.rest = rest;
        if let Some(waker) = self.aside.waker.take() {
            waker.wake();
        }
    }
}

impl Fanout {
    /// Sends the mail of a service's log, each in the bytes that `encode` makes of it.
    pub fn new(
        service: &Service,
        encode: impl Fn(&LogEntry, Epoch) -> Bytes + Send + Sync + 'static,
    ) -> Arc<Fanout> {
        Arc::new(Fanout {
            log: service.mailbox.clone(),
            encode: Box::new(encode),
            crowds: (0..service.scenario.threads.max(1))
                .map(|_| Mutex::default())
                .collect(),
            turn: AtomicUsize::new(0),
        })
    }

    /// Makes a stream a member; its task must have written everything. `None` if there is something for it to send.
    pub fn join(self: &Arc<Fanout>, outlet: &Outlet, progress: &SharedProgress) -> Option<Membership> {
        let (after, generation) = progress
            .lock()
            .position
            .only_mail()
            .filter(|_| outlet.counts.is_free())?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.crowds.len();
        let mut crowd = self.crowds[turn].lock();
        if !crowd.is_served {
            // No member needs the earlier batches: those that are left have been dismissed and counted.
            crowd.first += crowd.batches.len() as u64;
            crowd.batches.clear();
            (crowd.after, crowd.generation, crowd.is_served) = (after, generation, true);
            let watch = self.log.watch_uncounted();
            tokio::spawn(self.clone().serve(turn, watch));
        } else if after < crowd.after || generation != crowd.generation {
            return None;
        }
        let next = crowd.first + crowd.batches.len() as u64;
        let key = crowd.members.insert(Member {
            socket: outlet.socket.clone(),
            after,
            next,
            uncounted: next,
            is_dismissed: false,
            aside: Box::new(Aside {
                counts: outlet.counts.clone(),
                rest: Bytes::new(),
                waker: None,
            }),
        });
        Some(Membership {
            fanout: self.clone(),
            progress: progress.clone(),
            turn,
            key: Some(key),
        })
    }

    /// Sends what comes, as long as there are members.
    async fn serve(self: Arc<Fanout>, turn: usize, mut watch: Watch) {
        let crowd = &self.crowds[turn];
        let mut after = crowd.lock().after;
        loop {
            watch.beyond(after).await;
            let Some(bytes) = self.begin(&mut crowd.lock()) else {
                return;
            };
            let mut key = 0;
            while crowd.lock().send(&bytes, after, &mut key) {
                tokio::task::yield_now().await;
            }
            after = crowd.lock().after;
            // Others have their turn also when there is more mail already.
            tokio::task::yield_now().await;
        }
    }

    /// The next batch, which is being sent from now on. `None` if nobody is left to send it to, or it takes more than to
    /// send mail: the members' own tasks do that.
    fn begin(&self, crowd: &mut Crowd) -> Option<Bytes> {
        let read = self.log.read(crowd.after, BATCH);
        let is_mail = read.gap == 0 && read.generation == crowd.generation;
        let Some(newest) = read.mails.last().filter(|_| is_mail && !crowd.members.is_empty()) else {
            crowd.is_served = false;
            for (_, member) in crowd
                .members
                .iter_mut()
                .filter(|(_, member)| !member.is_dismissed)
            {
                member.count(&crowd.batches, crowd.first, &mut crowd.known);
                member.dismiss(Bytes::new());
            }
            return None;
        };
        crowd.after = newest.number;
        crowd.sent = Some(Instant::now());
        let epoch = self.log.epoch();
        let all: Vec<_> = read.mails.iter().map(|mail| (self.encode)(mail, epoch)).collect();
        let bytes = match &all[..] {
            [one] => one.clone(),
            several => several.concat().into(),
        };
        crowd.batches.push_back(bytes.clone());
        if crowd.batches.len() as u64 > UNCOUNTED {
            crowd.batches.pop_front();
            crowd.first += 1;
        }
        Some(bytes)
    }
}

impl Crowd {
    /// Sends the newest batch to the next members in order that have all mail up to `before`; returns whether there are
    /// more members.
    fn send(&mut self, bytes: &Bytes, before: u64, key: &mut usize) -> bool {
        let crowd = self;
        let (after, first) = (crowd.after, crowd.first);
        let index = first + crowd.batches.len() as u64 - 1;
        let is_large = bytes.len() > LARGE;
        let mut moved = 0;
        let end = *key + IN_A_ROW;
        for at in *key..end.min(crowd.members.capacity()) {
            let Some(member) = crowd.members.get_mut(at).filter(|member| !member.is_dismissed) else {
                continue;
            };
            if member.after == before {
                let sent = send(&member.socket, bytes);
                moved += sent;
                member.after = after;
                if sent == bytes.len() {
                    member.next = index + 1;
                } else {
                    member.count(&crowd.batches, first, &mut crowd.known);
                    let part = [bytes.slice(..sent)];
                    member.aside.counts.count(&mut part.iter(), &mut Known::default());
                    member.dismiss(bytes.slice(sent..));
                }
            } else if member.after < after {
                // It joined with a part of the batch, which nobody else lacks.
                member.count(&crowd.batches, first, &mut crowd.known);
                member.dismiss(Bytes::new());
            } else {
                member.count(&crowd.batches, first, &mut crowd.known);
                (member.next, member.uncounted) = (index + 1, index + 1);
            }
            if is_large || (index + at as u64).is_multiple_of(UNCOUNTED) {
                member.count(&crowd.batches, first, &mut crowd.known);
            }
        }
        if let Some((_, any)) = crowd.members.iter().next() {
            any.aside.counts.moved(moved);
        }
        *key = end;
        let more = end < crowd.members.capacity();
        if is_large
            && !more
            && let Some(last) = crowd.batches.back_mut()
        {
            // Every meter has read it.
            *last = Bytes::new();
        }
        more
    }
}

/// Makes one stream a member, for the code that writes the stream.
#[derive(Clone, Debug)]
pub struct Joining {
    fanout: Arc<Fanout>,
    progress: SharedProgress,
}

impl Joining {
    /// For a stream with this progress.
    pub fn new(fanout: &Arc<Fanout>, progress: &SharedProgress) -> Joining {
        Joining {
            fanout: fanout.clone(),
            progress: progress.clone(),
        }
    }

    /// Tells the stream whether it is about to become a member.
    pub fn announce(&self, joins: bool) {
        self.progress.lock().joins = joins;
    }

    /// As [`Fanout::join`].
    pub fn join(&self, outlet: &Outlet) -> Option<Membership> {
        self.fanout.join(outlet, &self.progress)
    }
}

/// A stream's membership, until it leaves.
#[derive(Debug)]
pub struct Membership {
    fanout: Arc<Fanout>,
    progress: SharedProgress,
    turn: usize,
    key: Option<usize>,
}

impl Membership {
    /// Ready once it has to leave.
    pub fn poll_dismissed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut crowd = self.fanout.crowds[self.turn].lock();
        match self.key.and_then(|key| crowd.members.get_mut(key)) {
            Some(member) if !member.is_dismissed => {
                member.aside.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Leaves, and brings the stream's progress up to date. Its task has to send these bytes first; they may begin in the
    /// middle of a frame or chunk.
    pub fn leave(mut self) -> Bytes {
        self.end()
    }

    fn end(&mut self) -> Bytes {
        let crowd = &mut *self.fanout.crowds[self.turn].lock();
        let member = self.key.take().and_then(|key| crowd.members.try_remove(key));
        let Some(mut member) = member else {
            return Bytes::new();
        };
        member.count(&crowd.batches, crowd.first, &mut crowd.known);
        let mut progress = self.progress.lock();
        if progress.position.after() < member.after {
            progress.position.sent(member.after);
            progress.sent = crowd.sent.unwrap_or(progress.sent);
        }
        member.aside.rest
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.end();
    }
}
