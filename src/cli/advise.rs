//! `mailcall advise`: which technique suits a case, and why.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use tokio_util::sync::CancellationToken;

use super::args::{self, ResultArgs};
use super::bars::Bars;
use super::failure::Failure;
use super::flags::{self, ATTACH, CLIENTS, HEADERS, LINK, RATE, REPLY, SEED, SIZE, TALK, TRANSPORT, percent};
use super::subcommand::{Subcommand, Whole};
use crate::lab;
use crate::lab::advise::{self, Case, Ranking};
use crate::lang::t;
use crate::outcome::advice::{Advice, Verification};
use crate::outcome::prices::Prices;
use crate::outcome::{Absent, Outcome, Scenario};
use crate::technique::Technique;
use crate::technique::flags::{BLOCK, FRAMES, Flag, HEARTBEAT, HOLD, OVER, duration, interval};
use crate::technique::quantities::count;

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "advise",
    define,
    examples: "Examples:\n  mailcall advise --rate 1/min --clients 100000 --delay 5s\n  \
             mailcall advise --rate 1/day --clients 10000000 --delay 1h\n  \
             mailcall advise --rate 100/s --delay 1s --rtt 50ms --verify\n  \
             mailcall advise --rate 1/s --delay 100ms --talk 1/s --block websocket\n  \
             mailcall advise --clients 100000 --heartbeat 60s --blocked-share 2%\n  \
             mailcall advise --headers browser --tls --http 2 --format json",
    run,
};

/// Flags of techniques on which it depends what it costs to wait.
const WAITS: &[&Flag] = &[&HOLD, &HEARTBEAT, &FRAMES, &OVER];

/// The largest price file, in bytes.
const LARGEST: u64 = 64 << 10;

/// What of its scenario it is asked for.
const FLAGS: &[&[&Flag]] = &[
    &[&RATE, &CLIENTS, &SIZE, &ATTACH, &REPLY, &TALK, &BLOCK, &HEADERS],
    TRANSPORT,
    LINK,
    &[&SEED],
    WAITS,
];

/// The case, in the order of its help.
const CASE: [&str; 13] = [
    "rate",
    "clients",
    "delay",
    "size",
    "attach",
    "reply",
    "talk",
    "block",
    "blocked_share",
    "headers",
    "keep_alive",
    "radio_tail",
    "prices",
];

#[derive(Debug, Args)]
struct AdviseArgs {
    /// The most that a mail may wait until the client has it, and what a client says until the server has it
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration(Duration::from_millis(1), Duration::from_secs(7 * 86_400)))]
    delay: Duration,
    /// How long the server keeps a connection on which nothing goes on; nginx's default is 75 s, too
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = duration(Duration::ZERO, Duration::from_secs(7 * 86_400)))]
    keep_alive: Duration,
    /// The share of clients behind a proxy that refuses upgrades and holds streams back: 2%. Techniques that find
    /// another way are compared, too
    #[arg(long, value_name = "PERCENT", value_parser = |text: &str| percent(text, 100.0))]
    blocked_share: Option<f64>,
    /// How long a phone's radio stays on after each packet, for its modelled wake-ups and seconds on. LTE's tail is
    /// some 10 s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration(Duration::from_millis(1), Duration::from_secs(3_600)))]
    radio_tail: Duration,
    /// Prices in TOML, for the cost of a month: currency, per_million_requests, per_million_messages,
    /// per_million_connection_minutes, per_gb_down, per_gb_up
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Poll: time from request to request [default: the longest with which no mail is later than --delay]
    #[arg(long, value_name = "DURATION", help_heading = "Technique", value_parser = interval())]
    interval: Option<Duration>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Also runs the nearest case that fits this machine, some 10 s, and shows how far off predictions are
    #[arg(long, help_heading = "Run")]
    verify: bool,
    /// With --verify: each server in a process of its own; its processor time and memory are shown
    #[arg(long, help_heading = "Run", requires = "verify")]
    isolate: bool,
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
    let checks = VerifyArgs::from_arg_matches(matches).map_err(usage)?;
    let case = case(args, matches).map_err(Failure::Usage)?;
    let (techniques, absent) = super::choice::useful(&asked(&case, matches), &case.scenario)?;
    let format = checks.result.checked().map_err(Failure::Usage)?;
    let mut ranking = advise::weigh(&case, &techniques).map_err(Failure::Usage)?;
    let interrupt = CancellationToken::new();
    let verification = match checks.verify {
        true => Some(verify(&ranking, &techniques, checks.isolate, &interrupt).map_err(Failure::Run)?),
        false => None,
    };
    for run in verification.iter().flat_map(|v| &v.results) {
        let same = ranking
            .candidates
            .iter_mut()
            .find(|c| c.technique == run.technique);
        same.into_iter().for_each(|c| c.server = run.server);
    }
    let advice = advice(case, ranking, absent, verification, interrupt.is_cancelled());
    checks.result.present(format, &advice)?;
    Ok(verdict(&advice))
}

/// The techniques that were named, or else the usual ones, and where some clients are behind a proxy also those that
/// find a way through it.
fn asked(case: &Case, matches: &ArgMatches) -> Vec<&'static Technique> {
    let behind = case.blocked_share.map(|_| advise::proxied(&case.scenario));
    let passes = |t: &Technique| behind.as_ref().is_some_and(|behind| t.useless(behind).is_none());
    super::choice::named_or(matches, |t| t.usual || passes(t))
}

fn case(args: AdviseArgs, matches: &ArgMatches) -> anyhow::Result<Case> {
    let scenario = Scenario {
        keep_alive_ms: Some(args.keep_alive.as_secs_f64() * 1e3),
        ..Scenario::default()
    };
    Ok(Case {
        scenario: flags::fill(scenario, matches, FLAGS),
        delay: args.delay,
        interval: args.interval,
        radio_tail: args.radio_tail,
        blocked_share: args.blocked_share,
        prices: args.prices.as_deref().map(prices).transpose()?,
    })
}

fn prices(file: &Path) -> anyhow::Result<Prices> {
    let text = super::output::text_of(file, LARGEST);
    text.and_then(|text| Prices::parse(&text))
        .with_context(|| t!("cannot use the price file %{name}", name = file.display()))
}

fn verify(
    ranking: &Ranking,
    techniques: &[&'static Technique],
    isolate: bool,
    interrupt: &CancellationToken,
) -> anyhow::Result<Verification> {
    let executable = super::isolated::executable(isolate)?;
    super::interrupt::ends(interrupt.clone());
    let bars = Bars::new(techniques);
    let show = |progress| bars.show(progress);
    let verified = advise::verify(&ranking.scenario, techniques, executable, interrupt, &show);
    bars.clear();
    verified
}

fn advice(
    case: Case,
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
        radio_tail_ms: Some(case.radio_tail.as_secs_f64() * 1e3),
        blocked_share: case.blocked_share,
        prices: case.prices,
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
