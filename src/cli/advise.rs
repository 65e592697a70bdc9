//! `mailcall advise`: which technique suits a case, and why.

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use tokio_util::sync::CancellationToken;

use super::args::{self, ResultArgs};
use super::bars::Bars;
use super::failure::Failure;
use super::flags::{self, ATTACH, CLIENTS, HEADERS, LINK, RATE, REPLY, SEED, SIZE, TALK, TRANSPORT};
use super::subcommand::{Subcommand, Whole};
use crate::lab;
use crate::lab::advise::{self, Case, Ranking};
use crate::outcome::advice::{Advice, Verification};
use crate::outcome::{Absent, Outcome, Scenario};
use crate::technique::Technique;
use crate::technique::flags::{BLOCK, FRAMES, Flag, HEARTBEAT, HOLD, duration, interval};
use crate::technique::quantities::count;

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

/// Flags of techniques on which it depends what it costs to wait.
const WAITS: &[&Flag] = &[&HOLD, &HEARTBEAT, &FRAMES];

/// What of its scenario it is asked for.
const FLAGS: &[&[&Flag]] = &[
    &[&RATE, &CLIENTS, &SIZE, &ATTACH, &REPLY, &TALK, &BLOCK, &HEADERS],
    TRANSPORT,
    LINK,
    &[&SEED],
    WAITS,
];

/// The case, in the order of its help.
const CASE: [&str; 10] = [
    "rate",
    "clients",
    "delay",
    "size",
    "attach",
    "reply",
    "talk",
    "block",
    "headers",
    "keep_alive",
];

#[derive(Debug, Args)]
struct AdviseArgs {
    /// The most that a mail may wait until the client has it, and what a client says until the server has it
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration(Duration::from_millis(1), Duration::from_secs(7 * 86_400)))]
    delay: Duration,
    /// How long the server keeps a connection on which nothing goes on; nginx's default is 75 s, too
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = duration(Duration::ZERO, Duration::from_secs(7 * 86_400)))]
    keep_alive: Duration,
    /// Poll: time from request to request [default: the longest with which no mail is later than --delay]
    #[arg(long, value_name = "DURATION", help_heading = "Technique", value_parser = interval())]
    interval: Option<Duration>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Also runs the nearest case that fits this machine, some 10 s, and shows how far off predictions are
    #[arg(long, help_heading = "Run")]
    verify: bool,
    #[command(flatten)]
    result: ResultArgs,
}

fn define(command: Command) -> Command {
    let command = AdviseArgs::augment_args(flags::with(command, &FLAGS[..1]));
    let command = VerifyArgs::augment_args(flags::with(command, &FLAGS[1..3]));
    let command = args::which(flags::with(command, &FLAGS[3..4]))
        .about("Which technique for this case? What each would cost, a recommendation, and why");
    let command = flags::with(command, &FLAGS[4..]);
    let command = HELP
        .iter()
        .fold(command, |c, (id, help)| c.mut_arg(id, |arg| arg.help(*help)));
    command
        .mut_arg("rate", |arg| arg.default_value("1/min"))
        .mut_arg("clients", |arg| {
            arg.default_value("1,000").value_parser(count(1, 10_000_000_000))
        })
        .mut_arg("reply", |arg| arg.alias("talks-back"))
        .mut_arg("block", |arg| arg.alias("blocked"))
        .mut_arg("seed", |arg| arg.help_heading("Run"))
        .mut_args(|arg| match CASE.iter().position(|id| arg.get_id() == id) {
            Some(place) => arg.help_heading("The case").display_order(place),
            // What only some techniques have.
            None if arg.get_help_heading().is_none() => arg.help_heading("Technique"),
            None => arg,
        })
}

/// Flags that mean something more here.
const HELP: &[(&str, &str)] = &[
    ("rate", "How often mail comes to each client: 1/min, 10/s, 1/day"),
    ("clients", "How many clients there are"),
    ("attach", "Bytes of a binary attachment for each mail"),
    ("reply", "Each client answers each mail"),
    ("talk", "Each client says something this often: 10/s, 30/min"),
    (
        "block",
        "What something on the way may not let through: websocket, streaming",
    ),
    ("seed", "Seeds the mail that --verify runs with"),
];

/// Weighs the techniques, verifies the result if asked to, and prints it.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let usage = |e: clap::Error| Failure::Usage(e.into());
    let args = AdviseArgs::from_arg_matches(matches).map_err(usage)?;
    let VerifyArgs {
        verify: asked,
        result,
    } = VerifyArgs::from_arg_matches(matches).map_err(usage)?;
    let case = Case {
        scenario: scenario(&args, matches),
        delay: args.delay,
        interval: args.interval,
    };
    let (techniques, absent) = super::choice::useful(&super::choice::named(matches), &case.scenario)?;
    let format = result.checked().map_err(Failure::Usage)?;
    let ranking = advise::weigh(&case, &techniques).map_err(Failure::Usage)?;
    let interrupt = CancellationToken::new();
    let verified = asked.then(|| verify(&ranking, &techniques, &interrupt));
    let verification = verified.transpose().map_err(Failure::Run)?;
    let advice = advice(&case, ranking, absent, verification, interrupt.is_cancelled());
    result.present(format, &advice)?;
    Ok(verdict(&advice))
}

fn scenario(args: &AdviseArgs, matches: &ArgMatches) -> Scenario {
    let scenario = Scenario {
        keep_alive_ms: Some(args.keep_alive.as_secs_f64() * 1e3),
        ..Scenario::default()
    };
    flags::fill(scenario, matches, FLAGS)
}

fn verify(
    ranking: &Ranking,
    techniques: &[&'static Technique],
    interrupt: &CancellationToken,
) -> anyhow::Result<Verification> {
    super::interrupt::ends(interrupt.clone());
    let bars = Bars::new(techniques);
    let verified = advise::verify(&ranking.scenario, techniques, interrupt, &|progress| {
        bars.show(progress);
    });
    bars.clear();
    verified
}

fn advice(
    case: &Case,
    ranking: Ranking,
    absent: Vec<Absent>,
    verification: Option<Verification>,
    partial: bool,
) -> Advice {
    Advice {
        envelope: super::output::envelope(Some(COMMAND.name), partial),
        environment: verification.is_some().then(lab::environment),
        scenario: ranking.scenario,
        delay_ms: case.delay.as_secs_f64() * 1e3,
        interval_is_given: case.interval.is_some(),
        results: ranking.candidates,
        absent,
        recommendation: ranking.recommendation,
        runner_up: ranking.runner_up,
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
