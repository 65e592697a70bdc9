//! One direction of a shaped connection: bytes on their way, and the instant each comes out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::clock::Clock;
use crate::clock;
use crate::theory::Pipe;

/// What may wait to be put on the line, or for a receiver that does not take what has arrived: about
/// what a kernel's send buffer holds.
const WAITING: usize = 256 * 1024;

/// What may be here in all: nothing the model knows limits what is in flight, but memory does. It is
/// more than the largest mail.
const HELD: usize = 32 << 20;

/// Bytes that come out together.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// How many bytes were sent up to and with this one.
    end: u64,
    /// When the line has taken them.
    leaves: Instant,
    /// When they come out.
    arrives: Instant,
}

/// The bytes, between the side that sends and the side that takes.
#[derive(Debug)]
pub(super) struct Line {
    pipe: Pipe,
    clock: Clock,
    /// The pipe's zero.
    epoch: Instant,
    bytes: BytesMut,
    segments: VecDeque<Segment>,
    sent: u64,
    taken: u64,
    /// What is behind the last byte, once nothing more can be sent.
    end: Option<io::Result<()>>,
    closed: bool,
    taker: Option<Waker>,
    sender: Option<Waker>,
    /// The alarm that was set last: who is woken when.
    alarm: Option<(Instant, Waker)>,
}

impl Line {
    pub(super) fn new(pipe: Pipe, clock: Clock, epoch: Instant) -> Line {
        Line {
            pipe,
            clock,
            epoch,
            bytes: BytesMut::new(),
            segments: VecDeque::new(),
            sent: 0,
            taken: 0,
            end: None,
            closed: false,
            taker: None,
            sender: None,
            alarm: None,
        }
    }

    /// Whether nothing more can be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many bytes may be sent now, at least one.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let now = clock::now();
        let left = self.segments.partition_point(|s| s.leaves <= now);
        let gone = left.checked_sub(1).map_or(self.taken, |i| self.segments[i].end);
        let waiting = (self.sent - gone.max(self.taken)) + (self.arrived(now) - self.taken);
        let room = WAITING
            .saturating_sub(waiting as usize)
            .min(HELD.saturating_sub(self.bytes.len()));
        if room > 0 {
            return Poll::Ready(room);
        }
        // Room comes when the line has taken a segment, and whenever something is taken out.
        if let Some(next) = self.segments.get(left) {
            self.clock.wake_at(next.leaves, cx.waker());
        }
        self.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Sends bytes, as many as there was room for.
    pub(super) fn send(&mut self, bytes: &[IoSlice<'_>], room: usize) -> usize {
        let before = self.bytes.len();
        for slice in bytes {
            let left = room - (self.bytes.len() - before);
            self.bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        let n = self.bytes.len() - before;
        if n > 0 {
            self.push(n);
        }
        n
    }

    /// Sends an end, or an error, behind what was sent so far. Only the first counts.
    pub(super) fn close(&mut self, end: io::Result<()>) {
        if !std::mem::replace(&mut self.closed, true) {
            self.push(0);
            self.end = Some(end);
        }
    }

    /// Closes without sending: what is on its way is lost.
    pub(super) fn abandon(&mut self) {
        self.closed = true;
        self.end = None;
        self.segments.clear();
        self.bytes = BytesMut::new();
        self.taken = self.sent;
        self.wake_sender();
    }

    /// Nothing arrives from `at` on: returns how many of the bytes that were sent never do.
    pub(super) fn cut(&mut self, at: Instant) -> usize {
        let kept = self.segments.partition_point(|s| s.arrives <= at);
        if kept == self.segments.len() {
            return 0;
        }
        let end = kept.checked_sub(1).map_or(self.taken, |i| self.segments[i].end);
        let lost = (self.sent - end.max(self.taken)) as usize;
        self.segments.truncate(kept);
        self.bytes.truncate(self.bytes.len() - lost);
        self.sent -= lost as u64;
        // The end would have come behind all of it.
        self.closed = false;
        self.end = None;
        lost
    }

    fn push(&mut self, n: usize) {
        let since = |seconds: f64| self.epoch + Duration::from_secs_f64(seconds.max(0.0));
        let now = clock::since(self.epoch).as_secs_f64();
        for segment in self.pipe.send(now, n) {
            self.sent += segment.bytes as u64;
            self.segments.push_back(Segment {
                end: self.sent,
                leaves: since(segment.leaves),
                arrives: since(segment.arrives),
            });
        }
        if let Some(taker) = self.taker.take() {
            self.set_alarm(&taker);
        }
    }

    /// How many bytes were sent of which the last has arrived.
    fn arrived(&self, now: Instant) -> u64 {
        let arrived = self.segments.partition_point(|s| s.arrives <= now);
        arrived
            .checked_sub(1)
            .map_or(self.taken, |i| self.segments[i].end)
    }

    /// The bytes that have arrived; none means that the end has.
    pub(super) fn poll_arrived(&mut self, cx: &mut Context<'_>) -> Poll<&[u8]> {
        let now = clock::now();
        while self
            .segments
            .front()
            .is_some_and(|s| s.end <= self.taken && s.arrives <= now)
        {
            self.segments.pop_front();
        }
        let n = (self.arrived(now) - self.taken) as usize;
        if n > 0 || (self.closed && self.segments.is_empty()) {
            self.taker = None;
            return Poll::Ready(&self.bytes[..n]);
        }
        if self.segments.is_empty() {
            self.taker = Some(cx.waker().clone());
        } else {
            self.set_alarm(cx.waker());
        }
        Poll::Pending
    }

    fn set_alarm(&mut self, taker: &Waker) {
        let Some(at) = self.segments.front().map(|s| s.arrives) else {
            return;
        };
        if at <= clock::now() {
            // An alarm of this instant has rung; bytes that came since need another.
            self.alarm = None;
            return taker.wake_by_ref();
        }
        let is_set = |(known, waker): &(Instant, Waker)| *known == at && waker.will_wake(taker);
        if !self.alarm.as_ref().is_some_and(is_set) {
            self.clock.wake_at(at, taker);
            self.alarm = Some((at, taker.clone()));
        }
    }

    /// Takes out bytes that have arrived.
    pub(super) fn take(&mut self, n: usize) {
        self.bytes.advance(n);
        self.taken += n as u64;
        if self.bytes.is_empty() {
            // What was once needed for much is not kept for nothing.
            self.bytes = BytesMut::new();
        }
        self.wake_sender();
    }

    /// When the last of what was sent arrives.
    pub(super) fn last_arrival(&self) -> Instant {
        self.segments.back().map_or_else(Instant::now, |s| s.arrives)
    }

    /// The end that was sent; an error is told once.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.end.take().unwrap_or(Ok(()))
    }

    fn wake_sender(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }
}
