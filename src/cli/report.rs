//! `mailcall report`: renders saved results again, or puts several side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use serde_json::Value;
use serde_json::error::Category;

use super::args;
use super::failure::Failure;
use super::present::present;
use super::subcommand::{Subcommand, Whole};
use crate::lang::{Language, t};
use crate::outcome::{SCHEMA, plausible, sum};
use crate::report::transcript::Account;
use crate::report::{self, Format, Saved, Several, Style};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "report",
    define,
    examples: "Examples:\n  mailcall compare --format json --output near.json\n  \
             mailcall compare --format json --output far.json --rtt 100ms\n  \
             mailcall report near.json --format html --output near.html\n  \
             mailcall report near.json far.json --format html --output both.html\n  \
             mailcall report far.json --format markdown --output far.md    (and its charts: far-latency.svg, …)\n  \
             mailcall compare --format json | mailcall report -\n  \
             mailcall report --sum a.json b.json    (of `mailcall ws URL --save` on two machines)",
    run,
};

/// The largest saved result, in bytes.
const LARGEST: u64 = 1 << 30;

#[derive(Debug, Args)]
struct ReportArgs {
    /// What a command wrote with --format json, or --save; - is stdin. Several runs are laid side by side
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How it is printed [default: as its file's name ends, like .html or .md; else for a terminal]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where it is written instead of stdout: whole, or not at all
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Draws when each mail arrived, each request was open, each mail was delivered
    #[arg(long)]
    timeline: bool,
    /// Also shows percentiles, connections, messages and what the bytes were for, which pages, CSV and JSON always have
    #[arg(long)]
    bytes: bool,
    /// Adds up what clients on several machines got from one server (`mailcall ws URL --save FILE` on each)
    #[arg(long, conflicts_with_all = ["timeline", "bytes", "events"])]
    sum: bool,
    #[command(flatten)]
    events: args::EventsArgs,
}

fn define(command: Command) -> Command {
    ReportArgs::augment_args(command).about("Render saved results again, or lay several side by side")
}

/// Reads the files, and draws them.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let args = ReportArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    if let Some(output) = &args.output {
        report::check_output(output).map_err(Failure::Usage)?;
    }
    let format = args::format_of(args.format, args.output.as_deref());
    let style = Style {
        timeline: args.timeline,
        bytes: args.bytes,
        events: args.events.wanted(format).map_err(Failure::Usage)?,
        ..super::output::plain_style(args.output.as_deref())
    };
    let saved = read(&args.files).map_err(Failure::Usage)?;
    if args.sum {
        return super::sum::run(saved, format, &style, args.output.as_deref());
    }
    let several = Several::new(saved, format).map_err(Failure::Usage)?;
    present(format, &several, &style, [args.output.as_deref(), None])?;
    Ok(ExitCode::SUCCESS)
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<(String, Saved)>> {
    if files.iter().filter(|f| f.as_os_str() == "-").count() > 1 {
        bail!(t!("stdin can be read only once"));
    }
    files.iter().map(|file| one(file)).collect()
}

fn one(file: &Path) -> anyhow::Result<(String, Saved)> {
    let shown = match file.as_os_str() == "-" {
        true => "stdin".into(),
        false => file.display().to_string(),
    };
    let text =
        super::output::text_of(file, LARGEST).with_context(|| t!("cannot read %{shown}", shown = shown))?;
    let saved = parse(&text).with_context(|| t!("%{shown} cannot be rendered", shown = shown))?;
    Ok((shown, saved))
}

/// Draws a saved result in each format, as `mailcall report` draws one file.
///
/// # Errors
/// If the text is not a saved result, or cannot be drawn.
pub fn redraw(text: &str) -> anyhow::Result<Vec<String>> {
    let (style, saved) = (Style::default(), parse(text)?);
    let draw = |format: &Format| report::draw(*format, saved.view(), &style);
    Format::value_variants().iter().map(draw).collect()
}

/// Reads a saved result, or says why the text is not one.
fn parse(text: &str) -> anyhow::Result<Saved> {
    let value: Value = serde_json::from_str(text).map_err(|e| match e.classify() {
        Category::Eof if text.trim().is_empty() => anyhow!(t!("it is empty")),
        Category::Eof => anyhow!(t!(
            "it ends in the middle: it was cut off when it was written or copied"
        )),
        _ => anyhow!(t!("it is not JSON: %{e}", e = syntax(&e))),
    })?;
    let (Some(version), Some(schema)) = (value["mailcall"].as_str(), value["schema"].as_u64()) else {
        bail!(t!(
            "it is JSON, but nothing that mailcall wrote: write one with `mailcall compare --format json`"
        ));
    };
    if schema != u64::from(SCHEMA) {
        bail!(t!(
            "mailcall %{version} wrote it with schema %{schema}; this is mailcall %{ours}, which reads schema %{schema2}",
            version = version,
            schema = schema,
            ours = env!("CARGO_PKG_VERSION"),
            schema2 = SCHEMA
        ));
    }
    let command = value["command"].as_str();
    if command == Some(super::inspect::COMMAND.name) {
        plausible::figures(&value)?;
    }
    let Some(saved) = read_as(command, text) else {
        bail!(t!(
            "it is what `mailcall %{other}` printed, which is not drawn again",
            other = command.unwrap_or_default()
        ));
    };
    let saved = saved.map_err(|e| {
        anyhow!(t!(
            "it is no whole result of mailcall %{version}: %{e}",
            version = version,
            e = format!("{e:#}")
        ))
    })?;
    plausible::figures(&value)?;
    match &saved {
        Saved::Run(report) if report.results.is_empty() && report.absent.is_empty() => {
            bail!(t!("there is no result in it"))
        }
        Saved::Run(report) => plausible::report(report)?,
        Saved::Sweep(sweep) => plausible::sweep(sweep)?,
        Saved::Advice(advice) => plausible::advice(advice)?,
        Saved::Vanishing(vanishing) => plausible::vanishing(vanishing)?,
        Saved::Storm(storm) => plausible::storm(storm)?,
        Saved::Sum(_)
        | Saved::Forgetting(_)
        | Saved::Ablation(_)
        | Saved::Inspection(_)
        | Saved::Class(_) => {}
    }
    Ok(saved)
}

/// Reads what a command wrote, `None` being a run; `None` if it is not drawn again. It is read from the text once more,
/// because then an error has its line.
fn read_as(command: Option<&str>, text: &str) -> Option<anyhow::Result<Saved>> {
    fn boxed<T: serde::de::DeserializeOwned>(
        text: &str,
        saved: fn(Box<T>) -> Saved,
    ) -> anyhow::Result<Saved> {
        Ok(serde_json::from_str(text).map(saved)?)
    }
    Some(match command {
        None | Some("compare") => boxed(text, Saved::Run),
        Some(name) if name == super::sweep::COMMAND.name => boxed(text, Saved::Sweep),
        Some(name) if name == super::advise::COMMAND.name => boxed(text, Saved::Advice),
        Some(name) if name == super::vanish::COMMAND.name => boxed(text, Saved::Vanishing),
        Some(name) if name == super::storm::COMMAND.name => boxed(text, Saved::Storm),
        Some(super::vanish::NAT) => boxed(text, Saved::Forgetting),
        Some(sum::COMMAND) => boxed(text, Saved::Sum),
        Some(super::ablate::NAME) => boxed(text, Saved::Ablation),
        Some(name) if name == super::class::COMMAND.name => boxed(text, Saved::Class),
        Some(name) if name == super::inspect::COMMAND.name => {
            Account::read(text).map(|account| Saved::Inspection(Box::new(account)))
        }
        Some(_) => return None,
    })
}

/// Where a text stops being JSON; in English also why, in the words of the parser.
fn syntax(e: &serde_json::Error) -> String {
    match Language::spoken() {
        Language::En => e.to_string(),
        Language::Ko => t!(
            "line %{line}, column %{column}",
            line = e.line(),
            column = e.column()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).err().unwrap().to_string()
    }

    #[test]
    fn what_is_no_report_is_said_to_be_none() {
        assert!(refused("").contains("empty"));
        assert!(refused("hello").contains("not JSON: expected value at line 1"));
        assert!(refused("{\"mailcall\": \"0.1.0\",").contains("ends in the middle"));
        for other in ["[]", "7", "{}", "{\"mailcall\": 1, \"schema\": 1}"] {
            assert!(refused(other).contains("nothing that mailcall wrote"), "{other}");
        }
        let newer = refused("{\"mailcall\": \"9.0.0\", \"schema\": 2}");
        assert!(newer.contains("mailcall 9.0.0 wrote it with schema 2") && newer.contains("reads schema 1"));
        let demo = refused("{\"mailcall\": \"0.1.0\", \"schema\": 1, \"command\": \"demo\"}");
        assert!(demo.contains("`mailcall demo`"), "{demo}");
        for name in ["vanish", "inspect"] {
            let half = format!("{{\"mailcall\": \"0.1.0\", \"schema\": 1, \"command\": \"{name}\"}}");
            assert!(refused(&half).contains("no whole result"), "{name}");
        }
        assert!(refused("{\"mailcall\": \"0.1.0\",\n \"schema\": 1}").contains("missing field"));
    }

    #[test]
    fn stdin_is_read_once() {
        assert!(
            read(&["-".into(), "-".into()])
                .unwrap_err()
                .to_string()
                .contains("only once")
        );
    }
}
