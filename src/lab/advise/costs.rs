//! What a technique costs a client in the long run, and how late its mail is.

use super::connections::{Connections, aside, polls_open};
use super::delays;
use super::radio::radio;
use super::stretches::{Instants, Stretches};
use crate::outcome::Scenario;
use crate::outcome::advice::{Cost, Delay};
use crate::technique::Technique;
use crate::theory::{Opened, Radio};

pub(super) const DAY_S: f64 = 86_400.0;

/// Computes what techniques cost in a case, and how late their mail is.
pub(super) struct Costs {
    scenario: Scenario,
    instants: Instants,
}

/// What one technique costs, and how late its mail is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// What a client costs in the long run.
    pub cost: Cost,
    /// How late mail is.
    pub mail: Delay,
    /// How late clients' messages are, if clients talk.
    pub message: Option<Delay>,
}

impl Expected {
    /// The mean client, if this share of clients is as the other one.
    pub(super) fn towards(&self, other: &Expected, share: f64) -> Expected {
        let delay = |one: Delay, two: Delay| one.towards(two, share);
        Expected {
            cost: self.cost.times(1.0 - share).plus(other.cost.times(share)),
            mail: delay(self.mail, other.mail),
            message: self.message.zip(other.message).map(|(one, two)| delay(one, two)),
        }
    }
}

impl Costs {
    /// For a case that has a polling interval.
    pub(super) fn new(scenario: &Scenario) -> anyhow::Result<Costs> {
        Ok(Costs::with(scenario, Instants::of(scenario)?))
    }

    /// The same, where the case's instants are known already.
    pub(super) fn with(scenario: &Scenario, instants: Instants) -> Costs {
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
        Costs {
            instants,
            scenario: asked,
        }
    }

    /// The cost of a technique, if mail and messages may take at most `asked` seconds.
    pub(super) fn of(&self, technique: &'static Technique, asked: f64) -> anyhow::Result<Expected> {
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
        Ok(Expected {
            cost: Cost {
                requests_per_s,
                // Any technique that has messages has some, because there is mail.
                messages_per_s: Some(per_s.messages).filter(|n| *n > 0.0),
                bytes_per_day: per_s.bytes() * DAY_S,
                bytes_up_per_day: Some(per_s.up * DAY_S),
                bytes_down_per_day: Some(per_s.down * DAY_S),
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

    /// The radio of a technique's client, which stays on for `tail` seconds after each packet.
    pub(super) fn radio(&self, technique: &'static Technique, tail: f64) -> anyhow::Result<Radio> {
        radio(technique, &self.scenario, &self.instants, tail)
    }

    /// Why a technique brings no mail in the case, if it does not.
    pub(super) fn useless(&self, technique: &Technique) -> Option<&'static str> {
        technique.useless(&self.scenario)
    }

    /// What it takes to open a connection again.
    pub(super) fn opened(&self) -> Opened {
        self.instants.opened()
    }
}
