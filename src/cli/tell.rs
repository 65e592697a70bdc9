//! Messages on stderr.

use std::io;

use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

use crate::technique::Headers;
use crate::{report, terminal};

/// Prints a message to stderr. If that is closed, nobody wants to read it.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let text = $crate::cli::tell::for_stderr(&format!($($text)*));
        let _ = writeln!(std::io::stderr(), "{text}");
    }};
}

/// A text as stderr shows it: on a terminal, lines that are too long are broken between words.
pub fn for_stderr(text: &str) -> String {
    let text = terminal::plain(text);
    let Some(columns) = stderr_width() else {
        return text;
    };
    let columns = columns.max(report::MIN_WIDTH);
    let broken = text.lines().map(|line| match line.width() <= columns {
        true => line.to_owned(),
        false => report::wrap(line, columns, 2).trim_end().to_owned(),
    });
    broken.collect::<Vec<_>>().join("\n")
}

/// Prints an error.
pub fn complain(error: &anyhow::Error) {
    tell!("error: {}", terminal::causes(error));
}

/// Warns about fields of a header profile that are not replayed.
pub fn tell_left_out(headers: &Headers) {
    let names: Vec<&str> = headers.left_out().iter().map(|name| name.as_str()).collect();
    if !names.is_empty() {
        tell!(
            "warning: {} of {} left out: that changes how a connection is kept or framed",
            names.join(", "),
            headers.name()
        );
    }
}

/// The width of stdout in columns; `None` if it is not a terminal.
pub fn terminal_width() -> Option<usize> {
    columns(terminal_size_of(io::stdout()))
}

/// The width of stderr in columns; `None` if it is not a terminal.
pub fn stderr_width() -> Option<usize> {
    columns(terminal_size_of(io::stderr()))
}

/// The width in columns. A terminal that was never told its width reports 0.
fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    let columns = size.map(|(Width(columns), _)| usize::from(columns));
    columns.filter(|columns| *columns > 0)
}
