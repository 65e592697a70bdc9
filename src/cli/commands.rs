//! The table of `mailcall`'s commands, and their dispatch. A new command is a file, and an entry here.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::args::language;
use super::failure::Failure;
use super::output::print;
use super::subcommand::Subcommand;
use super::tell::terminal_width;
use super::{
    advise, class, compare, completions, demo, inspect, isolated, manual, overview, report, serve, storm,
    sweep, vanish,
};
use crate::technique;

/// Every command except the techniques' own, in the order of the help.
pub const COMMANDS: &[&Subcommand] = &[
    &compare::COMMAND,
    &sweep::COMMAND,
    &advise::COMMAND,
    &inspect::COMMAND,
    &report::COMMAND,
    &vanish::COMMAND,
    &storm::COMMAND,
    &demo::COMMAND,
    &class::COMMAND,
    &serve::COMMAND,
    &completions::COMMAND,
    &manual::COMMAND,
    &isolated::COMMAND,
];

/// The whole command line. The techniques' subcommands are built from the registry and follow `compare`.
pub fn whole() -> Command {
    let (first, others) = COMMANDS.split_at(1);
    Command::new("mailcall")
        .version(env!("CARGO_PKG_VERSION"))
        .about("See, on the wire, what each way of telling a client that mail has arrived really costs")
        .after_help(overview::EXAMPLES)
        .arg(language())
        .subcommands(first.iter().map(|command| command.defined()))
        .subcommands(technique::ALL.iter().map(|t| compare::technique(t)))
        .subcommands(others.iter().map(|command| command.defined()))
        .infer_subcommands(false)
        .max_term_width(100)
}

/// Runs the command that was asked for.
pub fn dispatch(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let Some((name, matches)) = matches.subcommand() else {
        return print(&overview::short(terminal_width()));
    };
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return (command.run)(matches, whole);
    }
    // clap accepts no other name.
    match technique::named(name) {
        Some(technique) => compare::run_technique(matches, technique, whole),
        None => print(&overview::short(terminal_width())),
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::ffi::OsString;
    use std::path::PathBuf;

    use clap::Arg;

    use super::super::args::MOST_USED;
    use super::super::flags::of_techniques;
    use super::*;
    use crate::lang::Language;

    #[test]
    fn clap_finds_no_fault_in_the_definitions() {
        whole().debug_assert();
    }

    /// Words in the errors of clap and of the standard library, which don't say what a flag allows.
    const FOREIGN: &[&str] = &[
        "invalid digit",
        "number too",
        "cannot parse",
        "invalid float",
        "is not in ",
        "out of range",
        "invalid socket address",
        "lookup",
        "provided string",
    ];

    /// Each command with its full name, subcommands included.
    fn commands(of: &Command, before: &[String]) -> Vec<(Vec<String>, Command)> {
        let own = of.get_subcommands().filter(|c| !c.is_hide_set());
        own.flat_map(|c| {
            let names = [before, &[c.get_name().to_owned()]].concat();
            let below = commands(c, &names);
            [(names, c.clone())].into_iter().chain(below)
        })
        .collect()
    }

    /// A call of a command in which an argument has this value, and all other required arguments have one.
    fn call(names: &[String], command: &Command, arg: &Arg, value: &str) -> Vec<String> {
        let mut words = names.to_vec();
        let others = command.get_positionals().filter(|a| a.is_required_set());
        words.extend(others.filter(|a| a.get_id() != arg.get_id()).map(|a| {
            let first = a.get_possible_values().first().map(|v| v.get_name().to_owned());
            first.unwrap_or_else(|| "file".into())
        }));
        words.extend(match arg.get_long() {
            Some(long) => vec![format!("--{long}={value}")],
            None => vec!["--".into(), value.into()],
        });
        words
    }

    #[test]
    fn every_refused_value_is_named_with_what_is_allowed() {
        use clap::error::ErrorKind::{InvalidValue, ValueValidation};
        const NONSENSE: [&str; 6] = [
            "non§sense",
            "-1",
            "99999999999999999999999",
            "1e999",
            "0.5.5",
            "x/y",
        ];
        let mut whole = whole();
        let mut checked = 0;
        for (names, sub) in commands(&whole.clone(), &["mailcall".into()]) {
            let takes = |arg: &&Arg| arg.get_action().takes_values();
            for arg in sub.get_arguments().filter(takes) {
                let mut refused = 0;
                for value in NONSENSE {
                    let words = call(&names, &sub, arg, value);
                    let Err(e) = whole.try_get_matches_from_mut(&words) else {
                        continue;
                    };
                    if ![InvalidValue, ValueValidation].contains(&e.kind()) {
                        continue;
                    }
                    refused += 1;
                    let said = e.to_string();
                    let allowed = ["allowed", "possible values"].iter().any(|w| said.contains(w));
                    assert!(said.contains(value) && allowed, "{words:?}: {said}");
                    let foreign = FOREIGN.iter().find(|words| said.contains(**words));
                    assert_eq!(foreign, None, "{words:?}: {said}");
                }
                let parser = arg.get_value_parser().type_id();
                let texts = [
                    TypeId::of::<String>(),
                    TypeId::of::<OsString>(),
                    TypeId::of::<PathBuf>(),
                ];
                let is_text = texts.iter().any(|text| parser == *text);
                assert!(
                    refused > 0 || is_text,
                    "{names:?} {} takes anything",
                    arg.get_id()
                );
                checked += 1;
            }
        }
        assert!(checked > 200, "{checked} arguments");
    }

    #[test]
    fn help_begins_with_the_flags_that_are_used_most() {
        let mut whole = whole();
        whole.build();
        for name in ["compare", "sweep", "poll"] {
            let help = whole.find_subcommand_mut(name).unwrap().render_help().to_string();
            let is_heading = |line: &&str| line.ends_with(':') && !line.starts_with(' ');
            let headings: Vec<&str> = help.lines().filter(is_heading).collect();
            assert_eq!(headings[..2], ["Arguments:", "Most used:"], "{help}");
            let (_, block) = help.split_once("Most used:\n").unwrap();
            let (block, _) = block.split_once("\n\n").unwrap();
            let flags = block.lines().filter_map(|l| l.trim().strip_prefix("--"));
            let flags: Vec<&str> = flags.map(|l| l.split(' ').next().unwrap()).collect();
            assert_eq!(flags, MOST_USED, "{help}");
        }
    }

    #[test]
    fn the_language_can_be_asked_for_anywhere() {
        for words in [
            ["mailcall", "--lang", "ko", "poll"],
            ["mailcall", "poll", "--lang", "ko"],
        ] {
            let matches = whole().try_get_matches_from(words).unwrap();
            assert_eq!(matches.get_one("lang"), Some(&Language::Ko), "{words:?}");
        }
    }

    #[test]
    fn every_command_shows_examples() {
        for sub in whole().get_subcommands().filter(|c| !c.is_hide_set()) {
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = sub.get_name();
            assert!(after.starts_with("Example"), "{name}: {after}");
            assert!(after.contains(&format!("mailcall {name}")), "{name}: {after}");
        }
    }

    #[test]
    fn every_technique_has_a_subcommand_with_its_own_flags_only() {
        for technique in technique::ALL {
            let command = whole();
            let sub = command.find_subcommand(technique.name).unwrap();
            assert_eq!(sub.get_about().unwrap().to_string(), technique.about);
            for flag in of_techniques(technique::ALL) {
                let has = sub.get_arguments().any(|a| a.get_id() == (flag.arg)().get_id());
                let own = technique
                    .flags
                    .iter()
                    .any(|f| (f.arg)().get_id() == (flag.arg)().get_id());
                assert_eq!(has, own, "{}", technique.name);
            }
        }
    }
}
