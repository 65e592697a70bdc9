//! Simulates stretches of mail that stand for all the mail of a case.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::{Lab, Recordings, Run, Simulated};
use super::sums::{Sums, mean_delay};
use crate::link::Recorded;
use crate::link::tls::{self, Handshake, Identity};
use crate::mail::Plan;
use crate::outcome::{Link, Outcome, Scenario};
use crate::technique::Technique;
use crate::theory::{Delivery, Opened};

/// The seed of all stretches.
const SAMPLE: u64 = 0x6d61_696c;

/// How many clients stand for all: their phases and their random delays are averaged.
const SIMULATED_CLIENTS: usize = 4;

/// The fewest and the most mails of a long stretch, so that chance evens out.
const MAILS: (f64, f64) = (64.0, 256.0);

/// The most mails of any stretch: more would take too long to simulate.
pub const MOST_MAILS: f64 = 8_000.0;

/// The most bytes of mail in a stretch: more would not fit into memory.
const MOST_BYTES: usize = 8 << 20;

/// Polls of a long stretch if each finds one mail or less.
const POLLS: f64 = 800.0;

/// The fewest polls of a long stretch if each finds many mails.
pub const FULL_POLLS: f64 = 8.0;

/// A stretch with more mails than this is simulated with fewer clients.
const MANY: u64 = 1_000;

/// Mail is alone if it is rarer than one in this many pauses: its cost no longer depends on how rare it is.
pub const ALONE: f64 = 10.0;

/// How many mails are simulated alone.
const LONE_MAILS: u64 = 55;

/// The fewest pauses between two mails that are simulated alone.
pub const PAUSES_BETWEEN: f64 = 5.0;

/// How many pauses are simulated to find the cost of silence.
const SILENCE: f64 = 200.0;

/// Messages in a short and in a long stretch in which clients talk.
const MESSAGES: [f64; 2] = [25.0, 100.0];

/// Fractions that fill an interval evenly: multiples of 34 / 55, a ratio of Fibonacci numbers near the
/// golden ratio.
fn even(i: u64) -> f64 {
    ((i as f64 * 34.0 + 0.5) / LONE_MAILS as f64).fract()
}

/// The least that a mail costs, whatever the time between mails.
#[derive(Clone, Copy, Debug)]
pub struct Least {
    /// The cost of opening and ending a connection, with a request that brings nothing.
    pub opening: Sums,
    /// One mail with everything around it, but without a TLS handshake.
    pub one: Sums,
    /// What each further mail at the same instant adds.
    pub further: Sums,
}

/// Simulates a case's mail at one instant.
pub struct Instants {
    /// One client, on a link without delays.
    scenario: Scenario,
    /// The server's certificate and key, and the bytes of TLS handshakes.
    secured: Option<(Identity, [Handshake; 2])>,
}

impl Instants {
    /// For the mail of a scenario.
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

    /// The same, but each further handshake is a full one, too.
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

    /// What opening a connection again takes: TLS 1.3 adds a round trip to TCP's.
    pub fn opened(&self) -> Opened {
        let again = self.handshakes().map(|[_, again]| again);
        Opened {
            round_trips: 1 + u32::from(again.is_some()),
            bytes: again.map_or(0.0, |again| (again.up + again.down) as f64),
        }
    }

    /// The bytes of TLS handshakes: of a client's first, and of each further one.
    pub fn handshakes(&self) -> Option<[Handshake; 2]> {
        self.secured.as_ref().map(|(_, handshakes)| *handshakes)
    }

    /// The least that a technique's mail costs.
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

    /// The extra cost of a poll that opens its connection.
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

    /// The cost of a handshake: 0 is a client's first, 1 a further one.
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
        outcome(&self.lab(technique, scenario, due)?, technique)
    }

    /// The connections of such a run, with everything that crosses them.
    ///
    /// # Errors
    /// As for [`Instants::least`].
    pub fn record(
        &self,
        technique: &'static Technique,
        scenario: &Scenario,
        due: &[f64],
    ) -> anyhow::Result<Vec<Recorded>> {
        let recordings = Recordings::default();
        let lab = Lab {
            recordings: Some(recordings.clone()),
            ..self.lab(technique, scenario, due)?
        };
        outcome(&lab, technique)?;
        Ok(recordings.of(technique.name).connections())
    }

    fn lab(&self, technique: &'static Technique, scenario: &Scenario, due: &[f64]) -> anyhow::Result<Lab> {
        let mut scenario = Scenario {
            mails: due.len() as u64,
            ..scenario.clone()
        };
        // A technique that the network blocks is priced as if nothing blocked it.
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
        Ok(Lab {
            scenario: Arc::new(scenario),
            plan: Arc::new(plan),
            identity: self.secured.as_ref().map(|(identity, _)| identity.clone()),
            simulated: Some(Simulated::default()),
            ..lab
        })
    }
}

/// The outcome of a simulated run, in which all mail must come.
fn outcome(lab: &Lab, technique: &'static Technique) -> anyhow::Result<Outcome> {
    let outcome = Run::new(lab, technique, Duration::ZERO)
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

/// What a technique costs in the long run.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// What a client costs per second after the opening, on connections that are kept.
    pub per_s: Sums,
    /// The mean delay of mail, seconds.
    pub mean_delay: f64,
    /// If clients talk: what each message adds, and what talking costs once.
    pub messages: Option<(Sums, Sums)>,
}

/// Simulates a case's mail in the long run.
pub struct Stretches<'a> {
    instants: &'a Instants,
    /// Clients do not talk in it.
    scenario: Scenario,
    /// How often a client talks.
    talk_per_s: Option<f64>,
}

impl Stretches<'_> {
    /// For the mail of a scenario.
    pub fn of<'a>(scenario: &Scenario, instants: &'a Instants) -> Stretches<'a> {
        Stretches {
            instants,
            scenario: Scenario {
                clients: SIMULATED_CLIENTS,
                ..sample(scenario)
            },
            talk_per_s: scenario.talk_per_s,
        }
    }

    /// What a technique costs in the long run; `least` is the least that its mail costs.
    ///
    /// # Errors
    /// As for [`Instants::least`].
    pub fn steady(&self, technique: &'static Technique, least: &Least) -> anyhow::Result<Steady> {
        let pause = self.pause(technique);
        let per_pause = self.scenario.rate_per_s * pause;
        let delivers = (technique.delivers)(&self.scenario);
        let (mut per_s, mean_delay) = match delivers {
            _ if per_pause * ALONE < 1.0 => self.rare(technique, least, pause)?,
            Delivery::Polled if per_pause * FULL_POLLS > MOST_MAILS => self.full(technique, least, pause)?,
            _ => self.stretch(technique, &self.scenario, least, pause)?,
        };
        if delivers == Delivery::Polled {
            // A client polls once in an interval, exactly; a stretch ends anywhere in one.
            let replies = f64::from(u8::from(self.scenario.reply)) * self.scenario.rate_per_s;
            per_s.requests = 1.0 / pause + replies;
        }
        Ok(Steady {
            per_s,
            mean_delay,
            messages: self.messages(technique, pause)?,
        })
    }

    /// The time between two of a technique's messages when nothing happens, in seconds.
    pub fn pause(&self, technique: &Technique) -> f64 {
        let s = &self.scenario;
        match (technique.delivers)(s) {
            Delivery::Polled => s.poll_interval_ms / 1e3,
            Delivery::LongPolled if technique.layered.is_none() => (s.hold_ms + s.link.rtt_ms) / 1e3,
            Delivery::LongPolled => (s.heartbeat_ms + s.link.rtt_ms) / 1e3,
            Delivery::Streamed | Delivery::Duplex => s.heartbeat_ms / 1e3,
        }
    }

    /// One client instead of a few.
    pub fn single(&self) -> Scenario {
        Scenario {
            clients: 1,
            ..self.scenario.clone()
        }
    }

    /// When mails are due that are alone, in seconds, with this many pauses between them at least.
    pub fn lone_mails(&self, technique: &Technique, pause: f64, between: f64) -> Vec<f64> {
        match (technique.delivers)(&self.scenario) {
            // Polls find mail at every phase of their interval, evenly.
            Delivery::Polled => (0..LONE_MAILS)
                .map(|i| (i as f64 * between + even(i)) * pause)
                .collect(),
            // As with random gaps, each is on average half a pause longer than whole pauses.
            _ => (0..LONE_MAILS)
                .scan(0.0, |at, i| {
                    *at += (between + even(i)) * pause;
                    Some(*at)
                })
                .collect(),
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

    /// The cost per second and the mean delay of a long stretch of mail at the scenario's rate.
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

    /// The same for mail that is alone: the cost of a second's silence, plus that of each mail.
    fn rare(&self, technique: &'static Technique, least: &Least, pause: f64) -> anyhow::Result<(Sums, f64)> {
        let one = self.single();
        let silent = |pauses: f64| {
            let due = [0.0, (pauses + 0.5) * pause];
            anyhow::Ok(Sums::of(&self.simulate(technique, &one, &due)?))
        };
        let silence = silent(SILENCE + 1.0)?
            .plus(-1.0, silent(1.0)?)
            .times(1.0 / (SILENCE * pause));
        let due = self.lone_mails(technique, pause, PAUSES_BETWEEN);
        let outcome = self.simulate(technique, &self.scenario, &due)?;
        let span = due.last().copied().unwrap_or_default();
        let each = Sums::of(&outcome)
            .plus(-1.0, least.opening)
            .plus(-span, silence)
            .times(1.0 / LONE_MAILS as f64);
        let per_s = silence.plus(self.scenario.rate_per_s, each);
        Ok((per_s, mean_delay(&outcome)))
    }

    /// The same for polls that each bring more mail than can be simulated: the interval is shortened, and
    /// the cost of the extra polls, which would be empty, is subtracted.
    fn full(&self, technique: &'static Technique, least: &Least, pause: f64) -> anyhow::Result<(Sums, f64)> {
        let shorter = MOST_MAILS / FULL_POLLS / self.scenario.rate_per_s;
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

    /// If clients talk: what each message adds, and what talking costs once. The rate of mail is set to
    /// that of messages, because their cost does not depend on it.
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
            let said = talk.talk.as_ref().map_or(0, |t| t.sent) as f64 / SIMULATED_CLIENTS as f64;
            anyhow::Ok((said, Sums::of(&talk).plus(-1.0, Sums::of(&silence))))
        };
        let [few, many] = MESSAGES.map(added);
        let ((few, fewer), (many, more)) = (few?, many?);
        let per_message = more.plus(-1.0, fewer).times(1.0 / (many - few));
        Ok(Some((per_message, fewer.plus(-few, per_message))))
    }
}

/// The same scenario with the seed of all stretches, connections that are kept, and clients that do not talk.
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
pub fn enough(technique: &Technique, scenario: &Scenario, pause: f64) -> u64 {
    let per_pause = scenario.rate_per_s * pause;
    let polls = match (technique.delivers)(scenario) {
        Delivery::Polled => FULL_POLLS * per_pause,
        _ => 0.0,
    };
    let most = (MOST_BYTES / (scenario.size + scenario.attach).max(1)) as f64;
    (POLLS * per_pause)
        .clamp(MAILS.0, MAILS.1)
        .max(polls)
        .min(MOST_MAILS)
        .min(most)
        .max(8.0) as u64
}

/// When `mails` mails at a rate are due, in seconds. The gaps are in random order, but their lengths are
/// the average ones for each rank, so that the stretch lasts as long as that many mails do on average.
pub fn instants(rate_per_s: f64, mails: u64) -> Vec<f64> {
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

/// A lab with `mails` mails, which last as long as that many do on average.
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
