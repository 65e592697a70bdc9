//! A user's case, what each technique costs in it, and which one to take.

use std::time::Duration;

use super::super::threads;
use super::connections::polls_open;
use super::costs::{Costs, Expected};
use super::delays;
use super::stretches::Instants;
use crate::outcome::advice::{Candidate, Delay, Failing, RadioUse};
use crate::outcome::prices::Prices;
use crate::outcome::{Block, Scenario};
use crate::technique::{Demand, Technique, named};

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
    /// How long a client's radio stays on after each packet.
    pub radio_tail: Duration,
    /// The share of clients behind a proxy that refuses upgrades and holds streams back, if there is one.
    pub blocked_share: Option<f64>,
    /// What is to be paid for what, if that is known.
    pub prices: Option<Prices>,
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
    let instants = Instants::of(&case.scenario)?;
    let scenario = settle(case, techniques, &instants)?;
    let weighing = Weighing {
        costs: Costs::with(&scenario, instants),
        proxied: case.proxied(&scenario)?,
        scenario: &scenario,
        case,
    };
    let candidates = threads::on_all_cores(techniques, |t| weighing.candidate(t));
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

impl Case {
    /// The share of clients behind the proxy, and their costs.
    fn proxied(&self, scenario: &Scenario) -> anyhow::Result<Option<(f64, Costs)>> {
        let costs = |share| anyhow::Ok((share, Costs::new(&proxied(scenario))?));
        self.blocked_share.map(costs).transpose()
    }
}

/// The scenario of a client behind a proxy that refuses upgrades and holds streams back.
pub fn proxied(scenario: &Scenario) -> Scenario {
    Scenario {
        block: vec![Block::Websocket, Block::Streaming],
        ..scenario.clone()
    }
}

/// What is needed to weigh a technique.
struct Weighing<'a> {
    case: &'a Case,
    scenario: &'a Scenario,
    costs: Costs,
    proxied: Option<(f64, Costs)>,
}

impl Weighing<'_> {
    fn candidate(&self, technique: &'static Technique) -> anyhow::Result<Candidate> {
        let (delay, tail) = (self.case.delay.as_secs_f64(), self.case.radio_tail.as_secs_f64());
        let clients = self.scenario.clients as f64;
        let mut expected = self.costs.of(technique, delay)?;
        let mut radio = self.costs.radio(technique, tail)?;
        let mut blocked_per_client = None;
        let mut without_mail = self.proxied.as_ref().map(|_| 0.0);
        match &self.proxied {
            Some((share, costs)) if costs.useless(technique).is_some() => {
                without_mail = Some(share * clients)
            }
            Some((share, costs)) => {
                let other = costs.of(technique, delay)?;
                expected = expected.towards(&other, *share);
                radio = radio.towards(costs.radio(technique, tail)?, *share);
                blocked_per_client = Some(other.cost);
            }
            None => {}
        }
        let total = expected.cost.times(clients - without_mail.unwrap_or(0.0));
        Ok(Candidate {
            technique: technique.name.into(),
            method: "simulated".into(),
            per_client: expected.cost,
            total,
            without_mail,
            blocked_per_client,
            radio: Some(RadioUse {
                method: "modelled".into(),
                wakeups_per_hour: radio.woken_per_hour(),
                on_s_per_hour: radio.on_s_per_hour(),
            }),
            server: None,
            cost_per_month: self.case.prices.as_ref().map(|prices| prices.month(&total)),
            fails: failings(technique, self.scenario, &expected, without_mail, delay * 1e3),
            latency_ms: expected.mail,
            talk_latency_ms: expected.message,
        })
    }
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

/// The requirements that a technique does not meet.
fn failings(
    technique: &Technique,
    scenario: &Scenario,
    expected: &Expected,
    without_mail: Option<f64>,
    delay_ms: f64,
) -> Vec<Failing> {
    let late = |d: &Delay| d.worst.is_none_or(|worst| worst > delay_ms * (1.0 + 1e-9));
    [
        (technique.useless(scenario).is_some(), Failing::Blocked),
        (without_mail.is_some_and(|n| n > 0.0), Failing::PartlyBlocked),
        (late(&expected.mail), Failing::TooLate),
        (expected.message.as_ref().is_some_and(late), Failing::HeardTooLate),
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
    use super::super::costs::DAY_S;
    use super::*;
    use crate::outcome::Link;
    use crate::outcome::advice::Cost;

    fn case(scenario: Scenario, delay: Duration) -> Case {
        Case {
            scenario,
            delay,
            interval: None,
            radio_tail: Duration::from_secs(10),
            blocked_share: None,
            prices: None,
        }
    }

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
            without_mail: None,
            blocked_per_client: None,
            radio: None,
            server: None,
            cost_per_month: None,
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
            let scenario = Scenario {
                rate_per_s: 0.5,
                tls,
                link: Link {
                    rtt_ms,
                    ..Link::default()
                },
                ..Scenario::default()
            };
            let delay = Duration::from_secs_f64(delay_ms / 1e3);
            let ranking = weigh(&case(scenario, delay), &techniques).unwrap();
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
        let case = |rate_per_s: f64, clients: usize| {
            let scenario = Scenario {
                rate_per_s,
                clients,
                ..Scenario::default()
            };
            case(scenario, Duration::from_secs(1))
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
