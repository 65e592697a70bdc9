//! Connecting again: how long a client waits after a connection that failed or was lost.
//!
//! ```text
//! client                              server
//!   x  connection lost                  x  goes away
//!   :  first wait, drawn                :
//!   |------------------ x refused       :
//!   :  twice as long, drawn             :
//!   |---------------------------------->|  comes back
//!   |                                   |  success: the next loss begins with the first wait
//! ```
//!
//! The waits are [`theory::Backoff`](crate::theory::Backoff): multiplied after each failure, up to a limit, and drawn
//! from the seed and the client's number, so a simulated run draws the same. What published libraries do:
//!
//! | library | waits |
//! | --- | --- |
//! | browsers' `EventSource` | constant, what the server's `retry:` says; 3 s in Chromium, 5 s in Firefox without it |
//! | Socket.IO's client | 1 s, doubled up to 5 s, each ± 50 % (`reconnectionDelay`, `randomizationFactor`) |
//! | stompjs | constant 5 s (`reconnectDelay`); doubled on demand (`reconnectTimeMode`) |
//! | reconnecting-websocket | 1 to 5 s, drawn once, times 1.3 up to 10 s |
//! | SockJS's client, browsers' `WebSocket` and `fetch` | none: the application has to connect again |
//!
//! RFC 6455, section 7.2.3, asks WebSocket clients for a random first wait and for backoff; WHATWG HTML, section
//! 9.2.3, permits backoff to an `EventSource`. A `Retry-After` (RFC 9110, section 10.2.3) is the least that a client
//! waits.
//!
//! A wait counts from the instant at which the failed attempt was due. Here one machine has all clients, and when
//! hundreds of them try at once, the last gets its turn late; on a machine of its own each would be on time.

use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock;
use crate::outcome::{Retry, Scenario};

/// The first stream of random numbers for waits: those below, from 1 on, are for phases.
const STREAMS: u64 = 1 << 61;

/// The longest `Retry-After` that a client heeds.
const LATEST: Duration = Duration::from_secs(3_600);

/// The attempts of one client.
#[derive(Debug)]
pub struct Reconnect {
    retry: Retry,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    /// Failures since the last success.
    failures: u32,
    /// What the server asked for.
    at_least: Duration,
    /// When the present attempt was due; `None` for the first.
    due: Option<Instant>,
}

impl Reconnect {
    /// For the client of this number, in a scenario.
    pub fn of(scenario: &Scenario, number: usize) -> Reconnect {
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
        rng.set_stream(STREAMS | number as u64);
        Reconnect {
            retry: scenario.retry,
            state: Mutex::new(State {
                rng,
                failures: 0,
                at_least: Duration::ZERO,
                due: None,
            }),
        }
    }

    /// A connection was opened: the next loss begins with the first wait.
    pub fn succeeded(&self) {
        let mut state = self.state.lock();
        state.failures = 0;
        state.at_least = Duration::ZERO;
        state.due = None;
    }

    /// The server asked to wait as long as this.
    pub fn wait_at_least(&self, wait: Duration) {
        let mut state = self.state.lock();
        state.at_least = state.at_least.max(wait.min(LATEST));
    }

    /// The first wait, where `own` is the technique's.
    pub fn first(&self, own: Duration) -> Duration {
        self.retry.first(own)
    }

    /// When to try again, where the first wait is `first`. It counts as a failure until a connection is opened. At least
    /// half of the wait is still to come, however long the attempt took.
    pub fn next(&self, first: Duration) -> Instant {
        let now = clock::now();
        let mut state = self.state.lock();
        let drawn = state.rng.random();
        let wait = self.retry.waits(first).wait(state.failures, drawn);
        state.failures = state.failures.saturating_add(1);
        let asked = std::mem::take(&mut state.at_least);
        let wait = Duration::from_secs_f64(wait);
        let due = state.due.map_or(now, |due| due.min(now)) + wait;
        let due = due.max(now + (wait / 2).max(asked));
        state.due = Some(due);
        due
    }
}

impl Default for Reconnect {
    /// For the first client of the usual scenario.
    fn default() -> Self {
        Reconnect::of(&Scenario::default(), 0)
    }
}

/// The server refused, and said when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server asked to come back after {0:?}")]
pub struct ComeBackLater(pub Duration);

/// How long an answer of 503 asks to wait: in seconds, or until a date (RFC 9110, section 10.2.3).
pub fn retry_after(status: StatusCode, fields: &HeaderMap) -> Option<Duration> {
    let said = |name| {
        fields
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let wait = said(RETRY_AFTER).filter(|_| status == StatusCode::SERVICE_UNAVAILABLE)?;
    if let Ok(seconds) = wait.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let (until, now) = (date(wait)?, date(said(DATE)?)?);
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::Jitter;

    fn waits(seed: u64, number: usize, jitter: Jitter) -> Vec<u128> {
        let scenario = Scenario {
            seed,
            retry: Retry {
                jitter,
                ..Retry::default()
            },
            ..Scenario::default()
        };
        let reconnect = Reconnect::of(&scenario, number);
        let mut waits = Vec::new();
        clock::simulate(async {
            for failure in 0..5 {
                if failure == 4 {
                    reconnect.succeeded();
                }
                let (now, due) = (clock::now(), reconnect.next(Duration::from_secs(1)));
                waits.push((due - now).as_millis());
                clock::sleep_until(due).await;
            }
        })
        .unwrap();
        waits
    }

    #[test]
    fn waits_grow_until_a_success_and_are_drawn_from_seed_and_client() {
        assert_eq!(waits(1, 0, Jitter::None), [1_000, 2_000, 4_000, 5_000, 1_000]);
        let drawn = waits(1, 0, Jitter::Full);
        assert_eq!(drawn, waits(1, 0, Jitter::Full));
        assert_ne!(drawn, waits(1, 1, Jitter::Full));
        assert_ne!(drawn, waits(2, 0, Jitter::Full));
        let limits = [1_000, 2_000, 4_000, 5_000, 1_000];
        assert!(
            drawn.iter().zip(limits).all(|(wait, limit)| *wait <= limit),
            "{drawn:?}"
        );
        let equal = waits(1, 0, Jitter::Equal);
        assert!(
            equal
                .iter()
                .zip(limits)
                .all(|(wait, limit)| (limit / 2..=limit).contains(wait))
        );
    }

    #[test]
    fn the_first_wait_is_the_techniques_own_unless_it_is_given() {
        let own = Duration::from_millis(100);
        assert_eq!(Retry::default().first(own), own);
        let given = Retry {
            first_ms: Some(7_000.0),
            ..Retry::default()
        };
        assert_eq!(given.first(own), Duration::from_secs(7));
        assert_eq!(given.waits(given.first(own)).most, 7.0);
    }

    #[test]
    fn a_server_that_says_when_is_heeded_once() {
        let reconnect = Reconnect::of(&Scenario::default(), 0);
        let first = Duration::from_millis(100);
        clock::simulate(async {
            let wait = || reconnect.next(first) - clock::now();
            reconnect.wait_at_least(Duration::from_secs(9));
            assert_eq!(wait(), Duration::from_secs(9));
            assert!(wait() <= Duration::from_millis(200));
            reconnect.wait_at_least(Duration::from_secs(u64::MAX));
            assert_eq!(wait(), LATEST);
        })
        .unwrap();
    }

    #[test]
    fn an_attempt_that_took_long_does_not_delay_the_next_by_more_than_half_a_wait() {
        let scenario = Scenario {
            retry: Retry {
                jitter: Jitter::None,
                ..Retry::default()
            },
            ..Scenario::default()
        };
        let reconnect = Reconnect::of(&scenario, 0);
        clock::simulate(async {
            let began = clock::now();
            let next = || (reconnect.next(Duration::from_secs(1)) - began).as_millis();
            assert_eq!(next(), 1_000);
            clock::sleep(Duration::from_millis(1_700)).await;
            assert_eq!(next(), 3_000, "it was due at 1 s, and failed at 1.7 s");
            clock::sleep(Duration::from_secs(8)).await;
            assert_eq!(next(), 11_700, "half of 4 s after it failed");
        })
        .unwrap();
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let answer = |status, fields: &[(&'static str, &'static str)]| {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            retry_after(status, &fields.collect())
        };
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(answer(busy, &[("retry-after", "5")]), seconds(5));
        assert_eq!(answer(StatusCode::OK, &[("retry-after", "5")]), None);
        assert_eq!(answer(busy, &[]), None);
        for wrong in ["", "soon", "-1", "1.5", "Sun, 09 Sep 2001 01:46:40 GMT"] {
            let fields = [("retry-after", wrong)];
            assert_eq!(answer(busy, &fields), None, "{wrong}");
        }
        let (date, later) = ("Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:47:00 GMT");
        assert_eq!(
            answer(busy, &[("retry-after", later), ("date", date)]),
            seconds(20)
        );
        assert_eq!(
            answer(busy, &[("retry-after", date), ("date", later)]),
            seconds(0)
        );
    }
}
