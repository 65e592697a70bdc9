//! `mailcall inspect`: every byte of a short conversation, explained.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::args::ResultArgs;
use super::failure::Failure;
use super::flags::{self, ATTACH, HEADERS, MAILS, REPLY, SEED, SIZE, TRANSPORT};
use super::subcommand::{Subcommand, Whole};
use crate::lab::{Lab, inspect};
use crate::lang::{Language, t};
use crate::mail::Cursor;
use crate::outcome::Scenario;
use crate::report::transcript::{Account, Extent};
use crate::technique::flags::Flag;
use crate::technique::quantities::{bytes, count};
use crate::technique::{self, Technique, tcp};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "inspect",
    define,
    examples: "Examples:\n  mailcall inspect poll\n  mailcall inspect sse --headers browser\n  \
             mailcall inspect ws --reply --closer server\n  mailcall inspect ws --scene frames\n  \
             mailcall inspect ws --attach 200 --frames binary --format html --output ws.html",
    run,
};

/// The most mails: nobody reads more.
const MAX_MAILS: u64 = 100;

/// What of its scenario it is asked for.
const FLAGS: &[&[&Flag]] = &[&[&MAILS, &SIZE, &ATTACH, &SEED, &REPLY, &HEADERS], TRANSPORT];

#[derive(Debug, Args)]
struct InspectArgs {
    /// Where the client says it stands: N or N.EPOCH. The log here is new, so a cursor from elsewhere is reset
    #[arg(long, value_name = "CURSOR", help_heading = "Client", default_value = "0.", value_parser = cursor)]
    after: Cursor,
    /// What the client does
    #[arg(long, value_name = "SCENE", help_heading = "Client", default_value = "mail")]
    scene: Scene,

    #[command(flatten)]
    result: ResultArgs,
    /// Show every byte of a long part, too; JSON always does
    #[arg(long, help_heading = "Result")]
    whole: bool,
}

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// Mail arrives, as in any run
    Mail,
    /// WebSocket: the client also pings, and sends a fragmented message and lengths of 16 and 64 bits
    Frames,
}

/// Parses a cursor. Its own error is for peers, too, and so in English.
fn cursor(text: &str) -> Result<Cursor, String> {
    text.parse::<Cursor>().map_err(|e| match Language::spoken() {
        Language::En => e.to_string(),
        Language::Ko => t!("allowed are N and N.EPOCH, like 12.a1b2"),
    })
}

fn define(command: Command) -> Command {
    let names: Vec<&str> = techniques().map(|t| t.name).collect();
    let command = InspectArgs::augment_args(flags::with(command, FLAGS))
        .about("Show every byte of a short conversation, and what it is there for")
        .arg(
            Arg::new("technique")
                .value_name("TECHNIQUE")
                .help("Which one; tcp is the least that anything can cost")
                .required(true)
                .value_parser(PossibleValuesParser::new(names)),
        );
    let command = flags::with_techniques(command, technique::ALL);
    // Each in its place, unlike with `mut_arg`: help lists headings in the order of their first flags.
    command.mut_args(|arg| {
        let id = arg.get_id().as_str().to_string();
        let of_this =
            |table: &[(&str, &'static str)]| table.iter().find(|(known, _)| *known == id).map(|(_, v)| *v);
        let arg = of_this(SOON)
            .into_iter()
            .fold(arg, |arg, soon| arg.default_value(soon));
        let arg = of_this(HELP).into_iter().fold(arg, |arg, help| arg.help(help));
        match id.as_str() {
            "mails" => arg.default_value("2").value_parser(count(1, MAX_MAILS)),
            "attach" => arg.value_parser(bytes(0, 1 << 20)),
            "reply" | "headers" => arg.help_heading("Client"),
            _ => arg,
        }
    })
}

/// Flags whose usual defaults are longer than anyone watches: with these, an empty answer, a comment and a
/// ping come between two mails.
const SOON: &[(&str, &str)] = &[("interval", "400ms"), ("hold", "300ms"), ("heartbeat", "300ms")];

/// Flags that mean something more here.
const HELP: &[(&str, &str)] = &[
    ("mails", "How many mails arrive, half a second apart"),
    (
        "size",
        "Bytes of each mail's JSON text; in a frame, 126 need a length of 16 bits and 65536 one of 64",
    ),
    ("attach", "Bytes of a binary attachment for each mail"),
    (
        "seed",
        "The same seed gives the same mail, parts, labels and sizes; over HTTP/2 but for dates and goodbyes",
    ),
    ("reply", "The client answers each mail (\"read\")"),
];

fn techniques() -> impl Iterator<Item = &'static Technique> {
    technique::ALL.iter().copied().chain([&tcp::TECHNIQUE])
}

/// Runs the conversation, and prints it.
fn run(matches: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    let args = InspectArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    let named = matches.get_one::<String>("technique");
    let technique = techniques().find(|t| named.is_some_and(|n| n == t.name));
    let technique = technique.ok_or_else(|| Failure::Usage(anyhow!(t!("name a technique"))))?;
    let played = play(technique, args.scene).map_err(Failure::Usage)?;
    let format = args.result.checked().map_err(Failure::Usage)?;
    let scenario = scenario(matches);
    if let Some(why) = (technique.cannot)(&scenario) {
        return Err(Failure::Usage(anyhow!(t!(
            "%{technique} over HTTP/%{http}: %{why}",
            technique = technique.name,
            http = scenario.http,
            why = t!(why)
        ))));
    }
    let mut lab = Lab::new(scenario).map_err(Failure::Usage)?;
    if args.after != Cursor::FIRST && technique.name == tcp::TECHNIQUE.name {
        return Err(Failure::Usage(anyhow!(t!(
            "%{technique} has no cursors of other logs: --after is for the others",
            technique = technique.name
        ))));
    }
    lab.cursor = args.after;
    let interrupt = lab.interrupt.clone();
    super::interrupt::ends(interrupt.clone());
    let mut inspection = match inspect::inspect(lab, played) {
        Err(e) if interrupt.is_cancelled() => {
            super::tell::complain(&e.context(t!("interrupted before there was anything to show")));
            return Ok(super::interrupt::exit_code());
        }
        other => other.map_err(Failure::Run)?,
    };
    inspection.argv = super::output::words();
    inspection.partial = interrupt.is_cancelled();
    let partial = inspection.partial;
    let account = Account::of(inspection, Extent { whole: args.whole }).map_err(Failure::Run)?;
    args.result.present(format, &account)?;
    Ok(match partial {
        true => super::interrupt::exit_code(),
        false => ExitCode::SUCCESS,
    })
}

fn play(technique: &'static Technique, scene: Scene) -> anyhow::Result<&'static Technique> {
    match scene {
        Scene::Mail => Ok(technique),
        Scene::Frames if technique.name == technique::FRAMES.name => Ok(&technique::FRAMES),
        Scene::Frames => Err(anyhow!(t!(
            "%{technique} has no frames: --scene frames is for %{frames}",
            technique = technique.name,
            frames = technique::FRAMES.name
        ))),
    }
}

fn scenario(matches: &ArgMatches) -> Scenario {
    let theirs = flags::of_techniques(technique::ALL);
    flags::fill(inspect::scenario(), matches, FLAGS.iter().chain([&&*theirs]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_the_scenario_is_the_labs() {
        let matches = COMMAND.defined().get_matches_from(["inspect", "ws"]);
        assert_eq!(scenario(&matches), inspect::scenario());
    }
}
