//! A real run, with its prediction beside it.

use super::gate::Gate;
use super::predict::predict;
use super::run::Run;
use super::{OnProgress, Simulated, threads};
use crate::outcome::Outcome;

impl Run<'_> {
    /// Runs it in real time. It is predicted before its clients start, so that the prediction takes no processor
    /// time from them.
    ///
    /// # Errors
    /// If server or clients cannot start, clients don't get ready, or the labels don't balance.
    pub fn go(&self, gate: &Gate, progress: OnProgress) -> anyhow::Result<Outcome> {
        let predict = |address| predict(self.lab, self.technique, Simulated::now(address));
        threads::block_on(self.drive(gate, progress, predict))?
    }
}
