//! A client that dies without closing: what the sender's kernel does, and how long its server keeps the
//! connection.
//!
//! Nothing arrives any more and nothing comes back, not even an end (FIN) or a reset (RST). A server can
//! notice only silence, so it notices only what it waits for:
//!
//! ```text
//!  poll       the next request          ──▶ the limit on idle connections
//!  long-poll  the next request, after an answer that nobody gets ──▶ the same limit
//!  sse, tcp   nothing: it only writes   ──▶ its send buffer is full, and stays so
//!  ws         the answers to its pings  ──▶ one too many is missing
//!  socketio   the answer to its ping    ──▶ it has not come in time
//!  stomp      the client's heart-beats  ──▶ none for twice the silence that was agreed on
//! ```
//!
//! Under all of them the kernel waits, too, for acknowledgements ([`Sender`]): with Linux's defaults for a
//! quarter of an hour, and only while there is something to acknowledge. A connection on which nothing was
//! sent may be kept for ever (RFC 9293, section 3.8.4: keep-alives are off by default).

use serde::{Deserialize, Serialize};

use super::pipe::MAX_TIMEOUT;

/// The size of a connection's send buffer, in bytes: the `SO_SNDBUF` of a connection on which little was sent so
/// far, as Linux 6.18 sets it from `tcp_wmem` (tcp(7)). In a test there, such a connection took 68 to 80 kB before
/// it was full, depending on the size of the writes. It grows only while acknowledgements come.
pub const SEND_BUFFER: usize = 69_120;

/// The limit on retransmissions: Linux's `tcp_retries2`.
const RETRIES: i32 = 15;

/// The shortest retransmission timeout, from which that limit is computed: `TCP_RTO_MIN`.
const MIN_TIMEOUT: f64 = 0.2;

/// The kernel's side of a connection whose peer is gone: the bytes that it has to send stay in its buffer.
/// Times are seconds from any instant.
#[derive(Clone, Debug)]
pub struct Sender {
    timeout: f64,
    buffered: usize,
    oldest: Option<f64>,
}

impl Sender {
    /// A sender with nothing to send, whose first retransmission comes after `timeout`
    /// ([`Path::retransmission_timeout`](super::Path::retransmission_timeout)).
    pub fn new(timeout: f64) -> Sender {
        Sender {
            timeout,
            buffered: 0,
            oldest: None,
        }
    }

    /// How many more bytes it takes.
    pub fn room(&self) -> usize {
        SEND_BUFFER.saturating_sub(self.buffered)
    }

    /// How many bytes it holds.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Takes bytes, whether or not there is room.
    pub fn send(&mut self, now: f64, bytes: usize) {
        self.buffered += bytes;
        if bytes > 0 {
            self.oldest.get_or_insert(now);
        }
    }

    /// When the connection breaks, with `ETIMEDOUT`; `None` as long as nothing is unacknowledged.
    pub fn breaks(&self) -> Option<f64> {
        Some(self.oldest? + gives_up_after(self.timeout))
    }
}

/// How long a byte is retransmitted before its connection breaks, from the first time it is sent.
///
/// The timeout doubles each time (RFC 6298, section 5.5) up to 120 s. The connection breaks at the first
/// timeout that ends no sooner than `tcp_retries2` doublings from 200 ms would: 924.6 s (Linux, ip-sysctl;
/// RFC 9293, section 3.8.3, asks for 100 s at least). In a test with a smaller limit, Linux 6.18 took 5 %
/// longer than this: its first timeout was 210 ms.
pub fn gives_up_after(timeout: f64) -> f64 {
    let limit = retransmitting(MIN_TIMEOUT, RETRIES + 1);
    let mut times = 1;
    while retransmitting(timeout, times) < limit - 1e-6 {
        times += 1;
    }
    retransmitting(timeout, times)
}

/// The sum of the first `times` timeouts.
fn retransmitting(timeout: f64, times: i32) -> f64 {
    (0..times)
        .map(|n| (timeout * 2_f64.powi(n)).min(MAX_TIMEOUT))
        .sum()
}

/// What a technique's server waits for from its client, and so can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The next request: answers come at once.
    Asked,
    /// The next request, once the one it holds is answered.
    Held,
    /// Nothing: the server only writes. A heartbeat has this many bytes, if there are heartbeats.
    Written(Option<usize>),
    /// Pongs.
    Pinged {
        /// Bytes of a ping.
        ping: usize,
        /// The server lets go at the end of the silence after this many pings without an answer.
        unanswered: u32,
    },
    /// Pongs to pings at a fixed cadence, whatever else is sent.
    Clocked {
        /// Bytes of a ping.
        ping: usize,
        /// The server lets go this many milliseconds after a ping.
        timeout_ms: u32,
    },
    /// Heart-beats, which its client sends on its own, as the server does.
    HeartBeats {
        /// Bytes of the server's heart-beat.
        beat: usize,
        /// It lets go when none came for this many times the agreed silence,
        times: u32,
        /// and for this many milliseconds.
        least_ms: u32,
    },
}

/// Why a server let go of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Pings were not answered.
    PingUnanswered,
    /// Heart-beats did not come.
    HeartBeatMissed,
    /// The send buffer was full and stayed so.
    Stalled,
    /// The kernel gave up retransmitting.
    RetransmissionTimeout,
    /// No further request came.
    Idle,
    /// The request was answered, on a connection for a single request.
    Answered,
}

/// What a server does with a connection that has no request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Idle {
    /// It closes it after the answer: HTTP/1.0.
    Closed,
    /// It waits this many seconds for the next request: HTTP/1.1.
    WaitsFor(f64),
    /// It sends GOAWAY when that time is over, waits for the client to react, and closes after this many seconds in
    /// all: HTTP/2 (RFC 9113, section 6.8), where the end of a stream does not end its connection.
    GoAway(f64),
}

/// A client's death. Times are seconds, counted from the instant it vanished.
#[derive(Clone, Debug)]
pub struct Death<'a> {
    /// When each further mail is due.
    pub due: &'a [f64],
    /// Bytes of a mail on the wire.
    pub mail: f64,
    /// The silence after which the server sends a heartbeat, if it does.
    pub heartbeat: Option<f64>,
    /// When the server last wrote, at the earliest and at the latest: before 0.
    pub wrote: (f64, f64),
    /// How long a request is held.
    pub hold: f64,
    /// What happens to connections without a request.
    pub idle: Idle,
    /// How long the server tolerates a full send buffer.
    pub stall: f64,
    /// How long a sign of life may be on its way.
    pub patience: f64,
    /// The round trip: what was on its way is lost.
    pub rtt: f64,
    /// The first retransmission timeout.
    pub timeout: f64,
}

/// When a server notices, at the earliest and at the latest, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notice {
    /// At the earliest.
    pub earliest: f64,
    /// At the latest.
    pub latest: f64,
    /// How.
    pub cause: Cause,
}

impl Death<'_> {
    /// When a server that waits for `liveness` lets go of the connection; `None` if it cannot do so by
    /// `until`, or if there is no connection.
    pub fn noticed(&self, liveness: Liveness, until: f64) -> Option<Notice> {
        let notice = match liveness {
            Liveness::Asked => self.asked(),
            Liveness::Held => self.held(),
            Liveness::Written(heartbeat) => self.between(|wrote, _| self.written(wrote, heartbeat, None)),
            Liveness::Pinged { ping, unanswered } => self.between(|wrote, lost| {
                let (at, cause) = self.written(wrote, Some(ping), Some(unanswered - lost))?;
                match (self.idle, cause) {
                    (Idle::GoAway(wait), Cause::PingUnanswered) => Some((at + wait, cause)),
                    _ => Some((at, cause)),
                }
            }),
            Liveness::Clocked { ping, timeout_ms } => {
                let stalled = self.between(|wrote, _| self.written(wrote, Some(ping), None));
                self.unanswered(f64::from(timeout_ms) / 1e3, stalled)
            }
            Liveness::HeartBeats {
                beat,
                times,
                least_ms,
            } => {
                let stalled = self.between(|wrote, _| self.written(wrote, Some(beat), None));
                self.unheard(f64::from(times), f64::from(least_ms) / 1e3, stalled)
            }
        };
        notice.filter(|n| n.earliest <= until)
    }

    /// A ping is not answered. The server notices, unless it is blocked by its own writing before that. It is not
    /// known when the last ping was sent: just before, or one interval ago; its answer may have been on its way.
    fn unanswered(&self, timeout: f64, stalled: Option<Notice>) -> Option<Notice> {
        let Some(interval) = self.heartbeat else {
            return stalled;
        };
        let latest = interval + timeout;
        stalled
            .filter(|n| n.cause == Cause::Stalled && n.earliest - self.stall <= latest)
            .or(Some(Notice {
                earliest: (timeout - self.rtt).max(0.0),
                latest,
                cause: Cause::PingUnanswered,
            }))
    }

    /// No heart-beat comes. A server notices this also while a write waits, unless that has waited too long
    /// by then. It is not known when the client was last heard: one silence ago, or just before.
    fn unheard(&self, times: f64, least: f64, stalled: Option<Notice>) -> Option<Notice> {
        let Some(silence) = self.heartbeat else {
            return stalled;
        };
        let overdue = (times * silence).max(least) + self.patience;
        stalled
            .filter(|n| n.cause == Cause::Stalled && n.latest <= overdue)
            .or(Some(Notice {
                earliest: (overdue - silence - self.rtt).max(0.0),
                latest: overdue,
                cause: Cause::HeartBeatMissed,
            }))
    }

    /// The connection has been idle since the last answer.
    fn asked(&self) -> Option<Notice> {
        let (Idle::WaitsFor(limit) | Idle::GoAway(limit)) = self.idle else {
            return None;
        };
        Some(Notice {
            earliest: (self.wrote.0 + limit).max(0.0),
            latest: (self.wrote.1 + limit).max(0.0),
            cause: Cause::Idle,
        })
    }

    /// The held request is answered with the next mail, or when the hold ends; from then on the
    /// connection is idle.
    fn held(&self) -> Option<Notice> {
        let next = self.due.first().copied().unwrap_or(f64::INFINITY);
        let answered = |wrote: f64| (wrote + self.hold).max(0.0).min(next);
        let (first, last) = (answered(self.wrote.0), answered(self.wrote.1));
        let (wait, cause) = match self.idle {
            _ if last == next && self.mail > SEND_BUFFER as f64 => (self.stall, Cause::Stalled),
            Idle::Closed => (0.0, Cause::Answered),
            Idle::WaitsFor(limit) | Idle::GoAway(limit) => (limit, Cause::Idle),
        };
        // The next request, or the last answer, may have been on its way: then no request is held.
        let under_way = self.wrote.1 > -2.0 * self.rtt;
        let earliest = if under_way { self.wrote.0 } else { first };
        Some(Notice {
            earliest: (earliest + wait).max(0.0),
            latest: last + wait,
            cause,
        })
    }

    /// The earliest and the latest notice: it is not known when the server last wrote, nor whether the
    /// answer to a last ping was on its way.
    fn between(&self, act: impl Fn(f64, u32) -> Option<(f64, Cause)>) -> Option<Notice> {
        let (latest, cause) = act(self.wrote.1, 0)?;
        let lost = u32::from(self.rtt > 0.0);
        let earliest = act(self.wrote.0, lost).map_or(latest, |(at, _)| at.min(latest));
        Some(Notice {
            earliest,
            latest,
            cause,
        })
    }

    /// Simulates the server: it writes every mail when it is due, and after each silence a heartbeat, of which
    /// `last` may stay without an answer; the send buffer fills with bytes that are never acknowledged.
    fn written(&self, mut wrote: f64, heartbeat: Option<usize>, last: Option<u32>) -> Option<(f64, Cause)> {
        let mut sender = Sender::new(self.timeout);
        let mut unanswered = 0;
        let mut mails = self.due.iter().copied().peekable();
        let beat = self.heartbeat.zip(heartbeat);
        loop {
            let silent = beat.map(|(after, _)| wrote + after);
            let (at, bytes) = match (mails.peek().copied(), silent, beat) {
                (Some(due), Some(silent), _) if due <= silent => (due, self.mail),
                (_, Some(silent), Some((_, bytes))) => (silent, bytes as f64),
                (Some(due), ..) => (due, self.mail),
                (None, ..) => return Some((sender.breaks()?, Cause::RetransmissionTimeout)),
            };
            let is_mail = mails.next_if_eq(&at).is_some();
            if let Some(breaks) = sender.breaks().filter(|breaks| *breaks <= at) {
                return Some((breaks, Cause::RetransmissionTimeout));
            }
            if !is_mail {
                if last.is_some_and(|last| unanswered >= last) && at > self.patience {
                    return Some((at, Cause::PingUnanswered));
                }
                unanswered += 1;
            }
            sender.send(at, bytes.round() as usize);
            if sender.buffered() > SEND_BUFFER {
                return Some((at + self.stall, Cause::Stalled));
            }
            wrote = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 30.0;
    const PINGED: Liveness = Liveness::Pinged {
        ping: 2,
        unanswered: 2,
    };
    const WRITTEN: Liveness = Liveness::Written(Some(18));

    fn death(due: &[f64]) -> Death<'_> {
        Death {
            due,
            mail: 300.0,
            heartbeat: Some(5.0),
            wrote: (-1.0, -1.0),
            hold: 25.0,
            idle: Idle::WaitsFor(LIMIT),
            stall: 30.0,
            patience: 0.0,
            rtt: 0.0,
            timeout: 0.2,
        }
    }

    fn at(earliest: f64, latest: f64, cause: Cause) -> Option<Notice> {
        Some(Notice {
            earliest,
            latest,
            cause,
        })
    }

    #[test]
    fn a_kernel_gives_up_at_the_first_timeout_after_its_limit() {
        // 0.2 + 0.4 + … + 102.4 = 204.6, and then 120 s each.
        let cases = [
            (0.2, 204.6 + 6.0 * 120.0),
            (0.3, 153.3 + 7.0 * 120.0),
            (3.0, 189.0 + 7.0 * 120.0),
        ];
        for (timeout, expected) in cases {
            assert!((gives_up_after(timeout) - expected).abs() < 1e-6, "{timeout}");
        }
        assert!(gives_up_after(500.0) >= 924.6, "a timeout has a greatest, too");
    }

    #[test]
    fn a_sender_keeps_what_it_is_given_and_breaks_by_its_oldest() {
        let mut sender = Sender::new(0.2);
        sender.send(3.0, 0);
        assert_eq!(sender.breaks(), None, "nothing sent, nothing to miss");
        sender.send(5.0, 100);
        sender.send(9.0, SEND_BUFFER);
        assert_eq!((sender.room(), sender.buffered()), (0, SEND_BUFFER + 100));
        assert!((sender.breaks().unwrap() - 929.6).abs() < 1e-6);
    }

    #[test]
    fn an_idle_connection_lasts_as_long_as_its_limit() {
        assert_eq!(
            death(&[]).noticed(Liveness::Asked, 60.0),
            at(29.0, 29.0, Cause::Idle)
        );
        assert_eq!(death(&[]).noticed(Liveness::Asked, 28.0), None);
        let closed = Death {
            idle: Idle::Closed,
            ..death(&[3.0])
        };
        assert_eq!(closed.noticed(Liveness::Asked, 60.0), None, "there is none");
        assert_eq!(
            closed.noticed(Liveness::Held, 60.0),
            at(3.0, 3.0, Cause::Answered)
        );
    }

    #[test]
    fn a_held_request_is_answered_first() {
        assert_eq!(
            death(&[3.0]).noticed(Liveness::Held, 60.0),
            at(33.0, 33.0, Cause::Idle)
        );
        // No mail: the connection is idle when the hold ends, which began with the last answer.
        assert_eq!(
            death(&[]).noticed(Liveness::Held, 60.0),
            at(54.0, 54.0, Cause::Idle)
        );
        let unknown = Death {
            wrote: (-60.0, 0.0),
            ..death(&[])
        };
        assert_eq!(unknown.noticed(Liveness::Held, 60.0), at(30.0, 55.0, Cause::Idle));
        // The request that followed the last answer never arrived.
        let far = Death {
            rtt: 0.6,
            ..death(&[3.0])
        };
        assert_eq!(far.noticed(Liveness::Held, 60.0), at(29.0, 33.0, Cause::Idle));
        let large = Death {
            mail: 100_000.0,
            ..death(&[3.0])
        };
        assert_eq!(
            large.noticed(Liveness::Held, 60.0),
            at(33.0, 33.0, Cause::Stalled)
        );
    }

    #[test]
    fn the_third_silence_in_vain_ends_a_websocket() {
        // Last written 1 s before: pings at 4 and 9, and at 14 it is over.
        assert_eq!(
            death(&[]).noticed(PINGED, 60.0),
            at(14.0, 14.0, Cause::PingUnanswered)
        );
        let unknown = Death {
            wrote: (-5.0, 0.0),
            ..death(&[])
        };
        assert_eq!(
            unknown.noticed(PINGED, 60.0),
            at(10.0, 15.0, Cause::PingUnanswered)
        );
        // A mail restarts the silence: 4, then the mail at 6, 11, 16.
        assert_eq!(
            death(&[6.0]).noticed(PINGED, 60.0),
            at(16.0, 16.0, Cause::PingUnanswered)
        );
        let patient = Death {
            patience: 20.0,
            ..death(&[])
        };
        assert_eq!(
            patient.noticed(PINGED, 60.0),
            at(24.0, 24.0, Cause::PingUnanswered)
        );
        let far = Death {
            rtt: 0.1,
            ..death(&[])
        };
        assert_eq!(far.noticed(PINGED, 60.0), at(9.0, 14.0, Cause::PingUnanswered));
        let multiplexed = Death {
            idle: Idle::GoAway(40.0),
            ..death(&[])
        };
        assert_eq!(
            multiplexed.noticed(PINGED, 60.0),
            at(54.0, 54.0, Cause::PingUnanswered)
        );
    }

    #[test]
    fn a_ping_by_the_clock_is_waited_for_whatever_else_is_written() {
        let clocked = Liveness::Clocked {
            ping: 3,
            timeout_ms: 20_000,
        };
        assert_eq!(
            death(&[6.0]).noticed(clocked, 60.0),
            at(20.0, 25.0, Cause::PingUnanswered)
        );
        let far = Death {
            rtt: 0.5,
            ..death(&[])
        };
        assert_eq!(far.noticed(clocked, 60.0), at(19.5, 25.0, Cause::PingUnanswered));
        assert_eq!(
            death(&[]).noticed(clocked, 24.0),
            at(20.0, 25.0, Cause::PingUnanswered),
            "perhaps by then"
        );
        assert_eq!(death(&[]).noticed(clocked, 19.0), None, "not by then");
        // A write that does not end is treated as elsewhere.
        let large = Death {
            mail: 100_000.0,
            stall: 3.0,
            ..death(&[3.0])
        };
        assert_eq!(large.noticed(clocked, 60.0), at(6.0, 6.0, Cause::Stalled));
        let none = Death {
            heartbeat: None,
            ..death(&[])
        };
        assert_eq!(none.noticed(clocked, 1e9), None, "nothing was sent: for ever");
    }

    #[test]
    fn mail_more_frequent_than_heartbeats_keeps_pings_from_being_sent() {
        let due: Vec<f64> = (1..=60).map(f64::from).collect();
        assert_eq!(death(&due).noticed(PINGED, 60.0), None);
        let none = Death {
            heartbeat: None,
            ..death(&[])
        };
        assert_eq!(none.noticed(PINGED, 1e9), None, "nothing was sent: for ever");
    }

    #[test]
    fn who_only_writes_notices_a_full_buffer_or_the_kernel_giving_up() {
        // 69,120 / 300 = 230.4 mails fit: the 231st does not.
        let due: Vec<f64> = (1..=400).map(|n| f64::from(n) * 0.1).collect();
        let notice = death(&due).noticed(WRITTEN, 60.0).unwrap();
        assert!(
            (notice.latest - 53.1).abs() < 1e-9 && notice.cause == Cause::Stalled,
            "{notice:?}"
        );
        let quiet = Death {
            heartbeat: None,
            ..death(&[2.0, 4.0])
        };
        let notice = quiet.noticed(WRITTEN, 1e4).unwrap();
        assert!((notice.latest - 926.6).abs() < 1e-6, "{notice:?}");
        assert_eq!(notice.cause, Cause::RetransmissionTimeout);
        assert_eq!(quiet.noticed(WRITTEN, 600.0), None);
        // Heartbeats are bytes to acknowledge, too: the first at 4.
        let beats = death(&[]).noticed(WRITTEN, 1e4).unwrap();
        assert!((beats.latest - 928.6).abs() < 1e-6, "{beats:?}");
    }

    #[test]
    fn a_promised_heart_beat_is_missed_after_twice_its_time() {
        let heard = |death: Death| {
            death.noticed(
                Liveness::HeartBeats {
                    beat: 3,
                    times: 2,
                    least_ms: 1_000,
                },
                60.0,
            )
        };
        // Heard 5 s before at the earliest, and just then at the latest.
        assert_eq!(heard(death(&[])), at(5.0, 10.0, Cause::HeartBeatMissed));
        let often = Death {
            heartbeat: Some(0.1),
            patience: 0.5,
            rtt: 0.2,
            ..death(&[])
        };
        let notice = heard(often).unwrap();
        assert!((notice.earliest - 1.2).abs() < 1e-9 && (notice.latest - 1.5).abs() < 1e-9);
        // A server that cannot write notices it all the same.
        let large = Death {
            mail: 100_000.0,
            ..death(&[3.0])
        };
        assert_eq!(heard(large.clone()), at(5.0, 10.0, Cause::HeartBeatMissed));
        let hasty = Death { stall: 3.0, ..large };
        assert_eq!(heard(hasty), at(6.0, 6.0, Cause::Stalled));
        let without = Death {
            heartbeat: None,
            ..death(&[])
        };
        assert_eq!(heard(without), None);
    }
}
