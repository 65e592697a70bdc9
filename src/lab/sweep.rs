//! A sweep: one knob over a range, with the same techniques run or simulated at each setting.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{Lab, Progress, descriptors, threads};
use crate::outcome::sweep::{
    self, Crossover, CutFrom, Figures, PredictedRow, Row, Scale, Stop, Turned, Unit,
};
use crate::outcome::{Outcome, Scenario};
use crate::technique::{self, Technique};

/// A knob: a flag whose value is a number.
#[derive(Debug)]
pub struct Knob {
    /// The flag without its dashes.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    get: fn(&Scenario) -> f64,
    set: fn(&mut Scenario, f64),
}

/// Every knob that can be swept.
pub static KNOBS: &[Knob] = &[
    Knob {
        name: "mails",
        unit: Unit::Number,
        get: |s| s.mails as f64,
        set: |s, v| s.mails = v as u64,
    },
    Knob {
        name: "rate",
        unit: Unit::PerSecond,
        get: |s| s.rate_per_s,
        set: |s, v| s.rate_per_s = v,
    },
    Knob {
        name: "size",
        unit: Unit::Bytes,
        get: |s| s.size as f64,
        set: |s, v| s.size = v as usize,
    },
    Knob {
        name: "attach",
        unit: Unit::Bytes,
        get: |s| s.attach as f64,
        set: |s, v| s.attach = v as usize,
    },
    Knob {
        name: "clients",
        unit: Unit::Number,
        get: |s| s.clients as f64,
        set: |s, v| s.clients = v as usize,
    },
    Knob {
        name: "slow",
        unit: Unit::Number,
        get: |s| s.slow as f64,
        set: |s, v| s.slow = v as usize,
    },
    Knob {
        name: "talk",
        unit: Unit::PerSecond,
        get: |s| s.talk_per_s.unwrap_or_default(),
        set: |s, v| s.talk_per_s = Some(v),
    },
    Knob {
        name: "interval",
        unit: Unit::Milliseconds,
        get: |s| s.poll_interval_ms,
        set: |s, v| s.poll_interval_ms = v,
    },
    Knob {
        name: "hold",
        unit: Unit::Milliseconds,
        get: |s| s.hold_ms,
        set: |s, v| s.hold_ms = v,
    },
    Knob {
        name: "heartbeat",
        unit: Unit::Milliseconds,
        get: |s| s.heartbeat_ms,
        set: |s, v| s.heartbeat_ms = v,
    },
    Knob {
        name: "retry",
        unit: Unit::Milliseconds,
        get: |s| s.retry.first_ms.unwrap_or_default(),
        set: |s, v| s.retry.first_ms = Some(v),
    },
    Knob {
        name: "servers",
        unit: Unit::Number,
        get: |s| s.servers as f64,
        set: |s, v| s.servers = v as usize,
    },
    Knob {
        name: "threads",
        unit: Unit::Number,
        get: |s| s.threads as f64,
        set: |s, v| s.threads = v as usize,
    },
    Knob {
        name: "rtt",
        unit: Unit::Milliseconds,
        get: |s| s.link.rtt_ms,
        set: |s, v| s.link.rtt_ms = v,
    },
    Knob {
        name: "jitter",
        unit: Unit::Milliseconds,
        get: |s| s.link.jitter_ms,
        set: |s, v| s.link.jitter_ms = v,
    },
    Knob {
        name: "bandwidth",
        unit: Unit::BitPerSecond,
        get: |s| s.link.bandwidth_bit_s.unwrap_or(f64::INFINITY),
        set: |s, v| s.link.bandwidth_bit_s = Some(v),
    },
    Knob {
        name: "loss",
        unit: Unit::Fraction,
        get: |s| s.link.loss_fraction,
        set: |s, v| s.link.loss_fraction = v,
    },
];

/// The function that receives the progress of a setting.
pub type BoxedOnProgress = Box<dyn Fn(Progress) + Sync>;

impl Knob {
    /// Its value in a scenario.
    pub fn at(&self, scenario: &Scenario) -> f64 {
        (self.get)(scenario)
    }

    /// A scenario with the knob set to a value.
    pub fn turned(&self, scenario: &Scenario, to: f64) -> Scenario {
        let mut scenario = scenario.clone();
        (self.set)(&mut scenario, to);
        scenario
    }

    /// Whether its values are whole numbers.
    fn whole(&self) -> bool {
        matches!(self.unit, Unit::Number | Unit::Bytes)
    }
}

/// For how many seconds mail arrives if the user does not say how much: each setting then takes about as
/// long, and the cost of opening a connection is spread over as many seconds.
const MAIL_FOR_S: f64 = 5.0;

/// How near to each other the settings are between which a limit is said to lie, as a share.
const NEAR: f64 = 0.01;

/// The fewest and the most mails of a setting.
const MAILS: (f64, f64) = (20.0, 5_000.0);

/// A scenario with as much mail as a setting should have.
pub fn with_enough_mail(scenario: Scenario) -> Scenario {
    Scenario {
        mails: (scenario.rate_per_s * MAIL_FOR_S).ceil().clamp(MAILS.0, MAILS.1) as u64,
        ..scenario
    }
}

/// A sweep about to begin.
#[derive(Debug)]
pub struct Sweeping {
    knob: &'static Knob,
    turned: Turned,
    techniques: Vec<&'static Technique>,
    mode: RunMode,
    enough_mail: bool,
    interrupt: CancellationToken,
    span: Duration,
}

/// How each setting is run.
#[derive(Clone, Debug, Default)]
pub struct RunMode {
    /// One technique after the other.
    pub one_at_a_time: bool,
    /// Each server in a process of its own.
    pub isolate: Option<std::path::PathBuf>,
}

impl Sweeping {
    /// Prepares a sweep, in ascending order, and checks that each setting can be run. `enough_mail` says
    /// that the number of mails follows the rate.
    ///
    /// # Errors
    /// If a file that a scenario names cannot be used.
    pub fn new(
        knob: &'static Knob,
        stops: Vec<(String, Scenario)>,
        techniques: &[&'static Technique],
        mode: RunMode,
        enough_mail: bool,
    ) -> anyhow::Result<Sweeping> {
        let at_once = if mode.one_at_a_time {
            techniques.len() as u32
        } else {
            1
        };
        let mut span = Duration::ZERO;
        let stop = |(text, scenario): (String, Scenario)| {
            // The mail of all settings at once might not fit into memory: it is drawn again when its setting runs.
            let lab = Lab::new(scenario)?;
            span += lab.plan.span() * lab.scenario.repeat * at_once;
            Ok(Stop {
                text,
                at: knob.at(&lab.scenario),
                scenario: (*lab.scenario).clone(),
            })
        };
        let mut stops: Vec<Stop> = stops.into_iter().map(stop).collect::<anyhow::Result<_>>()?;
        stops.sort_by(|a, b| a.at.total_cmp(&b.at));
        Ok(Sweeping {
            knob,
            turned: Turned {
                name: knob.name.into(),
                unit: knob.unit,
                scale: Scale::fitting(stops.iter().map(|s| s.at)),
                stops,
            },
            techniques: techniques.to_vec(),
            mode,
            enough_mail,
            interrupt: CancellationToken::new(),
            span,
        })
    }

    fn lab(&self, stop: &Stop) -> anyhow::Result<Lab> {
        Ok(Lab {
            one_at_a_time: self.mode.one_at_a_time,
            isolate: self.mode.isolate.clone(),
            steady: true,
            interrupt: self.interrupt.clone(),
            ..Lab::new(stop.scenario.clone())?
        })
    }

    /// The knob and its settings.
    pub fn turned(&self) -> &Turned {
        &self.turned
    }

    /// Cancelled to end early, with the results so far.
    pub fn interrupt(&self) -> CancellationToken {
        self.interrupt.clone()
    }

    /// How long mail arrives in all settings together.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Checks that there are enough descriptors for the clients of every setting.
    ///
    /// # Errors
    /// If a setting has too many clients.
    pub fn ensure_room(&self) -> anyhow::Result<()> {
        let techniques = self.techniques.len();
        let mode = &self.mode;
        self.turned.stops.iter().try_for_each(|stop| {
            let isolated = mode.isolate.is_some();
            descriptors::for_run(&stop.scenario, techniques, mode.one_at_a_time, isolated)
        })
    }

    /// Runs it, setting by setting. It calls `begun` when a setting begins, and `came` with the setting's
    /// rows. If it is interrupted, it leaves out the setting that was not complete, unless it is the first.
    ///
    /// # Errors
    /// As [`Lab::repeat`].
    pub fn run(
        &self,
        begun: &dyn Fn(&Stop) -> BoxedOnProgress,
        came: &dyn Fn(&Stop, &[Row]),
    ) -> anyhow::Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        for stop in &self.turned.stops {
            let progress = begun(stop);
            let outcomes = self.lab(stop)?.repeat(&self.techniques, &*progress);
            drop(progress);
            if self.interrupt.is_cancelled() && !rows.is_empty() {
                break;
            }
            let outcomes = outcomes.with_context(|| format!("at --{} {}", self.knob.name, stop.text))?;
            let new: Vec<Row> = outcomes.into_iter().map(|o| row(stop, o)).collect();
            came(stop, &new);
            rows.extend(new);
            if self.interrupt.is_cancelled() {
                break;
            }
        }
        Ok(rows)
    }

    /// Simulates each setting.
    ///
    /// # Errors
    /// If a file that a scenario names cannot be used.
    pub fn simulate(&self) -> anyhow::Result<Vec<Row>> {
        let labs = self
            .turned
            .stops
            .iter()
            .map(|stop| Ok((stop.at, self.lab(stop)?)));
        let labs: Vec<(f64, Lab)> = labs.collect::<anyhow::Result<_>>()?;
        let each: Vec<(f64, &Lab, &'static Technique)> = labs
            .iter()
            .flat_map(|(at, lab)| self.techniques.iter().map(move |t| (*at, lab, *t)))
            .collect();
        Ok(threads::on_all_cores(&each, |(at, lab, technique)| Row {
            at: *at,
            figures: Figures::Predicted(lab.predicted_row(technique).into()),
        }))
    }

    /// Where one technique overtakes another.
    pub fn crossovers(&self, rows: &[Row]) -> Vec<Crossover> {
        let known = RefCell::new(BTreeMap::new());
        let between = |at: f64, name: &str| {
            // Several pairs and figures need the same one.
            let key = (at.to_bits(), name.to_string());
            if let Some(row) = known.borrow().get(&key) {
                return Option::clone(row);
            }
            let row = self.predict_at(at, name);
            known.borrow_mut().insert(key, row.clone());
            row
        };
        sweep::crossovers(rows, &self.turned, self.knob.whole(), &between)
    }

    /// From where on a proxy cuts what a technique keeps open, to a hundredth of the setting, by simulation.
    pub fn cuts(&self, rows: &[Row]) -> Vec<CutFrom> {
        let each = self.techniques.iter().filter_map(|technique| {
            let own: Vec<&Row> = rows
                .iter()
                .filter(|row| row.technique() == technique.name)
                .collect();
            let is_cut = |row: &Row| row.cuts().is_some_and(|n| n > 0);
            let pair = own.windows(2).find(|pair| !is_cut(pair[0]) && is_cut(pair[1]))?;
            let (mut below, mut from) = (pair[0].at, pair[1].at);
            while from - below > below * NEAR {
                let at = (below + from) / 2.0;
                let behind = self.predict_at(at, technique.name)?.predicted.behind_proxies?;
                match behind.cuts() {
                    0 => below = at,
                    _ => from = at,
                }
            }
            Some(CutFrom {
                technique: technique.name.into(),
                below,
                from,
            })
        });
        each.collect()
    }

    /// The prediction between two settings; `None` where the scenario is not possible.
    fn predict_at(&self, at: f64, name: &str) -> Option<PredictedRow> {
        let first = self.turned.stops.first()?;
        let scenario = Scenario {
            repeat: 1,
            ..self.knob.turned(&first.scenario, at)
        };
        let scenario = match self.enough_mail {
            true => with_enough_mail(scenario),
            false => scenario,
        };
        Some(Lab::new(scenario).ok()?.predicted_row(technique::named(name)?))
    }
}

/// A sweep keeps figures, but no events and connections: they would be most of the file.
fn row(stop: &Stop, mut outcome: Outcome) -> Row {
    let seeds = outcome.repeats.iter_mut();
    for seed in seeds {
        (seed.events, seed.events_truncated) = (Vec::new(), true);
    }
    outcome.events_truncated |= !outcome.events.is_empty();
    outcome.events = Vec::new();
    outcome.connections.each = Vec::new();
    outcome.attempts = Vec::new();
    outcome.samples_us = Vec::new();
    Row {
        at: stop.at,
        figures: Figures::Measured(Box::new(outcome)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knob_that_is_turned_is_where_it_was_turned_to() {
        for knob in KNOBS {
            let turned = knob.turned(&Scenario::default(), 77.0);
            assert_eq!(knob.at(&turned), 77.0, "{}", knob.name);
            let others = KNOBS.iter().filter(|other| other.name != knob.name);
            for other in others {
                assert_eq!(
                    other.at(&turned),
                    other.at(&Scenario::default()),
                    "{}",
                    other.name
                );
            }
        }
    }

    #[test]
    fn mail_comes_for_seconds_within_bounds() {
        let mails = |rate_per_s: f64| {
            with_enough_mail(Scenario {
                rate_per_s,
                ..Scenario::default()
            })
            .mails
        };
        assert_eq!([mails(0.1), mails(10.0), mails(1e5)], [20, 50, 5_000]);
    }
}
