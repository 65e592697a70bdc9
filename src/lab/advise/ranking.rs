//! A user's case, what each technique costs in it, and which one to take.

use std::time::Duration;

use super::super::threads;
use super::connections::{Connections, aside, polls_open};
use super::delays;
use super::stretches::{Instants, Stretches};
use crate::outcome::Scenario;
use crate::outcome::advice::{Candidate, Cost, Delay, Failing};
use crate::technique::{Demand, Technique, named};
use crate::theory::Opened;

pub(super) const DAY_S: f64 = 86_400.0;

/// The shortest polling interval, in seconds.
const LEAST_INTERVAL: f64 = 1e-3;

/// The greatest age of a TLS session that can be resumed, in seconds: the default of nginx and Apache
/// (`ssl_session_timeout`, `SSLSessionCacheTimeout`). Servers may allow up to 7 days (RFC 8446, section 4.6.1).
const TLS_SESSION: f64 = 300.0;

/// A user's case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The mail, the clients and the network; `advise` itself sets `mails` and `tls_resumes`.
    pub scenario: Scenario,
    /// The longest delay allowed for a mail, and for a client's message.
    pub delay: Duration,
    /// The polling interval; `None` is the longest that the delay allows.
    pub interval: Option<Duration>,
}

/// The costs of the techniques in a case, and their ranking.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The case, with a polling interval that meets the delay as well as possible.
    pub scenario: Scenario,
    /// One candidate per technique.
    pub candidates: Vec<Candidate>,
    /// The technique to take.
    pub recommendation: Option<String>,
    /// The second best.
    pub runner_up: Option<String>,
}

/// Finds what each technique costs in the case, and ranks the techniques.
///
/// # Errors
/// If a header file cannot be used, or a simulated run fails.
pub fn weigh(case: &Case, techniques: &[&'static Technique]) -> anyhow::Result<Ranking> {
    let delay = case.delay.as_secs_f64();
    let instants = Instants::of(&case.scenario)?;
    let scenario = settle(case, techniques, &instants)?;
    let prices = Prices::with(&scenario, instants);
    let clients = scenario.clients as f64;
    let candidate = |t: &&'static Technique| {
        let priced = prices.of(t, delay)?;
        let fails = failings(t, &scenario, &priced.mail, priced.message.as_ref(), case.delay);
        anyhow::Ok(Candidate {
            technique: t.name.into(),
            method: "simulated".into(),
            per_client: priced.cost,
            total: priced.cost.times(clients),
            fails,
            latency_ms: priced.mail,
            talk_latency_ms: priced.message,
        })
    };
    let candidates = threads::on_all_cores(techniques, candidate);
    let candidates: Vec<Candidate> = candidates.into_iter().collect::<anyhow::Result<_>>()?;
    let mut order = rank(&candidates, messages_per_s(&scenario)).into_iter();
    let mut next = || order.next().map(|c| c.technique.clone());
    Ok(Ranking {
        recommendation: next(),
        runner_up: next(),
        candidates,
        scenario,
    })
}

/// The case with its polling interval, and with whether a new connection can resume a TLS session.
fn settle(case: &Case, techniques: &[&'static Technique], instants: &Instants) -> anyhow::Result<Scenario> {
    let interval = match case.interval {
        Some(asked) => asked.as_secs_f64(),
        None => longest_interval(case, techniques, instants)?,
    };
    let talk = case.scenario.talk_per_s;
    let pause = talk.map_or(interval, |talk| interval.max(1.0 / talk));
    Ok(Scenario {
        poll_interval_ms: interval * 1e3,
        tls_resumes: pause <= TLS_SESSION,
        ..case.scenario.clone()
    })
}

/// The longest polling interval with which no mail exceeds the delay; the delay itself if there is none.
fn longest_interval(
    case: &Case,
    techniques: &[&'static Technique],
    instants: &Instants,
) -> anyhow::Result<f64> {
    let delay = case.delay.as_secs_f64();
    let polls = techniques.iter().find(|t| t.is_polled(&case.scenario));
    let Some(technique) = polls else {
        return Ok(delay.max(LEAST_INTERVAL));
    };
    let least = instants.least(technique)?;
    let mail = delays::mail(technique, &case.scenario, &least, instants.opened(), delay);
    let meets = |interval: f64| {
        let opens = polls_open(&case.scenario, interval);
        let asked = crate::theory::Mail {
            interval,
            opened: if opens {
                instants.opened()
            } else {
                Default::default()
            },
            ..mail
        };
        asked.bound() <= delay * (1.0 + 1e-9)
    };
    if meets(delay) || !meets(LEAST_INTERVAL) {
        return Ok(delay.max(LEAST_INTERVAL));
    }
    let (mut short, mut long) = (LEAST_INTERVAL, delay);
    for _ in 0..60 {
        let middle = (short + long) / 2.0;
        match meets(middle) {
            true => short = middle,
            false => long = middle,
        }
    }
    Ok(round_down(short * 1e3).max(LEAST_INTERVAL * 1e3) / 1e3)
}

/// Rounds down to three digits, which are enough for an interval.
fn round_down(ms: f64) -> f64 {
    if ms <= 0.0 {
        return 0.0;
    }
    let digit = 10_f64.powf(ms.log10().floor() - 2.0);
    // A number that is round already stays as it is.
    (ms / digit + 1e-9).floor() * digit
}

/// Computes what techniques cost in a case, and how late their mail is.
pub(super) struct Prices {
    scenario: Scenario,
    instants: Instants,
}

/// What one technique costs, and how late its mail is.
pub(super) struct Priced {
    /// What a client costs in the long run.
    pub cost: Cost,
    /// How late mail is.
    pub mail: Delay,
    /// How late clients' messages are, if clients talk.
    pub message: Option<Delay>,
}

impl Prices {
    /// For a case that has a polling interval.
    pub(super) fn new(scenario: &Scenario) -> anyhow::Result<Prices> {
        Ok(Prices::with(scenario, Instants::of(scenario)?))
    }

    /// The same, where the case's instants are known already.
    fn with(scenario: &Scenario, instants: Instants) -> Prices {
        let instants = match scenario.tls_resumes {
            true => instants,
            false => instants.without_resumption(),
        };
        let mut asked = scenario.clone();
        if polls_open(scenario, scenario.poll_interval_ms / 1e3) {
            // A client has one poll on its way at a time, and each poll opens a connection first.
            let path = scenario.link.path();
            let round = instants.opened().time(&path) + path.rtt;
            asked.poll_interval_ms = asked.poll_interval_ms.max(round * 1e3);
        }
        Prices {
            instants,
            scenario: asked,
        }
    }

    /// The price of a technique, if mail and messages may take at most `asked` seconds.
    pub(super) fn of(&self, technique: &'static Technique, asked: f64) -> anyhow::Result<Priced> {
        let (scenario, instants) = (&self.scenario, &self.instants);
        let least = instants.least(technique)?;
        let steady = Stretches::of(scenario, instants).steady(technique, &least)?;
        let connections = Connections::of(technique, scenario);
        let (mut opening, mut per_s) = (least.opening, steady.per_s);
        if let (Some((each, first)), Some(talk)) = (steady.messages, scenario.talk_per_s) {
            per_s = per_s.plus(talk, each);
            opening = opening.plus(1.0, first);
        }
        if connections.reopened_per_s > 0.0 {
            per_s = per_s.plus(connections.reopened_per_s, instants.reopening(technique)?);
        }
        per_s = per_s.plus(connections.aside_per_s, aside(instants.handshakes()));
        let requests_per_s = per_s.requests.max(0.0);
        let interval = scenario.poll_interval_ms / 1e3;
        let mail = delays::mail(technique, scenario, &least, instants.opened(), interval);
        let (each, _) = steady.messages.unwrap_or_default();
        let message = delays::message(technique, scenario, instants.opened(), &connections, each);
        Ok(Priced {
            cost: Cost {
                requests_per_s,
                bytes_per_day: per_s.bytes() * DAY_S,
                overhead_bytes_per_day: per_s.overhead * DAY_S,
                connections: connections.held,
                opened_per_s: connections.opened_per_s(scenario, requests_per_s),
                opening_bytes: opening.bytes().max(0.0),
                opening_requests: opening.requests.max(0.0),
            },
            mail: delays::delay(steady.mean_delay, &mail.bounded(asked)),
            message: message.map(|m| delays::delay(m.mean(), &m.bounded(asked))),
        })
    }

    /// What it takes to open a connection again.
    pub(super) fn opened(&self) -> Opened {
        self.instants.opened()
    }
}

/// The requirements that a technique does not meet.
fn failings(
    technique: &Technique,
    scenario: &Scenario,
    mail: &Delay,
    talk: Option<&Delay>,
    delay: Duration,
) -> Vec<Failing> {
    let delay_ms = delay.as_secs_f64() * 1e3;
    let late = |d: &Delay| d.worst.is_none_or(|worst| worst > delay_ms * (1.0 + 1e-9));
    [
        (technique.useless(scenario).is_some(), Failing::Blocked),
        (late(mail), Failing::TooLate),
        (talk.is_some_and(late), Failing::HeardTooLate),
    ]
    .into_iter()
    .filter_map(|(so, failing)| so.then_some(failing))
    .collect()
}

/// How many mails and messages a client gets and sends per second.
fn messages_per_s(scenario: &Scenario) -> f64 {
    let replies = if scenario.reply { scenario.rate_per_s } else { 0.0 };
    scenario.rate_per_s + replies + scenario.talk_per_s.unwrap_or_default()
}

/// A technique that demands less may send this many times the fewest bytes.
const BYTES_MARGIN: f64 = 1.2;

/// It may also send this many requests for each mail or message.
const REQUESTS: f64 = 2.0;

/// The candidates that meet every requirement, best first. The one with the fewest bytes is the best,
/// unless another demands less of the network, sends hardly more bytes, and does not send many more
/// requests than there are mails and messages.
fn rank(candidates: &[Candidate], happens_per_s: f64) -> Vec<&Candidate> {
    let mut fit: Vec<&Candidate> = candidates.iter().filter(|c| c.fails.is_empty()).collect();
    fit.sort_by(|a, b| a.per_client.bytes_per_day.total_cmp(&b.per_client.bytes_per_day));
    let mut order = Vec::new();
    while let Some(cheapest) = fit.first().map(|c| c.per_client) {
        let asks = cheapest.requests_per_s.max(REQUESTS * happens_per_s) * (1.0 + 1e-6);
        let as_good = |c: &&Candidate| {
            c.per_client.bytes_per_day <= BYTES_MARGIN * cheapest.bytes_per_day
                && c.per_client.requests_per_s <= asks
        };
        let demands = |c: &Candidate| named(&c.technique).map_or(Demand::Port, |t| t.demand);
        let best = (0..fit.len())
            .filter(|i| as_good(&fit[*i]))
            .min_by_key(|i| demands(fit[*i]));
        order.push(fit.remove(best.unwrap_or(0)));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Link;

    fn candidate(name: &str, bytes_per_day: f64, requests_per_s: f64) -> Candidate {
        Candidate {
            technique: name.into(),
            method: "made up".into(),
            per_client: Cost {
                bytes_per_day,
                requests_per_s,
                ..Cost::default()
            },
            total: Cost::default(),
            latency_ms: Delay::default(),
            talk_latency_ms: None,
            fails: Vec::new(),
        }
    }

    fn ranked(candidates: &[Candidate]) -> Vec<&str> {
        let order = rank(candidates, 1.0);
        order.into_iter().map(|c| c.technique.as_str()).collect()
    }

    #[test]
    fn the_fewest_bytes_win_unless_less_is_demanded_for_hardly_more() {
        let [poll, sse, ws] = [("poll", 200.0), ("sse", 110.0), ("ws", 100.0)];
        let of = |(name, bytes)| candidate(name, bytes, 1.0);
        assert_eq!(ranked(&[of(poll), of(sse), of(ws)]), ["sse", "ws", "poll"]);
        let dear = of(("sse", 130.0));
        assert_eq!(ranked(&[of(poll), dear, of(ws)]), ["ws", "sse", "poll"]);
        // If nearly all bytes are payload, they hide that polling asks a hundred times for each mail.
        let busy = candidate("poll", 101.0, 100.0);
        assert_eq!(ranked(&[busy, of(ws)]), ["ws", "poll"]);
        let rare = candidate("poll", 101.0, 2.0);
        assert_eq!(ranked(&[rare, of(ws)]), ["poll", "ws"]);
    }

    #[test]
    fn who_fails_is_not_ranked() {
        let mut blocked = candidate("ws", 1.0, 0.0);
        blocked.fails.push(Failing::Blocked);
        assert_eq!(ranked(&[blocked, candidate("sse", 9.0, 0.0)]), ["sse"]);
        assert!(ranked(&[]).is_empty());
    }

    #[test]
    fn intervals_are_rounded_down_to_three_digits() {
        for (ms, rounded) in [
            (1_000.0, 1_000.0),
            (959.99, 959.0),
            (0.012_39, 0.012_3),
            (3_599_999.0, 3_590_000.0),
        ] {
            assert!(
                (round_down(ms) / rounded - 1.0).abs() < 1e-9,
                "{ms}: {}",
                round_down(ms)
            );
        }
        assert_eq!(round_down(-3.0), 0.0);
    }

    #[test]
    fn polling_asks_as_seldom_as_the_delay_allows() {
        let techniques = [named("poll").unwrap(), named("ws").unwrap()];
        for (rtt_ms, tls, delay_ms) in [(0.0, false, 250.0), (40.0, false, 500.0), (40.0, true, 500.0)] {
            let case = Case {
                scenario: Scenario {
                    rate_per_s: 0.5,
                    tls,
                    link: Link {
                        rtt_ms,
                        ..Link::default()
                    },
                    ..Scenario::default()
                },
                delay: Duration::from_secs_f64(delay_ms / 1e3),
                interval: None,
            };
            let ranking = weigh(&case, &techniques).unwrap();
            let poll = &ranking.candidates[0];
            assert!(poll.fails.is_empty(), "{poll:?}");
            let worst = poll.latency_ms.worst.unwrap();
            assert!(worst > 0.97 * delay_ms, "{rtt_ms} ms: {:?}", poll.latency_ms);
            let per_s = 1e3 / ranking.scenario.poll_interval_ms;
            assert!(
                (poll.per_client.requests_per_s / per_s - 1.0).abs() < 0.02,
                "{poll:?}"
            );
        }
    }

    #[test]
    fn what_is_spent_depends_on_the_time_and_the_mail_alone() {
        let case = |rate_per_s: f64, clients: usize| Case {
            scenario: Scenario {
                rate_per_s,
                clients,
                ..Scenario::default()
            },
            delay: Duration::from_secs(1),
            interval: None,
        };
        let techniques = [named("poll").unwrap(), named("sse").unwrap()];
        let cost = |rate, clients| weigh(&case(rate, clients), &techniques).unwrap().candidates;
        let (one, many) = (cost(0.1, 1), cost(0.1, 10_000_000));
        for (one, many) in one.iter().zip(&many) {
            assert_eq!(one.per_client, many.per_client);
            assert_eq!(many.total, many.per_client.times(1e7));
        }
        // A mail a day, with a poll every second: 86,400 polls.
        let rare = cost(1.0 / DAY_S, 1);
        let asked = rare[0].per_client.requests_per_s * DAY_S;
        assert!((asked / DAY_S - 1.0).abs() < 1e-3, "{asked}");
        // An event stream costs its heartbeats and the mail: 5,760 silences of 15 s.
        let beats = rare[1].per_client.bytes_per_day / 5_760.0;
        assert!((17.0..20.0).contains(&beats), "{beats} bytes each");
    }
}
