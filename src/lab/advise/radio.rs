//! The radio of one client, from the instants at which its bytes cross in a simulated run. The meter is at the
//! client's end of a slow link ([`crate::link`]), so they are the client's own instants.
//!
//! Connections are kept in these runs, as in all stretches. Where the case's server would close one, the packet that
//! says so and those that open the next are added. Messages of clients are added by a formula, because
//! they may come a million times as often as mail, or as rarely.

use super::connections::polls_open;
use super::stretches::{
    ALONE, FULL_POLLS, Instants, MOST_MAILS, PAUSES_BETWEEN, Stretches, enough, instants,
};
use crate::link::{Layer, Recorded};
use crate::outcome::{HttpVersion, Scenario};
use crate::technique::Technique;
use crate::theory::{Delivery, Messages, Radio};
use crate::wire::Direction;

/// The radio of a technique's client in the long run; it stays on for `tail` seconds after each packet.
///
/// # Errors
/// As for [`Instants::least`].
pub fn radio(
    technique: &'static Technique,
    scenario: &Scenario,
    simulated: &Instants,
    tail: f64,
) -> anyhow::Result<Radio> {
    let keep_alive = keep_alive(scenario);
    let opening = simulated.opened().time(&scenario.link.path());
    let stretches = Stretches::of(scenario, simulated);
    let of = |scenario: &Scenario, due: &[f64]| {
        let connections = simulated.record(technique, scenario, due)?;
        anyhow::Ok(Radio::of(&packets(&connections, keep_alive, opening), tail))
    };
    let mail = alone(&stretches, technique, of)?;
    Ok(match messages(technique, scenario) {
        Some(messages) => mail.shared_with(messages.radio(tail)),
        None => mail,
    })
}

/// The radio of a client that says nothing; `of` is that of a run with mail at these instants.
fn alone(
    stretches: &Stretches,
    technique: &'static Technique,
    of: impl Fn(&Scenario, &[f64]) -> anyhow::Result<Radio>,
) -> anyhow::Result<Radio> {
    let pause = stretches.pause(technique);
    let mut one = stretches.single();
    if one.rate_per_s * pause * ALONE < 1.0 {
        // Each mail adds the same, so two rates tell what any other would be. Silence alone would not: a mail may
        // change for good when heartbeats of both sides come, one soon after the other or far apart.
        let [often, seldom] = [PAUSES_BETWEEN, 2.0 * PAUSES_BETWEEN].map(|between| {
            let due = stretches.lone_mails(technique, pause, between);
            let span = due.last().copied().unwrap_or_default();
            anyhow::Ok((due.len() as f64 / span, of(&one, &due)?))
        });
        let ((often, at_often), (seldom, at_seldom)) = (often?, seldom?);
        let share = (one.rate_per_s - seldom) / (often - seldom);
        return Ok(at_seldom.towards(at_often, share));
    }
    if technique.is_polled(&one) {
        // More mail in a poll changes nothing, and would take too long to simulate.
        one.rate_per_s = one.rate_per_s.min(MOST_MAILS / FULL_POLLS / pause);
    }
    let mails = enough(technique, &one, pause);
    of(&one, &instants(one.rate_per_s, mails))
}

/// The clients' messages, if clients talk.
fn messages(technique: &Technique, scenario: &Scenario) -> Option<Messages> {
    let delivery = (technique.delivers)(scenario);
    let apart = delivery.speaks_apart();
    let shared = match delivery {
        Delivery::Polled => !polls_open(scenario, scenario.poll_interval_ms / 1e3),
        _ => scenario.http == HttpVersion::Http2,
    };
    Some(Messages {
        rate: scenario.talk_per_s?,
        round: if apart { scenario.link.rtt_ms / 1e3 } else { 0.0 },
        keep_alive: match apart && !shared {
            true => keep_alive(scenario),
            false => f64::INFINITY,
        },
    })
}

/// How long an idle connection is kept, in seconds. In HTTP/1.0, it is never idle: the answer ends it.
fn keep_alive(scenario: &Scenario) -> f64 {
    match (scenario.http, scenario.keep_alive_ms) {
        (HttpVersion::Http10, _) | (_, None) => f64::INFINITY,
        (_, Some(ms)) => ms / 1e3,
    }
}

/// When something crosses one of a client's connections, in seconds and in order. A connection that is idle
/// for longer than `keep_alive` after an answer is closed then, and opened again, which takes `opening`.
fn packets(connections: &[Recorded], keep_alive: f64, opening: f64) -> Vec<f64> {
    let Some(first) = connections.iter().map(|c| c.opened).min() else {
        return Vec::new();
    };
    let mut packets = Vec::new();
    for connection in connections {
        let crossings = connection.crossings.iter().filter(|c| c.layer == Layer::Socket);
        let crossings = crossings.map(|c| (c.at.duration_since(first).as_secs_f64(), c.direction));
        let crossings: Vec<(f64, Direction)> = crossings.collect();
        packets.extend(crossings.iter().map(|(at, _)| at));
        for two in crossings.windows(2) {
            if let [(answered, Direction::Down), (asked, Direction::Up)] = *two
                && asked - answered > keep_alive
            {
                packets.extend([answered + keep_alive, asked - opening]);
            }
        }
    }
    packets.sort_by(f64::total_cmp);
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::technique::named;

    /// Rare mail is judged by mail that is less rare. Here all of it is simulated.
    #[test]
    fn rare_mail_uses_it_as_if_all_time_were_simulated() {
        let scenario = Scenario {
            rate_per_s: 1.0 / 1_200.0,
            heartbeat_ms: 60e3,
            hold_ms: 60e3,
            poll_interval_ms: 60e3,
            keep_alive_ms: Some(75e3),
            reply: true,
            ..Scenario::default()
        };
        let simulated = Instants::of(&scenario).unwrap();
        let stretches = Stretches::of(&scenario, &simulated);
        for name in ["poll", "long-poll", "sse", "ws", "socketio"] {
            let technique = named(name).unwrap();
            assert!(scenario.rate_per_s * stretches.pause(technique) * ALONE < 1.0);
            let due = instants(scenario.rate_per_s, 100);
            let connections = simulated.record(technique, &stretches.single(), &due).unwrap();
            let all = Radio::of(&packets(&connections, 75.0, 0.0), 10.0);
            let found = radio(technique, &scenario, &simulated, 10.0).unwrap();
            let near = |one: f64, two: f64| (one - two).abs() < 0.01 * two;
            assert!(
                near(found.woken_per_s, all.woken_per_s),
                "{name}: {found:?} {all:?}"
            );
            assert!(near(1.0 - found.off, 1.0 - all.off), "{name}: {found:?} {all:?}");
        }
    }

    #[test]
    fn an_idle_connection_is_closed_after_an_answer_and_opened_again() {
        let crossing = |at: f64, direction| crate::link::Crossing {
            at: std::time::Instant::now() + std::time::Duration::from_secs_f64(at),
            direction,
            layer: Layer::Socket,
            what: crate::link::What::End,
        };
        let (up, down) = (Direction::Up, Direction::Down);
        let connection = |crossings: &[(f64, Direction)]| Recorded {
            client: ([127, 0, 0, 1], 1).into(),
            server: ([127, 0, 0, 1], 2).into(),
            opened: std::time::Instant::now(),
            closed: None,
            crossings: crossings
                .iter()
                .map(|(at, direction)| crossing(*at, *direction))
                .collect(),
        };
        let of = |crossings: &[(f64, Direction)]| {
            let packets = packets(&[connection(crossings)], 75.0, 0.5);
            packets
                .iter()
                .map(|at| (at * 10.0).round() / 10.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[(0.0, up), (1.0, down), (70.0, up)]), [0.0, 1.0, 70.0]);
        assert_eq!(
            of(&[(0.0, up), (1.0, down), (90.0, up)]),
            [0.0, 1.0, 76.0, 89.5, 90.0]
        );
        // A request that is held is not idle, and a stream isn't either.
        assert_eq!(of(&[(0.0, up), (90.0, down), (190.0, down)]), [0.0, 90.0, 190.0]);
        assert!(packets(&[], 75.0, 0.5).is_empty());
    }
}
