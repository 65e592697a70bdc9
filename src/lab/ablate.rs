//! A technique behind a proxy: as it is, and with each remedy alone.

use std::sync::Arc;
use std::time::Duration;

use super::compare::SHIFT;
use super::gate::Gate;
use super::run::Run;
use super::{Lab, OnProgress, awake, descriptors, threads};
use crate::outcome::Scenario;
use crate::outcome::ablation::Ablated;
use crate::proxy::REMEDIES;
use crate::technique::Technique;

impl Lab {
    /// Runs the technique without any remedy and with each alone, all against the same mail at once, or simulated.
    /// Each remedy changes every proxy of the scenario.
    ///
    /// # Errors
    /// As [`Lab::compare`].
    pub fn ablate(
        &self,
        technique: &'static Technique,
        progress: OnProgress,
    ) -> anyhow::Result<Vec<Ablated>> {
        let lines = [None].into_iter().chain(REMEDIES.iter().map(Some));
        let labs = lines.map(|remedy| {
            let mut scenario = Scenario::clone(&self.scenario);
            for proxy in &mut scenario.proxy {
                remedy
                    .iter()
                    .for_each(|remedy| (remedy.apply)(&mut proxy.settings));
            }
            let lab = Lab {
                scenario: Arc::new(scenario),
                ..self.clone()
            };
            (remedy.map(|remedy| remedy.line), lab)
        });
        let labs: Vec<(Option<&str>, Lab)> = labs.collect();
        let outcomes = if self.simulated.is_some() {
            let simulate =
                |(_, lab): &(Option<&str>, Lab)| Run::new(lab, technique, Duration::ZERO).simulate();
            threads::on_all_cores(&labs, simulate).into_iter().collect()
        } else {
            descriptors::for_run(&self.scenario, labs.len(), false, false)?;
            let _awake = awake::keep();
            self.warm_up(&[technique])?;
            let gate = Gate::new(labs.len());
            let runs = labs.iter().zip(0_u32..).map(|((_, lab), i)| {
                let (run, gate) = (Run::new(lab, technique, SHIFT * i), &gate);
                (technique.name, move || run.go(gate, progress))
            });
            threads::at_once(&gate, runs)
        };
        let outcomes: Vec<_> = outcomes?;
        let rows = labs.iter().zip(outcomes).map(|((remedy, _), outcome)| Ablated {
            remedy: remedy.map(Into::into),
            outcome,
        });
        Ok(rows.collect())
    }
}
