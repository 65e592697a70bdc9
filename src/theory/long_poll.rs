//! Long polling: the client asks, and the server answers as soon as there is something.
//!
//! While a request is held, mail leaves the instant it comes. But each answer uses the request up, and
//! until the next request has arrived, R/2 down and R/2 up later, the server has mail and no request to
//! answer. Long polling differs from pushing only by that blind round trip:
//!
//! ```text
//!  server  ──held──●━━━━━━━ blind: R ━━━━━━━●──held──▶
//!                   ╲ answer       request ╱
//!  client  ──────────●────────────────────●──────────▶
//! ```
//!
//! RFC 6202, section 2.2, says the same in words: on average close to one network transit (R/2), at worst
//! over three (the answer, the next request, the next answer: 3R/2, and more only when TCP has to
//! retransmit, which this model does not). An empty answer after the hold H costs the same blind round
//! trip; section 5.5 discusses how long H should be.

use super::{Latency, Requests};

/// Latency of long polling on a schedule, exactly: each mail waits for its answer and R/2 more.
///
/// `hold` must be above 0 and finite. The first request is held from the schedule's start on.
pub fn long_poll_latency(due: &[f64], hold: f64, rtt: f64) -> Latency {
    let mut sum = 0.0;
    let mut max = 0.0_f64;
    for answer in answers(due, hold, rtt) {
        for a in &due[answer.after..answer.upto] {
            let latency = answer.at - a + rtt / 2.0;
            sum += latency;
            max = max.max(latency);
        }
    }
    Latency {
        mean: sum / due.len().max(1) as f64,
        max,
    }
}

/// Requests of long polling on a schedule, exactly.
///
/// `hold` and the first request as for [`long_poll_latency`].
pub fn long_poll_requests(due: &[f64], hold: f64, rtt: f64) -> Requests {
    answers(due, hold, rtt).fold(Requests::default(), |sum, answer| Requests {
        total: sum.total + answer.empties + 1.0,
        empty: sum.empty + answer.empties,
    })
}

/// An answer with mail, and the empty ones that came before it with the same cursor.
struct Answer {
    after: usize,
    upto: usize,
    at: f64,
    empties: f64,
}

/// Walks from answer to answer.
///
/// Without mail, requests come round every H + R: held for H, then blind for R. A mail that is due after so
/// many whole rounds either finds a request held, and leaves at once, or finds the server blind after one
/// more empty answer, and leaves with the next request. With R = 0 that makes ⌊gap/H⌋ empties: a hold that
/// ends just when mail comes ends before it. All mail that is due by the instant of an answer goes with it.
fn answers(due: &[f64], hold: f64, rtt: f64) -> impl Iterator<Item = Answer> {
    let round = hold + rtt;
    let mut asked = 0.0; // when the request now held reached the server
    let mut after = 0;
    std::iter::from_fn(move || {
        let first = *due.get(after)?;
        let idle = (first - asked).max(0.0);
        let rounds = (idle / round).floor();
        let blind = idle - rounds * round >= hold;
        let empties = rounds + f64::from(u8::from(blind));
        let at = first.max(asked + empties * round);
        let upto = after + due[after..].iter().take_while(|a| **a <= at).count();
        let answer = Answer {
            after,
            upto,
            at,
            empties,
        };
        asked = at + rtt;
        after = upto;
        Some(answer)
    })
}

/// Long polling in the long run, per mail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongPollRate {
    /// Latency; its `max` is the worst case, not an expected maximum.
    pub latency: Latency,
    /// Answers with mail, per mail: below 1 if mails share answers.
    pub answered: f64,
    /// Empty answers, per mail.
    pub empty: f64,
}

/// Long polling under Poisson arrivals of rate L: latency R/2 + L R² / (2 m) on average and 3R/2 at
/// worst, 1/m answers per mail, with m = L R + e^(-L R) when the hold is long.
///
/// Poisson arrivals have no memory: each answer starts a new round that does not depend on the last, so one
/// round is enough (the renewal-reward theorem). A round begins blind. In that time R, L R mails come on
/// average; a mail that comes t before its end waits t, and L dt mails for each dt make a total wait of ∫ L
/// t dt = L R²/2. With probability e^(-L R) none came: then the request is held, and the first mail to come
/// before the hold H is over (probability 1 - e^(-L H)) gets an answer of its own and waits for nothing. So
/// a round brings m = L R + e^(-L R) (1 - e^(-L H)) mails, and dividing the round's wait by its mails gives
/// the mean. With probability e^(-L (R + H)) no mail came at all, and the answer is empty.
///
/// Two limits check the result. Rare mail (L R → 0, H long) waits for nothing: R/2, the *one transit* of
/// RFC 6202, section 2.2. Dense mail (L R → ∞) makes every answer wait only for the request: the mean goes
/// to R, two transits, and answers per mail to 1/(L R), the section's *graceful degradation*: more load,
/// fewer answers per mail.
///
/// `rate` must be above 0; `hold` may be infinite.
pub fn long_poll_poisson(rate: f64, hold: f64, rtt: f64) -> LongPollRate {
    let none_while_blind = (-rate * rtt).exp();
    let none_while_held = (-rate * hold).exp();
    let mails = rate * rtt + none_while_blind * (1.0 - none_while_held);
    let empty = none_while_blind * none_while_held;
    let wait = rate * rtt * rtt / 2.0;
    LongPollRate {
        latency: Latency {
            mean: rtt / 2.0 + wait / mails,
            max: 1.5 * rtt,
        },
        answered: (1.0 - empty) / mails,
        empty: empty / mails,
    }
}
