//! How many connections a run opens, from the instants of its own requests: a run is short, so the long-run
//! average of [`super::connections`] need not show in it.

use std::time::Duration;

use super::super::Lab;
use super::connections::polls_open;
use crate::outcome::advice::TOLERANCE;
use crate::outcome::{HttpVersion, Scenario};
use crate::technique::{Technique, poll_phase, talk};
use crate::theory::{Delivery, Opened, Pool};

/// How long a machine takes for an exchange, in seconds. No prediction knows this.
const HANDLING: f64 = 2e-3;

/// How many connections all clients open for this many requests. `None` if that depends on milliseconds:
/// without a noticeable round trip, they decide whether a message meets a poll on its way and takes a
/// connection of its own.
pub fn opened(technique: &Technique, lab: &Lab, opening: Opened, requests: f64) -> Option<f64> {
    let scenario = &lab.scenario;
    let each = scenario.clients as f64;
    match (scenario.http, (technique.delivers)(scenario)) {
        // A layered protocol may open any number before it is ready.
        _ if technique.layered.is_some() => None,
        (_, Delivery::Duplex) => Some(each),
        (HttpVersion::Http10, _) => Some(requests),
        (_, Delivery::Polled) => pooled(lab, opening, true),
        (HttpVersion::Http11, _) => Some(each + pooled(lab, opening, false)?),
        (HttpVersion::Http2, _) => Some(each),
    }
}

/// The same for requests that share a pool: polls, if any, and clients' messages.
fn pooled(lab: &Lab, opening: Opened, polls: bool) -> Option<f64> {
    let path = lab.scenario.link.path();
    let opening = opening.time(&path);
    let by = |handling: f64| count(lab, path.rtt + handling, opening + handling, polls) as f64;
    let (least, most) = (by(0.0), by(HANDLING));
    ((least - most).abs() <= TOLERANCE / 2.0 * least.max(most)).then_some(most)
}

/// The same if an exchange takes `round` and opening a connection takes `opening`, in seconds.
fn count(lab: &Lab, round: f64, opening: f64, polls: bool) -> u64 {
    let scenario = &lab.scenario;
    let pool = match scenario.http {
        // Many requests share a connection. Its idle time counts from when the last was sent.
        HttpVersion::Http2 => (0.0, 0.0),
        HttpVersion::Http11 | HttpVersion::Http10 => (round, opening),
    };
    let pool = Pool {
        round: pool.0,
        opening: pool.1,
        keep_alive: scenario.keep_alive_ms.map_or(f64::INFINITY, |ms| ms / 1e3),
    };
    let mut talk = talk::schedules(scenario, lab.plan.span());
    talk.resize(scenario.clients, Vec::new());
    let each = talk.iter().enumerate().map(|(client, talk)| {
        let asked = match polls {
            true => asked(scenario, client, round, opening, lab.plan.span()),
            false => Vec::new(),
        };
        let said = match scenario.reply {
            true => replies(lab, &asked, round),
            false => talk.iter().map(Duration::as_secs_f64).collect(),
        };
        pool.opened(&[&asked, &said])
    });
    each.sum()
}

/// When a client polls, in seconds, until shortly after `until`: never before the last poll is answered.
fn asked(scenario: &Scenario, client: usize, round: f64, opening: f64, until: Duration) -> Vec<f64> {
    let interval = scenario.poll_interval_ms / 1e3;
    let exchange = match polls_open(scenario, interval) {
        true => opening + round,
        false => round,
    };
    let first = interval * poll_phase(scenario.seed, client);
    let polls = (0_u32..).map(|i| first + f64::from(i) * interval.max(exchange));
    polls
        .take_while(|at| *at < until.as_secs_f64() + interval)
        .collect()
}

/// When a client answers each mail, in seconds: as soon as it has the mail, which is after a poll, if it polls.
fn replies(lab: &Lab, asked: &[f64], round: f64) -> Vec<f64> {
    let mails = lab.plan.mails.iter().map(|planned| planned.due.as_secs_f64());
    let held = mails.map(|due| {
        let poll = asked.partition_point(|at| at + round / 2.0 < due);
        asked.get(poll).map_or(due + round / 2.0, |at| at + round)
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::super::stretches::stretch;
    use super::*;
    use crate::outcome::Link;
    use crate::technique::named;

    const CLIENTS: usize = 10;

    /// Connections per client, on average, in ten seconds with a mail every 100 ms.
    fn of(name: &str, change: impl FnOnce(&mut Scenario)) -> Option<f64> {
        let mut scenario = Scenario {
            clients: CLIENTS,
            rate_per_s: 10.0,
            poll_interval_ms: 250.0,
            keep_alive_ms: Some(1_000.0),
            ..Scenario::default()
        };
        change(&mut scenario);
        let lab = stretch(&scenario, 100).unwrap();
        let opening = Opened {
            round_trips: 1,
            bytes: 0.0,
        };
        let all = opened(named(name).unwrap(), &lab, opening, 5_000.0);
        all.map(|all| all / CLIENTS as f64)
    }

    #[test]
    fn who_says_nothing_opens_one_or_one_for_each_poll() {
        for name in ["poll", "long-poll", "sse", "ws"] {
            assert_eq!(of(name, |_| {}), Some(1.0), "{name}");
        }
        let seldom = of("poll", |s| s.keep_alive_ms = Some(100.0)).unwrap();
        assert!((40.0..=41.0).contains(&seldom), "{seldom}");
        assert_eq!(of("sse", |s| s.keep_alive_ms = Some(100.0)), Some(1.0));
        // In HTTP/1.0 each request opens one.
        assert_eq!(of("long-poll", |s| s.http = HttpVersion::Http10), Some(500.0));
        let shared = of("poll", |s| {
            (s.http, s.keep_alive_ms) = (HttpVersion::Http2, Some(100.0))
        });
        assert_eq!(shared, Some(seldom));
        assert_eq!(of("stomp", |_| {}), None);
    }

    #[test]
    fn who_talks_opens_another_unless_there_is_one_for_both_ways() {
        let talking = |keep_alive_ms: f64, http: HttpVersion| {
            move |s: &mut Scenario| {
                s.talk_per_s = Some(5.0);
                s.keep_alive_ms = Some(keep_alive_ms);
                s.http = http;
            }
        };
        assert_eq!(of("ws", talking(1.0, HttpVersion::Http11)), Some(1.0));
        assert_eq!(of("sse", talking(1.0, HttpVersion::Http2)), Some(1.0));
        assert_eq!(of("sse", talking(60e3, HttpVersion::Http11)), Some(2.0));
        // A gap between two messages is longer than 200 ms with probability e^-1.
        let some = of("sse", talking(200.0, HttpVersion::Http11)).unwrap();
        assert!((16.0..25.0).contains(&some), "{some}");
        let replies = of("long-poll", |s| s.reply = true).unwrap();
        assert!((2.0..2.3).contains(&replies), "{replies}");
    }

    #[test]
    fn whether_a_message_meets_a_poll_is_known_where_there_is_a_round_trip() {
        let talking = |rtt_ms: f64, talk: f64| {
            move |s: &mut Scenario| {
                s.talk_per_s = Some(talk);
                s.keep_alive_ms = Some(60e3);
                s.link = Link {
                    rtt_ms,
                    ..Link::default()
                };
            }
        };
        assert_eq!(of("poll", talking(100.0, 5.0)), Some(2.0));
        // Without a round trip, it depends on the machine: of 50 messages, some meet the 2 ms of a poll in 250.
        assert_eq!(of("poll", talking(0.0, 5.0)), None);
        assert_eq!(of("poll", talking(0.0, 0.001)), Some(1.0));
    }
}
