//! Which techniques a command runs: those that were named, if they are possible.

use anyhow::anyhow;
use clap::ArgMatches;

use super::failure::Failure;
use crate::lang::t;
use crate::outcome::{Absent, Scenario};
use crate::technique::{self, Technique};

/// The techniques that were named; if none was, the usual ones, or all of them.
pub fn named(matches: &ArgMatches) -> Vec<&'static Technique> {
    named_or(matches, |t| t.usual)
}

/// The same, with these instead of the usual ones.
pub fn named_or(matches: &ArgMatches, usual: impl Fn(&Technique) -> bool) -> Vec<&'static Technique> {
    let named: Vec<&String> = matches.get_many("technique").unwrap_or_default().collect();
    let all = matches.try_get_one("all").ok().flatten() == Some(&true);
    let chosen = technique::ALL.iter().copied().filter(|t| match named.is_empty() {
        true => all || usual(t),
        false => named.iter().any(|n| *n == t.name),
    });
    chosen.collect()
}

/// The techniques that can exist in a scenario, if any can, and those that cannot.
pub fn possible(
    techniques: &[&'static Technique],
    scenario: &Scenario,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    apart(techniques, false, |t| (t.cannot)(scenario))
}

/// The same for a run, which may have none: that a proxy lets nothing through is a result.
pub fn possible_or_none(
    techniques: &[&'static Technique],
    scenario: &Scenario,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    apart(techniques, !scenario.proxy.is_empty(), |t| (t.cannot)(scenario))
}

/// The same, but without techniques that are possible and deliver nothing in time.
pub fn useful(
    techniques: &[&'static Technique],
    scenario: &Scenario,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    apart(techniques, false, |t| t.useless(scenario))
}

fn apart(
    techniques: &[&'static Technique],
    may_be_none: bool,
    why: impl Fn(&Technique) -> Option<&'static str>,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    let (absent, possible): (Vec<_>, Vec<_>) = techniques
        .iter()
        .map(|t| (*t, why(t)))
        .partition(|(_, why)| why.is_some());
    let absent: Vec<Absent> = absent
        .into_iter()
        .filter_map(|(t, why)| {
            Some(Absent {
                technique: t.name.into(),
                why: why?.into(),
            })
        })
        .collect();
    let nothing = possible.is_empty() && !may_be_none;
    if let (Some(Absent { technique, why }), true) = (absent.first(), nothing) {
        return Err(Failure::Usage(anyhow!(t!(
            "%{technique} is not possible here: %{why}",
            technique = technique,
            why = t!(why.as_str())
        ))));
    }
    Ok((possible.into_iter().map(|(t, _)| t).collect(), absent))
}
