//! `mailcall serve`: the server alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::args::{check, check_threads};
use super::bars;
use super::failure::Failure;
use super::flags::{self, HEADERS, LINK, LOG, MAIL, SERVER_THREADS, TLS};
use super::listen::{self, ListenArgs};
use super::subcommand::{Subcommand, Whole};
use crate::class::{self, LANES, Open, Room};
use crate::lab::Lab;
use crate::lab::outages::Outages;
use crate::lab::role::Role;
use crate::lab::standalone::{Prepared, Standalone, Summary};
use crate::lab::traffic::Traffic;
use crate::lang::t;
use crate::link::tls::Identity;
use crate::outcome::Scenario;
use crate::report;
use crate::technique::flags::Flag;
use crate::technique::quantities::{bytes, count};
use crate::technique::{self, Technique, Tuning};
use crate::terminal::printable;

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "serve",
    define,
    examples: "Examples:\n  mailcall serve --mails 0 --listen 127.0.0.1:8000\n  \
             curl -d 'Lunch?' http://127.0.0.1:8000/mail\n  curl -N http://127.0.0.1:8000/sse\n  \
             mailcall serve sse ws --tls --ca ca.pem --mails 1000 --rate 1/s\n  \
             mailcall serve --mails 0 --allow-origin http://localhost:3000",
    run,
};

/// How often it checks whether to stop.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Where to write the certificate of that authority, which clients have to trust
    #[arg(long, value_name = "FILE", help_heading = "Server", requires = "tls")]
    ca: Option<PathBuf>,
}

/// What of its scenario a server alone is asked for.
const FLAGS: &[&[&Flag]] = &[MAIL, &[&LOG], &[&TLS, &HEADERS, &SERVER_THREADS], LINK];

/// What the protocols on top leave to a server's choice, for conformance suites above all.
#[derive(Clone, Copy, Debug, Args)]
struct TuningArgs {
    /// WebSocket, SockJS, Socket.IO: send back what arrives, with the endpoints that conformance suites expect;
    /// /ws then brings no mail
    #[arg(long, help_heading = "Protocols on top")]
    echo: bool,
    /// Engine.IO: from ping to ping; a bare number is in milliseconds [default: --heartbeat]
    #[arg(long, value_name = "DURATION", help_heading = "Protocols on top", value_parser = milliseconds)]
    ping_interval: Option<Duration>,
    /// Engine.IO: how long a client may take to answer a ping; a bare number is in milliseconds
    #[arg(long, value_name = "DURATION", help_heading = "Protocols on top", default_value = "20s", value_parser = milliseconds)]
    ping_timeout: Duration,
    /// SockJS, Socket.IO, STOMP, echo on /ws: the largest message that is taken [default: 65536; STOMP: 1048576;
    /// echo on /ws: 16777216]
    #[arg(long, value_name = "BYTES", help_heading = "Protocols on top", value_parser = bytes(64, 64 << 20))]
    max_payload: Option<u64>,
    /// SockJS: bytes of a streaming response before it is ended and another asked for
    #[arg(long, value_name = "BYTES", help_heading = "Protocols on top", default_value_t = 128 * 1024, value_parser = bytes(1, 1 << 30))]
    response_limit: u64,
}

impl From<TuningArgs> for Tuning {
    fn from(args: TuningArgs) -> Tuning {
        Tuning {
            echo: args.echo,
            ping_interval: args.ping_interval,
            ping_timeout: args.ping_timeout,
            max_payload: args.max_payload.map(|n| n as usize),
            response_limit: args.response_limit as usize,
        }
    }
}

/// Parses a time in milliseconds, as the suites of Engine.IO's protocol give it, or with a unit.
fn milliseconds(text: &str) -> Result<Duration, String> {
    let read = match text.parse() {
        Ok(bare) => Some(Duration::from_millis(bare)),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    let allowed = Duration::from_millis(10)..=Duration::from_secs(3_600);
    read.filter(|d| allowed.contains(d))
        .ok_or_else(|| t!("allowed are 10ms to 1h"))
}

fn define(command: Command) -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let command = ServeArgs::augment_args(flags::with(command, &FLAGS[..1]));
    let command = TuningArgs::augment_args(flags::with(command, &FLAGS[1..]))
        .about("Run the server alone until Ctrl-C, for clients of any make")
        .mut_arg("mails", |arg| {
            arg.help("How many mails arrive; 0 leaves it to POST /mail [default: 20; with --replay, all in the file]")
                .value_parser(count(0, 10_000_000))
        })
        .mut_arg("tls", |arg| arg.help_heading("Server"))
        .mut_arg("headers", |arg| {
            arg.help("What answers carry: lean, browser, or the FILE of a captured exchange")
                .help_heading("Server")
        })
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which ones, on one port [default: all]")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names)),
        );
    flags::with_techniques(command, technique::ALL)
}

/// Serves until it is interrupted.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let args = ServeArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(anyhow!(e)))?;
    let tuning = TuningArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(anyhow!(e)))?;
    let named: Vec<&String> = matches.get_many("technique").unwrap_or_default().collect();
    let techniques: Vec<&Technique> = technique::ALL
        .iter()
        .copied()
        .filter(|t| named.is_empty() || named.iter().any(|n| *n == t.name))
        .collect();
    if let Some(path) = &args.ca {
        report::check_output(path).map_err(Failure::Usage)?;
    }
    let listen = args.listen.address().map_err(Failure::Usage)?;
    let ca = args.ca;
    let mut lab = Lab::new(scenario(matches).map_err(Failure::Usage)?).map_err(Failure::Usage)?;
    lab.tuning = tuning.into();
    if lab.identity.is_some() {
        let names = args.listen.names(listen).map_err(Failure::Run)?;
        lab.identity = Some(Identity::make(names).map_err(Failure::Run)?);
    }
    lab.access = args.listen.access(lab.scenario.tls);
    super::interrupt::ends(lab.interrupt.clone());
    for odd in report::oddities(&lab.scenario) {
        tell!("{odd}");
    }
    let (server, clerk) = start(&lab, &techniques, listen).map_err(Failure::Run)?;
    announce(&lab, &server, ca).map_err(Failure::Run)?;
    let counts = Counts::new(&server.traffic);
    let mut reaches = true;
    while !lab.interrupt.is_cancelled() {
        counts.show();
        if server.reaches_its_log() != reaches {
            reaches = !reaches;
            counts.above(&tell_of_log(&lab.scenario, reaches));
        }
        std::thread::sleep(LOOK);
    }
    counts.clear();
    if let Some(clerk) = clerk {
        let _ = clerk.join_here();
    }
    say_goodbye(&server.stop());
    Ok(ExitCode::SUCCESS)
}

/// Starts the server. If it has all techniques that a browser speaks, a browser gets the student's page at `/`, with
/// figures of its own: over TLS the meter does not know whose bytes are whose.
fn start(
    lab: &Lab,
    techniques: &[&Technique],
    listen: SocketAddr,
) -> anyhow::Result<(Standalone, Option<Role<()>>)> {
    let all = LANES
        .iter()
        .all(|lane| techniques.iter().any(|technique| technique.name == lane.name));
    // Its page knows the texts of the mail that came to this server, and a log outside may have others.
    if !all || lab.identity.is_some() || lab.tuning.echo || !lab.scenario.log.is_memory() {
        return Ok((Standalone::start(lab, techniques, listen)?, None));
    }
    let prepared = Prepared::new(lab)?;
    let room = Arc::new(Room::new(Open::alone(), prepared.post(), Outages::default()));
    let additions = class::additions(&room, |_| None);
    let server = Standalone::with(prepared, lab, techniques, listen, additions)?;
    let clerk = class::watch(room, false, 0, lab.interrupt.child_token())?;
    Ok((server, Some(clerk)))
}

/// What each technique is doing, one line each; nothing where stderr cannot be redrawn.
struct Counts {
    all: MultiProgress,
    lines: Vec<(Traffic, ProgressBar)>,
}

impl Counts {
    fn new(traffic: &[(&'static str, Traffic)]) -> Counts {
        let all = MultiProgress::with_draw_target(bars::target());
        let width = traffic.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let style = ProgressStyle::with_template("{prefix} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let lines = traffic.iter().map(|(name, traffic)| {
            let line = all.add(ProgressBar::no_length()).with_style(style.clone());
            line.set_prefix(format!("{name:width$}"));
            (traffic.clone(), line)
        });
        Counts {
            lines: lines.collect(),
            all,
        }
    }

    /// Draws the lines that have changed.
    fn show(&self) {
        for (traffic, line) in &self.lines {
            let (requests, open) = traffic.counts();
            let now = t!(
                "%{requests} requests %{open} open",
                requests = format!("{requests:>8}"),
                open = format!("{open:>6}")
            );
            if line.message() != now {
                line.set_message(now);
            }
        }
    }

    /// Prints a line above these.
    fn above(&self, line: &str) {
        self.all.suspend(|| tell!("{line}"));
    }

    /// Removes the lines.
    fn clear(self) {
        // A line that is not finished would be drawn once more when it is dropped.
        self.lines.iter().for_each(|(_, line)| line.finish_and_clear());
        // It fails only if stderr is closed, and then nothing is on it.
        let _ = self.all.clear();
    }
}

/// What is said when the connection to the log is lost, or there again.
fn tell_of_log(scenario: &Scenario, is_there: bool) -> String {
    let place = printable(&scenario.log.to_string());
    match is_there {
        true => t!("the log at %{place} is there again", place = place),
        false => t!(
            "warning: no connection to the log at %{place}: clients get what is here, and new mail late",
            place = place
        ),
    }
}

fn scenario(matches: &ArgMatches) -> anyhow::Result<Scenario> {
    let theirs = flags::of_techniques(technique::ALL);
    let scenario = flags::fill(Scenario::default(), matches, FLAGS.iter().chain([&&*theirs]));
    check(&scenario)?;
    check_threads(&scenario, false)?;
    Ok(scenario)
}

/// Prints the server's URLs to stdout once it accepts, one on each line; everything else goes to stderr.
fn announce(lab: &Lab, server: &Standalone, ca: Option<PathBuf>) -> anyhow::Result<()> {
    if let (Some(identity), Some(path)) = (&lab.identity, &ca) {
        report::deliver(&identity.authority, Some(path))?;
        tell!("{}", t!("clients have to trust %{path}", path = path.display()));
    } else if lab.identity.is_some() {
        tell!(
            "{}",
            t!("no client trusts this certificate: --ca FILE writes down whom to trust")
        );
    }
    if !server.address.ip().is_loopback() {
        tell!(
            "{}",
            t!("warning: others than this machine can reach this server")
        );
    }
    if let Some(files) = server.room.files {
        tell!(
            "{}",
            t!(
                "room for %{connections} connections, %{from_one_address} of them from one address: the limit of open files is %{files} (`ulimit -n`)",
                connections = server.room.connections,
                from_one_address = server.room.from_one_address,
                files = files
            )
        );
    }
    let scheme = if lab.identity.is_some() { "https" } else { "http" };
    let addresses = listen::reachable(server.address)?;
    let urls: String = addresses.iter().map(|a| format!("{scheme}://{a}\n")).collect();
    report::deliver(&urls, None).context(t!("nobody hears where the server is"))?;
    tell!("{}", t!("GET / lists what there is; Ctrl-C ends it"));
    Ok(())
}

fn say_goodbye(summary: &Summary) {
    let [up, down] = summary.totals.raw;
    tell!(
        "{}",
        t!(
            "%{connections} connections, %{requests} requests; %{up} bytes up, %{down} down",
            connections = summary.connections,
            requests = summary.totals.tally.requests,
            up = up,
            down = down
        )
    );
}
