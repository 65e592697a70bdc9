//! `--help` in the reader's language. clap's definitions are in English, and so are the words that clap adds:
//! headings, `[default: …]`, the flag `--help` itself. Here each text of a definition is replaced by its
//! translation, and clap's own words are written into the definition instead.

use clap::builder::{PossibleValue, Styles};
use clap::{Arg, ArgAction, Command};

use crate::lang::{Language, t, text};

/// Looks up a text.
type Say<'a> = &'a dyn Fn(&str) -> String;

/// The command line with its help in the reader's language.
pub fn spoken(command: Command) -> Command {
    match Language::spoken() {
        Language::En => command,
        Language::Ko => translated(command, &|text| t!(text)),
    }
}

/// The same, and complete: also what clap adds only when it builds a command.
pub fn built(command: Command) -> Command {
    let mut command = spoken(command);
    match Language::spoken() {
        Language::En => command,
        Language::Ko => {
            command.build();
            with_help_commands(command, &|text| t!(text))
        }
    }
}

/// Every English text of a command line's help.
pub fn texts(command: Command) -> Vec<String> {
    let found = std::cell::RefCell::new(Vec::new());
    translated(command, &|text| {
        found.borrow_mut().push(text.to_owned());
        text.to_owned()
    });
    let mut found = found.into_inner();
    found.push(OF_HELP.into());
    found
}

fn translated(command: Command, say: Say) -> Command {
    let long = has_long_help(&command);
    let command = with_own_flags(command, long);
    let command = in_order(&command)
        .iter()
        .fold(command, |c, id| c.mut_arg(id, |arg| argument(arg, long, say)));
    let about = command.get_about().map(|text| say(&text.to_string()));
    let after = command
        .get_after_help()
        .map(|text| examples(&text.to_string(), say));
    let command = match about {
        Some(about) => command.about(about),
        None => command,
    };
    let command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    let heading = Styles::styled().get_usage().to_owned();
    command
        .help_template(format!(
            "{{before-help}}{{about-with-newline}}\n{heading}{}:{heading:#} {{usage}}\n\n{{all-args}}{{after-help}}",
            say(text!("Usage"))
        ))
        .subcommand_help_heading(say(text!("Commands")))
        .mut_subcommands(|sub| translated(sub, say))
}

/// Whether `--help` says more than `-h`, by clap's own rule.
fn has_long_help(command: &Command) -> bool {
    command
        .get_arguments()
        .any(|arg| arg.get_long_help().is_some() || explained(&values(arg)))
}

/// The values that an argument's help lists.
fn values(arg: &Arg) -> Vec<PossibleValue> {
    if arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        return Vec::new();
    }
    let all = arg.get_possible_values().into_iter();
    all.filter(|value| !value.is_hide_set()).collect()
}

fn explained(values: &[PossibleValue]) -> bool {
    values.iter().any(|value| value.get_help().is_some())
}

/// The command with `--help` and `--version` of its own: clap would add them in English.
fn with_own_flags(command: Command, long: bool) -> Command {
    let flag = |id: &'static str, short, action| {
        let arg = Arg::new(id).long(id).short(short).action(action);
        arg.display_order(LAST)
    };
    let mut command = command;
    if !command.is_disable_help_flag_set() {
        let help = flag("help", 'h', ArgAction::Help);
        command = command.disable_help_flag(true).arg(match long {
            true => help
                .help(text!("Print help (see more with '--help')"))
                .long_help(text!("Print help (see a summary with '-h')")),
            false => help.help(text!("Print help")),
        });
    }
    if !command.is_disable_version_flag_set() {
        let version = flag("version", 'V', ArgAction::Version).help(text!("Print version"));
        command = command.disable_version_flag(true).arg(version);
    }
    command
}

/// Where clap lists the flags that it adds.
const LAST: usize = 999;

/// The arguments in the order in which clap lists their headings: first those that have none. `mut_arg` moves an
/// argument to the end, and headings follow their first argument.
fn in_order(command: &Command) -> Vec<String> {
    let mut all: Vec<&Arg> = command.get_arguments().collect();
    all.sort_by_key(|arg| match (arg.get_help_heading(), arg.is_positional()) {
        (None, true) => 0,
        (None, false) => 1,
        (Some(_), _) => 2,
    });
    all.into_iter().map(|arg| arg.get_id().to_string()).collect()
}

fn argument(arg: Arg, long: bool, say: Say) -> Arg {
    let help = arg.get_help().map(|text| say(&text.to_string()));
    let more = arg.get_long_help().map(|text| say(&text.to_string()));
    let heading = match (arg.get_help_heading(), arg.is_positional()) {
        (Some(heading), _) => say(heading),
        (None, true) => say(text!("Arguments")),
        (None, false) => say(text!("Options")),
    };
    let (listed, notes) = (values(&arg), notes(&arg, say));
    let names = inline(&listed, say);
    let short: Vec<String> = help
        .clone()
        .into_iter()
        .chain(notes.clone())
        .chain(names.clone())
        .collect();
    let list = explained(&listed).then(|| list(&listed, say));
    let below = notes.into_iter().chain(names.filter(|_| list.is_none()));
    let below = Some(below.collect::<Vec<_>>().join("\n")).filter(|below| !below.is_empty());
    let has_more = more.is_some() || list.is_some() || below.is_some();
    let full: Vec<String> = more.or(help).into_iter().chain(list).chain(below).collect();
    let arg = hidden_aliases(arg.help_heading(heading));
    let arg = match arg.get_action().takes_values() {
        true => arg.hide_default_value(true).hide_possible_values(true),
        false => arg,
    };
    let arg = match short.is_empty() {
        true => arg,
        false => arg.help(short.join(" ")),
    };
    match long && has_more {
        true => arg.long_help(full.join("\n\n")),
        false => arg,
    }
}

/// What clap writes in brackets: the default, and other names of the flag.
fn notes(arg: &Arg, say: Say) -> Vec<String> {
    let shows_default = arg.get_action().takes_values() && !arg.is_hide_default_value_set();
    let defaults = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy());
    let defaults = defaults.collect::<Vec<_>>().join(" ");
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    let aliases: Vec<String> = aliases.iter().map(|name| format!("--{name}")).collect();
    let default = (shows_default && !defaults.is_empty()).then(|| bracket(text!("default"), &defaults, say));
    let aliases = (!aliases.is_empty()).then(|| bracket(text!("alias"), &aliases.join(", "), say));
    default.into_iter().chain(aliases).collect()
}

fn bracket(name: &str, value: &str, say: Say) -> String {
    format!("[{}: {value}]", say(name))
}

/// The names of an argument's values in brackets.
fn inline(values: &[PossibleValue], say: Say) -> Option<String> {
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    (!names.is_empty()).then(|| bracket(text!("possible values"), &names.join(", "), say))
}

/// An argument's values, each with what it means.
fn list(values: &[PossibleValue], say: Say) -> String {
    let names = values.iter().map(|value| value.get_name().len() + 1);
    let longest = names.max().unwrap_or(0);
    let lines = values.iter().map(|value| match value.get_help() {
        Some(help) => format!(
            "\n- {:longest$} {}",
            format!("{}:", value.get_name()),
            say(&help.to_string())
        ),
        None => format!("\n- {}", value.get_name()),
    });
    format!("{}:{}", say(text!("Possible values")), lines.collect::<String>())
}

/// The argument with its other names, which clap then doesn't list.
fn hidden_aliases(arg: Arg) -> Arg {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    let aliases: Vec<String> = aliases.into_iter().map(String::from).collect();
    arg.visible_alias(None).aliases(aliases)
}

/// Examples, with what is said beside them; commands stay as they are.
fn examples(text: &str, say: Say) -> String {
    let paragraphs = text
        .split("\n\n")
        .map(|paragraph| match paragraph.starts_with("Example") {
            true => paragraph
                .lines()
                .map(|line| example(line, say))
                .collect::<Vec<_>>()
                .join("\n"),
            false => say(paragraph),
        });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn example(line: &str, say: Say) -> String {
    let Some(command) = line.strip_prefix("  ") else {
        return say(line);
    };
    match command.split_once("  ") {
        Some((_, beside)) => {
            let beside = beside.trim_start();
            format!("{}{}", &line[..line.len() - beside.len()], say(beside))
        }
        None => line.into(),
    }
}

/// What clap says of them.
const OF_HELP: &str = text!("Print this message or the help of the given subcommand(s)");

/// The commands `help`, which clap adds when it builds a command, in the reader's language.
fn with_help_commands(command: Command, say: Say) -> Command {
    let has_help = command.get_subcommands().any(|sub| sub.get_name() == "help");
    let command = command.mut_subcommands(|sub| match sub.get_name() {
        "help" => sub,
        _ => with_help_commands(sub, say),
    });
    match has_help {
        true => command.mut_subcommand("help", |help| help.about(say(OF_HELP))),
        false => command,
    }
}
