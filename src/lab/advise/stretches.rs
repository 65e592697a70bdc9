//! The mail that stands for all of a case's, and what the models say of it.

use std::sync::Arc;
use std::time::Duration;

use super::super::Lab;
use crate::link::tls::Identity;
use crate::mail::Plan;
use crate::outcome::{Link, Prediction, Scenario};
use crate::technique::{Technique, talk};
use crate::theory::{Handshake, Opened};

/// The seed of all of it.
const SAMPLE: u64 = 0x6d61_696c;

/// Clients that stand for all: their phases and their luck are averaged over.
const CROWD: usize = 16;

/// A long stretch of mail: enough for chance to even out, and for the longest time in it to pass
/// several times, but no more than can be looked through at once.
const MAILS: (f64, f64) = (2_000.0, 20_000.0);
const TIMES: f64 = 20.0;
const BYTES: usize = 16 << 20;

/// A long stretch of messages.
const MESSAGES: u64 = 800;

/// What a case's mail costs in the least: it depends on no time.
pub struct Instants {
    /// A mail in one instant, and two in the same: what one costs, and what comes before any.
    labs: [Lab; 2],
    handshakes: Option<[Handshake; 2]>,
}

impl Instants {
    /// Of a scenario's mail.
    ///
    /// # Errors
    /// If a header file cannot be used, or TLS handshakes cannot be rehearsed.
    pub fn of(scenario: &Scenario) -> anyhow::Result<Instants> {
        let crowd = Scenario {
            link: Link::default(),
            ..crowd(scenario)
        };
        let at_once = |mails| anyhow::Ok(due(&stretch(&crowd, mails)?, |_, _| Duration::ZERO));
        let labs = [at_once(1)?, at_once(2)?];
        let typical = Lab {
            identity: scenario.tls.then(Identity::typical).transpose()?,
            ..labs[0].clone()
        };
        Ok(Instants {
            handshakes: typical.handshakes()?,
            labs,
        })
    }

    /// The same where each further handshake is a whole one, too.
    pub fn without_resumption(self) -> Instants {
        Instants {
            handshakes: self.handshakes.map(|[first, _]| [first, first]),
            ..self
        }
    }

    /// A connection that is opened again: TLS 1.3 takes a round trip more than TCP.
    pub fn opened(&self) -> Opened {
        Opened {
            round_trips: 1 + u32::from(self.handshakes.is_some()),
            bytes: self
                .handshakes
                .map_or(0.0, |[_, again]| (again.up + again.down) as f64),
        }
    }

    /// TLS handshakes: a client's first, and each further one.
    pub fn handshakes(&self) -> Option<[Handshake; 2]> {
        self.handshakes
    }

    /// What it takes to open and end a connection, with a request that brings nothing.
    pub fn opening(&self, technique: &Technique) -> Sums {
        let [one, two] = self.sums(technique, self.handshakes);
        one.times(2.0).plus(-1.0, two)
    }

    /// A mail by itself, with all that is round it, but without a TLS handshake; and what each further one
    /// adds to it.
    pub fn exchange(&self, technique: &Technique) -> (Sums, Sums) {
        let records = self.handshakes.map(|_| [Handshake::default(); 2]);
        let [one, two] = self.sums(technique, records);
        (one, two.plus(-1.0, one))
    }

    fn sums(&self, technique: &Technique, handshakes: Option<[Handshake; 2]>) -> [Sums; 2] {
        let sums = |lab: &Lab| Sums::of(&lab.foresee_with(technique, handshakes).predicted);
        self.labs.each_ref().map(sums)
    }
}

/// Mail such as a scenario has.
pub struct Stretches {
    /// A long stretch, that lasts exactly as long as so many mails do on average.
    long: Lab,
    /// The same, with time before the first mail: nobody is still opening a connection then.
    settled: Lab,
    /// On a link without delays, two mails that two polls find: the second on an open connection.
    apart: Lab,
    /// Where clients talk: a short and a long stretch in which they do, and the same in silence.
    talking: Option<[[Lab; 2]; 2]>,
    handshakes: Option<[Handshake; 2]>,
}

impl Stretches {
    /// Of a scenario's mail.
    ///
    /// # Errors
    /// If a header file cannot be used.
    pub fn of(scenario: &Scenario, instants: &Instants) -> anyhow::Result<Stretches> {
        let crowd = crowd(scenario);
        let long = stretch(&crowd, enough(&crowd))?;
        let lead = Duration::from_secs_f64((2.0 * crowd.poll_interval_ms + 8.0 * crowd.link.rtt_ms) / 1e3);
        let bare = Scenario {
            link: Link::default(),
            ..crowd.clone()
        };
        let polls = [Duration::ZERO, crowd.poll_interval()];
        Ok(Stretches {
            settled: due(&long, |_, due| due + lead),
            apart: due(&stretch(&bare, 2)?, |i, _| polls[i]),
            talking: talking(scenario)?,
            handshakes: instants.handshakes,
            long,
        })
    }

    fn ask(&self, lab: &Lab, technique: &Technique) -> Prediction {
        lab.foresee_with(technique, self.handshakes).predicted
    }

    /// The mean delay of mail, seconds.
    pub fn mean_delay(&self, technique: &Technique) -> f64 {
        self.ask(&self.settled, technique).latency_us.mean / 1e6
    }

    /// What a client takes per second besides `opening`, on connections that are kept, and how that was
    /// come by.
    pub fn per_s(&self, technique: &Technique, opening: Sums) -> (Sums, String) {
        let predicted = self.ask(&self.long, technique);
        let span = self.long.plan.span().as_secs_f64();
        let sums = Sums::of(&predicted).plus(-1.0, opening).times(1.0 / span);
        (sums, predicted.method)
    }

    /// What a poll costs more because it opens its connection.
    pub fn reopening(&self, technique: &Technique, instants: &Instants) -> Sums {
        let again = self.handshakes.map(|[_, again]| [again, again]);
        let [one, _] = instants.sums(technique, again);
        let two = Sums::of(&self.apart.foresee_with(technique, again).predicted);
        one.times(2.0).plus(-1.0, two)
    }

    /// Where clients talk: what each message adds, and what all of them together.
    pub fn messages(&self, technique: &Technique) -> Option<(Sums, Sums)> {
        let added = |[talks, silent]: &[Lab; 2]| {
            let said = talk::schedules(&talks.scenario, talks.plan.span());
            let each = said.iter().map(Vec::len).sum::<usize>() as f64 / CROWD as f64;
            let sums =
                Sums::of(&self.ask(talks, technique)).plus(-1.0, Sums::of(&self.ask(silent, technique)));
            (each, sums)
        };
        let [(few, fewer), (many, more)] = self.talking.as_ref()?.each_ref().map(added);
        let per_message = more.plus(-1.0, fewer).times(1.0 / (many - few));
        Some((per_message, fewer.plus(-few, per_message)))
    }
}

fn crowd(scenario: &Scenario) -> Scenario {
    Scenario {
        seed: SAMPLE,
        clients: CROWD,
        talk_per_s: None,
        ..scenario.clone()
    }
}

/// As much mail as messages, both at the rate of the messages: what these cost does not depend on the mail,
/// and so neither is much to look through.
fn talking(scenario: &Scenario) -> anyhow::Result<Option<[[Lab; 2]; 2]>> {
    let Some(rate) = scenario.talk_per_s else {
        return Ok(None);
    };
    let said = |mails: u64| {
        let silent = Scenario {
            rate_per_s: rate,
            ..crowd(scenario)
        };
        let talks = Scenario {
            talk_per_s: Some(rate),
            ..silent.clone()
        };
        anyhow::Ok([stretch(&talks, mails)?, stretch(&silent, mails)?])
    };
    Ok(Some([said(MESSAGES / 4)?, said(MESSAGES)?]))
}

/// How many mails the long stretch has.
fn enough(scenario: &Scenario) -> u64 {
    let in_interval = scenario.rate_per_s * scenario.poll_interval_ms / 1e3;
    let most = (BYTES / scenario.size.max(1)) as f64;
    (TIMES * in_interval).clamp(MAILS.0, MAILS.1).min(most).max(32.0) as u64
}

/// A lab with so many mails, that last as long as so many do on average.
pub fn stretch(scenario: &Scenario, mails: u64) -> anyhow::Result<Lab> {
    let lab = Lab::new(Scenario {
        mails,
        repeat: 1,
        ..scenario.clone()
    })?;
    let wanted = mails as f64 / scenario.rate_per_s;
    let factor = wanted / lab.plan.span().as_secs_f64().max(1e-9);
    Ok(due(&lab, |_, due| due.mul_f64(factor)))
}

/// The same mail at other instants.
fn due(lab: &Lab, at: impl Fn(usize, Duration) -> Duration) -> Lab {
    let mut plan = Plan::clone(&lab.plan);
    for (i, planned) in plan.mails.iter_mut().enumerate() {
        planned.due = at(i, planned.due);
    }
    Lab {
        plan: Arc::new(plan),
        ..lab.clone()
    }
}

/// What one client takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// HTTP requests.
    pub requests: f64,
    /// Bytes to the server.
    pub up: f64,
    /// Bytes from it.
    pub down: f64,
    /// Of both, all but payload.
    pub overhead: f64,
}

impl Sums {
    fn of(p: &Prediction) -> Sums {
        let each = 1.0 / CROWD as f64;
        Sums {
            requests: p.requests.total * each,
            up: p.bytes.up.total * each,
            down: p.bytes.down.total * each,
            overhead: p.overhead_bytes * each,
        }
    }

    /// Both ways.
    pub fn bytes(self) -> f64 {
        self.up + self.down
    }

    /// So many times as much.
    pub fn times(self, factor: f64) -> Sums {
        Sums::default().plus(factor, self)
    }

    /// `self + factor · other`
    pub fn plus(self, factor: f64, other: Sums) -> Sums {
        Sums {
            requests: self.requests + factor * other.requests,
            up: self.up + factor * other.up,
            down: self.down + factor * other.down,
            overhead: self.overhead + factor * other.overhead,
        }
    }
}
