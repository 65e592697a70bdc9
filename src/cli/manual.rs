//! `mailcall man [COMMAND]`: the manual page, in roff, made from the same definitions as `--help`.

use crate::lang::t;
use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use clap_mangen::Man;

use super::failure::Failure;
use super::help;
use super::output::print;
use super::subcommand::{Subcommand, Whole};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "man",
    define,
    examples: "Examples:\n  mailcall man > ~/.local/share/man/man1/mailcall.1\n  \
             mailcall man compare > ~/.local/share/man/man1/mailcall-compare.1\n  man mailcall-compare",
    run: |matches, whole| print(&page(matches, whole)?),
};

fn define(command: Command) -> Command {
    command
        .about("Print the manual page of mailcall, or of one command, as roff")
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .help("Whose page [default: that of mailcall itself]"),
        )
}

/// The page that was asked for.
fn page(matches: &ArgMatches, whole: Whole) -> Result<String, Failure> {
    // Gives subcommands their full names, and the global flags.
    let mut all = help::built(without_help(whole()));
    all.build();
    let command = match matches.get_one::<String>("command") {
        None => all,
        Some(name) => {
            let own = all.get_subcommands().filter(|c| !c.is_hide_set());
            let mut visible = own.flat_map(|c| [c].into_iter().chain(c.get_subcommands()));
            // A page refers to another by this name: mailcall-demo-check(1) is the page of `man demo-check`.
            let page = format!("mailcall-{name}");
            let found = visible.find(|c| c.get_display_name() == Some(&page)).cloned();
            found.ok_or_else(|| {
                Failure::Usage(anyhow!(t!(
                    "there is no command %{name}",
                    name = format!("{name:?}")
                )))
            })?
        }
    };
    let name = command.get_display_name().unwrap_or("mailcall").to_string();
    let mut roff = Vec::new();
    Man::new(command)
        .title(name)
        .source(concat!("mailcall ", env!("CARGO_PKG_VERSION")))
        .render(&mut roff)
        .context(t!("cannot write the manual page"))
        .map_err(Failure::Run)?;
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

/// The command without `help`, its own and its subcommands': of what a page refers to, each has a page that says more.
fn without_help(command: Command) -> Command {
    command
        .disable_help_subcommand(true)
        .mut_subcommands(without_help)
}
