//! `mailcall vanish`: clients die without closing. How long until the server knows?

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{BaselineArgs, ResultArgs, check_threads};
use super::failure::Failure;
use super::flags::{self, ARRIVALS, CLIENTS, LINK, RATE, SEED, SIZE, THREADS, TRANSPORT};
use super::subcommand::{Subcommand, Whole};
use crate::lab::vanish::{self, Progress, Watch};
use crate::lab::{self, Lab, nat};
use crate::lang::t;
use crate::outcome::Scenario;
use crate::outcome::vanish::{Forgetting, Vanishing};
use crate::technique::flags::{Flag, duration};
use crate::technique::quantities::count;
use crate::technique::{self, Technique, tcp};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "vanish",
    define,
    examples: "Examples:\n  mailcall vanish\n  mailcall vanish ws --heartbeat 1s --patience 10s\n  \
             mailcall vanish ws --rate 2/s --patience 30s\n  \
             mailcall vanish sse --baseline --rate 400/s --size 1000\n  \
             mailcall vanish sse ws --nat 5m",
    run,
};

#[derive(Debug, Args)]
struct VanishArgs {
    /// How long servers are watched; ends sooner when all have noticed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration(Duration::from_secs(1), Duration::from_secs(600)))]
    patience: Duration,
    /// Instead: a NAT on the way forgets a connection that is silent for so long. Which heartbeat keeps it, and which
    /// mail disappears otherwise? Simulated, without waiting
    #[arg(long, value_name = "DURATION", value_parser = duration(Duration::from_secs(1), Duration::from_secs(86_400)))]
    #[arg(conflicts_with_all = ["patience", "rate", "arrivals", "baseline"])]
    nat: Option<Duration>,
}

/// What the result of `--nat` is called in its JSON.
pub const NAT: &str = "nat";

/// What of its scenario it is asked for.
const FLAGS: &[&[&Flag]] = &[
    &[&RATE, &ARRIVALS, &SIZE, &SEED, &CLIENTS],
    TRANSPORT,
    &[&THREADS],
    LINK,
];

/// The heartbeat of this command: several fit into a minute.
const HEARTBEAT: &str = "5s";

fn define(command: Command) -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let command = flags::with(VanishArgs::augment_args(command), &FLAGS[..2]);
    let command = flags::with(BaselineArgs::augment_args(command), &FLAGS[2..]);
    let command = ResultArgs::augment_args(command)
        .about("Clients die without a word: how long until each server knows?")
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which ones [default: all]; one that has heartbeats runs with and without")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names)),
        );
    flags::with_techniques(command, technique::ALL)
        .mut_arg("heartbeat", |arg| arg.default_value(HEARTBEAT))
        .mut_arg("rate", |arg| {
            arg.default_value("1/10s")
                .help("Mean arrival rate: 1/10s, 30/min, 2/s; a bare number is per second")
        })
        .mut_arg("clients", |arg| arg.value_parser(count(1, 10_000)))
}

/// Watches the servers, and prints the result.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let usage = |e: clap::Error| Failure::Usage(e.into());
    let VanishArgs { patience, nat } = VanishArgs::from_arg_matches(matches).map_err(usage)?;
    let BaselineArgs { baseline } = BaselineArgs::from_arg_matches(matches).map_err(usage)?;
    let result = ResultArgs::from_arg_matches(matches).map_err(usage)?;
    let named = super::choice::named(matches);
    let scenario = scenario(matches);
    check_threads(&scenario, nat.is_some()).map_err(Failure::Usage)?;
    if let Some(nat) = nat {
        chosen_by_nat(matches)?;
        return forget(&nat::behind(&scenario, nat), &named, &result);
    }
    let scenario = vanish::supplied(scenario, patience).map_err(Failure::Usage)?;
    let (mut techniques, absent) = super::choice::useful(&named, &scenario)?;
    techniques.extend(baseline.then_some(&tcp::TECHNIQUE));
    let format = result.checked().map_err(Failure::Usage)?;
    let lab = Lab::new(scenario).map_err(Failure::Usage)?;
    super::interrupt::ends(lab.interrupt.clone());
    let bar = bar(patience);
    let watch = Watch::new(&lab, &techniques, patience);
    let results = watch.go(&|progress| show(&bar, progress)).map_err(Failure::Run)?;
    bar.finish_and_clear();
    let vanishing = Vanishing {
        envelope: super::output::envelope(Some(COMMAND.name), lab.interrupt.is_cancelled()),
        environment: lab::environment(),
        scenario: (*lab.scenario).clone(),
        patience_ms: patience.as_secs_f64() * 1e3,
        modelled: vanish::modelled(&lab.scenario),
        results,
        absent,
    };
    result.present(format, &vanishing)?;
    Ok(if vanishing.envelope.partial {
        super::interrupt::exit_code()
    } else {
        ExitCode::SUCCESS
    })
}

/// The settings that `--nat` chooses: the mail, and every silence in proportion to how long the NAT remembers.
const CHOSEN: [&str; 8] = [
    "heartbeat",
    "hold",
    "interval",
    "rate",
    "mails",
    "arrivals",
    "patience",
    "baseline",
];

/// Refuses what would be given for nothing.
fn chosen_by_nat(matches: &ArgMatches) -> Result<(), Failure> {
    let given = |id: &&str| {
        matches.try_contains_id(id).unwrap_or(false)
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    match CHOSEN.iter().find(|id| given(id)) {
        Some(flag) => Err(Failure::Usage(anyhow!(t!(
            "--nat tries several silences and chooses the mail itself: it does not go with --%{flag}",
            flag = flag
        )))),
        None => Ok(()),
    }
}

/// Simulates a NAT on the way, and prints the result.
fn forget(
    scenario: &Scenario,
    named: &[&'static Technique],
    result: &ResultArgs,
) -> Result<ExitCode, Failure> {
    let format = result.checked().map_err(Failure::Usage)?;
    let (techniques, absent) = super::choice::possible(named, scenario)?;
    let results = nat::remembered(scenario, &techniques).map_err(Failure::Run)?;
    let forgetting = Forgetting {
        envelope: super::output::envelope(Some(NAT), false),
        scenario: scenario.clone(),
        results,
        absent,
    };
    result.present(format, &forgetting)?;
    Ok(ExitCode::SUCCESS)
}

fn scenario(matches: &ArgMatches) -> Scenario {
    let theirs = flags::of_techniques(technique::ALL);
    flags::fill(Scenario::default(), matches, FLAGS.iter().chain([&&*theirs]))
}

/// A bar for the time that passes.
fn bar(patience: Duration) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let length = Some(patience.as_millis() as u64);
    ProgressBar::with_draw_target(length, super::bars::target()).with_style(style)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.since.as_millis() as u64);
    bar.set_message(t!(
        "%{since} s: %{noticed} of %{rows} servers have noticed",
        since = format!("{:.0}", progress.since.as_secs_f64()),
        noticed = progress.noticed,
        rows = progress.rows
    ));
}
