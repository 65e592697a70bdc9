//! The mail that stands for all of a case's, simulated.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::{Lab, Run, Simulated};
use super::sums::{Sums, mean_delay};
use crate::link::tls::{self, Handshake, Identity};
use crate::mail::Plan;
use crate::outcome::{Link, Outcome, Scenario};
use crate::technique::Technique;
use crate::theory::{Delivery, Opened};

/// The seed of all of it.
const SAMPLE: u64 = 0x6d61_696c;

/// Clients that stand for all: their phases and their luck are averaged over.
const CROWD: usize = 4;

/// Mails of a long stretch: as many as chance needs to even out, and never more than can be looked through at once.
const MAILS: (f64, f64) = (64.0, 256.0);

const MOST: f64 = 8_000.0;

const BYTES: usize = 8 << 20;

/// Polls of a long stretch, if there is a mail for each or less; and how many there are at least if each brings many.
const POLLS: f64 = 800.0;

const FULL_POLLS: f64 = 8.0;

/// Mails a stretch with more of them is looked through by fewer clients.
const MANY: u64 = 1_000;

/// Mail that is rarer than one in so many pauses is alone: what it costs no longer depends on how rare it is.
const ALONE: f64 = 10.0;

/// Mails that are alone, and how many pauses one is from the next, at least.
const LONELY: u64 = 55;

const APART: f64 = 5.0;

/// Pauses that show what silence costs.
const SILENCE: f64 = 200.0;

/// Messages of a short and of a long stretch in which clients talk.
const MESSAGES: [f64; 2] = [25.0, 100.0];

/// Fractions that fill an interval evenly: multiples of 34 / 55, a ratio of Fibonacci numbers near the golden one.
fn even(i: u64) -> f64 {
    ((i as f64 * 34.0 + 0.5) / LONELY as f64).fract()
}

/// What a mail costs in the least: it depends on no time.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// What it takes to open and end a connection, with a request that brings nothing.
    pub opening: Sums,
    /// A mail by itself, with all that is round it, but without a TLS handshake.
    pub one: Sums,
    /// What each further mail adds to it.
    pub further: Sums,
}

/// A case's mail at one instant.
pub struct Instants {
    /// One client's, on a link without delays.
    scenario: Scenario,
    /// What the server proves who it is with, and what TLS handshakes weigh.
    secured: Option<(Identity, [Handshake; 2])>,
}

impl Instants {
    /// Of a scenario's mail.
    ///
    /// # Errors
    /// If a TLS handshake fails.
    pub fn of(scenario: &Scenario) -> anyhow::Result<Instants> {
        let secured = || {
            let identity = Identity::typical()?;
            let handshakes = tls::rehearse(&identity, scenario.http)?;
            anyhow::Ok((identity, handshakes))
        };
        Ok(Instants {
            secured: scenario.tls.then(secured).transpose()?,
            scenario: Scenario {
                clients: 1,
                link: Link::default(),
                ..sample(scenario)
            },
        })
    }

    /// The same where each further handshake is a whole one, too.
    pub fn without_resumption(self) -> Instants {
        Instants {
            secured: self
                .secured
                .map(|(identity, [first, _])| (identity, [first, first])),
            scenario: Scenario {
                tls_resumes: false,
                ..self.scenario
            },
        }
    }

    /// A connection that is opened again: TLS 1.3 takes a round trip more than TCP.
    pub fn opened(&self) -> Opened {
        let again = self.handshakes().map(|[_, again]| again);
        Opened {
            round_trips: 1 + u32::from(again.is_some()),
            bytes: again.map_or(0.0, |again| (again.up + again.down) as f64),
        }
    }

    /// TLS handshakes: a client's first, and each further one.
    pub fn handshakes(&self) -> Option<[Handshake; 2]> {
        self.secured.as_ref().map(|(_, handshakes)| *handshakes)
    }

    /// What a technique's mail costs in the least.
    ///
    /// # Errors
    /// If a header file cannot be used, or a simulated run fails.
    pub fn least(&self, technique: &'static Technique) -> anyhow::Result<Least> {
        let [one, two] = [1, 2].map(|mails| self.sums(technique, &vec![0.0; mails]));
        let (one, two) = (one?, two?);
        let further = two.plus(-1.0, one);
        Ok(Least {
            opening: one.plus(-1.0, further),
            one: one.plus(-1.0, self.handshake(0)),
            further,
        })
    }

    /// What a poll costs more because it opens its connection.
    ///
    /// # Errors
    /// As for [`Instants::least`].
    pub fn reopening(&self, technique: &'static Technique) -> anyhow::Result<Sums> {
        let interval = self.scenario.poll_interval().as_secs_f64();
        let one = self.sums(technique, &[0.0])?;
        // The second mail is found by another poll on the same connection.
        let two = self.sums(technique, &[0.0, interval])?;
        Ok(one
            .times(2.0)
            .plus(-1.0, two)
            .plus(-1.0, self.handshake(0))
            .plus(1.0, self.handshake(1)))
    }

    /// A handshake: a client's first is 0, a further one 1.
    fn handshake(&self, which: usize) -> Sums {
        let bytes = self.handshakes().map_or(Handshake::default(), |both| both[which]);
        Sums::overhead(bytes.up as f64, bytes.down as f64)
    }

    fn sums(&self, technique: &'static Technique, due: &[f64]) -> anyhow::Result<Sums> {
        Ok(Sums::of(&self.simulate(technique, &self.scenario, due)?))
    }

    /// A run with a mail at each of these instants, in seconds.
    fn simulate(
        &self,
        technique: &'static Technique,
        scenario: &Scenario,
        due: &[f64],
    ) -> anyhow::Result<Outcome> {
        let mut scenario = Scenario {
            mails: due.len() as u64,
            ..scenario.clone()
        };
        // What it would cost where nothing is in its way.
        if technique.useless(&scenario).is_some() {
            scenario.block.clear();
        }
        let lab = Lab::new(Scenario {
            tls: false,
            ..scenario.clone()
        })?;
        let mut plan = Plan::clone(&lab.plan);
        for (planned, due) in plan.mails.iter_mut().zip(due) {
            planned.due = Duration::from_secs_f64(*due);
        }
        let lab = Lab {
            scenario: Arc::new(scenario),
            plan: Arc::new(plan),
            identity: self.secured.as_ref().map(|(identity, _)| identity.clone()),
            simulated: Some(Simulated::default()),
            ..lab
        };
        let outcome = Run::new(&lab, technique, Duration::ZERO)
            .simulate()
            .with_context(|| format!("a simulated run of {} failed", technique.name))?;
        ensure!(
            outcome.mails.delivered == outcome.mails.expected,
            "{} of {} mails came in a simulated run of {}",
            outcome.mails.delivered,
            outcome.mails.expected,
            technique.name
        );
        Ok(outcome)
    }
}

/// What goes on in the long run.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// What a client takes per second besides the opening, on connections that are kept.
    pub per_s: Sums,
    /// The mean delay of mail, seconds.
    pub mean_delay: f64,
    /// Where clients talk: what each message adds, and what all of them together.
    pub messages: Option<(Sums, Sums)>,
}

/// A case's mail in the long run.
pub struct Stretches<'a> {
    instants: &'a Instants,
    /// Nobody talks in it.
    scenario: Scenario,
    /// How often a client talks.
    talk_per_s: Option<f64>,
}

impl Stretches<'_> {
    /// Of a scenario's mail.
    pub fn of<'a>(scenario: &Scenario, instants: &'a Instants) -> Stretches<'a> {
        Stretches {
            instants,
            scenario: Scenario {
                clients: CROWD,
                ..sample(scenario)
            },
            talk_per_s: scenario.talk_per_s,
        }
    }

    /// What a technique takes in the long run, if it takes that much for a mail in the least.
    ///
    /// # Errors
    /// As for [`Instants::least`].
    pub fn steady(&self, technique: &'static Technique, least: &Least) -> anyhow::Result<Steady> {
        let pause = self.pause(technique);
        let per_pause = self.scenario.rate_per_s * pause;
        let (per_s, mean_delay) = match (technique.delivers)(&self.scenario) {
            _ if per_pause * ALONE < 1.0 => self.rare(technique, least, pause)?,
            Delivery::Polled if per_pause * FULL_POLLS > MOST => self.full(technique, least, pause)?,
            _ => self.stretch(technique, &self.scenario, least, pause)?,
        };
        Ok(Steady {
            per_s,
            mean_delay,
            messages: self.messages(technique, pause)?,
        })
    }

    /// How long a technique is silent, seconds, if nothing happens.
    fn pause(&self, technique: &Technique) -> f64 {
        let s = &self.scenario;
        match (technique.delivers)(s) {
            Delivery::Polled => s.poll_interval_ms / 1e3,
            Delivery::LongPolled if technique.layered.is_none() => (s.hold_ms + s.link.rtt_ms) / 1e3,
            Delivery::LongPolled => (s.heartbeat_ms + s.link.rtt_ms) / 1e3,
            Delivery::Streamed | Delivery::Duplex => s.heartbeat_ms / 1e3,
        }
    }

    fn simulate(
        &self,
        technique: &'static Technique,
        scenario: &Scenario,
        due: &[f64],
    ) -> anyhow::Result<Outcome> {
        self.instants.simulate(technique, scenario, due)
    }

    /// Per second, and the mean delay, of so many mails at the scenario's rate.
    fn stretch(
        &self,
        technique: &'static Technique,
        scenario: &Scenario,
        least: &Least,
        pause: f64,
    ) -> anyhow::Result<(Sums, f64)> {
        let mails = enough(technique, scenario, pause);
        let due = instants(scenario.rate_per_s, mails);
        let clients = if mails > MANY { 2 } else { scenario.clients };
        let scenario = Scenario {
            clients,
            ..scenario.clone()
        };
        let outcome = self.simulate(technique, &scenario, &due)?;
        let span = mails as f64 / scenario.rate_per_s;
        let per_s = Sums::of(&outcome).plus(-1.0, least.opening).times(1.0 / span);
        Ok((per_s, mean_delay(&outcome)))
    }

    /// The same of mail that is alone: what silence costs in a second, and each mail besides.
    fn rare(&self, technique: &'static Technique, least: &Least, pause: f64) -> anyhow::Result<(Sums, f64)> {
        let one = Scenario {
            clients: 1,
            ..self.scenario.clone()
        };
        let silent = |pauses: f64| {
            let due = [0.0, (pauses + 0.5) * pause];
            anyhow::Ok(Sums::of(&self.simulate(technique, &one, &due)?))
        };
        let silence = silent(SILENCE + 1.0)?
            .plus(-1.0, silent(1.0)?)
            .times(1.0 / (SILENCE * pause));
        let due: Vec<f64> = match (technique.delivers)(&self.scenario) {
            // A poll finds it at any phase of its interval, all of them alike.
            Delivery::Polled => (0..LONELY)
                .map(|i| (i as f64 * APART + even(i)) * pause)
                .collect(),
            // Each gap is half a pause longer on average than whole ones, as random ones are.
            _ => (0..LONELY)
                .scan(0.0, |at, i| {
                    *at += (APART + even(i)) * pause;
                    Some(*at)
                })
                .collect(),
        };
        let outcome = self.simulate(technique, &self.scenario, &due)?;
        let span = due.last().copied().unwrap_or_default();
        let each = Sums::of(&outcome)
            .plus(-1.0, least.opening)
            .plus(-span, silence)
            .times(1.0 / LONELY as f64);
        let per_s = silence.plus(self.scenario.rate_per_s, each);
        Ok((per_s, mean_delay(&outcome)))
    }

    /// The same of polls each of which brings more mail than can be looked through: with a shorter interval,
    /// and as many empty polls fewer.
    fn full(&self, technique: &'static Technique, least: &Least, pause: f64) -> anyhow::Result<(Sums, f64)> {
        let shorter = MOST / FULL_POLLS / self.scenario.rate_per_s;
        let often = Scenario {
            poll_interval_ms: shorter * 1e3,
            ..self.scenario.clone()
        };
        let (per_s, mean) = self.stretch(technique, &often, least, shorter)?;
        let poll = least.opening.plus(-1.0, self.instants.reopening(technique)?);
        Ok((
            per_s.plus(1.0 / pause - 1.0 / shorter, poll),
            mean + (pause - shorter) / 2.0,
        ))
    }

    /// Where clients talk: what each message adds, and what all of them together. As much mail comes as messages
    /// go: what these cost does not depend on it.
    fn messages(&self, technique: &'static Technique, pause: f64) -> anyhow::Result<Option<(Sums, Sums)>> {
        let Some(rate) = self.talk_per_s else {
            return Ok(None);
        };
        let rate = rate.max(0.5 / pause);
        let silent = Scenario {
            rate_per_s: rate,
            ..self.scenario.clone()
        };
        let talks = Scenario {
            talk_per_s: Some(rate),
            ..silent.clone()
        };
        let added = |messages: f64| {
            let due = [0.0, messages / rate];
            let [silence, talk] = [&silent, &talks].map(|s| self.simulate(technique, s, &due));
            let (silence, talk) = (silence?, talk?);
            let said = talk.talk.as_ref().map_or(0, |t| t.sent) as f64 / CROWD as f64;
            anyhow::Ok((said, Sums::of(&talk).plus(-1.0, Sums::of(&silence))))
        };
        let [few, many] = MESSAGES.map(added);
        let ((few, fewer), (many, more)) = (few?, many?);
        let per_message = more.plus(-1.0, fewer).times(1.0 / (many - few));
        Ok(Some((per_message, fewer.plus(-few, per_message))))
    }
}

/// The same scenario with a seed of ours, on connections that are kept, and clients that do not talk.
fn sample(scenario: &Scenario) -> Scenario {
    Scenario {
        seed: SAMPLE,
        keep_alive_ms: None,
        talk_per_s: None,
        repeat: 1,
        ..scenario.clone()
    }
}

/// How many mails a long stretch has.
fn enough(technique: &Technique, scenario: &Scenario, pause: f64) -> u64 {
    let per_pause = scenario.rate_per_s * pause;
    let polls = match (technique.delivers)(scenario) {
        Delivery::Polled => FULL_POLLS * per_pause,
        _ => 0.0,
    };
    let most = (BYTES / (scenario.size + scenario.attach).max(1)) as f64;
    (POLLS * per_pause)
        .clamp(MAILS.0, MAILS.1)
        .max(polls)
        .min(MOST)
        .min(most)
        .max(8.0) as u64
}

/// When so many mails at a rate are due, seconds: drawn at random, but each gap is as long as the one of that rank
/// is on average, so that the stretch lasts as long as so many mails do.
fn instants(rate_per_s: f64, mails: u64) -> Vec<f64> {
    let n = mails as f64;
    let mut order: Vec<u64> = (0..mails).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(SAMPLE));
    let quantile = |i: &u64| -((n - *i as f64 - 0.5) / n).ln();
    let gaps: Vec<f64> = order.iter().map(quantile).collect();
    let unit = n / gaps.iter().sum::<f64>() / rate_per_s;
    gaps.iter()
        .scan(0.0, |at, gap| {
            *at += gap * unit;
            Some(*at)
        })
        .collect()
}

/// A lab with so many mails, that last as long as so many do on average.
///
/// # Errors
/// If a header file cannot be used.
pub fn stretch(scenario: &Scenario, mails: u64) -> anyhow::Result<Lab> {
    let lab = Lab::new(Scenario {
        mails,
        repeat: 1,
        ..scenario.clone()
    })?;
    let wanted = mails as f64 / scenario.rate_per_s;
    let factor = wanted / lab.plan.span().as_secs_f64().max(1e-9);
    let mut plan = Plan::clone(&lab.plan);
    for planned in &mut plan.mails {
        planned.due = planned.due.mul_f64(factor);
    }
    Ok(Lab {
        plan: Arc::new(plan),
        ..lab
    })
}
