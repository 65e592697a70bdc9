//! One direction of a shaped connection: bytes on their way, and the instant when each arrives.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::clock::Clock;
use crate::clock;
use crate::theory::{Path, Pipe};

/// The most bytes that may wait for the line, or for a receiver that does not take what has arrived: about
/// what a kernel's send buffer holds.
const WAITING: usize = 256 * 1024;

/// The most bytes in all: the model does not limit what is in flight, but memory does. It is more than the
/// largest mail.
const HELD: usize = 32 << 20;

/// Bytes that arrive together.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// How many bytes were sent up to the end of this segment.
    end: u64,
    /// When the line has transmitted them.
    leaves: Instant,
    /// When they arrive.
    arrives: Instant,
}

/// The bytes between the sending and the receiving side.
#[derive(Debug)]
pub(super) struct Line {
    pipe: Pipe,
    clock: Clock,
    /// The instant of the pipe's second 0.
    epoch: Instant,
    bytes: BytesMut,
    segments: VecDeque<Segment>,
    sent: u64,
    taken: u64,
    /// What follows the last byte, once nothing more can be sent.
    end: Option<io::Result<()>>,
    closed: bool,
    taker: Option<Waker>,
    sender: Option<Waker>,
    /// The alarm that was set last: when it rings, and whom it wakes.
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

    /// What is sent from now on takes this path.
    pub(super) fn set_path(&mut self, path: Path) {
        self.pipe.set_path(path);
    }

    /// Wakes the tasks that wait for it.
    pub(super) fn wake(&mut self) {
        self.wake_sender();
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
        if let Some((_, taker)) = self.alarm.take() {
            taker.wake();
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
        // There is room when the line has transmitted a segment, and whenever bytes are taken out.
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

    /// Sends an end, or an error, after what was sent so far. Only the first one counts.
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

    /// Lets nothing arrive after `at`; returns how many of the bytes that were sent never arrive.
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
        // The end would have come after all of them.
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

    /// How many of all bytes sent so far have arrived.
    fn arrived(&self, now: Instant) -> u64 {
        let arrived = self.segments.partition_point(|s| s.arrives <= now);
        arrived
            .checked_sub(1)
            .map_or(self.taken, |i| self.segments[i].end)
    }

    /// The bytes that have arrived; empty if the end has arrived.
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
            // The alarm of this instant has rung; bytes that have come since need another.
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
            // A large buffer is not kept once it is empty.
            self.bytes = BytesMut::new();
        }
        self.wake_sender();
    }

    /// When the last of what was sent arrives.
    pub(super) fn last_arrival(&self) -> Instant {
        self.segments.back().map_or_else(Instant::now, |s| s.arrives)
    }

    /// The end that was sent; an error is returned once.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.end.take().unwrap_or(Ok(()))
    }

    fn wake_sender(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }
}
