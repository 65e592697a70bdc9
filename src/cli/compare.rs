//! `mailcall compare`, and `mailcall TECHNIQUE` for a single one: run, and print.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::args::{self, Asked};
use super::choice::{named, possible_or_none};
use super::failure::Failure;
use super::flags;
use super::output::{ended_before_any_mail, envelope, nothing_came, quoted, say_written, verdict};
use super::present::present;
use super::subcommand::{Subcommand, Whole};
use super::tell::tell_left_out;
use super::{ablate, bars, expect, interrupt, isolated};
use crate::lab::{self, Lab, Recordings, Simulated};
use crate::lang::t;
use crate::link::Recorded;
use crate::outcome::Report;
use crate::report;
use crate::report::pcap::{self, DatedInstant, Interface};
use crate::technique::{Technique, tcp};

/// `compare`.
pub const COMMAND: Subcommand = Subcommand {
    name: "compare",
    define,
    examples: "Examples:\n  mailcall compare\n  mailcall compare --simulate --mails 5000 --rate 1/min\n  \
             mailcall compare --format html --output report.html\n  mailcall compare poll ws --rate 50/s --mails 200\n  \
             mailcall compare --attach 100000 --frames binary\n  \
             mailcall compare --talk 4/s --rtt 100ms\n  \
             mailcall compare --replay demos/data/r-help-2007-06-14.arrivals.csv --replay-speed 8640x",
    run: |matches, _| run(matches, &named(matches)),
};

fn define(command: Command) -> Command {
    ablate::with_flag(args::compare_args(command))
        .arg(args::simulate())
        .about("Run several techniques against the same mail, side by side in one table")
}

/// A technique's own subcommand.
pub fn technique(t: &'static Technique) -> Command {
    let command = args::run_args(Command::new(t.name)).about(t.about);
    // Where some clients publish, the others are subscribers.
    let command = match t.has_publishers() {
        true => command.mut_arg("clients", |clients| clients.visible_alias("subscribers")),
        false => command,
    };
    let command = command.arg(args::simulate());
    #[cfg(unix)]
    let command = super::visit::with_url(command, t);
    args::most_used_first(flags::with_techniques(command, &[t])).after_help(t.examples)
}

/// Runs one technique, here or against the server at a URL.
pub fn run_technique(
    matches: &ArgMatches,
    technique: &'static Technique,
    whole: Whole,
) -> Result<ExitCode, Failure> {
    #[cfg(unix)]
    if let Some(url) = super::visit::url(matches) {
        return super::visit::run(matches, technique, url, whole);
    }
    #[cfg(not(unix))]
    let _ = whole;
    run(matches, &[technique])
}

fn run(matches: &ArgMatches, techniques: &[&'static Technique]) -> Result<ExitCode, Failure> {
    let asked = Asked::read(matches, techniques).map_err(Failure::Usage)?;
    let (mut techniques, absent) = possible_or_none(techniques, &asked.scenario)?;
    if ablate::is_asked(matches) {
        return ablate::run(&asked, &techniques);
    }
    techniques.extend(asked.baseline.then_some(&tcp::TECHNIQUE));
    let running: Vec<&str> = techniques.iter().map(|t| t.name).collect();
    let expectations = expect::expected(matches, &running).map_err(Failure::Usage)?;
    for output in asked.output.iter().chain(&asked.pcap).chain(&asked.save) {
        report::check_output(output).map_err(Failure::Usage)?;
    }
    let mut lab = Lab::new(asked.scenario.clone()).map_err(Failure::Usage)?;
    lab.one_at_a_time = asked.one_at_a_time;
    let processes = asked.isolate || asked.scenario.is_balanced() && !asked.simulate && cfg!(unix);
    lab.isolate = isolated::executable(processes).map_err(Failure::Run)?;
    lab.steady = true;
    lab.recordings = asked.pcap.as_ref().map(|_| Recordings::default());
    lab.simulated = asked.simulate.then(Simulated::default);
    announce(&lab);
    interrupt::ends(lab.interrupt.clone());
    // A simulated run takes no time that a bar could show.
    lab.recent = bars::recent(&lab.scenario).filter(|_| !asked.simulate);
    let bars = bars::Bars::with_lanes(if asked.simulate { &[] } else { &techniques }, lab.recent);
    let results = match techniques.is_empty() {
        true => Vec::new(),
        false => lab
            .repeat(&techniques, &|progress| bars.show(progress))
            .map_err(Failure::Run)?,
    };
    bars.clear();
    if lab.interrupt.is_cancelled() && nothing_came(&results) && !asked.format.is_for_programs() {
        return Ok(ended_before_any_mail());
    }
    let report = Report {
        envelope: envelope(None, lab.interrupt.is_cancelled()),
        simulated: asked.simulate,
        environment: (!asked.simulate).then(lab::environment),
        scenario: (*lab.scenario).clone(),
        results,
        absent,
        remote: None,
        server_clock: None,
    };
    present(
        asked.format,
        &report,
        &asked.style(),
        [asked.output.as_deref(), asked.save.as_deref()],
    )?;
    if let (Some(path), Some(recordings)) = (&asked.pcap, &lab.recordings) {
        write_pcap(path, recordings, &techniques, lab.simulated).map_err(Failure::Run)?;
        say_written(path, &t!(": `wireshark %{path}` opens it", path = quoted(path)));
    }
    let met = expect::are_met(&expectations, &report.results);
    Ok(verdict(&report, met))
}

fn write_pcap(
    path: &Path,
    recordings: &Recordings,
    techniques: &[&Technique],
    simulated: Option<Simulated>,
) -> anyhow::Result<()> {
    let recorded: Vec<_> = techniques
        .iter()
        .map(|technique| {
            let recording = recordings.of(technique.name);
            if recording.dropped() > 0 {
                tell!("{}", t!("warning: %{dropped} bytes of %{technique} were too many to record: the capture lacks them", dropped = recording.dropped(), technique = technique.name));
            }
            (technique.name, recording.connections(), recording.secrets())
        })
        .collect();
    let interfaces: Vec<_> = recorded
        .iter()
        .map(|(name, connections, secrets)| Interface {
            name,
            connections,
            secrets,
            dated: dated_instant(simulated, connections),
        })
        .collect();
    report::deliver_with(path, |to| pcap::write(to, &interfaces))
}

/// The date of a recording: today's, or the simulation's, which begins with its first connection.
fn dated_instant(simulated: Option<Simulated>, connections: &[Recorded]) -> DatedInstant {
    let began = connections.iter().map(|c| c.opened).min();
    let dated = simulated.zip(began).map(|(simulated, instant)| DatedInstant {
        instant,
        time: simulated.date,
    });
    dated.unwrap_or_else(DatedInstant::now)
}

/// Announces a run that takes long, before it starts.
fn announce(lab: &Lab) {
    tell_left_out(&lab.headers);
    let span = lab.plan.span() * lab.scenario.repeat;
    let waits = lab.simulated.is_none() && span.as_secs() >= 60;
    if waits && std::io::stderr().is_terminal() {
        let rounded = std::time::Duration::from_secs(span.as_secs());
        let hint = match lab.scenario.replay {
            Some(_) => t!("; --replay-speed shortens it"),
            None => String::new(),
        };
        tell!(
            "{}",
            t!(
                "mail arrives for %{rounded}%{hint}; Ctrl-C ends with what there is",
                rounded = humantime::format_duration(rounded),
                hint = hint
            )
        );
    }
}
