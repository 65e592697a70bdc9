//! What `mailcall` prints without arguments, and the examples under its `--help`.

use crate::lang::{t, text};
use crate::report::wrap;
use crate::technique;

/// The text under `mailcall --help`.
pub const EXAMPLES: &str = "\
Examples:
  mailcall compare                               polling, long polling, SSE and WebSocket, one table
  mailcall poll --interval 1s --timeline         see mail wait for the next poll
  mailcall compare sse ws --reply                what talking back costs
  mailcall compare --headers browser             with the headers and cookie of a real browser
  mailcall inspect ws                            every byte of two mails, and what it is there for
  mailcall compare --simulate                    the same without waiting: what the protocols cost by themselves
  mailcall vanish                                clients die without a word: who notices?
  mailcall storm                                 a server goes away and comes back: how do its clients return?
  mailcall demo                                  lessons to play in class or at home, checked as they go
  mailcall class                                 the students' phones are the clients, and a board shows the cost
  mailcall compare --format json | jq '.results[].requests'

Exit codes: 0 clean; 1 the run failed or mail was lost or undelivered; 2 bad usage; 129, 130, 143: ended by SIGHUP, Ctrl-C,
SIGTERM, after printing what it had.";

/// What `mailcall` prints without arguments, in `width` columns.
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

/// The narrowest column of text.
const LEAST: usize = 20;

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
