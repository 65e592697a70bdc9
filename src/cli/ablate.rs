//! `compare TECHNIQUE --proxy NAME --ablate`: which line of the usual remedies matters?

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::args::Asked;
use super::failure::Failure;
use super::interrupt;
use super::output::envelope;
use super::present::present;
use crate::lab::{self, Lab, Simulated};
use crate::lang::t;
use crate::outcome::ablation::Ablation;
use crate::technique::Technique;

/// What the result is called in its JSON.
pub const NAME: &str = "ablate";

/// The command with the flag.
pub fn with_flag(command: Command) -> Command {
    command.arg(
        Arg::new("ablate")
            .long("ablate")
            .help("One technique behind --proxy: as it is, and with each line of the usual remedies alone")
            .action(ArgAction::SetTrue)
            .requires("proxy")
            .conflicts_with_all([
                "expect",
                "pcap",
                "isolate",
                "timeline",
                "baseline",
                "one-at-a-time",
                "repeat",
            ])
            .help_heading("Link"),
    )
}

/// Whether it is asked for.
pub fn is_asked(matches: &ArgMatches) -> bool {
    matches.try_get_one("ablate").ok().flatten() == Some(&true)
}

/// Runs and prints it.
pub fn run(asked: &Asked, techniques: &[&'static Technique]) -> Result<ExitCode, Failure> {
    let [technique] = techniques else {
        return Err(Failure::Usage(anyhow!(t!(
            "--ablate is for one technique that is possible behind the proxy, like: mailcall compare sse --proxy nginx --ablate"
        ))));
    };
    for output in asked.output.iter().chain(&asked.save) {
        crate::report::check_output(output).map_err(Failure::Usage)?;
    }
    let mut lab = Lab::new(asked.scenario.clone()).map_err(Failure::Usage)?;
    lab.simulated = asked.simulate.then(Simulated::default);
    interrupt::ends(lab.interrupt.clone());
    let results = lab.ablate(technique, &|_| {}).map_err(Failure::Run)?;
    let ablation = Ablation {
        envelope: envelope(Some(NAME), lab.interrupt.is_cancelled()),
        simulated: asked.simulate,
        environment: (!asked.simulate).then(lab::environment),
        scenario: (*lab.scenario).clone(),
        results,
    };
    let files = [asked.output.as_deref(), asked.save.as_deref()];
    present(asked.format, &ablation, &asked.style(), files)?;
    Ok(ExitCode::SUCCESS)
}
