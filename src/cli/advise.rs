//! `mailcall advise`: which technique for this case, and why.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use tokio_util::sync::CancellationToken;

use super::args::{self, SaveArgs, TransportArgs, rate};
use super::bars::Bars;
use super::{Failure, help};
use crate::lab;
use crate::lab::advise::{self, Case, Opinion};
use crate::mail::MIN_SIZE;
use crate::outcome::advice::{Advice, Verification};
use crate::outcome::{Absent, Block, Link, Outcome, SCHEMA, Scenario};
use crate::report;
use crate::report::advice::Format;
use crate::technique::Technique;
use crate::technique::flags::{self, Flag, duration};

/// The subcommand's name.
pub const COMMAND: &str = "advise";

/// Flags of techniques that what it costs to wait hangs on.
const WAITS: [&Flag; 3] = [&flags::HOLD, &flags::HEARTBEAT, &flags::FRAMES];

#[derive(Debug, Args)]
struct AdviseArgs {
    /// How often mail comes to each client: 1/min, 10/s, 1/day
    #[arg(long, value_name = "RATE", help_heading = "The case", default_value = "1/min", value_parser = rate)]
    rate: f64,
    /// How many clients there are
    #[arg(long, value_name = "N", help_heading = "The case", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=10_000_000_000))]
    clients: u64,
    /// The most that a mail may wait until the client has it
    #[arg(long, value_name = "DURATION", help_heading = "The case", default_value = "1s", value_parser = duration(Duration::from_millis(1), Duration::from_secs(7 * 86_400)))]
    delay: Duration,
    /// Round trip between client and server
    #[arg(long, value_name = "DURATION", help_heading = "The case", default_value = "0ms", value_parser = duration(Duration::ZERO, Duration::from_secs(10)))]
    rtt: Duration,
    /// Bytes of each mail's JSON text
    #[arg(long, value_name = "BYTES", help_heading = "The case", default_value_t = 300, value_parser = value_parser!(u64).range(MIN_SIZE as u64..=1 << 20))]
    size: u64,
    /// Each client answers each mail
    #[arg(long, help_heading = "The case")]
    talks_back: bool,
    /// Each client says something this often of its own accord: 10/s, 30/min
    #[arg(long, value_name = "RATE", help_heading = "The case", conflicts_with = "talks_back", value_parser = rate)]
    talk: Option<f64>,
    /// What something on the way may not let through: websocket, streaming
    #[arg(
        long,
        visible_alias = "block",
        value_name = "WHAT",
        help_heading = "The case",
        value_delimiter = ','
    )]
    blocked: Vec<Block>,
    /// What requests carry: lean, browser, or the FILE of a captured exchange
    #[arg(
        long,
        value_name = "PROFILE",
        help_heading = "The case",
        default_value = "lean"
    )]
    headers: String,

    #[command(flatten)]
    transport: TransportArgs,

    /// Also runs the nearest case that fits this machine, some 10 s, and shows how far off predictions are
    #[arg(long, help_heading = "Run")]
    verify: bool,
    /// Seeds the mail that stands for all
    #[arg(long, value_name = "N", help_heading = "Run", default_value_t = 1)]
    seed: u64,

    /// How the result is printed
    #[arg(long, value_name = "FORMAT", help_heading = "Result", default_value = "table")]
    format: Format,
    /// Where the result is written instead of stdout: whole, or not at all
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    output: Option<PathBuf>,
    #[command(flatten)]
    save: SaveArgs,
}

/// The definition.
pub fn command() -> Command {
    let command = AdviseArgs::augment_args(Command::new(COMMAND))
        .about("Which technique for this case? What each would cost, a recommendation, and why");
    let command = args::which(command);
    WAITS
        .iter()
        .fold(command, |c, flag| c.arg(arg(flag)))
        .after_help(help::examples(COMMAND))
}

fn arg(flag: &Flag) -> Arg {
    (flag.arg)().help_heading("Technique")
}

/// Weighs, verifies if asked to, and prints.
pub fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let args = AdviseArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    let case = Case {
        scenario: scenario(&args, matches),
        delay: args.delay,
    };
    let (techniques, absent) = super::possible(&super::named(matches), &case.scenario)?;
    for output in args.output.iter().chain(&args.save.save) {
        report::check_output(output).map_err(Failure::Usage)?;
    }
    let opinion = advise::weigh(&case, &techniques).map_err(Failure::Usage)?;
    let interrupt = CancellationToken::new();
    let verified = args.verify.then(|| verify(&opinion, &techniques, &interrupt));
    let verification = verified.transpose().map_err(Failure::Run)?;
    let advice = advice(&case, opinion, absent, verification, interrupt.is_cancelled());
    let style = super::plain_style(args.output.is_none() && std::io::stdout().is_terminal());
    let text = report::advice::render(args.format, &advice, &style).map_err(Failure::Run)?;
    report::deliver(&text, args.output.as_deref()).map_err(Failure::Run)?;
    super::save(args.save.save.as_deref(), || {
        report::advice::render(Format::Json, &advice, &style)
    })?;
    Ok(verdict(&advice))
}

fn scenario(args: &AdviseArgs, matches: &ArgMatches) -> Scenario {
    let mut scenario = Scenario {
        rate_per_s: args.rate,
        clients: usize::try_from(args.clients).unwrap_or(usize::MAX),
        size: args.size as usize,
        reply: args.talks_back,
        talk_per_s: args.talk,
        block: args.blocked.clone(),
        headers: args.headers.clone(),
        http: args.transport.http,
        tls: args.transport.tls,
        seed: args.seed,
        link: Link {
            rtt_ms: args.rtt.as_secs_f64() * 1e3,
            ..Link::default()
        },
        ..Scenario::default()
    };
    for flag in WAITS {
        (flag.apply)(matches, &mut scenario);
    }
    scenario
}

fn verify(
    opinion: &Opinion,
    techniques: &[&'static Technique],
    interrupt: &CancellationToken,
) -> anyhow::Result<Verification> {
    super::interrupt::ends(interrupt.clone());
    let bars = Bars::new(techniques);
    let verified = advise::verify(&opinion.scenario, techniques, interrupt, &|progress| {
        bars.show(progress);
    });
    bars.clear();
    verified
}

fn advice(
    case: &Case,
    opinion: Opinion,
    absent: Vec<Absent>,
    verification: Option<Verification>,
    partial: bool,
) -> Advice {
    Advice {
        mailcall: env!("CARGO_PKG_VERSION").into(),
        schema: SCHEMA,
        command: COMMAND.into(),
        argv: std::env::args().skip(1).collect(),
        partial,
        environment: lab::environment(),
        scenario: opinion.scenario,
        delay_ms: case.delay.as_secs_f64() * 1e3,
        results: opinion.candidates,
        absent,
        recommendation: opinion.recommendation,
        runner_up: opinion.runner_up,
        verification,
    }
}

/// A prediction that does not hold is shown, not failed: only a run that lost mail is.
fn verdict(advice: &Advice) -> ExitCode {
    let runs = advice.verification.iter().flat_map(|v| &v.results);
    match advice.partial {
        true => super::interrupt::exit_code(),
        false if runs.into_iter().all(Outcome::clean) => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
