//! Flags that several commands share, and their values.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum, value_parser};

use super::expect;
use super::failure::Failure;
use super::output::plain_style;
use super::present::present;
use crate::lang::Language;
use crate::mail::MIN_SIZE;
use crate::outcome::{Arrivals, FileName, HttpVersion, Link, MOST_CLIENTS, Scenario};
use crate::report::{self, Format, Style, View};
use crate::technique::flags::{Flag, duration};
use crate::technique::quantities::rate_text;
pub use crate::technique::quantities::{bandwidth, bytes, count, rate, seed};
use crate::technique::{self, Technique};

/// The largest attachment, bytes.
pub const MAX_ATTACH: u64 = 16 << 20;

/// The flags that are used most. They come first in the help, and the others follow by subject.
pub(super) const MOST_USED: [&str; 8] = [
    "mails", "rate", "clients", "interval", "rtt", "tls", "format", "output",
];

/// The most bytes that a run's mailbox and clients may hold at once.
const MAX_HELD: u64 = 2 << 30;

/// The flags of every run.
#[derive(Debug, Args)]
struct RunArgs {
    /// How many mails arrive [default: 20; with --replay, all in the file]
    #[arg(long, value_name = "N", help_heading = "Mail", value_parser = count(1, 10_000_000))]
    mails: Option<u64>,
    #[command(flatten)]
    mail: MailArgs,

    /// Clients of each technique
    #[arg(long, value_name = "N", help_heading = "Clients", default_value_t = 1, value_parser = count(1, MOST_CLIENTS))]
    clients: u64,
    /// Each client answers each mail ("read")
    #[arg(long, help_heading = "Clients")]
    reply: bool,
    /// Each client says something this often, while mail keeps arriving: 10/s, 30/min
    #[arg(long, value_name = "RATE", help_heading = "Clients", conflicts_with = "reply", value_parser = rate)]
    talk: Option<f64>,
    /// How long after the last arrival to wait for missing mail
    #[arg(long, value_name = "DURATION", help_heading = "Clients", default_value = "5s", value_parser = duration(Duration::ZERO, Duration::from_secs(3_600)))]
    grace: Duration,
    /// What requests carry: lean, browser, or the FILE of a captured exchange
    #[arg(
        long,
        value_name = "PROFILE",
        help_heading = "Clients",
        default_value = "lean"
    )]
    headers: OsString,

    #[command(flatten)]
    transport: TransportArgs,

    /// Runs so many seeds, the first --seed, and gives means with their 95 % intervals
    #[arg(long, value_name = "N", help_heading = "Run", default_value_t = 1, value_parser = count(1, 1_000))]
    repeat: u64,
    /// Each server in a process of its own: its processor time and memory are shown
    #[arg(long, help_heading = "Run")]
    isolate: bool,
    /// Add bare TCP to the table: the least anything can cost
    #[arg(long, help_heading = "Run")]
    baseline: bool,

    #[command(flatten)]
    link: LinkArgs,

    #[command(flatten)]
    result: ResultArgs,
    /// Also writes what crossed the wire as a pcapng, which Wireshark opens. HTTP/2 without TLS needs its
    /// "Decode As…"; each interface's description says what
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Result",
        conflicts_with = "isolate"
    )]
    pcap: Option<PathBuf>,
    /// Draws when each mail arrived, each request was open, each mail was delivered
    #[arg(long, help_heading = "Result")]
    timeline: bool,
}

/// How a result is printed, where, and what is kept besides.
#[derive(Debug, Args)]
pub struct ResultArgs {
    /// How the result is printed [default: as its file's name ends, like .html or .md; else for a terminal]
    #[arg(long, value_name = "FORMAT", help_heading = "Result")]
    format: Option<Format>,
    /// Where the result is written instead of stdout: whole, or not at all
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub output: Option<PathBuf>,
    /// Also writes the result as JSON: whole, or not at all
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub save: Option<PathBuf>,
}

impl ResultArgs {
    /// The format, after a check that the files can be written.
    pub fn checked(&self) -> anyhow::Result<Format> {
        for output in self.output.iter().chain(&self.save) {
            report::check_output(output)?;
        }
        Ok(format_of(self.format, self.output.as_deref()))
    }

    /// Prints a result, and saves it if asked to.
    pub fn present(&self, format: Format, view: &dyn View) -> Result<(), Failure> {
        let output = self.output.as_deref();
        present(format, view, &plain_style(output), [output, self.save.as_deref()])
    }
}

/// The format that was asked for, or else the one that the output's file name ends in, or else the default.
pub fn format_of(asked: Option<Format>, output: Option<&Path>) -> Format {
    let ending = output.and_then(Path::extension).and_then(OsStr::to_str);
    let name = match ending.map(str::to_ascii_lowercase) {
        Some(ending) if ending == "md" => "markdown".into(),
        Some(ending) if ending == "htm" => "html".into(),
        ending => ending.unwrap_or_default(),
    };
    asked.unwrap_or_else(|| Format::from_str(&name, false).unwrap_or_default())
}

/// What mail arrives, but for how much.
#[derive(Debug, Args)]
pub struct MailArgs {
    /// Mean arrival rate: 2/s, 30/min, 1/40s; a bare number is per second
    #[arg(long, value_name = "RATE", help_heading = "Mail", default_value = "2/s", value_parser = rate)]
    rate: f64,
    /// How arrivals are spread: poisson, steady or burst:K (K at one instant)
    #[arg(long, value_name = "HOW", help_heading = "Mail", default_value = "poisson")]
    arrivals: Arrivals,
    /// Bytes of each mail's JSON text
    #[arg(long, value_name = "BYTES", help_heading = "Mail", default_value_t = 300, value_parser = bytes(MIN_SIZE as u64, 1 << 20))]
    size: u64,
    /// Bytes of a binary attachment for each mail; a photo has some 100000
    #[arg(long, value_name = "BYTES", help_heading = "Mail", default_value_t = 0, value_parser = bytes(0, MAX_ATTACH))]
    attach: u64,
    /// Seeds mail, arrivals and phases: the same seed gives the same mail
    #[arg(long, value_name = "N", help_heading = "Mail", default_value_t = 1, value_parser = seed)]
    seed: u64,
    /// Real arrivals instead: an mbox, or a CSV of offset_s,bytes
    #[arg(long, value_name = "FILE", help_heading = "Mail", conflicts_with_all = ["rate", "arrivals", "size"])]
    replay: Option<OsString>,
    /// How many times faster than recorded, like 8640x
    #[arg(long, value_name = "FACTOR", help_heading = "Mail", default_value = "1x", value_parser = speed, requires = "replay")]
    replay_speed: f64,
    /// How many mails the mailbox keeps; an older cursor is told its gap
    #[arg(long, value_name = "N", help_heading = "Mail", default_value_t = 10_000, value_parser = count(1, 10_000_000))]
    keep: u64,
    /// How many bytes they may take, with the forms in which they are sent; the newest is always kept
    #[arg(long, value_name = "SIZE", help_heading = "Mail", default_value = "64MiB", value_parser = bytes(1, 1 << 40))]
    keep_bytes: u64,
}

/// What HTTP is spoken, and whether in the clear.
#[derive(Debug, Args)]
pub struct TransportArgs {
    /// Which HTTP: 1.0 (a connection for each request), 1.1, or 2
    #[arg(
        long,
        value_name = "VERSION",
        help_heading = "Transport",
        default_value = "1.1"
    )]
    pub http: HttpVersion,
    /// Encrypt: https and wss, with a certificate authority made on the spot
    #[arg(long, help_heading = "Transport")]
    pub tls: bool,
}

/// What lies between client and server.
#[derive(Clone, Copy, Debug, Args)]
pub struct LinkArgs {
    /// Round trip of the link. A new connection costs one more; there is no slow start
    #[arg(long, value_name = "DURATION", help_heading = "Link", default_value = "0ms", value_parser = duration(Duration::ZERO, Duration::from_secs(10)))]
    rtt: Duration,
    /// Up to so much more for each segment, at random, each way; the order is kept
    #[arg(long, value_name = "DURATION", help_heading = "Link", default_value = "0ms", value_parser = duration(Duration::ZERO, Duration::from_secs(10)))]
    jitter: Duration,
    /// Bits per second of each connection, each way: 1mbit, 56kbit [default: no limit]
    #[arg(long, value_name = "RATE", help_heading = "Link", value_parser = bandwidth)]
    bandwidth: Option<f64>,
    /// Chance that a segment is lost; what follows it waits for max(200ms, 2 round trips)
    #[arg(long, value_name = "PERCENT", help_heading = "Link", default_value = "0%", value_parser = loss)]
    loss: f64,
}

impl MailArgs {
    /// Sets them in a scenario with this many mails; `None` means all mails of a replay, or the default number.
    pub fn apply(self, mails: Option<u64>, scenario: &mut Scenario) {
        scenario.mails = mails.unwrap_or(if self.replay.is_some() { u64::MAX } else { 20 });
        scenario.size = self.size as usize;
        scenario.attach = self.attach as usize;
        scenario.arrivals = self.arrivals;
        scenario.rate_per_s = self.rate;
        scenario.replay = self.replay.map(FileName::from);
        scenario.replay_speed = self.replay_speed;
        scenario.seed = self.seed;
        scenario.keep = self.keep as usize;
        scenario.keep_bytes = self.keep_bytes;
    }
}

impl From<LinkArgs> for Link {
    fn from(args: LinkArgs) -> Link {
        Link {
            rtt_ms: args.rtt.as_secs_f64() * 1e3,
            jitter_ms: args.jitter.as_secs_f64() * 1e3,
            bandwidth_bit_s: args.bandwidth,
            loss_fraction: args.loss,
        }
    }
}

/// What a run's flags ask for.
#[derive(Debug)]
pub struct Asked {
    /// What to run.
    pub scenario: Scenario,
    /// How to print it.
    pub format: Format,
    /// The file that it is written to.
    pub output: Option<PathBuf>,
    /// The file that it is saved to as JSON.
    pub save: Option<PathBuf>,
    /// The file for what crossed the wire.
    pub pcap: Option<PathBuf>,
    /// Draw the timeline.
    pub timeline: bool,
    /// Run each server in a process of its own.
    pub isolate: bool,
    /// Run one technique after the other.
    pub one_at_a_time: bool,
    /// Add the bare-TCP row.
    pub baseline: bool,
    /// Simulate time and network.
    pub simulate: bool,
}

pub fn language() -> Arg {
    Arg::new("lang")
        .long("lang")
        .value_name("LANGUAGE")
        .help("The language of what is said in words: en or ko [default: the locale's]")
        .hide_possible_values(true)
        .value_parser(value_parser!(Language))
        .global(true)
}

/// The same command with a help that begins with the flags that are used most. clap lists flags without a
/// heading before all others, so every flag has one.
pub fn most_used_first(command: Command) -> Command {
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .help("Print help; -h prints it in short")
        .action(clap::ArgAction::Help);
    command
        .disable_help_flag(true)
        .arg(language().help_heading("Other"))
        .arg(help.help_heading("Other"))
        .mut_args(|arg| match MOST_USED.iter().position(|id| arg.get_id() == id) {
            Some(place) => arg.help_heading("Most used").display_order(place),
            None => arg,
        })
}

/// The flag for a simulated run.
pub fn simulate() -> Arg {
    Arg::new("simulate")
        .long("simulate")
        .help("Simulate time and network instead of measuring: what the protocol costs by itself, without waiting")
        .action(clap::ArgAction::SetTrue)
        .help_heading("Run")
}

/// The flags of every run.
pub fn run_args(command: Command) -> Command {
    expect::with_expectations(RunArgs::augment_args(command))
}

/// The flags of a run of several techniques, and the list of techniques.
pub fn compare_args(command: Command) -> Command {
    let command = which(run_args(command)).arg(
        Arg::new("one-at-a-time")
            .long("one-at-a-time")
            .help("One technique after the other instead of all at once")
            .action(clap::ArgAction::SetTrue)
            .help_heading("Run"),
    );
    most_used_first(with_flags(command, technique::ALL))
}

/// The arguments that choose techniques.
pub fn which(command: Command) -> Command {
    let names = technique::ALL.iter().map(|t| t.name);
    let usual: Vec<&str> = technique::ALL
        .iter()
        .filter(|t| t.usual)
        .map(|t| t.name)
        .collect();
    command
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help(format!("Which ones [default: {}]", usual.join(", ")))
                .num_args(0..)
                .value_parser(clap::builder::PossibleValuesParser::new(names)),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .help("All of them, also those that a comparison usually leaves out")
                .conflicts_with("technique")
                .help_heading("Technique")
                .action(clap::ArgAction::SetTrue),
        )
}

/// Adds the techniques' own flags, each once.
pub fn with_flags(command: Command, techniques: &[&Technique]) -> Command {
    flags(techniques)
        .into_iter()
        .fold(command, |c, flag| c.arg((flag.arg)().help_heading("Technique")))
}

pub fn flags(techniques: &[&Technique]) -> Vec<&'static Flag> {
    let mut flags: Vec<&'static Flag> = Vec::new();
    for flag in techniques.iter().flat_map(|t| t.flags) {
        if flags
            .iter()
            .all(|known| (known.arg)().get_id() != (flag.arg)().get_id())
        {
            flags.push(flag);
        }
    }
    flags
}

impl Asked {
    /// How the result is drawn.
    pub fn style(&self) -> Style {
        Style {
            timeline: self.timeline,
            ..plain_style(self.output.as_deref())
        }
    }

    /// Reads a subcommand's matches.
    ///
    /// # Errors
    /// If values that are valid by themselves make no sense together.
    pub fn read(matches: &ArgMatches, techniques: &[&Technique]) -> anyhow::Result<Asked> {
        let args = RunArgs::from_arg_matches(matches)?;
        check_files(&args)?;
        let mut scenario = Scenario {
            clients: args.clients as usize,
            reply: args.reply,
            talk_per_s: args.talk,
            grace_ms: args.grace.as_secs_f64() * 1e3,
            headers: args.headers.into(),
            http: args.transport.http,
            tls: args.transport.tls,
            repeat: args.repeat as u32,
            link: args.link.into(),
            ..Scenario::default()
        };
        args.mail.apply(args.mails, &mut scenario);
        // `compare sse` accepts all flags; those of techniques that don't run change nothing.
        let all = if matches.try_contains_id("technique").is_ok() {
            technique::ALL
        } else {
            techniques
        };
        for flag in flags(all) {
            (flag.apply)(matches, &mut scenario);
        }
        check(&scenario)?;
        let is_set = |flag: &str| matches.try_get_one(flag).ok().flatten() == Some(&true);
        let simulate = is_set("simulate");
        if simulate && args.isolate {
            bail!(
                "--isolate measures the processor time and memory of a server's process: with --simulate nothing is \
                 measured, so use one of the two"
            );
        }
        Ok(Asked {
            scenario,
            format: format_of(args.result.format, args.result.output.as_deref()),
            output: args.result.output,
            save: args.result.save,
            pcap: args.pcap,
            timeline: args.timeline,
            isolate: args.isolate,
            baseline: args.baseline,
            one_at_a_time: is_set("one-at-a-time"),
            simulate,
        })
    }
}

pub fn check(scenario: &Scenario) -> anyhow::Result<()> {
    let kept = scenario.mails.min(scenario.keep as u64);
    let held = (scenario.attach as u64 * 2 + scenario.size as u64).saturating_mul(kept);
    if scenario.replay.is_none() && held > MAX_HELD {
        bail!(
            "a mailbox of {kept} mails of {} bytes would hold {} MiB; allowed are {} MiB: \
             use fewer --mails, a smaller --attach or --size, or a smaller --keep",
            scenario.attach + scenario.size,
            held >> 20,
            MAX_HELD >> 20
        );
    }
    let days = scenario.mails as f64 / scenario.rate_per_s / 86_400.0 * f64::from(scenario.repeat);
    if scenario.replay.is_none() && days > 7.0 {
        let times = match scenario.repeat {
            1 => String::new(),
            n => format!(", {n} times,"),
        };
        bail!(
            "{} mails at {}{times} take {days:.0} days; allowed are 7",
            scenario.mails,
            rate_text(scenario.rate_per_s)
        );
    }
    Ok(())
}

fn check_files(args: &RunArgs) -> anyhow::Result<()> {
    if args.pcap.is_some() && args.repeat > 1 {
        bail!(
            "--pcap is of one run: it cannot be used with --repeat {}",
            args.repeat
        );
    }
    let files = [
        ("--output", &args.result.output),
        ("--save", &args.result.save),
        ("--pcap", &args.pcap),
    ];
    for (i, (flag, file)) in files.iter().enumerate() {
        if let Some((other, _)) = files[..i].iter().find(|(_, f)| f.is_some() && f == file) {
            bail!("{flag} and {other} name the same file");
        }
    }
    Ok(())
}

/// Parses `1%` into 0.01.
pub fn loss(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|p| p.trim_end().parse().ok());
    percent
        .filter(|p| (0.0..=50.0).contains(p))
        .map(|p| p / 100.0)
        .ok_or_else(|| "allowed is 0% to 50%, written like 1% or 0.5%".into())
}

/// Parses `8640x` or `8640`.
fn speed(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    factor
        .filter(|f| (0.001..=1e9).contains(f))
        .ok_or_else(|| "allowed is 0.001x to 1000000000x, like 8640x: a day in ten seconds".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_percentages() {
        assert_eq!(loss("0%"), Ok(0.0));
        assert_eq!(loss("1%"), Ok(0.01));
        assert_eq!(loss("0.5 %"), Ok(0.005));
        for bad in ["1", "", "%", "-1%", "51%", "nan%", "0.01"] {
            assert!(loss(bad).is_err(), "{bad}");
        }
    }
}
