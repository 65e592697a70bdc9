//! `mailcall vanish`: clients die without closing. How long until the server knows?

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{self, LinkArgs, ResultArgs, TransportArgs, flags, rate, with_flags};
use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use crate::lab::vanish::{self, Progress, Watch};
use crate::lab::{self, Lab};
use crate::mail::MIN_SIZE;
use crate::outcome::vanish::Vanishing;
use crate::outcome::{Arrivals, Scenario};
use crate::technique::flags::duration;
use crate::technique::{self, tcp};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "vanish",
    define,
    examples: "Examples:\n  mailcall vanish\n  mailcall vanish ws --heartbeat 1s --patience 10s\n  \
             mailcall vanish ws --rate 2/s --patience 30s\n  \
             mailcall vanish sse --baseline --rate 400/s --size 1000",
    run,
};

#[derive(Debug, Args)]
struct VanishArgs {
    /// How long servers are watched; ends sooner when all have noticed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration(Duration::from_secs(1), Duration::from_secs(600)))]
    patience: Duration,

    /// Mean arrival rate: 1/10s, 30/min, 2/s; a bare number is per second
    #[arg(long, value_name = "RATE", help_heading = "Mail", default_value = "1/10s", value_parser = rate)]
    rate: f64,
    /// How arrivals are spread: poisson, steady or burst:K (K at one instant)
    #[arg(long, value_name = "HOW", help_heading = "Mail", default_value = "poisson")]
    arrivals: Arrivals,
    /// Bytes of each mail's JSON text
    #[arg(long, value_name = "BYTES", help_heading = "Mail", default_value_t = 300, value_parser = args::bytes(MIN_SIZE as u64, 1 << 20))]
    size: u64,
    /// Seeds mail, arrivals and phases: the same seed gives the same mail
    #[arg(long, value_name = "N", help_heading = "Mail", default_value_t = 1, value_parser = args::seed)]
    seed: u64,

    /// Clients of each technique
    #[arg(long, value_name = "N", help_heading = "Clients", default_value_t = 1, value_parser = args::count(1, 10_000))]
    clients: u64,

    #[command(flatten)]
    transport: TransportArgs,
    /// Add bare TCP to the table
    #[arg(long, help_heading = "Run")]
    baseline: bool,

    #[command(flatten)]
    link: LinkArgs,

    #[command(flatten)]
    result: ResultArgs,
}

/// The default heartbeat of this command: several fit into a minute.
const HEARTBEAT: &str = "5s";

fn define(command: Command) -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let command = VanishArgs::augment_args(command)
        .about("Clients die without a word: how long until each server knows?")
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which ones [default: all]; one that has heartbeats runs with and without")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names)),
        );
    with_flags(command, technique::ALL).mut_arg("heartbeat", |arg| arg.default_value(HEARTBEAT))
}

/// Watches the servers, and prints the result.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let args = VanishArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    let named = super::choice::named(matches);
    let scenario = vanish::supplied(scenario(&args, matches), args.patience).map_err(Failure::Usage)?;
    let (mut techniques, absent) = super::choice::useful(&named, &scenario)?;
    techniques.extend(args.baseline.then_some(&tcp::TECHNIQUE));
    let format = args.result.checked().map_err(Failure::Usage)?;
    let lab = Lab::new(scenario).map_err(Failure::Usage)?;
    super::interrupt::ends(lab.interrupt.clone());
    let bar = bar(args.patience);
    let watch = Watch::new(&lab, &techniques, args.patience);
    let results = watch.go(&|progress| show(&bar, progress)).map_err(Failure::Run)?;
    bar.finish_and_clear();
    let vanishing = Vanishing {
        envelope: super::output::envelope(Some(COMMAND.name), lab.interrupt.is_cancelled()),
        environment: lab::environment(),
        scenario: (*lab.scenario).clone(),
        patience_ms: args.patience.as_secs_f64() * 1e3,
        modelled: vanish::modelled(&lab.scenario),
        results,
        absent,
    };
    args.result.present(format, &vanishing)?;
    Ok(if vanishing.envelope.partial {
        super::interrupt::exit_code()
    } else {
        ExitCode::SUCCESS
    })
}

fn scenario(args: &VanishArgs, matches: &ArgMatches) -> Scenario {
    let mut scenario = Scenario {
        arrivals: args.arrivals,
        rate_per_s: args.rate,
        size: args.size as usize,
        seed: args.seed,
        clients: args.clients as usize,
        http: args.transport.http,
        tls: args.transport.tls,
        link: args.link.into(),
        ..Scenario::default()
    };
    for flag in flags(technique::ALL) {
        (flag.apply)(matches, &mut scenario);
    }
    scenario
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
    bar.set_message(format!(
        "{:.0} s: {} of {} servers have noticed",
        progress.since.as_secs_f64(),
        progress.noticed,
        progress.rows
    ));
}
