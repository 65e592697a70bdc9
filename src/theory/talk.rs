//! What clients say, on its way to the server.
//!
//! On a connection that is open for both ways a message leaves the instant it is due and is heard R/2
//! later, whatever comes the other way. A technique without such a connection sends a request, and the
//! next one only when that is answered, so that messages are heard in order:
//!
//! ```text
//!  client  ──1──2──────────●2─────────────●──▶   2 is due while 1 is on its way
//!             ╲           ╱ ╲
//!  server  ─────●─────────────●──────────────▶   and heard R after 1
//! ```
//!
//! That is a queue with one server, whose service is a round trip: D. V. Lindley, "The theory of queues
//! with a single server" (Proc. Camb. Phil. Soc. 48, 1952): a message waits W' = max(0, W + S - gap),
//! where W is what the one before waited and S what it took. Under Poisson messages of rate L that is
//! L R² / (2 (1 - L R)) on average (Pollaczek and Khinchine), and without end once L R reaches 1: on one
//! connection nobody says more than one thing per round trip. HTTP/1.1 pipelining would be the way out
//! that browsers have closed (RFC 9112, section 9.3.2).

use std::cell::Cell;

use super::trial::{Line, Trial};
use super::{Acted, SEGMENT};

/// How a client that has a message finds its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One is idle.
    Idle,
    /// None is: it opens another, and keeps it for messages.
    Another,
    /// There is none yet: it opens the one that the technique will use.
    First,
}

/// What became of messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// From due to heard.
    pub acted: Acted,
    /// Connections opened for messages only, per client.
    pub opened: f64,
}

impl Trial<'_> {
    /// A request for each message, one after the other. `says` is when each of a client's messages is due,
    /// and `way` how it stands with its connections at an instant; a request and its answer weigh
    /// `sizes`.
    pub fn post(
        &self,
        says: &dyn Fn(u64) -> Vec<f64>,
        way: &dyn Fn(u64, f64) -> Way,
        sizes: [usize; 2],
    ) -> Spoken {
        let opened = Cell::new(0_u64);
        let acted = self.act(|number, seen| {
            let mut own: Option<Line> = None;
            let (mut free, mut work, mut another) = (f64::NEG_INFINITY, 0, 0);
            for due in says(number) {
                let at = due.max(free);
                let found = way(number, at);
                if found == Way::Another {
                    // Two requests at once need two connections, whoever opened which.
                    another = if self.fresh { another + 1 } else { 1 };
                }
                let mut shared = match (&own, found) {
                    (None, Way::Idle) => Some(Line::open_before_start(self, number)),
                    _ => None,
                };
                let line = shared.as_mut().unwrap_or_else(|| {
                    own.get_or_insert_with(|| match found {
                        Way::First => Line::new(self, number),
                        Way::Another | Way::Idle => Line::after(self, number, 1),
                    })
                });
                let heard = line.ask(at, sizes[0]);
                free = line.answer(heard, sizes[1]);
                seen.mails(&[due], heard);
                work += shared.map_or(0, |line| line.work);
            }
            opened.set(opened.get() + another);
            work + own.map_or(0, |line| line.work)
        });
        let opened = opened.get() as f64 / acted.clients.max(1) as f64;
        Spoken { acted, opened }
    }

    /// A message of `size` bytes each, on a connection that is open for it.
    pub fn say(&self, says: &dyn Fn(u64) -> Vec<f64>, size: usize) -> Acted {
        self.act(|number, seen| {
            let mut connection = self.connect_before_start(number);
            for due in says(number) {
                seen.mails(&[due], connection.up(due, size));
            }
            connection.work + (size / SEGMENT) as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Path, push_latency};
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    fn trial(rtt: f64) -> Trial<'static> {
        Trial {
            due: &[],
            path: Path {
                rtt,
                ..Path::default()
            },
            seed: 1,
            clients: 1,
            fresh: false,
            handshakes: None,
        }
    }

    fn poisson(rate: f64, n: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let gaps = Exp::new(rate).unwrap().sample_iter(&mut rng).take(n);
        gaps.scan(0.0, |at, gap| {
            *at += gap;
            Some(*at)
        })
        .collect()
    }

    fn idle(_: u64, _: f64) -> Way {
        Way::Idle
    }

    #[test]
    fn messages_on_an_open_connection_take_one_transit() {
        let due = poisson(100.0, 200);
        let acted = trial(0.08).say(&|_| due.clone(), 30);
        assert!((acted.latency.mean - push_latency(0.08).mean).abs() < 1e-9);
        assert!((acted.latency.max - 0.04).abs() < 1e-9);
    }

    #[test]
    fn requests_queue_as_lindley_has_it() {
        let due = poisson(6.0, 300);
        let (r, mut wait, mut sum) = (0.1, 0.0_f64, 0.0);
        for (i, at) in due.iter().enumerate() {
            if i > 0 {
                wait = (wait + r - (at - due[i - 1])).max(0.0);
            }
            sum += wait + r / 2.0;
        }
        let spoken = trial(r).post(&|_| due.clone(), &idle, [200, 100]);
        assert!((spoken.acted.latency.mean - sum / 300.0).abs() < 1e-9);
        assert_eq!(spoken.opened, 0.0);
    }

    #[test]
    fn in_the_long_run_as_pollaczek_and_khinchine_have_it() {
        let (rate, r) = (5.0, 0.1);
        let due = poisson(rate, 100_000);
        let acted = trial(r).post(&|_| due.clone(), &idle, [0, 0]).acted;
        let waits = rate * r * r / (2.0 * (1.0 - rate * r));
        assert!(
            (acted.latency.mean / (r / 2.0 + waits) - 1.0).abs() < 0.03,
            "{acted:?}"
        );
    }

    #[test]
    fn the_first_opens_a_connection_and_the_others_use_it() {
        let due = vec![1.0, 2.0, 3.0];
        let another = |_, _| Way::Another;
        let spoken = trial(0.2).post(&|_| due.clone(), &another, [200, 100]);
        assert!((spoken.acted.latency.max - 0.3).abs() < 1e-9, "{spoken:?}");
        assert!((spoken.acted.latency.mean - (0.3 + 0.1 + 0.1) / 3.0).abs() < 1e-9);
        assert_eq!(spoken.opened, 1.0);
        let fresh = Trial {
            fresh: true,
            ..trial(0.2)
        }
        .post(&|_| due.clone(), &another, [200, 100]);
        assert!((fresh.acted.latency.mean - 0.3).abs() < 1e-9, "{fresh:?}");
        assert_eq!(fresh.opened, 3.0);
        // The technique's own, opened early and once, is no further one, unless both need it at once.
        for (later, opened) in [(Way::Idle, 0.0), (Way::Another, 1.0)] {
            let first = |_, at: f64| if at < 2.5 { Way::First } else { later };
            let spoken = trial(0.2).post(&|_| due.clone(), &first, [200, 100]);
            assert!(
                (spoken.acted.latency.mean - (0.3 + 0.1 + 0.1) / 3.0).abs() < 1e-9,
                "{spoken:?}"
            );
            assert_eq!(spoken.opened, opened);
        }
    }
}
