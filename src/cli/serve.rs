//! `mailcall serve`: the server alone.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::args::{self, LinkArgs, MailArgs, check, flags, with_flags};
use super::{Failure, help};
use crate::lab::Lab;
use crate::lab::access::{Access, Allowed, Host};
use crate::lab::standalone::{Standalone, Summary};
use crate::link::tls::Identity;
use crate::outcome::Scenario;
use crate::report;
use crate::technique::{self, Technique, Tuning};

/// The subcommand's name.
pub const COMMAND: &str = "serve";

/// How often it looks whether to stop.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
struct ServeArgs {
    /// How many mails arrive; 0 leaves it to POST /mail [default: 20; with --replay, all in the file]
    #[arg(long, value_name = "N", help_heading = "Mail", value_parser = args::count(0, 10_000_000))]
    mails: Option<u64>,
    #[command(flatten)]
    mail: MailArgs,

    /// Where to listen; port 0 takes a free one. Anything but the loopback is open to others
    #[arg(
        long,
        value_name = "ADDRESS",
        help_heading = "Server",
        default_value = "127.0.0.1:0",
        value_parser = address
    )]
    listen: SocketAddr,
    /// A name by which clients may call this server, besides IP addresses and localhost; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    allow_host: Vec<Host>,
    /// Whose web pages may use it besides its own: SCHEME://HOST[:PORT], null (pages from a file) or * (all);
    /// repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "Server")]
    allow_origin: Vec<Allowed>,
    /// Encrypt: https and wss, with a certificate authority made on the spot
    #[arg(long, help_heading = "Server")]
    tls: bool,
    /// Where to write the certificate of that authority, which clients have to trust
    #[arg(long, value_name = "FILE", help_heading = "Server", requires = "tls")]
    ca: Option<PathBuf>,
    /// What answers carry: lean, browser, or the FILE of a captured exchange
    #[arg(long, value_name = "PROFILE", help_heading = "Server", default_value = "lean")]
    headers: OsString,

    #[command(flatten)]
    link: LinkArgs,
    #[command(flatten)]
    tuning: TuningArgs,
}

/// What the protocols on top leave to a server's choice, for conformance suites above all.
#[derive(Clone, Copy, Debug, Args)]
struct TuningArgs {
    /// SockJS, Socket.IO: send back what arrives, with the endpoints that conformance suites expect
    #[arg(long, help_heading = "Protocols on top")]
    echo: bool,
    /// Engine.IO: from ping to ping; a bare number is in milliseconds [default: --heartbeat]
    #[arg(long, value_name = "DURATION", help_heading = "Protocols on top", value_parser = milliseconds)]
    ping_interval: Option<Duration>,
    /// Engine.IO: how long a client may take to answer a ping; a bare number is in milliseconds
    #[arg(long, value_name = "DURATION", help_heading = "Protocols on top", default_value = "20s", value_parser = milliseconds)]
    ping_timeout: Duration,
    /// SockJS, Socket.IO, STOMP: the largest message that is taken [default: 65536; STOMP: 1048576]
    #[arg(long, value_name = "BYTES", help_heading = "Protocols on top", value_parser = args::bytes(64, 64 << 20))]
    max_payload: Option<u64>,
    /// SockJS: bytes of a streaming response before it is ended and another asked for
    #[arg(long, value_name = "BYTES", help_heading = "Protocols on top", default_value_t = 128 * 1024, value_parser = args::bytes(1, 1 << 30))]
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

/// A time as the suites of Engine.IO's protocol give it, or with a unit.
fn milliseconds(text: &str) -> Result<Duration, String> {
    let read = match text.parse() {
        Ok(bare) => Some(Duration::from_millis(bare)),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    let allowed = Duration::from_millis(10)..=Duration::from_secs(3_600);
    read.filter(|d| allowed.contains(d))
        .ok_or_else(|| "allowed are 10ms to 1h".to_string())
}

/// The command's definition.
pub fn command() -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let command = ServeArgs::augment_args(Command::new(COMMAND))
        .about("Run the server alone until Ctrl-C, for clients of any make")
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which ones, on one port [default: all]")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names)),
        );
    with_flags(command, technique::ALL).after_help(help::examples(COMMAND))
}

/// Serves until it is interrupted.
pub fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let args = ServeArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(anyhow!(e)))?;
    let named: Vec<&String> = matches.get_many("technique").unwrap_or_default().collect();
    let techniques: Vec<&Technique> = technique::ALL
        .iter()
        .copied()
        .filter(|t| named.is_empty() || named.iter().any(|n| *n == t.name))
        .collect();
    if let Some(path) = &args.ca {
        report::check_output(path).map_err(Failure::Usage)?;
    }
    let (listen, ca, tuning) = (args.listen, args.ca.clone(), args.tuning);
    let (hosts, origins) = (args.allow_host.clone(), args.allow_origin.clone());
    let mut lab = Lab::new(scenario(args, matches).map_err(Failure::Usage)?).map_err(Failure::Usage)?;
    lab.tuning = tuning.into();
    if lab.identity.is_some() {
        lab.identity = Some(Identity::make(named_by(listen, &hosts)).map_err(Failure::Run)?);
    }
    lab.access = Access::new(hosts, origins, lab.scenario.tls);
    super::interrupt::ends(lab.interrupt.clone());
    for odd in report::oddities(&lab.scenario) {
        tell!("{odd}");
    }
    let server = Standalone::start(&lab, &techniques, listen).map_err(Failure::Run)?;
    announce(&lab, &server, ca).map_err(Failure::Run)?;
    while !lab.interrupt.is_cancelled() {
        std::thread::sleep(LOOK);
    }
    say_goodbye(&server.stop());
    Ok(ExitCode::SUCCESS)
}

/// Parses `127.0.0.1:8000`, `[::1]:0`, `localhost:8000`; of a name's addresses the first counts.
fn address(text: &str) -> Result<SocketAddr, String> {
    let allowed = "allowed is ADDRESS:PORT, like 127.0.0.1:8000, [::1]:0 or localhost:8000";
    let found = text
        .to_socket_addrs()
        .map_err(|e| format!("{e}; {allowed}"))?
        .next();
    found.ok_or_else(|| allowed.into())
}

fn scenario(args: ServeArgs, matches: &ArgMatches) -> anyhow::Result<Scenario> {
    let mut scenario = Scenario {
        headers: args.headers.into(),
        tls: args.tls,
        link: args.link.into(),
        ..Scenario::default()
    };
    args.mail.apply(args.mails, &mut scenario);
    for flag in flags(technique::ALL) {
        (flag.apply)(matches, &mut scenario);
    }
    check(&scenario)?;
    Ok(scenario)
}

/// What a certificate has to name besides the loopback.
fn named_by(listen: SocketAddr, hosts: &[Host]) -> Vec<String> {
    let address = Some(listen.ip()).filter(|ip| !ip.is_unspecified());
    let names = hosts.iter().filter_map(|host| match host {
        Host::Name(name) => Some(name.clone()),
        Host::Address(_) => None,
    });
    address
        .map(|ip| ip.to_string())
        .into_iter()
        .chain(names)
        .collect()
}

/// The address goes to stdout, once it accepts; everything else is talk.
fn announce(lab: &Lab, server: &Standalone, ca: Option<PathBuf>) -> anyhow::Result<()> {
    if let (Some(identity), Some(path)) = (&lab.identity, &ca) {
        report::deliver(&identity.authority, Some(path))?;
        tell!("clients have to trust {}", path.display());
    } else if lab.identity.is_some() {
        tell!("no client trusts this certificate: --ca FILE writes down whom to trust");
    }
    if !server.address.ip().is_loopback() {
        tell!("warning: others than this machine can reach {}", server.address);
    }
    let scheme = if lab.identity.is_some() { "https" } else { "http" };
    report::deliver(&format!("{scheme}://{}\n", server.address), None)
        .context("nobody hears where the server is")?;
    tell!("GET / lists what there is; Ctrl-C ends it");
    Ok(())
}

fn say_goodbye(summary: &Summary) {
    let [up, down] = summary.totals.raw;
    tell!(
        "{} connections, {} requests; {up} bytes up, {down} down",
        summary.connections,
        summary.totals.tally.requests
    );
}
