//! `mailcall advise`: which technique suits a case, and why.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tokio_util::sync::CancellationToken;

use super::args::{self, LinkArgs, ResultArgs, TransportArgs, rate};
use super::bars::Bars;
use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use crate::lab;
use crate::lab::advise::{self, Case, Opinion};
use crate::mail::MIN_SIZE;
use crate::outcome::advice::{Advice, Verification};
use crate::outcome::{Absent, Block, Outcome, Scenario};
use crate::technique::Technique;
use crate::technique::flags::{self, Flag, duration};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "advise",
    define,
    examples: "Examples:\n  mailcall advise --rate 1/min --clients 100000 --delay 5s\n  \
             mailcall advise --rate 1/day --clients 10000000 --delay 1h\n  \
             mailcall advise --rate 100/s --delay 1s --rtt 50ms --verify\n  \
             mailcall advise --rate 1/s --delay 100ms --talk 1/s --block websocket\n  \
             mailcall advise --headers browser --tls --http 2 --format json",
    run,
};

/// Flags of techniques that change the cost of waiting.
const WAITS: [&Flag; 3] = [&flags::HOLD, &flags::HEARTBEAT, &flags::FRAMES];

#[derive(Debug, Args)]
struct AdviseArgs {
    /// How often mail comes to each client: 1/min, 10/s, 1/day
    #[arg(long, value_name = "RATE", help_heading = "The case", default_value = "1/min", value_parser = rate)]
    rate: f64,
    /// How many clients there are
    #[arg(long, value_name = "N", help_heading = "The case", default_value = "1,000", value_parser = args::count(1, 10_000_000_000))]
    clients: u64,
    /// The most that a mail may wait until the client has it, and what a client says until the server has it
    #[arg(long, value_name = "DURATION", help_heading = "The case", default_value = "1s", value_parser = duration(Duration::from_millis(1), Duration::from_secs(7 * 86_400)))]
    delay: Duration,
    /// Bytes of each mail's JSON text
    #[arg(long, value_name = "BYTES", help_heading = "The case", default_value = "300", value_parser = args::bytes(MIN_SIZE as u64, 1 << 20))]
    size: u64,
    /// Bytes of a binary attachment for each mail
    #[arg(long, value_name = "BYTES", help_heading = "The case", default_value = "0", value_parser = args::bytes(0, args::MAX_ATTACH))]
    attach: u64,
    /// Each client answers each mail
    #[arg(long, alias = "talks-back", help_heading = "The case")]
    reply: bool,
    /// Each client says something this often: 10/s, 30/min
    #[arg(long, value_name = "RATE", help_heading = "The case", conflicts_with = "reply", value_parser = rate)]
    talk: Option<f64>,
    /// What something on the way may not let through: websocket, streaming
    #[arg(
        long,
        alias = "blocked",
        value_name = "WHAT",
        help_heading = "The case",
        value_delimiter = ','
    )]
    block: Vec<Block>,
    /// What requests carry: lean, browser, or the FILE of a captured exchange
    #[arg(
        long,
        value_name = "PROFILE",
        help_heading = "The case",
        default_value = "lean"
    )]
    headers: OsString,
    /// How long the server keeps a connection on which nothing goes on; nginx's default is 75 s, too
    #[arg(long, value_name = "DURATION", help_heading = "The case", default_value = "75s", value_parser = duration(Duration::ZERO, Duration::from_secs(7 * 86_400)))]
    keep_alive: Duration,
    /// Poll: time from request to request [default: the longest with which no mail is later than --delay]
    #[arg(long, value_name = "DURATION", help_heading = "Technique", value_parser = flags::interval())]
    interval: Option<Duration>,

    #[command(flatten)]
    transport: TransportArgs,
    #[command(flatten)]
    link: LinkArgs,

    /// Also runs the nearest case that fits this machine, some 10 s, and shows how far off predictions are
    #[arg(long, help_heading = "Run")]
    verify: bool,
    /// Seeds the mail that --verify runs with
    #[arg(long, value_name = "N", help_heading = "Run", default_value_t = 1, value_parser = args::seed)]
    seed: u64,

    #[command(flatten)]
    result: ResultArgs,
}

fn define(command: Command) -> Command {
    let command = AdviseArgs::augment_args(command)
        .about("Which technique for this case? What each would cost, a recommendation, and why");
    let command = args::which(command);
    WAITS.iter().fold(command, |c, flag| c.arg(arg(flag)))
}

fn arg(flag: &Flag) -> Arg {
    (flag.arg)().help_heading("Technique")
}

/// Weighs the techniques, verifies the result if asked to, and prints it.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let args = AdviseArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    let case = Case {
        scenario: scenario(&args, matches),
        delay: args.delay,
        interval: args.interval,
    };
    let (techniques, absent) = super::choice::useful(&super::choice::named(matches), &case.scenario)?;
    let format = args.result.checked().map_err(Failure::Usage)?;
    let opinion = advise::weigh(&case, &techniques).map_err(Failure::Usage)?;
    let interrupt = CancellationToken::new();
    let verified = args.verify.then(|| verify(&opinion, &techniques, &interrupt));
    let verification = verified.transpose().map_err(Failure::Run)?;
    let advice = advice(&case, opinion, absent, verification, interrupt.is_cancelled());
    args.result.present(format, &advice)?;
    Ok(verdict(&advice))
}

fn scenario(args: &AdviseArgs, matches: &ArgMatches) -> Scenario {
    let mut scenario = Scenario {
        rate_per_s: args.rate,
        clients: usize::try_from(args.clients).unwrap_or(usize::MAX),
        size: args.size as usize,
        attach: args.attach as usize,
        reply: args.reply,
        talk_per_s: args.talk,
        block: args.block.clone(),
        keep_alive_ms: Some(args.keep_alive.as_secs_f64() * 1e3),
        headers: args.headers.clone().into(),
        http: args.transport.http,
        tls: args.transport.tls,
        seed: args.seed,
        link: args.link.into(),
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
        envelope: super::output::envelope(Some(COMMAND.name), partial),
        environment: lab::environment(),
        scenario: opinion.scenario,
        delay_ms: case.delay.as_secs_f64() * 1e3,
        interval_is_given: case.interval.is_some(),
        results: opinion.candidates,
        absent,
        recommendation: opinion.recommendation,
        runner_up: opinion.runner_up,
        verification,
    }
}

/// A prediction that does not hold is shown, but is no failure: only a run that lost mail is one.
fn verdict(advice: &Advice) -> ExitCode {
    let runs = advice.verification.iter().flat_map(|v| &v.results);
    match advice.envelope.partial {
        true => super::interrupt::exit_code(),
        false if runs.into_iter().all(Outcome::clean) => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
