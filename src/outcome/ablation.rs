//! The result of `compare --ablate`: one technique behind a proxy, as it is and with each remedy alone.

use serde::{Deserialize, Serialize};

use super::{Envelope, Environment, Outcome, Scenario};

/// Everything one `mailcall compare --ablate` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ablation {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Whether nothing was measured.
    pub simulated: bool,
    /// The machine; `None` if nothing was measured.
    pub environment: Option<Environment>,
    /// The scenario without any remedy.
    pub scenario: Scenario,
    /// The run without any remedy, then one for each.
    pub results: Vec<Ablated>,
}

/// A run with one remedy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ablated {
    /// The line; `None` for the run without any.
    pub remedy: Option<String>,
    /// What it measured.
    pub outcome: Outcome,
}

/// What a remedy changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The proxy no longer collects: mail comes as it arrives.
    Flows,
    /// Mail comes sooner, but still in clumps.
    Sooner,
    /// Mail comes later.
    Later,
    /// Nothing that can be told from chance.
    Nothing,
}

impl Ablation {
    /// The run without any remedy.
    pub fn before(&self) -> Option<&Outcome> {
        self.results
            .iter()
            .find(|r| r.remedy.is_none())
            .map(|r| &r.outcome)
    }
}

/// What a remedy changed of the run before it.
pub fn change(before: &Outcome, after: &Outcome) -> Change {
    let mean = |o: &Outcome| o.latency_us.as_ref().map_or(f64::INFINITY, |l| l.mean);
    let each = |o: &Outcome| {
        let behind = o.behind_proxies.as_ref();
        behind.and_then(|b| b.mails_per_clump()).unwrap_or(f64::INFINITY)
    };
    let (was, is) = (mean(before), mean(after));
    // Of what a proxy collects, hardly anything is left; and the rest is not this machine's noise.
    if is < was / 10.0 && each(after) < each(before) {
        Change::Flows
    } else if (is - was).abs() <= was * 0.1 + 5e3 {
        Change::Nothing
    } else if is < was {
        Change::Sooner
    } else {
        Change::Later
    }
}
