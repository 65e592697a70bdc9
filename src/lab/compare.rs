//! Runs techniques against the same mail: all at once, one after the other, or simulated.

use std::time::Duration;

use super::gate::Gate;
use super::run::Run;
use super::{Lab, OnProgress, awake, descriptors, threads};
use crate::outcome::{Arrivals, Link, LogPlace, Outcome, Scenario};
use crate::technique::Technique;

/// How far apart techniques that run at once are shifted, so that they don't all want the processor
/// at the instant a mail arrives.
pub(super) const SHIFT: Duration = Duration::from_millis(3);

/// How many simulated runs go on at once: each is one thread's work, and holds all its clients in memory.
const SIMULATED_AT_ONCE: usize = 2;

impl Lab {
    /// Runs the techniques against the same mail; outcomes come in the order of `techniques`.
    ///
    /// # Errors
    /// If there are too few descriptors, if a server or client cannot start, or if the labels of a
    /// connection don't sum to its bytes.
    pub fn compare(
        &self,
        techniques: &[&'static Technique],
        progress: OnProgress,
    ) -> anyhow::Result<Vec<Outcome>> {
        if self.simulated.is_some() {
            return self.simulate(techniques);
        }
        descriptors::for_run(
            &self.scenario,
            techniques.len(),
            self.one_at_a_time,
            self.isolate.is_some(),
        )?;
        let _awake = self.steady.then(awake::keep);
        if self.steady {
            self.warm_up(techniques)?;
        }
        if self.one_at_a_time {
            let each = techniques.iter().map(|t| {
                if self.interrupt.is_cancelled() {
                    return Ok(None);
                }
                Run::new(self, t, Duration::ZERO)
                    .go(&Gate::new(1), progress)
                    .map(Some)
            });
            return each.filter_map(Result::transpose).collect();
        }
        let gate = Gate::new(techniques.len());
        let runs = techniques.iter().enumerate().map(|(i, t)| {
            let place = (i as u64 + self.scenario.seed) % techniques.len() as u64;
            let run = Run::new(self, t, SHIFT * place as u32);
            let gate = &gate;
            (t.name, move || run.go(gate, progress))
        });
        threads::at_once(&gate, runs)
    }

    /// Simulates each technique by itself: the others would change nothing for it.
    fn simulate(&self, techniques: &[&'static Technique]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for some in techniques.chunks(SIMULATED_AT_ONCE) {
            if self.interrupt.is_cancelled() {
                break;
            }
            let runs = some
                .iter()
                .map(|t| (t.name, move || Run::new(self, t, Duration::ZERO).simulate()));
            outcomes.extend(threads::at_once(&Gate::new(some.len()), runs)?);
        }
        Ok(outcomes)
    }

    /// Sends a few mails through each technique that are not counted: whatever happens for the first time
    /// is slower, from page faults to allocations.
    pub(super) fn warm_up(&self, techniques: &[&'static Technique]) -> anyhow::Result<()> {
        let short = Scenario {
            mails: 4,
            rate_per_s: 200.0,
            arrivals: Arrivals::Steady,
            replay: None,
            clients: 1,
            tabs: None,
            slow: 0,
            poll_interval_ms: 5.0,
            repeat: 1,
            // A stream would be one more, and the run opens its own before its clients come.
            log: LogPlace::Memory,
            link: Link::default(),
            ..(*self.scenario).clone()
        };
        let lab = Lab {
            interrupt: self.interrupt.clone(),
            headers: self.headers.clone(),
            ..Lab::new(short)?
        };
        lab.compare(techniques, &|_| {}).map(drop)
    }
}
