//! `mailcall completions SHELL`: a shell's completions for mailcall.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::help;
use super::output::print;
use super::subcommand::{Subcommand, Whole};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "completions",
    define,
    examples: "Example:\n  mailcall completions bash > ~/.local/share/bash-completion/completions/mailcall",
    run: |matches, whole| print(&script(matches, whole)),
};

fn define(command: Command) -> Command {
    command.about("Print a shell's completions for mailcall").arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(value_parser!(Shell)),
    )
}

/// The completions script.
fn script(matches: &ArgMatches, whole: Whole) -> String {
    let mut script = Vec::new();
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        let mut command = visible(&help::spoken(whole()));
        clap_complete::generate(*shell, &mut command, "mailcall", &mut script);
        if *shell == Shell::Fish {
            script.extend(fish_values(&command).into_bytes());
        }
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// Lines for fish with the values of arguments that have no flag, such as lessons and techniques:
/// `clap_complete` offers only the values of flags.
fn fish_values(command: &Command) -> String {
    let of = |c: &Command| {
        let values = c.get_positionals().flat_map(Arg::get_possible_values);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let condition = format!("__fish_mailcall_using_subcommand {}", c.get_name());
        let line = format!(
            "complete -c mailcall -n \"{condition}\" -a \"{}\"\n",
            names.join(" ")
        );
        (!names.is_empty()).then_some(line)
    };
    command.get_subcommands().filter_map(of).collect()
}

/// The part of a command that `--help` shows: `clap_complete` offers hidden commands and flags, too.
fn visible(command: &Command) -> Command {
    let mut shown = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(command.is_disable_help_flag_set())
        .disable_version_flag(command.is_disable_version_flag_set());
    if let Some(version) = command.get_version() {
        shown = shown.version(version.to_owned());
    }
    let shown = shown.args(command.get_arguments().filter(|arg| !arg.is_hide_set()));
    let commands = command.get_subcommands().filter(|c| !c.is_hide_set());
    shown.subcommands(commands.map(visible))
}
