//! A result that was saved as JSON.

use crate::outcome::Report;
use crate::outcome::advice::Advice;
use crate::outcome::sweep::Sweep;
use crate::outcome::vanish::Vanishing;
use crate::report::transcript::Account;
use crate::report::view::View;

/// A result that was saved as JSON.
#[derive(Debug)]
pub enum Saved {
    /// Of a technique's command, or of `compare`.
    Run(Box<Report>),
    /// Of `sweep`.
    Sweep(Box<Sweep>),
    /// Of `advise`.
    Advice(Box<Advice>),
    /// Of `vanish`.
    Vanishing(Box<Vanishing>),
    /// Of `inspect`.
    Inspection(Box<Account>),
}

impl Saved {
    /// As what it is drawn.
    pub fn view(&self) -> &dyn View {
        match self {
            Saved::Run(report) => &**report,
            Saved::Sweep(sweep) => &**sweep,
            Saved::Advice(advice) => &**advice,
            Saved::Vanishing(vanishing) => &**vanishing,
            Saved::Inspection(account) => &**account,
        }
    }

    /// What it is called in a sentence.
    pub fn kind(&self) -> &'static str {
        match self {
            Saved::Run(_) => "a run",
            Saved::Sweep(_) => "a sweep",
            Saved::Advice(_) => "advice",
            Saved::Vanishing(_) => "of clients that vanished",
            Saved::Inspection(_) => "an inspection",
        }
    }
}
