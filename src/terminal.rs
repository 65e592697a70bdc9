//! Output to a terminal: whether it has colour, how control characters are replaced, and how an error is
//! worded.

use std::io::IsTerminal;

/// Whether output to `stream` is coloured. Tables, bars, lessons and help all use this.
///
/// `NO_COLOR` (no-color.org) has priority, then `CLICOLOR_FORCE` and `CLICOLOR` (bixense.com/clicolors), then
/// whether the stream is a terminal with colours: one with `TERM=dumb` has none. An empty variable counts as
/// unset, and so does `CLICOLOR_FORCE=0`.
pub fn colour(stream: &impl IsTerminal) -> bool {
    decide(
        |name| std::env::var_os(name)?.into_string().ok(),
        stream.is_terminal(),
    )
}

fn decide(variable: impl Fn(&str) -> Option<String>, is_terminal: bool) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let wanted = set("CLICOLOR").is_none_or(|value| value != "0");
    is_terminal && wanted && set("TERM").is_none_or(|value| value != "dumb")
}

/// Whether lines on `stream` can be redrawn, as bars are: only on a terminal, and not with `TERM=dumb`.
pub fn redraws(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A text that is safe to print: control characters could move the cursor or colour the screen, so each
/// becomes U+FFFD.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Lines without colour that are safe to print: control characters other than line ends and tabs become U+FFFD.
pub fn plain(text: &str) -> String {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if allowed(c) { c } else { '\u{fffd}' })
        .collect()
}

/// A coloured output that is safe to print: as [`plain`], but the program's own colours stay, which are the
/// sequences `ESC [ digits and semicolons m`. Foreign text in such an output must be made [`printable`]
/// first: here its colours cannot be distinguished from ours.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match sequence(rest) {
            0 => c.len_utf8(),
            length => length,
        };
        let (piece, after) = rest.split_at(length);
        match c.is_control() && length == c.len_utf8() && !matches!(c, '\n' | '\t') {
            true => out.push('\u{fffd}'),
            false => out.push_str(piece),
        }
        rest = after;
    }
    out
}

/// The length in bytes of the colour sequence at the start of a text; 0 for none.
fn sequence(text: &str) -> usize {
    let Some(inside) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let codes = inside
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b';')
        .count();
    if inside[codes..].starts_with('m') {
        codes + 3
    } else {
        0
    }
}

/// An error and its causes in one line without repetition: the text of many errors contains that of their
/// cause, and some begin with the error's own text.
pub fn causes(error: &anyhow::Error) -> String {
    causes_as(error, |cause| cause.to_string())
}

/// The same with each cause in other words, such as those of another language.
pub fn causes_as(
    error: &anyhow::Error,
    say: impl Fn(&(dyn std::error::Error + 'static)) -> String,
) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain().map(say) {
        match said.last_mut() {
            Some(last) if holds(last, &cause) => {}
            Some(last) if cause.starts_with(&format!("{last}: ")) => *last = cause,
            _ => said.push(cause),
        }
    }
    said.join(": ")
}

/// Whether a text contains another at its end, or before an addition in brackets.
fn holds(text: &str, other: &str) -> bool {
    text.ends_with(other) || text.contains(&format!("{other} ("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn who_decides_about_colour() {
        for (variables, on_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("TERM", "xterm")], true, false),
            (&[("TERM", "dumb")], false, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "1")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true, true),
            (&[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], true, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value): &(&str, &str)| (*value).to_owned())
            };
            assert_eq!(decide(variable, true), on_terminal, "{variables:?}");
            assert_eq!(decide(variable, false), elsewhere, "{variables:?}");
        }
    }

    #[test]
    fn control_characters_are_not_shown() {
        assert_eq!(
            plain("a\u{1b}[31mb\u{7f}\u{9b}1m\r\tc\n"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}1m\u{fffd}\tc\n"
        );
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        let own = "\u{1b}[1;31mred\u{1b}[0m\tand\n";
        assert_eq!(shown(own), own);
        assert_eq!(
            shown("a\u{1b}[2J\u{1b}]0;t\u{7}\r\u{9b}1m\u{1b}"),
            "a\u{fffd}[2J\u{fffd}]0;t\u{fffd}\u{fffd}\u{fffd}1m\u{fffd}"
        );
    }

    #[test]
    fn an_error_is_said_once() {
        let io = || std::io::Error::other("connection reset");
        let twice = anyhow::Error::new(io()).context("IO error: connection reset");
        assert_eq!(causes(&twice), "IO error: connection reset");
        assert_eq!(
            causes(&anyhow!(io()).context("cannot read")),
            "cannot read: connection reset"
        );
        assert_eq!(causes(&anyhow!("x").context("x").context("a: x")), "a: x");
        assert_eq!(
            causes(&anyhow!("refused: by a").context("refused")),
            "refused: by a"
        );
        let explained = anyhow!("refused").context("not sent: refused (port 9)");
        assert_eq!(causes(&explained), "not sent: refused (port 9)");
    }
}
