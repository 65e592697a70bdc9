//! What `mailcall` says when it is asked for nothing, and the examples under each `--help`.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::lang::t;
use crate::technique;

/// Under `mailcall --help`.
pub const EXAMPLES: &str = "\
Examples:
  mailcall compare                               polling, long polling, SSE and WebSocket, one table
  mailcall poll --interval 1s --timeline         see mail wait for the next poll
  mailcall compare sse ws --reply                what talking back costs
  mailcall compare --headers browser             with the headers and cookie of a real browser
  mailcall inspect ws                            every byte of two mails, and what it is there for
  mailcall vanish                                clients die without a word: who notices?
  mailcall compare --format json | jq '.results[].requests'

Exit codes: 0 clean; 1 the run failed or mail was lost; 2 bad usage; 130 interrupted.";

/// What `mailcall` alone prints.
pub fn short() -> String {
    let mut out =
        t!("mailcall: when mail arrives on a server, what does each way of telling the client cost?")
            + "\n\n";
    let width = technique::ALL
        .iter()
        .map(|t| t.name.len())
        .max()
        .unwrap_or(0)
        .max("compare".len());
    let all = t!("All of these against the same mail, side by side");
    out += &format!("  {:width$}  {all}\n", "compare");
    for technique in technique::ALL {
        out += &format!("  {:width$}  {}\n", technique.name, t!(technique.about));
    }
    out += &format!("\n{}\n", t!("Try:"));
    for line in [
        "mailcall compare",
        "mailcall poll --interval 1s --timeline",
        "mailcall compare --headers browser --rate 20/s",
        "mailcall inspect ws",
    ] {
        out += &format!("  {line}\n");
    }
    out += &format!(
        "\n{}\n",
        t!("`mailcall --help` has more examples, `mailcall COMMAND --help` every flag.")
    );
    out
}

/// Under a subcommand's `--help`.
pub fn examples(name: &str) -> &'static str {
    match name {
        "compare" => {
            "Examples:\n  mailcall compare\n  mailcall compare poll ws --rate 50/s --mails 200\n  \
             mailcall compare --attach 100000 --frames binary\n  \
             mailcall compare --talk 4/s --rtt 100ms\n  \
             mailcall compare --replay demos/data/r-help-2007-06-14.arrivals.csv --replay-speed 8640x"
        }
        "poll" => {
            "Examples:\n  mailcall poll --interval 1s --timeline\n  \
             mailcall poll --headers demos/headers/kaazing-2010.http\n  \
             mailcall poll --mails 2000 --rate 100/s --interval 100ms --format json"
        }
        "long-poll" => {
            "Examples:\n  mailcall long-poll --timeline\n  mailcall long-poll --clients 1000 --mails 5\n  \
             mailcall long-poll --rate 1/2s --hold 500ms"
        }
        "sse" => {
            "Examples:\n  mailcall sse --timeline\n  mailcall sse --heartbeat 200ms\n  \
             mailcall sse --attach 100000"
        }
        "ws" => {
            "Examples:\n  mailcall ws --reply\n  mailcall ws --attach 100000 --frames binary\n  \
             mailcall ws --closer server --format json\n  \
             mailcall ws wss://127.0.0.1:8443 --ca ca.pem --mails 10"
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
        "serve" => {
            "Examples:\n  mailcall serve --mails 0 --listen 127.0.0.1:8000\n  \
             curl -d 'Lunch?' http://127.0.0.1:8000/mail\n  curl -N http://127.0.0.1:8000/sse\n  \
             mailcall serve sse ws --tls --ca ca.pem --mails 1000 --rate 1/s"
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
        clap_complete::generate(*shell, &mut super::args::command(), "mailcall", &mut script);
    }
    String::from_utf8_lossy(&script).into_owned()
}
