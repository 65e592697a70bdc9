//! A result that was saved as JSON.

use crate::outcome::Report;
use crate::outcome::ablation::Ablation;
use crate::outcome::advice::Advice;
use crate::outcome::class::Class;
use crate::outcome::storm::Storm;
use crate::outcome::sum::Sum;
use crate::outcome::sweep::Sweep;
use crate::outcome::vanish::{Forgetting, Vanishing};
use crate::report::transcript::Account;
use crate::report::view::View;

/// A result that was saved as JSON.
#[derive(Debug)]
pub enum Saved {
    /// From a technique's command, or from `compare`.
    Run(Box<Report>),
    /// Of `report --sum`.
    Sum(Box<Sum>),
    /// From `sweep`.
    Sweep(Box<Sweep>),
    /// From `advise`.
    Advice(Box<Advice>),
    /// From `vanish`.
    Vanishing(Box<Vanishing>),
    /// Of `vanish --nat`.
    Forgetting(Box<Forgetting>),
    /// Of `compare --ablate`.
    Ablation(Box<Ablation>),
    /// From `storm`.
    Storm(Box<Storm>),
    /// From `inspect`.
    Inspection(Box<Account>),
    /// From `class`.
    Class(Box<Class>),
}

impl Saved {
    /// The view that draws it.
    pub fn view(&self) -> &dyn View {
        match self {
            Saved::Run(report) => &**report,
            Saved::Sum(sum) => &**sum,
            Saved::Sweep(sweep) => &**sweep,
            Saved::Advice(advice) => &**advice,
            Saved::Vanishing(vanishing) => &**vanishing,
            Saved::Forgetting(forgetting) => &**forgetting,
            Saved::Ablation(ablation) => &**ablation,
            Saved::Storm(storm) => &**storm,
            Saved::Inspection(account) => &**account,
            Saved::Class(class) => &**class,
        }
    }

    /// Its name in a sentence.
    pub fn kind(&self) -> &'static str {
        match self {
            Saved::Run(_) => "a run",
            Saved::Sum(_) => "a sum of several machines",
            Saved::Sweep(_) => "a sweep",
            Saved::Advice(_) => "advice",
            Saved::Vanishing(_) => "of clients that vanished",
            Saved::Forgetting(_) => "of connections that a NAT forgot",
            Saved::Ablation(_) => "of remedies against a proxy",
            Saved::Storm(_) => "of a server that came back",
            Saved::Inspection(_) => "an inspection",
            Saved::Class(_) => "of a class",
        }
    }
}
