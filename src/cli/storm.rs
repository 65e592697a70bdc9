//! `mailcall storm`: a server goes away and comes back. How do all its clients return?

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{BaselineArgs, ResultArgs, check_threads};
use super::failure::Failure;
use super::flags::{
    self, ARRIVALS, BACKOFF, BANDWIDTH, CLIENTS, HEADERS, LOSS, RATE, RETRY, RTT, SEED, SIZE, THREADS,
    TRANSPORT,
};
use super::subcommand::{Subcommand, Whole};
use crate::lab::storm::{self, Outage, Progress, Storming};
use crate::lab::{self, Lab};
use crate::lang::t;
use crate::outcome::storm::{Row, Storm, WINDOW_MS};
use crate::outcome::{Absent, Retry, Scenario};
use crate::technique::flags::{Flag, PUBLISHERS, duration};
use crate::technique::quantities::count;
use crate::technique::{self, Technique, tcp};
use crate::theory::Jitter;

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "storm",
    define,
    examples: "Examples:\n  mailcall storm\n  mailcall storm ws --jitter none\n  \
             mailcall storm ws --jitter full --clients 500 --down 5s --retry 1s --backoff 2x\n  \
             mailcall storm sse ws --tls\n  mailcall storm ws --new-log\n  \
             mailcall storm ws --jitter full --down 60s --clients 2000 --simulate",
    run,
};

#[derive(Debug, Args)]
struct StormArgs {
    /// How long the server is away. It ends like a killed process: its connections end without a closing handshake, and
    /// clients that come meanwhile are refused
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration(Duration::from_millis(100), Duration::from_secs(600)))]
    down: Duration,
    /// How each wait is drawn: none (all clients wait equally long), equal (half of it is random) or full (all of it
    /// is). This is not the jitter of a link, which storm does not have
    #[arg(long, value_name = "KIND", default_value = "equal")]
    jitter: Jitter,
    /// The log outlives the server, as in a database: mail that arrives meanwhile is delivered afterwards [default]
    #[arg(long, conflicts_with = "new_log")]
    keep_log: bool,
    /// The server comes back with a new, empty log: clients get a notice (reset), and mail of the old log that they
    /// had not seen is lost
    #[arg(long)]
    new_log: bool,
    /// With simulated time and network instead: at once, and the same seed gives the same figures on any machine
    #[arg(long, help_heading = "Run")]
    simulate: bool,
}

/// What of its scenario it is asked for.
const FLAGS: &[&[&Flag]] = &[
    &[
        &RATE, &ARRIVALS, &SIZE, &SEED, &CLIENTS, &RETRY, &BACKOFF, &HEADERS,
    ],
    TRANSPORT,
    &[&THREADS],
    &[&RTT, &BANDWIDTH, &LOSS],
];

fn define(command: Command) -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let command = flags::with(StormArgs::augment_args(command), &FLAGS[..2]);
    let command = flags::with(BaselineArgs::augment_args(command), &FLAGS[2..]);
    let command = ResultArgs::augment_args(command)
        .about("A server goes away and comes back, as in a deploy: how do all its clients return?")
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which ones, one after the other [default: poll, long-poll, sse and ws]")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names)),
        );
    let theirs = theirs().into_iter();
    theirs
        .fold(command, |c, flag| c.arg((flag.arg)().help_heading("Technique")))
        .mut_arg("retry", |arg| {
            arg.default_value("1s").help(
                "How long a client waits before it connects again; the SSE server sends it as `retry`. Libraries: \
                 Socket.IO 1s, doubled up to 5s, each up to 50 % shorter or longer; stompjs 5s; EventSource 3s in Chromium; SockJS, \
                 WebSocket and fetch leave it to the application",
            )
        })
        .mut_arg("clients", |arg| arg.default_value("500").value_parser(count(1, 10_000)))
}

/// The techniques' own flags, but publishers: they would go away with all other clients.
fn theirs() -> Vec<&'static Flag> {
    let id = |flag: &Flag| (flag.arg)().get_id().clone();
    let mut theirs = flags::of_techniques(technique::ALL);
    theirs.retain(|flag| id(flag) != id(&PUBLISHERS));
    theirs
}

fn scenario(matches: &ArgMatches, jitter: Jitter) -> Scenario {
    let scenario = flags::fill(Scenario::default(), matches, FLAGS.iter().chain([&&*theirs()]));
    Scenario {
        retry: Retry {
            jitter,
            ..scenario.retry
        },
        ..scenario
    }
}

/// Lets the servers go away and come back, and prints the result.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let usage = |e: clap::Error| Failure::Usage(e.into());
    let args = StormArgs::from_arg_matches(matches).map_err(usage)?;
    let BaselineArgs { baseline } = BaselineArgs::from_arg_matches(matches).map_err(usage)?;
    let result = ResultArgs::from_arg_matches(matches).map_err(usage)?;
    if baseline && args.new_log {
        return Err(Failure::Usage(anyhow!(t!(
            "--baseline and --new-log exclude each other: bare TCP names no log, so its clients cannot be told of a new one"
        ))));
    }
    let scenario = scenario(matches, args.jitter);
    check_threads(&scenario, args.simulate).map_err(Failure::Usage)?;
    let (mut techniques, absent) = super::choice::useful(&super::choice::named(matches), &scenario)?;
    techniques.extend(baseline.then_some(&tcp::TECHNIQUE));
    let format = result.checked().map_err(Failure::Usage)?;
    let outage = Outage {
        down: args.down,
        new_log: args.new_log,
    };
    let lab = storm::lab(scenario, &outage).map_err(Failure::Usage)?;
    super::interrupt::ends(lab.interrupt.clone());
    let rows = rows(&lab, outage, &techniques, args.simulate)?;
    if rows.is_empty() && lab.interrupt.is_cancelled() {
        tell!(
            "{}",
            t!("interrupted before a server was back: there is nothing to show")
        );
        return Ok(super::interrupt::exit_code());
    }
    let storm = storm_of(&lab, outage, args.simulate, rows, absent);
    result.present(format, &storm)?;
    Ok(match (storm.envelope.partial, storm.is_clean()) {
        (true, _) => super::interrupt::exit_code(),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// One technique after the other, until all are done or it is interrupted.
fn rows(
    lab: &Lab,
    outage: Outage,
    techniques: &[&'static Technique],
    simulate: bool,
) -> Result<Vec<Row>, Failure> {
    let storming = Storming::new(lab, outage);
    let bar = ProgressBar::with_draw_target(Some(1), super::bars::target()).with_style(
        ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut rows = Vec::new();
    for technique in techniques {
        let row = match simulate {
            true => storming.simulate(technique),
            false => storming.measure(technique, &|progress| show(&bar, progress)),
        };
        rows.extend(row.map_err(Failure::Run)?);
        if lab.interrupt.is_cancelled() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(rows)
}

fn storm_of(lab: &Lab, outage: Outage, simulated: bool, results: Vec<Row>, absent: Vec<Absent>) -> Storm {
    let scenario = (*lab.scenario).clone();
    let (down, window) = (outage.down.as_secs_f64(), WINDOW_MS / 1e3);
    let waits = scenario.retry.waits(scenario.retry.first(Duration::ZERO));
    Storm {
        envelope: super::output::envelope(Some(COMMAND.name), lab.interrupt.is_cancelled()),
        environment: (!simulated).then(lab::environment),
        simulated,
        down_ms: down * 1e3,
        new_log: outage.new_log,
        longest_wait_ms: storm::longest_wait(&scenario) * 1e3,
        formula_most_connects_in_500ms: waits.most_connects(scenario.clients as f64, window, down),
        scenario,
        results,
        absent,
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    let [delivered, expected] = progress.delivered;
    bar.set_length(expected);
    bar.set_position(delivered);
    let since = progress.since.as_secs_f64();
    let left = progress.until_back.as_secs_f64() - since;
    bar.set_message(match left > 0.0 {
        true => t!(
            "%{name}: the server is back in %{left} s",
            name = progress.technique,
            left = format!("{left:.0}")
        ),
        false => t!(
            "%{name}: %{delivered} of %{expected} mails delivered",
            name = progress.technique,
            delivered = delivered,
            expected = expected
        ),
    });
}
