//! What `mailcall` says when it is asked for nothing, and the examples under each `--help`.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::lang::{t, text};
use crate::report::wrap;
use crate::technique;

/// Under `mailcall --help`.
pub const EXAMPLES: &str = "\
Examples:
  mailcall compare                               polling, long polling, SSE and WebSocket, one table
  mailcall poll --interval 1s --timeline         see mail wait for the next poll
  mailcall compare sse ws --reply                what talking back costs
  mailcall compare --headers browser             with the headers and cookie of a real browser
  mailcall inspect ws                            every byte of two mails, and what it is there for
  mailcall compare --simulate                    the same without waiting: what the protocols cost by themselves
  mailcall vanish                                clients die without a word: who notices?
  mailcall demo                                  lessons to play in class or at home, checked as they go
  mailcall compare --format json | jq '.results[].requests'

Exit codes: 0 clean; 1 the run failed or mail was lost or undelivered; 2 bad usage; 129, 130, 143 ended by SIGHUP, Ctrl-C,
SIGTERM, with what there was.";

/// What `mailcall` alone prints, in so many columns.
pub fn short(width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let mut out = wrap(
        &t!("mailcall: when mail arrives on a server, what does each way of telling the client cost?"),
        width,
        0,
    );
    out.push('\n');
    let all = (
        "compare",
        text!("All of these against the same mail, side by side"),
    );
    let commands = || technique::ALL.iter().map(|t| (t.name, t.about));
    let longest = commands()
        .chain([all])
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(longest + 4).max(LEAST);
    for (name, about) in [all].into_iter().chain(commands()) {
        for (i, line) in wrap(&t!(about), room, 0).lines().enumerate() {
            let name = if i == 0 { name } else { "" };
            out += &format!("  {name:longest$}  {line}\n");
        }
    }
    out += &format!("\n{}\n", t!("Try:"));
    for line in [
        "mailcall compare",
        "mailcall poll --interval 1s --timeline",
        "mailcall compare --headers browser --rate 20/s",
        "mailcall inspect ws",
        "mailcall demo",
    ] {
        out += &format!("  {line}\n");
    }
    out.push('\n');
    out += &wrap(
        &t!("`mailcall --help` has more examples, `mailcall COMMAND --help` every flag."),
        width,
        0,
    );
    out
}

/// The narrowest column of words.
const LEAST: usize = 20;

/// Under a subcommand's `--help`.
pub fn examples(name: &str) -> &'static str {
    match name {
        "compare" => {
            "Examples:\n  mailcall compare\n  mailcall compare --simulate --mails 5000 --rate 1/min\n  \
             mailcall compare --format html --output report.html\n  mailcall compare poll ws --rate 50/s --mails 200\n  \
             mailcall compare --attach 100000 --frames binary\n  \
             mailcall compare --talk 4/s --rtt 100ms\n  \
             mailcall compare --replay demos/data/r-help-2007-06-14.arrivals.csv --replay-speed 8640x"
        }
        "sweep" => {
            "Examples:\n  mailcall sweep --rate 2/s,10/s,50/s,250/s,1000/s\n  \
             mailcall sweep --clients 1,10,100,1000 --mails 20\n  \
             mailcall sweep poll ws --interval 10ms,100ms,1s --repeat 5\n  \
             mailcall sweep long-poll sse ws --rtt 0ms,50ms,100ms,200ms --rate 20/s\n  \
             mailcall sweep --size 100,1000,10000,100000 --simulate --format csv"
        }
        "advise" => {
            "Examples:\n  mailcall advise --rate 1/min --clients 100000 --delay 5s\n  \
             mailcall advise --rate 1/day --clients 10000000 --delay 1h\n  \
             mailcall advise --rate 100/s --delay 1s --rtt 50ms --verify\n  \
             mailcall advise --rate 1/s --delay 100ms --talk 1/s --block websocket\n  \
             mailcall advise --headers browser --tls --http 2 --format json"
        }
        "inspect" => {
            "Examples:\n  mailcall inspect poll\n  mailcall inspect sse --headers browser\n  \
             mailcall inspect ws --reply --closer server\n  mailcall inspect ws --scene frames\n  \
             mailcall inspect ws --attach 200 --frames binary --format html --output ws.html"
        }
        "vanish" => {
            "Examples:\n  mailcall vanish\n  mailcall vanish ws --heartbeat 1s --patience 10s\n  \
             mailcall vanish ws --rate 2/s --patience 30s\n  \
             mailcall vanish sse --baseline --rate 400/s --size 1000"
        }
        "report" => {
            "Examples:\n  mailcall compare --format json --output near.json\n  \
             mailcall compare --format json --output far.json --rtt 100ms\n  \
             mailcall report near.json --format html --output near.html\n  \
             mailcall report near.json far.json --format html --output both.html\n  \
             mailcall report far.json --format markdown --output far.md    (and its charts: far-latency.svg, …)\n  \
             mailcall compare --format json | mailcall report -"
        }
        "demo" => {
            "Examples:\n  mailcall demo\n  mailcall demo wasted-polls\n  mailcall demo 1 --lang ko\n  \
             mailcall demo all --auto\n  mailcall demo all --auto --simulate\n  mailcall demo own.toml --auto --pace 1.5\n  mailcall demo check own.toml"
        }
        "serve" => {
            "Examples:\n  mailcall serve --mails 0 --listen 127.0.0.1:8000\n  \
             curl -d 'Lunch?' http://127.0.0.1:8000/mail\n  curl -N http://127.0.0.1:8000/sse\n  \
             mailcall serve sse ws --tls --ca ca.pem --mails 1000 --rate 1/s\n  \
             mailcall serve --mails 0 --allow-origin http://localhost:3000"
        }
        _ => "",
    }
}

/// `mailcall completions SHELL`.
pub fn completions_command() -> Command {
    Command::new("completions")
        .about("Print a shell's completions for mailcall")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell)),
        )
        .after_help(
            "Example:\n  mailcall completions bash > ~/.local/share/bash-completion/completions/mailcall",
        )
}

/// The completions script.
pub fn completions(matches: &ArgMatches) -> String {
    let mut script = Vec::new();
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        let mut command = visible(&super::args::command());
        clap_complete::generate(*shell, &mut command, "mailcall", &mut script);
        if *shell == Shell::Fish {
            script.extend(fish_values(&command).into_bytes());
        }
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// For fish `clap_complete` offers the values of flags alone: these lines offer those of what has no flag, as
/// lessons and techniques.
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

/// What of a command `--help` shows: `clap_complete` offers hidden commands and flags, too.
fn visible(command: &Command) -> Command {
    let mut shown = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(command.is_disable_help_flag_set());
    if let Some(version) = command.get_version() {
        shown = shown.version(version.to_owned());
    }
    let shown = shown.args(command.get_arguments().filter(|arg| !arg.is_hide_set()));
    let commands = command.get_subcommands().filter(|c| !c.is_hide_set());
    shown.subcommands(commands.map(visible))
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_first_screen_fits_a_narrow_terminal_and_loses_no_word() {
        let wide = short(None);
        let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
        for width in 50..120 {
            let text = short(Some(width));
            assert!(text.lines().all(|l| l.width() <= width), "{width}\n{text}");
            assert_eq!(words(&text), words(&wide));
        }
    }
}
