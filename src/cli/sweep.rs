//! `mailcall sweep`: one knob over a range. The knob is the flag that has a list.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::args::{self, Asked};
use super::bars::Bars;
use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use crate::lab::sweep::{KNOBS, Knob, RunMode, Sweeping, with_enough_mail};
use crate::lab::{self, Progress};
use crate::lang::t;
use crate::outcome::sweep::{Row, Stop, Sweep};
use crate::outcome::{Outcome, Scenario};
use crate::report;
use crate::technique::{Technique, tcp};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "sweep",
    define,
    examples: "Examples:\n  mailcall sweep --rate 2/s,10/s,50/s,250/s,1000/s\n  \
             mailcall sweep --clients 1,10,100,1000 --mails 20\n  \
             mailcall sweep poll ws --interval 10ms,100ms,1s --repeat 5\n  \
             mailcall sweep long-poll sse ws --rtt 0ms,50ms,100ms,200ms --rate 20/s\n  \
             mailcall sweep --size 100,1000,10000,100000 --simulate --format csv",
    run,
};

/// The most settings of one sweep.
const MOST: usize = 100;

/// Flags that are only for a single run.
const OF_ONE_RUN: [&str; 3] = ["pcap", "timeline", "bytes"];

/// A comparison's flags; those that are knobs accept a list.
fn define(command: Command) -> Command {
    plain(command).mut_args(|arg| match KNOBS.iter().any(|knob| arg.get_id() == knob.name) {
        true => arg.value_parser(value_parser!(String)).value_name("VALUE[,…]"),
        false => arg,
    })
}

/// The same for a single setting.
fn plain(command: Command) -> Command {
    let command = args::compare_args(command)
        .about("Turn one knob over a range: who overtakes whom, and where?")
        .arg(
            Arg::new("simulate")
                .long("simulate")
                .alias("predict-only")
                .help("Run nothing for real: simulate time and network, which takes seconds")
                .action(clap::ArgAction::SetTrue)
                .help_heading("Run"),
        );
    // `mut_args` keeps each in its place, unlike `mut_arg`: help lists headings in the order of their first flags.
    command.mut_args(|arg| match arg.get_id().as_str() {
        id if OF_ONE_RUN.contains(&id) => arg.hide(true),
        "mails" => arg.help("How many mails arrive at each setting [default: what comes in 5 s, 20 to 5000]"),
        _ => arg,
    })
}

/// Runs the sweep, and prints it.
fn run(matches: &ArgMatches, whole: Whole) -> Result<ExitCode, Failure> {
    let asked = settings(matches, std::env::args_os().collect(), whole).map_err(Failure::Usage)?;
    let (techniques, absent) =
        super::choice::possible(&super::choice::named(matches), &asked.first.scenario)?;
    let techniques = with_baseline(techniques, asked.first.baseline);
    for output in asked.first.output.iter().chain(&asked.first.save) {
        report::check_output(output).map_err(Failure::Usage)?;
    }
    let mode = mode(&asked).map_err(Failure::Run)?;
    let isolated = mode.isolate.is_some();
    let sweeping = Sweeping::new(asked.knob, asked.stops, &techniques, mode, asked.enough_mail)
        .map_err(Failure::Usage)?;
    let interrupt = sweeping.interrupt();
    super::interrupt::ends(interrupt.clone());
    let simulate = matches.get_flag("simulate");
    let results = match simulate {
        true => sweeping.simulate(),
        false => sweeping
            .ensure_room()
            .and_then(|()| measure(&sweeping, &techniques)),
    };
    let results = results.map_err(Failure::Run)?;
    let sweep = Sweep {
        envelope: super::output::envelope(Some(COMMAND.name), interrupt.is_cancelled()),
        environment: (!simulate).then(lab::environment),
        scenario: asked.first.scenario.clone(),
        knob: sweeping.turned().clone(),
        isolated: isolated && !simulate,
        crossovers: sweeping.crossovers(&results),
        cuts: sweeping.cuts(&results),
        results,
        absent,
    };
    print(&sweep, &asked.first)
}

fn print(sweep: &Sweep, asked: &Asked) -> Result<ExitCode, Failure> {
    let measured = sweep.results.iter().filter_map(Row::outcome);
    if sweep.envelope.partial && super::output::nothing_came(measured) && !asked.format.is_for_programs() {
        return Ok(super::output::ended_before_any_mail());
    }
    super::present::present(
        asked.format,
        sweep,
        &asked.style(),
        [asked.output.as_deref(), asked.save.as_deref()],
    )?;
    let clean = sweep.results.iter().filter_map(Row::outcome).all(Outcome::clean);
    Ok(match (sweep.envelope.partial, clean) {
        (true, _) => super::interrupt::exit_code(),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn with_baseline(mut techniques: Vec<&'static Technique>, wanted: bool) -> Vec<&'static Technique> {
    techniques.extend(wanted.then_some(&tcp::TECHNIQUE));
    techniques
}

/// How settings are run: a sweep of clients or threads shows the server's cost, so its server needs a process of its own,
/// and so do several servers.
fn mode(asked: &Settings) -> anyhow::Result<RunMode> {
    let several = asked.knob.name == "servers" || asked.first.scenario.is_balanced();
    let isolate =
        asked.first.isolate || ((matches!(asked.knob.name, "clients" | "threads") || several) && cfg!(unix));
    Ok(RunMode {
        one_at_a_time: asked.first.one_at_a_time,
        isolate: super::isolated::executable(isolate)?,
    })
}

/// Runs setting by setting, and reports each on stderr as it comes.
fn measure(sweeping: &Sweeping, techniques: &[&'static Technique]) -> anyhow::Result<Vec<Row>> {
    let name = &sweeping.turned().name;
    let seconds = sweeping.span().as_secs();
    tell!(
        "{}",
        t!(
            "%{stops} settings of --%{name}; mail arrives for %{seconds} in all; Ctrl-C ends with what there is",
            stops = sweeping.turned().stops.len(),
            name = name,
            seconds = humantime::format_duration(std::time::Duration::from_secs(seconds.max(1)))
        )
    );
    let begun = |_: &Stop| -> Box<dyn Fn(Progress) + Sync> {
        let bars = Cleared(Bars::new(techniques));
        Box::new(move |progress| bars.0.show(progress))
    };
    sweeping.run(&begun, &|stop, rows| {
        if !super::output::nothing_came(rows.iter().filter_map(Row::outcome)) {
            tell!("{}", report::came(name, stop, rows));
        }
    })
}

/// Bars that are removed with their setting.
struct Cleared(Bars);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// What a sweep's flags ask for.
struct Settings {
    knob: &'static Knob,
    /// Each value as written, and its scenario.
    stops: Vec<(String, Scenario)>,
    /// Everything else, as it is at the first setting.
    first: Asked,
    /// Whether the user left the number of mails open.
    enough_mail: bool,
}

/// Reads the command line once per setting, with the list replaced by each of its values: so a value means
/// the same here as everywhere.
fn settings(matches: &ArgMatches, argv: Vec<OsString>, whole: Whole) -> anyhow::Result<Settings> {
    if let Some(flag) = OF_ONE_RUN.iter().find(|flag| given(matches, flag)) {
        bail!(t!(
            "--%{flag} is of one run: it cannot be used in a sweep",
            flag = flag
        ));
    }
    let (knob, list) = turned(matches)?;
    let values = list.split(',').count();
    if values > MOST {
        bail!(t!(
            "--%{knob} has %{values} values; allowed are %{most}",
            knob = knob.name,
            values = values,
            most = MOST
        ));
    }
    let techniques = super::choice::named(matches);
    let mut stops = Vec::new();
    let mut first = None;
    for value in list.split(',').map(str::trim) {
        let single = single(&argv, knob, &list, value, whole)?;
        let mut asked = Asked::read(&single, &techniques)?;
        let enough_mail = single.value_source("mails").is_none() && asked.scenario.replay.is_none();
        if enough_mail {
            asked.scenario = with_enough_mail(asked.scenario);
            args::check(&asked.scenario)?;
        }
        stops.push((value.to_string(), asked.scenario.clone()));
        first.get_or_insert((asked, enough_mail));
    }
    let (first, enough_mail) =
        first.ok_or_else(|| anyhow!(t!("--%{knob} has no values", knob = knob.name)))?;
    distinct(knob, &stops)?;
    Ok(Settings {
        knob,
        stops,
        first,
        enough_mail,
    })
}

fn given(matches: &ArgMatches, flag: &str) -> bool {
    matches.value_source(flag) == Some(ValueSource::CommandLine)
}

/// The one flag that has a list, and the list.
fn turned(matches: &ArgMatches) -> anyhow::Result<(&'static Knob, String)> {
    let list = |knob: &'static Knob| {
        let value: &String = matches.get_one(knob.name)?;
        (given(matches, knob.name) && value.contains(',')).then(|| (knob, value.clone()))
    };
    let mut lists: Vec<_> = KNOBS.iter().filter_map(list).collect();
    match (lists.pop(), lists.pop()) {
        (Some(only), None) => Ok(only),
        (Some((b, _)), Some((a, _))) => bail!(t!(
            "--%{a} and --%{b} both have a list: a sweep turns one knob; leave the other at one value",
            a = a.name,
            b = b.name
        )),
        _ => {
            bail!(t!(
                "nothing to turn: give one flag a list, as in --clients 1,10,100 or --rate 1/s,10/s,100/s"
            ))
        }
    }
}

/// The command line with one value in place of the list.
fn single(
    argv: &[OsString],
    knob: &Knob,
    list: &str,
    value: &str,
    whole: Whole,
) -> anyhow::Result<ArgMatches> {
    let flag = format!("--{}", knob.name);
    let (joined, replaced) = (format!("{flag}={list}"), format!("{flag}={value}"));
    let mut behind_flag = false;
    let argv = argv.iter().map(|arg| {
        let after = std::mem::replace(&mut behind_flag, *arg == *flag);
        match arg {
            arg if *arg == *joined => OsString::from(&replaced),
            arg if after && *arg == *list => OsString::from(value),
            arg => arg.clone(),
        }
    });
    let matches = whole()
        .mut_subcommand(COMMAND.name, |_| plain(Command::new(COMMAND.name)))
        .try_get_matches_from(argv)
        .map_err(|e| anyhow!(super::refused::in_short(&e)))?;
    match matches.subcommand() {
        Some((_, matches)) => Ok(matches.clone()),
        None => bail!(t!("no subcommand")),
    }
}

fn distinct(knob: &Knob, stops: &[(String, Scenario)]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for (text, scenario) in stops {
        if !seen.insert(knob.at(scenario).to_bits()) {
            bail!(t!("--%{knob} has %{text} twice", knob = knob.name, text = text));
        }
    }
    Ok(())
}
