//! Flags that several commands share, and their values.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum, value_parser};

use super::expect;
use super::failure::Failure;
use super::flags::{self, RUN};
use super::output::plain_style;
use super::present::present;
use crate::lang::{Language, t};
use crate::outcome::Scenario;
use crate::report::{self, Format, Style, View};
use crate::technique::quantities::rate_text;
use crate::technique::{self, Technique};

/// The flags that most runs need. Their block comes first in the help, and the others follow by subject.
pub(super) const MOST_USED: [&str; 8] = [
    "mails", "rate", "clients", "interval", "rtt", "tls", "format", "output",
];

/// The most bytes that a run's mailbox and clients may hold at once.
const MAX_HELD: u64 = 2 << 30;

/// The flags of every run that are not of its scenario.
#[derive(Debug, Args)]
struct RunArgs {
    /// Each server in a process of its own: its processor time and memory are shown
    #[arg(long, help_heading = "Run")]
    isolate: bool,
    #[command(flatten)]
    baseline: BaselineArgs,
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
    /// Also shows percentiles, connections, messages and what the bytes were for, which pages, CSV and JSON always have
    #[arg(long, help_heading = "Result")]
    bytes: bool,
    #[command(flatten)]
    events: EventsArgs,
}

/// Whether a spreadsheet gets the events.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// With --format csv: a row for each arrival, request, answer and delivery, instead of one for each technique
    #[arg(long, help_heading = "Result")]
    events: bool,
}

impl EventsArgs {
    /// Whether the events are wanted.
    ///
    /// # Errors
    /// If the format has no rows for them.
    pub fn wanted(&self, format: Format) -> anyhow::Result<bool> {
        if self.events && format != Format::Csv {
            bail!(t!(
                "--events is for --format csv, not for %{format}",
                format = format.name()
            ));
        }
        Ok(self.events)
    }
}

/// Whether the least that anything can cost is shown, too.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// Add bare TCP to the table: the least anything can cost
    #[arg(long, help_heading = "Run")]
    pub baseline: bool,
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

/// A run as it was asked for.
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
    /// Show all tables and columns.
    pub bytes: bool,
    /// Write the events.
    pub events: bool,
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
    expect::with_expectations(RunArgs::augment_args(flags::with(command, RUN)))
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
    most_used_first(flags::with_techniques(command, technique::ALL))
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

impl Asked {
    /// How the result is drawn.
    pub fn style(&self) -> Style {
        Style {
            timeline: self.timeline,
            bytes: self.bytes,
            events: self.events,
            ..plain_style(self.output.as_deref())
        }
    }

    /// Reads a subcommand's matches.
    ///
    /// # Errors
    /// If values that are valid by themselves make no sense together.
    pub fn read(matches: &ArgMatches, techniques: &[&Technique]) -> anyhow::Result<Asked> {
        let args = RunArgs::from_arg_matches(matches)?;
        // `compare sse` has all flags; those of techniques that don't run change nothing.
        let all = if matches.try_contains_id("technique").is_ok() {
            technique::ALL
        } else {
            techniques
        };
        let theirs = flags::of_techniques(all);
        let scenario = flags::fill(Scenario::default(), matches, RUN.iter().chain([&&*theirs]));
        check_files(&args, scenario.repeat)?;
        check(&scenario)?;
        let is_set = |flag: &str| matches.try_get_one(flag).ok().flatten() == Some(&true);
        let simulate = is_set("simulate");
        if simulate && args.isolate {
            bail!(t!(
                "--isolate measures the processor time and memory of a server's process: with --simulate nothing is measured, so use one of the two"
            ));
        }
        let format = format_of(args.result.format, args.result.output.as_deref());
        check_threads(&scenario, simulate)?;
        Ok(Asked {
            scenario,
            format,
            events: args.events.wanted(format)?,
            output: args.result.output,
            save: args.result.save,
            pcap: args.pcap,
            timeline: args.timeline,
            bytes: args.bytes,
            isolate: args.isolate,
            baseline: args.baseline.baseline,
            one_at_a_time: is_set("one-at-a-time"),
            simulate,
        })
    }
}

pub fn check(scenario: &Scenario) -> anyhow::Result<()> {
    let kept = scenario.mails.min(scenario.keep as u64);
    let held = (scenario.attach as u64 * 2 + scenario.size as u64).saturating_mul(kept);
    if scenario.replay.is_none() && held > MAX_HELD {
        bail!(t!(
            "a mailbox of %{kept} mails of %{size} bytes would hold %{held} MiB; allowed are %{max_held} MiB: use fewer --mails, a smaller --attach or --size, or a smaller --keep",
            kept = kept,
            size = scenario.attach + scenario.size,
            held = held >> 20,
            max_held = MAX_HELD >> 20
        ));
    }
    if scenario.slow > scenario.clients {
        bail!(t!(
            "--slow %{slow} is more than the clients, of which there are %{clients}",
            slow = scenario.slow,
            clients = scenario.clients
        ));
    }
    if scenario
        .tabs
        .is_some_and(|tabs| scenario.slow > 0 && scenario.slow < tabs)
    {
        bail!(t!(
            "a browser reads for all its tabs alike: with --tabs %{tabs}, --slow is 0 or %{tabs}, not %{slow}",
            tabs = scenario.clients,
            slow = scenario.slow
        ));
    }
    check_servers(scenario)?;
    let days = scenario.mails as f64 / scenario.rate_per_s / 86_400.0 * f64::from(scenario.repeat);
    if scenario.replay.is_none() && days > 7.0 {
        let times = match scenario.repeat {
            1 => String::new(),
            n => t!(", %{n} times,", n = n),
        };
        bail!(t!(
            "%{mails} mails at %{rate_per_s}%{times} take %{days} days; allowed are 7",
            mails = scenario.mails,
            rate_per_s = rate_text(scenario.rate_per_s),
            times = times,
            days = format!("{days:.0}")
        ));
    }
    Ok(())
}

/// Refuses several threads where there is one, or where the result would depend on their order.
pub fn check_threads(scenario: &Scenario, simulate: bool) -> anyhow::Result<()> {
    if simulate && scenario.threads > 1 {
        bail!(t!(
            "--threads %{threads}: in simulated time one thread does all work, which takes no time; leave out --threads, or measure",
            threads = scenario.threads
        ));
    }
    if scenario.threads > 1 && scenario.slow_policy.is_some() {
        bail!(t!(
            "--threads %{threads} with --slow-policy: whether a client's queue is full would depend on which thread runs first; leave out one of the two",
            threads = scenario.threads
        ));
    }
    Ok(())
}

/// Checks what several servers need.
fn check_servers(scenario: &Scenario) -> anyhow::Result<()> {
    if scenario.is_balanced() {
        if scenario.publishers > 0 {
            bail!(t!(
                "--publishers %{n} with --servers %{servers}: what a client publishes at one server would not reach the logs of the others",
                n = scenario.publishers,
                servers = scenario.servers
            ));
        }
        if scenario.kill_ms.is_some() && scenario.speaks() {
            bail!(t!(
                "--kill cannot be used with --reply or --talk: a killed server takes along what it has heard, so it could not be counted"
            ));
        }
        return Ok(());
    }
    if let Some(balance) = scenario.balance {
        bail!(t!(
            "--balance %{how} needs several servers: --servers 2 to --servers 16",
            how = balance.name()
        ));
    }
    if scenario.kill_ms.is_some() {
        bail!(t!(
            "--kill needs another server to go on with: --servers 2 to --servers 16"
        ));
    }
    Ok(())
}

fn check_files(args: &RunArgs, repeat: u32) -> anyhow::Result<()> {
    if args.pcap.is_some() && repeat > 1 {
        bail!(t!(
            "--pcap is of one run: it cannot be used with --repeat %{repeat}",
            repeat = repeat
        ));
    }
    let files = [
        ("--output", &args.result.output),
        ("--save", &args.result.save),
        ("--pcap", &args.pcap),
    ];
    for (i, (flag, file)) in files.iter().enumerate() {
        if let Some((other, _)) = files[..i].iter().find(|(_, f)| f.is_some() && f == file) {
            bail!(t!(
                "%{flag} and %{other} name the same file",
                flag = flag,
                other = other
            ));
        }
    }
    Ok(())
}
