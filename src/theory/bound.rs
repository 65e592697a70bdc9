//! How late mail can be, and how often it is, whatever the seed: this is how a promise to a user has to be
//! judged. The largest value of a finite sample grows with the sample; a bound does not.
//!
//! A transit takes R/2, and up to J more if there is jitter. With R the round trip and T the interval:
//!
//! | delivery | at most | because |
//! | --- | --- | --- |
//! | pushed | one transit | the connection is open, so mail does not wait |
//! | long polling | three transits | mail that comes just after an answer left waits for that answer, the next request, and its own answer: RFC 6202, section 2.2 |
//! | polling | T and one transit | mail that comes just after a request waits for the next one |
//!
//! These come in addition, where they apply:
//!
//! - the time that the line needs for the bytes (`bandwidth`), once for each message on the mail's way;
//! - in polling, the connection that each request opens, if it makes a poll take longer than T;
//! - in polling, the jitter of the request: the request before may have been fast, and this one slow.
//!
//! Two things have no bound: a segment may be lost any number of times, and any number of mails may come
//! just before one and occupy the line. There the bound is a value that fewer than one mail in a thousand
//! ([`RARE`]) exceeds: with loss p, it includes k retransmissions in a row, such that p^(k+1), summed over
//! the segments on the mail's way and the mails behind them, is less than that. Each takes the
//! retransmission timeout of RFC 6298, doubled each time. k is at least 1.
//!
//! [`Mail::later_than`] says how often mail is later than some time. Polling and long polling go in rounds,
//! from one request's arrival to the next; mail comes at random (Poisson), so by the renewal-reward theorem
//! the share is the late mail expected in one round, divided by all mail expected in it. Pushed mail
//! arrives in the order in which it was sent: a mail is there within x if it was not held for longer
//! itself, and no mail before it is still being held. Holds H are independent and mail is Poisson with rate
//! L, so the number of earlier holds that last until then is Poisson, with mean L E[(H - x)⁺] (the M/G/∞
//! queue): the share within x is P(H ≤ x) e^(-L E[(H - x)⁺]).

use super::Path;
use super::distribution::{DelayDistribution, segments};
use super::queue::Queue;

/// Where no bound holds for all mail, it leaves out less than this share.
pub const RARE: f64 = 1e-3;

/// How a technique delivers mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In answers to requests that are answered at once.
    Polled,
    /// In answers to requests that are held.
    LongPolled,
    /// On one answer that does not end; a client's messages take requests of their own.
    Streamed,
    /// On a connection that is open in both directions.
    Duplex,
}

impl Delivery {
    /// Whether a client's message takes a request of its own.
    pub fn speaks_apart(self) -> bool {
        self != Delivery::Duplex
    }
}

/// What it takes to open a connection for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Opened {
    /// Round trips: one for TCP, one more for TLS 1.3.
    pub round_trips: u32,
    /// Bytes of the TLS handshake.
    pub bytes: f64,
}

impl Opened {
    /// How long it takes, in seconds, without random delays.
    pub fn time(&self, path: &Path) -> f64 {
        f64::from(self.round_trips) * path.rtt + path.line_time(self.bytes)
    }

    /// How many of its messages have random delays: TCP's have none, as in [`super::Pipe`].
    fn flights(&self) -> u32 {
        2 * self.round_trips.saturating_sub(1)
    }
}

/// Mail on its way to a client. Times are seconds; sizes are bytes, with everything around the message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mail {
    /// How it is delivered.
    pub delivery: Delivery,
    /// The network.
    pub path: Path,
    /// How often mail comes, per second, at random.
    pub rate: f64,
    /// Polling: from request to request.
    pub interval: f64,
    /// Long polling: how long a request is held.
    pub hold: f64,
    /// The size of a request.
    pub request: f64,
    /// The size of an answer without its mail.
    pub answer: f64,
    /// The size of each mail.
    pub mail: f64,
    /// What each request opens, if it opens a connection.
    pub opened: Opened,
}

/// How late something can be, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The bound, seconds; infinite if more is sent than the line carries.
    pub worst: f64,
    /// The largest share that may be later than the bound: 0, unless there is loss or a shared line.
    pub beyond: f64,
    /// The share that is later than the time asked about.
    pub later: f64,
}

impl Mail {
    /// The bound, and how often mail is later than it, and than `asked` seconds.
    pub fn bounded(&self, asked: f64) -> Bounded {
        let worst = self.bound();
        Bounded {
            worst,
            beyond: self.later_than(worst),
            later: self.later_than(asked),
        }
    }

    /// How late mail can be, in seconds; infinite if more is sent than the line carries.
    pub fn bound(&self) -> f64 {
        if self.rate * self.path.line_time(self.mail) >= 1.0 {
            return f64::INFINITY;
        }
        self.usual_bound() + self.retransmissions()
    }

    /// The bound without loss.
    fn usual_bound(&self) -> f64 {
        let transit = self.path.rtt / 2.0 + self.path.jitter;
        match self.delivery {
            Delivery::Streamed | Delivery::Duplex => {
                let queue = self
                    .line_queue()
                    .map_or(f64::INFINITY, |queue| queue.exceeded_by(RARE));
                queue + self.path.line_time(self.mail) + transit
            }
            Delivery::Polled | Delivery::LongPolled => {
                let (round, answer) = self.longest_round();
                round + answer + transit
            }
        }
    }

    /// The longest time between two requests' arrivals in which mail waits, and how long the line needs for
    /// the answer. The longer the round, the more mail comes in it, and the longer its answer takes.
    fn longest_round(&self) -> (f64, f64) {
        const ROUNDS: usize = 1_000;
        let Path { rtt, jitter, .. } = self.path;
        let opening = self.opened.time(&self.path);
        let flights = f64::from(self.opened.flights());
        let asked_and_answered = |answer: f64| opening + rtt + self.path.line_time(self.request) + answer;
        let mut answer = self.path.line_time(self.answer + self.mail);
        let mut round = 0.0;
        for _ in 0..ROUNDS {
            let next = match self.delivery {
                // The answer and the next request, with everything that may delay them.
                Delivery::LongPolled => asked_and_answered(answer) + (2.0 + flights) * jitter,
                _ => self.interval.max(asked_and_answered(answer) + jitter) + (1.0 + flights) * jitter,
            };
            if next <= round * (1.0 + 1e-9) {
                break;
            }
            round = next;
            let together = 1.0 + exceeded_by(self.rate * round, RARE);
            answer = self.path.line_time(self.answer + together * self.mail);
        }
        (round, answer)
    }

    /// How long the retransmissions take that the bound includes.
    fn retransmissions(&self) -> f64 {
        let request = segments(self.request) + f64::from(self.opened.flights());
        let answer = segments(self.answer + self.mail);
        let segments = match self.delivery {
            Delivery::Streamed | Delivery::Duplex => segments(self.mail),
            Delivery::Polled => request + answer,
            Delivery::LongPolled => answer + request + answer,
        };
        retransmissions(&self.path, segments, self.rate)
    }

    /// The share of mail that is later than `time` seconds.
    pub fn later_than(&self, time: f64) -> f64 {
        if self.rate * self.path.line_time(self.mail) >= 1.0 {
            return 1.0;
        }
        let never = self.path.loss == 0.0 && self.path.bandwidth.is_none();
        if never && time >= self.usual_bound() * (1.0 - 1e-9) {
            return 0.0;
        }
        let time = time - self.path.rtt / 2.0;
        let share = match self.delivery {
            Delivery::Streamed | Delivery::Duplex => self.pushed_later_than(time),
            Delivery::Polled => self.polled_later_than(time),
            Delivery::LongPolled => self.long_polled_later_than(time),
        };
        if share < 1e-9 { 0.0 } else { share.min(1.0) }
    }

    /// Mail that comes in a round of length W waits for a time uniform in [0, W), and then for its answer.
    fn polled_later_than(&self, time: f64) -> f64 {
        let (up, down) = (self.asking(), self.answering(self.interval));
        let answered = self.opened.time(&self.path) + self.path.rtt + self.path.line_time(self.request);
        let interval = self.interval;
        let next = up.with(&down, |up, down| (interval - up).max(answered + down));
        let round = next.plus(&up);
        let late = |w: f64| down.expect(|down| (w + down - time).clamp(0.0, w));
        round.expect(late) / round.mean()
    }

    /// A round is blind until the next request has arrived; then it ends with the first mail.
    fn long_polled_later_than(&self, time: f64) -> f64 {
        let answered = self.opened.time(&self.path) + self.path.rtt + self.path.line_time(self.request);
        let (up, down) = (self.asking(), self.answering(answered));
        let blind = up.with(&down, |up, down| answered + up + down);
        let rate = self.rate;
        let held = blind.expect(|b| (-rate * b).exp()) * (1.0 - (-rate * self.hold).exp());
        let late = |b: f64| rate * down.expect(|down| (b + down - time).clamp(0.0, b));
        (blind.expect(late) + held * down.above(time)) / (rate * blind.mean() + held)
    }

    fn pushed_later_than(&self, time: f64) -> f64 {
        let Some(queue) = self.line_queue() else {
            return 1.0;
        };
        let time = time - self.path.line_time(self.mail);
        let hold = DelayDistribution::random_delay(&self.path, self.mail);
        let within = |x: f64| match x < 0.0 {
            true => 0.0,
            false => (1.0 - hold.above(x)) * (-self.rate * hold.expect(|h| (h - x).max(0.0))).exp(),
        };
        // Mail that arrives exactly at this time is not late.
        1.0 - queue.waits().expect(|wait| within(time - wait + 1e-12))
    }

    /// The random delay of a request, and of opening its connection.
    fn asking(&self) -> DelayDistribution {
        let flight = DelayDistribution::random_delay(&self.path, 1.0);
        (0..self.opened.flights()).fold(
            DelayDistribution::random_delay(&self.path, self.request),
            |sum, _| sum.plus(&flight),
        )
    }

    /// What the line and random delays add to an answer that holds the mail of `round` seconds.
    fn answering(&self, round: f64) -> DelayDistribution {
        let random_delay = DelayDistribution::random_delay(&self.path, self.answer + self.mail);
        if self.path.bandwidth.is_none() {
            return random_delay;
        }
        let others = poisson(self.rate * round);
        let line = others.into_iter().map(|(others, chance)| {
            let bytes = self.answer + (1.0 + others) * self.mail;
            (self.path.line_time(bytes), chance)
        });
        random_delay.plus(&DelayDistribution::new(line.collect()))
    }

    /// The queue of mails before the line, each pushed by itself.
    fn line_queue(&self) -> Option<Queue> {
        Queue::new(
            self.rate,
            &DelayDistribution::certain(self.path.line_time(self.mail)),
        )
    }
}

/// A client's message on its way to the server. Times are seconds; sizes are bytes, with everything around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// The network.
    pub path: Path,
    /// How often the client sends a message, per second, at random.
    pub rate: f64,
    /// The size of the message, or of its request.
    pub bytes: f64,
    /// The size of the request's answer, if there is a request: the next message waits for it.
    pub answer: Option<f64>,
    /// What it takes to open a connection, where none is open.
    pub opened: Opened,
    /// The share of messages that have to open a connection.
    pub opening: f64,
}

impl Message {
    /// The mean time until the server has the message, in seconds: a transit, the opening of a connection
    /// if there is none, and the wait for earlier messages, `L E[S²] / (2 (1 - L E[S]))` if each takes S
    /// (Pollaczek and Khinchine). Infinite if the queue grows for ever.
    pub fn mean(&self) -> f64 {
        let Some(queue) = self.queue() else {
            return f64::INFINITY;
        };
        let random_delay = DelayDistribution::random_delay(&self.path, self.bytes).mean();
        let transit = self.path.rtt / 2.0 + self.path.line_time(self.bytes) + random_delay;
        queue.mean_wait() + self.opening * self.opening_time() + transit
    }

    /// The bound, and how often a message is later than it, and than `asked` seconds.
    pub fn bounded(&self, asked: f64) -> Bounded {
        let Some(queue) = self.queue() else {
            return Bounded {
                worst: f64::INFINITY,
                beyond: 1.0,
                later: 1.0,
            };
        };
        let segments = segments(self.bytes) + f64::from(self.opened.flights());
        let transit = self.path.rtt / 2.0 + self.path.jitter + self.path.line_time(self.bytes);
        let flights = f64::from(self.opened.flights()) * self.path.jitter;
        let opening = match self.opening > 0.0 {
            true => self.opened.time(&self.path) + flights,
            false => 0.0,
        };
        let worst =
            queue.exceeded_by(RARE) + opening + transit + retransmissions(&self.path, segments, self.rate);
        Bounded {
            worst,
            beyond: self.later_than(&queue, worst),
            later: self.later_than(&queue, asked),
        }
    }

    fn later_than(&self, queue: &Queue, time: f64) -> f64 {
        let time = time * (1.0 + 1e-9) - self.path.rtt / 2.0 - self.path.line_time(self.bytes);
        let random_delay = DelayDistribution::random_delay(&self.path, self.bytes);
        let opening = DelayDistribution::new(vec![
            (0.0, 1.0 - self.opening),
            (self.opening_time(), self.opening),
        ]);
        let share = queue.waits().plus(&random_delay).plus(&opening).above(time);
        if share < 1e-9 { 0.0 } else { share }
    }

    /// The mean time that it takes to open a connection.
    fn opening_time(&self) -> f64 {
        let flight = DelayDistribution::random_delay(&self.path, 1.0).mean();
        self.opened.time(&self.path) + f64::from(self.opened.flights()) * flight
    }

    /// The queue of messages before the line, or before the turn of their request.
    fn queue(&self) -> Option<Queue> {
        let line = self.path.line_time(self.bytes);
        let service = match self.answer {
            None => DelayDistribution::certain(line),
            Some(answer) => {
                let bare = self.path.rtt + line + self.path.line_time(answer);
                let random_delay = DelayDistribution::random_delay(&self.path, self.bytes);
                let random_delay = random_delay.plus(&DelayDistribution::random_delay(&self.path, answer));
                random_delay.plus(&DelayDistribution::certain(bare))
            }
        };
        Queue::new(self.rate, &service)
    }
}

/// How long the retransmissions take that more than a [`RARE`] share has to wait for; at least one, if
/// there is loss. What comes while a segment is held, `rate` per second, is held with it.
fn retransmissions(path: &Path, segments: f64, rate: f64) -> f64 {
    const MOST: u32 = 64;
    if path.loss == 0.0 {
        return 0.0;
    }
    let more_often = |k: &u32| {
        let lost = path.loss.powf(f64::from(*k) + 1.0);
        segments * lost * (1.0 + rate * path.held(*k + 1)) < RARE
    };
    path.held((1..MOST).find(more_often).unwrap_or(MOST))
}

/// With a mean above this, a Poisson number is hardly ever far from its mean.
const MANY: f64 = 1_000.0;

/// The values of a Poisson number and their probabilities.
fn poisson(mean: f64) -> Vec<(f64, f64)> {
    if mean > MANY {
        return vec![(mean, 1.0)];
    }
    let most = exceeded_by(mean, RARE * RARE) as u32 + 2;
    let mut log_chance = -mean;
    let values = (0..=most).map(|n| {
        if n > 0 {
            log_chance += (mean / f64::from(n)).ln();
        }
        (f64::from(n), log_chance.exp())
    });
    values.collect()
}

/// A value that a Poisson number with this mean exceeds with a probability of at most `share`. By Bennett's
/// inequality, the probability to exceed the mean m by x is at most e^(-x² / (2 (m + x/3))); with a mean
/// below `share`, any value above 0 is as rare.
fn exceeded_by(mean: f64, share: f64) -> f64 {
    if mean <= share {
        return 0.0;
    }
    let log = (1.0 / share).ln();
    let above = log / 3.0 + (log * log / 9.0 + 2.0 * log * mean).sqrt();
    (mean + above).floor()
}

#[cfg(test)]
mod tests {
    use super::super::Pipe;
    use super::super::simulate::{Technique, run};
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    fn mail(delivery: Delivery, path: Path) -> Mail {
        Mail {
            delivery,
            path,
            rate: 2.0,
            interval: 1.0,
            hold: 25.0,
            request: 100.0,
            answer: 100.0,
            mail: 300.0,
            opened: Opened::default(),
        }
    }

    fn poisson_due(rate: f64, seed: u64, n: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let gaps = Exp::new(rate).unwrap();
        let mut at = 1.0;
        (0..n)
            .map(|_| {
                at += gaps.sample(&mut rng);
                at
            })
            .collect()
    }

    #[test]
    fn a_push_takes_one_transit_long_polling_three_and_polling_its_interval_and_one() {
        let path = Path {
            rtt: 0.04,
            ..Path::default()
        };
        for (delivery, worst) in [
            (Delivery::Duplex, 0.02),
            (Delivery::Streamed, 0.02),
            (Delivery::LongPolled, 0.06),
            (Delivery::Polled, 1.02),
        ] {
            let bounded = mail(delivery, path).bounded(0.03);
            assert!((bounded.worst - worst).abs() < 1e-12, "{delivery:?}: {bounded:?}");
            assert_eq!(bounded.beyond, 0.0);
        }
        let asked = |delivery| mail(delivery, path).later_than(0.03);
        assert_eq!(asked(Delivery::Duplex), 0.0);
        // Of the second in which mail may wait, the first 10 ms are not late.
        assert!((asked(Delivery::Polled) - 0.99).abs() < 1e-9);
    }

    /// The other program simulates the model in whole ticks.
    #[test]
    fn how_often_is_what_acting_out_comes_to() {
        let (rtt, late, n) = (4_000_i64, 3_000_i64, 60_000);
        let path = Path {
            rtt: 0.04,
            ..Path::default()
        };
        let due: Vec<i64> = poisson_due(20.0, 3, n).iter().map(|a| (a * 1e5) as i64).collect();
        for (delivery, technique) in [
            (Delivery::LongPolled, Technique::LongPoll { hold: 2_500_000 }),
            (
                Delivery::Polled,
                Technique::Poll {
                    interval: 4_700,
                    phase: 17,
                },
            ),
        ] {
            let mail = Mail {
                rate: 20.0,
                interval: 0.047,
                ..mail(delivery, path)
            };
            let acted = run(&due, technique, rtt);
            let seen = acted.latencies.iter().filter(|l| **l > late).count() as f64 / n as f64;
            let share = mail.later_than(0.03);
            assert!(
                (share - seen).abs() < 0.01 * seen.max(0.3),
                "{delivery:?}: {share} {seen}"
            );
            let most = *acted.latencies.iter().max().unwrap() as f64 / 1e5;
            assert!(
                most <= mail.bound() + 1e-9 && most > 0.98 * mail.bound(),
                "{delivery:?}: {most}"
            );
        }
    }

    #[test]
    fn loss_adds_what_fewer_than_one_mail_in_a_thousand_exceeds() {
        for (loss, rate) in [(0.0001, 1.0), (0.01, 1.0), (0.01, 50.0), (0.2, 1.0)] {
            let path = Path {
                rtt: 0.04,
                loss,
                ..Path::default()
            };
            for delivery in [Delivery::Duplex, Delivery::LongPolled, Delivery::Polled] {
                let mail = Mail {
                    rate,
                    ..mail(delivery, path)
                };
                let bounded = mail.bounded(0.021);
                let without = mail.usual_bound();
                assert!(bounded.worst >= without + 0.2 - 1e-9, "{mail:?}: {bounded:?}");
                assert!(bounded.beyond < RARE, "{mail:?}: {bounded:?}");
                assert!(bounded.later > bounded.beyond, "{mail:?}: {bounded:?}");
            }
        }
    }

    #[test]
    fn what_is_behind_a_lost_segment_is_late_as_often_as_a_pipe_has_it() {
        let (rate, n) = (20.0, 800_000);
        let path = Path {
            rtt: 0.04,
            loss: 0.02,
            ..Path::default()
        };
        let pushed = Mail {
            rate,
            ..mail(Delivery::Duplex, path)
        };
        let mut pipe = Pipe::down(path, f64::NEG_INFINITY, 9, 0);
        let late: Vec<f64> = poisson_due(rate, 4, n)
            .into_iter()
            .map(|due| pipe.deliver(due, 300) - due)
            .collect();
        for time in [0.021, 0.1, 0.2, 0.3, 0.5] {
            let seen = late.iter().filter(|l| **l > time).count() as f64 / n as f64;
            let share = pushed.later_than(time);
            assert!(
                (share / seen - 1.0).abs() < 0.1,
                "later than {time}: {share} {seen}"
            );
        }
    }

    #[test]
    fn a_line_takes_its_time_and_never_catches_up_with_too_much() {
        let path = Path {
            rtt: 0.1,
            bandwidth: Some(1e6),
            ..Path::default()
        };
        // A photo of 125,000 bytes takes a second, and a mail a day finds the line free.
        let rare = Mail {
            rate: 1.0 / 86_400.0,
            mail: 125_000.0,
            request: 0.0,
            answer: 0.0,
            ..mail(Delivery::Duplex, path)
        };
        assert!((rare.bound() - 1.05).abs() < 1e-9, "{}", rare.bound());
        let held = Mail {
            delivery: Delivery::LongPolled,
            ..rare
        };
        assert!((held.bound() - 2.15).abs() < 1e-9, "{}", held.bound());
        for delivery in [
            Delivery::Duplex,
            Delivery::Streamed,
            Delivery::LongPolled,
            Delivery::Polled,
        ] {
            let too_much = Mail {
                delivery,
                rate: 1.1,
                ..rare
            };
            let bounded = too_much.bounded(10.0);
            assert_eq!(
                (bounded.worst, bounded.later),
                (f64::INFINITY, 1.0),
                "{delivery:?}"
            );
            let half = Mail {
                rate: 0.5,
                ..too_much
            };
            let bounded = half.bounded(1.06);
            assert!(
                bounded.worst.is_finite() && bounded.worst > 2.0,
                "{delivery:?}: {bounded:?}"
            );
            assert!(bounded.beyond < 10.0 * RARE, "{delivery:?}: {bounded:?}");
            assert!((0.3..=1.0).contains(&bounded.later), "{delivery:?}: {bounded:?}");
        }
    }

    #[test]
    fn messages_wait_for_their_turn_and_their_connection() {
        let path = Path {
            rtt: 0.1,
            ..Path::default()
        };
        let said = Message {
            path,
            rate: 0.01,
            bytes: 200.0,
            answer: Some(100.0),
            opened: Opened {
                round_trips: 2,
                bytes: 1_300.0,
            },
            opening: 0.5,
        };
        // For a thousandth of the time, the message before is on its way.
        let bounded = said.bounded(0.06);
        assert!((bounded.worst - 0.25).abs() < 1e-9, "{bounded:?}");
        assert!((bounded.later - 0.5).abs() < 1e-2, "{bounded:?}");
        let open = Message {
            answer: None,
            opening: 0.0,
            ..said
        };
        assert!((open.bounded(1.0).worst - 0.05).abs() < 1e-9);
        assert!((open.mean() - 0.05).abs() < 1e-9);
        // Ten messages a second, a tenth of a second each: the queue grows for ever.
        let often = Message { rate: 10.0, ..said };
        assert_eq!(
            (often.mean(), often.bounded(1.0).worst),
            (f64::INFINITY, f64::INFINITY)
        );
        // D. V. Lindley, "The theory of queues with a single server" (1952): a message waits for what the
        // one before waited and took, minus the gap between them.
        let due = poisson_due(5.0, 2, 100_000);
        let waits = due.windows(2).scan(0.0_f64, |wait, pair| {
            *wait = (*wait + path.rtt - (pair[1] - pair[0])).max(0.0);
            Some(*wait)
        });
        let acted = waits.sum::<f64>() / due.len() as f64 + path.rtt / 2.0;
        let half = Message {
            rate: 5.0,
            opening: 0.0,
            ..said
        };
        assert!(
            (half.mean() / acted - 1.0).abs() < 0.03,
            "{} {acted}",
            half.mean()
        );
    }

    #[test]
    fn a_poisson_number_seldom_exceeds_its_bound() {
        for mean in [0.0005, 0.1, 3.0, 80.0, 900.0] {
            let values = poisson(mean);
            let sum: f64 = values.iter().map(|(_, chance)| chance).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{mean}: {sum}");
            let most = exceeded_by(mean, RARE);
            let above: f64 = values.iter().filter(|(n, _)| *n > most).map(|(_, p)| p).sum();
            assert!(above <= RARE, "{mean}: {above}");
        }
    }
}
