//! Messages on stderr.

use std::io;

use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

use crate::lang::{Language, Text, t, text};
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

/// An error and its causes. One that programs read, too, carries its English as a [`Text`].
fn in_words(error: &anyhow::Error) -> String {
    let text = error.downcast_ref::<Text>();
    terminal::causes_as(error, |cause| match text {
        Some(text) if cause.to_string() == **text => text.spoken(),
        _ => spoken(cause),
    })
}

/// An error's own words; in Korean also those of the system, which otherwise speaks English.
fn spoken(cause: &(dyn std::error::Error + 'static)) -> String {
    let system = cause.downcast_ref::<io::Error>();
    match system.and_then(|e| Some((e.raw_os_error()?, of_system(e.kind())?))) {
        Some((code, what)) if Language::spoken() == Language::Ko => format!("{} (os error {code})", t!(what)),
        _ => cause.to_string(),
    }
}

fn of_system(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::NotFound => text!("no such file or directory"),
        io::ErrorKind::PermissionDenied => text!("permission denied"),
        io::ErrorKind::AddrInUse => text!("the address is in use"),
        io::ErrorKind::AddrNotAvailable => text!("the address is not available"),
        io::ErrorKind::ConnectionRefused => text!("the connection was refused"),
        io::ErrorKind::ConnectionReset => text!("the connection was reset"),
        io::ErrorKind::TimedOut => text!("it took too long"),
        io::ErrorKind::StorageFull => text!("no space is left"),
        io::ErrorKind::FileTooLarge => text!("the file is too large"),
        io::ErrorKind::NotADirectory => text!("it is no directory"),
        _ => return None,
    })
}

/// Prints an error.
pub fn complain(error: &anyhow::Error) {
    tell!("{}: {}", t!("error"), in_words(error));
}

/// Warns about fields of a header profile that are not replayed.
pub fn tell_left_out(headers: &Headers) {
    let names: Vec<&str> = headers.left_out().iter().map(|name| name.as_str()).collect();
    if !names.is_empty() {
        tell!(
            "{}",
            t!(
                "warning: %{names} of %{headers} left out: that changes how a connection is kept or framed",
                names = names.join(", "),
                headers = headers.name()
            )
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
