//! Calculates a slower network: from bytes and the instant when they were sent, it finds the instants when they
//! arrive. The lab's link delays bytes by it in real and in simulated runs, so both have the same network.
//!
//! ```text
//!  sent ──waits for the line──▶ on the line ──R/2 + jitter──▶ arrives, if it is not lost
//!                               len · 8 / bandwidth            if it is: max(200 ms, 2 R) later,
//!                                                              and nothing behind it comes sooner
//! ```
//!
//! The model is what a TCP application sees (RFC 9293). Data leaves in segments, as on an Ethernet. A
//! connection costs a round trip before anything else (section 3.5). A lost segment arrives when the
//! retransmission timer has run out (RFC 6298: it doubles each time; 200 ms is the least that Linux waits,
//! where the RFC says a second), and because a stream has an order, what follows waits for it: head-of-line
//! blocking. Not modelled: slow start, windows, fast retransmission, and the line time of acknowledgements,
//! of retransmissions and of TCP's and IP's own headers.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Data bytes in a segment: an Ethernet's 1,500 minus the headers of IP and TCP and its timestamps.
pub const SEGMENT: usize = 1_448;

/// The shortest and the longest wait for a lost segment, in seconds: Linux's `TCP_RTO_MIN` and `TCP_RTO_MAX`.
const HOLD: (f64, f64) = (0.2, MAX_TIMEOUT);

/// The longest wait for a retransmission, in seconds.
pub(super) const MAX_TIMEOUT: f64 = 120.0;

/// What a network does to everything that passes. Times are seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Path {
    /// The round trip; half of it each way.
    pub rtt: f64,
    /// The largest random extra delay of a segment; the delay is uniform.
    pub jitter: f64,
    /// Bits per second, each way; `None` is no limit.
    pub bandwidth: Option<f64>,
    /// The chance that a segment is lost, below 1.
    pub loss: f64,
}

impl Path {
    /// Whether it only delays, always by the same time: then there are formulas.
    pub fn only_delays(&self) -> bool {
        self.jitter == 0.0 && self.bandwidth.is_none() && self.loss == 0.0
    }

    /// How long the sender waits before the first retransmission.
    pub fn retransmission_timeout(&self) -> f64 {
        (2.0 * self.rtt).max(HOLD.0)
    }

    /// How long the line needs for this many bytes.
    pub fn line_time(&self, bytes: f64) -> f64 {
        self.bandwidth.map_or(0.0, |bits| bytes * 8.0 / bits)
    }

    /// How long a segment is held back if it is lost `times` times in a row.
    pub fn held(&self, times: u32) -> f64 {
        let timeouts = std::iter::successors(Some(self.retransmission_timeout()), |wait| {
            Some((2.0 * wait).min(HOLD.1))
        });
        timeouts.take(times as usize).sum()
    }
}

/// One direction of one connection.
#[derive(Clone, Debug)]
pub struct Pipe {
    path: Path,
    rng: ChaCha8Rng,
    /// When the line is free again.
    free: f64,
    /// When the last segment arrives.
    last: f64,
    /// When its opening began.
    opened: f64,
}

/// Bytes that travel together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// How many bytes; 0 is the end of a stream.
    pub bytes: usize,
    /// When the line has transmitted them.
    pub leaves: f64,
    /// When they can be read.
    pub arrives: f64,
}

impl Pipe {
    /// From client to server, on the connection with this number, whose opening began at the instant
    /// `opened`. Seed, number and direction decide the random delays.
    pub fn up(path: Path, opened: f64, seed: u64, connection: u64) -> Pipe {
        Pipe::new(path, opened, seed, connection << 1)
    }

    /// From server to client.
    pub fn down(path: Path, opened: f64, seed: u64, connection: u64) -> Pipe {
        Pipe::new(path, opened, seed, connection << 1 | 1)
    }

    fn new(path: Path, opened: f64, seed: u64, stream: u64) -> Pipe {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // The lower half of the streams belongs to other users of the same seed.
        rng.set_stream(1 << 63 | stream);
        Pipe {
            path,
            rng,
            free: opened + path.rtt,
            last: opened,
            opened,
        }
    }

    /// What is sent from now on takes another path. Nothing overtakes what was sent before.
    pub fn set_path(&mut self, path: Path) {
        if self.last <= self.opened {
            // Nothing was sent yet: the opening takes a round trip of the new path.
            self.free += path.rtt - self.path.rtt;
        }
        self.path = path;
    }

    /// Sends bytes; the iterator must be used up, or they are not sent. `now` never decreases from call to
    /// call, and no arrival is earlier than the one before. Sending 0 bytes makes one empty segment.
    pub fn send(&mut self, now: f64, bytes: usize) -> impl Iterator<Item = Segment> {
        let mut left = Some(bytes);
        std::iter::from_fn(move || {
            let rest = left?;
            let bytes = rest.min(SEGMENT);
            left = Some(rest - bytes).filter(|rest| *rest > 0);
            Some(self.segment(now, bytes))
        })
    }

    /// Sends a message and returns when the last of it arrives.
    pub fn deliver(&mut self, now: f64, bytes: usize) -> f64 {
        self.send(now, bytes).last().map_or(now, |s| s.arrives)
    }

    fn segment(&mut self, now: f64, bytes: usize) -> Segment {
        let leaves = now.max(self.free) + self.path.line_time(bytes as f64);
        let arrives = leaves + self.path.rtt / 2.0 + self.jitter() + self.hold();
        self.free = leaves;
        self.last = self.last.max(arrives);
        Segment {
            bytes,
            leaves,
            arrives: self.last,
        }
    }

    fn jitter(&mut self) -> f64 {
        if self.path.jitter > 0.0 {
            self.rng.random_range(0.0..=self.path.jitter)
        } else {
            0.0
        }
    }

    /// How much later a segment arrives because it was lost, once or several times.
    fn hold(&mut self) -> f64 {
        let mut wait = self.path.retransmission_timeout();
        let mut held = 0.0;
        while self.path.loss > 0.0 && self.rng.random::<f64>() < self.path.loss {
            held += wait;
            wait = (2.0 * wait).min(HOLD.1);
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(path: Path) -> Pipe {
        Pipe::down(path, 0.0, 1, 0)
    }

    fn sent(pipe: &mut Pipe, now: f64, bytes: usize) -> Vec<Segment> {
        pipe.send(now, bytes).collect()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_bare_path_does_nothing() {
        let all = sent(&mut pipe(Path::default()), 2.0, 3_000);
        assert_eq!(
            all.iter().map(|s| s.bytes).collect::<Vec<_>>(),
            [1_448, 1_448, 104]
        );
        assert!(all.iter().all(|s| s.leaves == 2.0 && s.arrives == 2.0));
    }

    #[test]
    fn the_end_of_a_stream_is_a_segment() {
        let end = sent(&mut pipe(Path::default()), 1.0, 0);
        assert_eq!(end.len(), 1);
        assert_eq!(end[0].bytes, 0);
    }

    #[test]
    fn the_first_bytes_wait_for_the_handshake_and_later_ones_do_not() {
        let path = Path {
            rtt: 0.08,
            ..Path::default()
        };
        let mut pipe = pipe(path);
        assert!(near(pipe.deliver(0.0, 100), 0.12), "one and a half round trips");
        // Sent during the handshake, and long after it.
        assert!(near(pipe.deliver(0.05, 100), 0.12));
        assert!(near(pipe.deliver(1.0, 100), 1.04));
    }

    #[test]
    fn the_line_carries_what_its_bandwidth_says() {
        let path = Path {
            rtt: 0.1,
            bandwidth: Some(1e6),
            ..Path::default()
        };
        let mut pipe = pipe(path);
        // A megabit takes a second, after the handshake and before the transit.
        assert!(near(pipe.deliver(0.0, 125_000), 0.1 + 1.0 + 0.05));
        // Bytes sent while the line is busy wait for it; bytes sent later find it free.
        assert!(near(pipe.deliver(0.6, 12_500), 1.1 + 0.1 + 0.05));
        assert!(near(pipe.deliver(5.0, 12_500), 5.0 + 0.1 + 0.05));
    }

    #[test]
    fn jitter_is_uniform_and_keeps_the_order() {
        let path = Path {
            rtt: 0.02,
            jitter: 0.03,
            ..Path::default()
        };
        let mut pipe = pipe(path);
        let n = 20_000;
        // So far apart that none waits for another.
        let delays: Vec<f64> = (1..=n)
            .map(|k| pipe.deliver(f64::from(k), 100) - f64::from(k) - 0.01)
            .collect();
        let mean = delays.iter().sum::<f64>() / f64::from(n);
        let variance = delays.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(delays.iter().all(|d| (-1e-9..=0.03 + 1e-9).contains(d)));
        // Uniform on [0, J]: mean J/2, variance J²/12; four standard errors each.
        assert!(
            (mean - 0.015).abs() < 4.0 * 0.03 / (12.0 * f64::from(n)).sqrt(),
            "{mean}"
        );
        assert!((variance / (0.03 * 0.03 / 12.0) - 1.0).abs() < 0.04, "{variance}");

        let mut last = 0.0;
        for k in 1..2_000 {
            let arrives = pipe.deliver(30_000.0 + f64::from(k) * 1e-3, 100);
            assert!(arrives >= last);
            last = arrives;
        }
    }

    /// How often each number of losses in a row was seen, from the holds alone.
    fn losses(path: Path, n: u32) -> Vec<u32> {
        let mut pipe = pipe(path);
        let hold = (2.0 * path.rtt).max(0.2);
        let mut seen = vec![0; 32];
        for k in 1..=n {
            // An hour apart.
            let now = f64::from(k) * 3_600.0;
            let held = pipe.deliver(now, 100) - now - path.rtt / 2.0;
            // h, h + 2h, h + 2h + 4h, …: 2^k - 1 holds for k losses.
            let times = (held / hold + 1.0).log2();
            assert!(
                (times - times.round()).abs() < 1e-3,
                "{held} is no sum of doubling holds"
            );
            seen[times.round() as usize] += 1;
        }
        seen
    }

    #[test]
    fn losses_hold_for_the_timeout_and_double_when_they_repeat() {
        for (rtt, loss) in [(0.0, 0.3), (0.09, 0.1), (0.4, 0.3)] {
            let n = 20_000;
            let path = Path {
                rtt,
                loss,
                ..Path::default()
            };
            let seen = losses(path, n);
            // Geometric: k losses in a row with chance p^k (1 - p).
            for (k, count) in seen.iter().enumerate().take(4) {
                let p = loss.powi(k as i32) * (1.0 - loss);
                let expected = f64::from(n) * p;
                let error = 4.0 * (expected * (1.0 - p)).sqrt();
                let count = f64::from(*count);
                assert!(
                    (count - expected).abs() < error,
                    "{k} losses: {count} for {expected}"
                );
            }
        }
    }

    #[test]
    fn a_lost_segment_holds_back_what_is_behind_it() {
        let path = Path {
            rtt: 0.08,
            loss: 0.2,
            ..Path::default()
        };
        let mut pipe = pipe(path);
        let sent: Vec<(f64, f64)> = (100..2_000)
            .map(|k| f64::from(k) * 0.01)
            .map(|now| (now, pipe.deliver(now, 100)))
            .collect();
        // A hold of 200 ms that began with a segment covers the 19 sent within the 200 ms after it.
        let lost: Vec<usize> = (0..sent.len() - 20)
            .filter(|i| sent[*i].1 - sent[*i].0 > 0.239)
            .collect();
        assert!(lost.len() > 100, "{}", lost.len());
        for i in lost {
            for (_, arrives) in &sent[i + 1..i + 20] {
                assert!(*arrives >= sent[i].1 - 1e-9);
            }
        }
        assert!(sent.iter().any(|(now, arrives)| near(arrives - now, 0.04)));
        assert!(sent.windows(2).all(|pair| pair[1].1 >= pair[0].1));
    }

    #[test]
    fn a_hold_ends_somewhere() {
        let path = Path {
            loss: 0.999,
            ..Path::default()
        };
        // 0.2 s doubles nine times to 102.4; from then on each loss costs two minutes.
        let held = pipe(path).deliver(0.0, 1);
        let after = held - 0.2 * 1023.0;
        assert!(
            after > 0.0 && near((after / 120.0).round() * 120.0, after),
            "{held}"
        );
    }

    #[test]
    fn seed_number_and_direction_decide() {
        let path = Path {
            jitter: 0.1,
            loss: 0.1,
            ..Path::default()
        };
        let run = |mut pipe: Pipe| {
            (0..50)
                .map(|k| pipe.deliver(f64::from(k), 5_000))
                .collect::<Vec<_>>()
        };
        let first = run(Pipe::up(path, 0.0, 1, 0));
        assert_eq!(first, run(Pipe::up(path, 0.0, 1, 0)));
        for other in [
            Pipe::up(path, 0.0, 2, 0),
            Pipe::up(path, 0.0, 1, 1),
            Pipe::down(path, 0.0, 1, 0),
        ] {
            assert_ne!(first, run(other));
        }
    }
}
