//! Drawing a [`Report`]: one file per format. A format is a function from a report to text; it
//! measures nothing and decides nothing about a run, so a saved report can be drawn again.
//!
//! A new format is one file and one line in `FORMATS`. What the formats share lies beside them:
//! `figures` (the columns, how a number is written, who is best), `noise` (what differs at all), `notes`
//! (the scenario, the delivery sheet and the warnings in words), `sentence` (what to notice) and
//! `timeline` (lanes); `chart` draws as SVG. `pcap` is of another kind: it writes what was recorded of a run.

pub mod advice;
mod cascade;
mod chart;
mod csv;
mod figures;
#[cfg(test)]
mod fixture;
mod html;
mod json;
mod markdown;
mod noise;
mod notes;
pub mod pcap;
mod pictures;
mod runs;
mod sentence;
pub mod sweep;
mod table;
mod timeline;
mod topics;
pub mod transcript;
pub mod vanish;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use unicode_width::UnicodeWidthChar;

use crate::outcome::Report;
use crate::scratch;

pub use figures::figure;
pub use notes::oddities;
pub use runs::Run;
pub use sentence::notice;

use crate::terminal;
pub use crate::terminal::printable;

/// Every format, in the order the help lists them; the first is the default.
static FORMATS: &[Format] = &[
    Format {
        name: "table",
        help: "For reading in a terminal",
        draw: table::draw,
        draw_runs: Some(table::draw_runs),
        beside: None,
    },
    Format {
        name: "json",
        help: "Everything that was measured and predicted",
        draw: json::draw,
        draw_runs: None,
        beside: None,
    },
    Format {
        name: "csv",
        help: "One row per technique, for a spreadsheet",
        draw: csv::draw,
        draw_runs: Some(csv::draw_runs),
        beside: None,
    },
    Format {
        name: "markdown",
        help: "For a report or a README",
        draw: markdown::draw,
        draw_runs: Some(markdown::draw_runs),
        beside: Some(markdown::beside),
    },
    Format {
        name: "html",
        help: "One page for a browser, with charts",
        draw: html::draw,
        draw_runs: Some(html::draw_runs),
        beside: None,
    },
];

/// A way to draw a report: a value of `--format`.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    name: &'static str,
    help: &'static str,
    draw: fn(&Report, &Style) -> Result<String>,
    /// The same for several runs side by side; `None` where a format has no way to.
    draw_runs: Option<DrawRuns>,
    /// The charts it needs beside its file, under names that begin alike; `None` if it needs none.
    beside: Option<Beside>,
}

type DrawRuns = fn(&[Run], &Style) -> Result<String>;

type Beside = fn(&[Run], &str) -> Result<Vec<(String, String)>>;

impl Format {
    /// Whether it can lay several runs side by side.
    pub fn holds_runs(&self) -> bool {
        self.draw_runs.is_some()
    }

    /// Whether it is read by programs, which want their fields even where there is nothing to tell.
    pub fn is_for_programs(&self) -> bool {
        ["json", "csv"].contains(&self.name)
    }

    /// Whether it has charts only if it is written to a file.
    pub fn has_charts_beside(&self) -> bool {
        self.beside.is_some()
    }
}

impl Default for Format {
    fn default() -> Self {
        FORMATS[0]
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        FORMATS
    }
    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.help))
    }
}

/// How a report should look. Formats for machines ignore it.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The terminal's columns; `None` where there is no terminal, which is drawn as 80.
    pub width: Option<usize>,
    /// Whether ANSI colours may be used, in addition to what is readable without.
    pub colour: bool,
    /// Whether to draw the run's events as lanes.
    pub timeline: bool,
    /// How the names of charts beside the report begin; `None` leaves them out. [`publish`] sets it.
    pub beside: Option<String>,
}

impl Style {
    /// The columns to draw in.
    pub fn columns(&self) -> usize {
        self.width.unwrap_or(80).max(MIN_WIDTH)
    }
}

/// The narrowest terminal that is drawn for; below it lines run over the edge.
pub const MIN_WIDTH: usize = 40;

/// Draws `report` in `format`; the text ends in a newline.
///
/// # Errors
/// If a format cannot express the report.
pub fn render(format: Format, report: &Report, style: &Style) -> Result<String> {
    (format.draw)(report, style).with_context(|| format!("could not write the report as {}", format.name))
}

/// Draws several runs side by side; a single one as [`render`] does.
///
/// # Errors
/// If a format cannot.
pub fn render_runs(format: Format, runs: &[Run], style: &Style) -> Result<String> {
    match (runs, format.draw_runs) {
        ([only], _) => render(format, &only.report, style),
        (_, Some(draw)) => {
            draw(runs, style).with_context(|| format!("could not write the runs as {}", format.name))
        }
        _ => bail!("{} cannot hold several runs", format.name),
    }
}

/// Draws runs and writes them to the file, or to stdout. Charts that belong beside a file are written
/// first, each whole or not at all: so the report never refers to one that is not there.
///
/// # Errors
/// If they cannot be drawn, or not be written.
pub fn publish(format: Format, runs: &[Run], style: &Style, output: Option<&Path>) -> Result<()> {
    let mut style = style.clone();
    if let (Some(draw), Some((folder, stem))) = (format.beside, output.and_then(stem)) {
        for (name, text) in draw(runs, &stem)? {
            deliver(&text, Some(&folder.join(name)))?;
        }
        style.beside = Some(stem);
    }
    deliver(&render_runs(format, runs, &style)?, output)
}

/// The folder of a file that charts can lie beside, and how their names begin. A pipe has no such place.
fn stem(output: &Path) -> Option<(PathBuf, String)> {
    match target(output) {
        Ok(Target::File(_)) => {
            let stem = output.file_stem()?.to_string_lossy().into_owned();
            Some((folder(output).into(), stem))
        }
        _ => None,
    }
}

/// Any result as JSON. What JSON need not escape and a terminal may obey, which are DEL and the control
/// characters from U+0080 to U+009F, is escaped, too (RFC 8259, section 7).
///
/// # Errors
/// If it has no JSON.
pub fn json_of(result: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(result)?;
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('\n');
    Ok(out)
}

/// The report as `--format json` has it, whatever it is drawn as.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn json(report: &Report) -> Result<String> {
    json::draw(report, &Style::default())
}

/// Checks that [`deliver`] will be able to write to `path`, without touching a file that is there:
/// better to learn it before a run than after.
///
/// # Errors
/// If it is a directory, its folder is missing, or either may not be written to.
pub fn check_output(path: &Path) -> Result<()> {
    let cannot = || format!("cannot write to {}", path.display());
    match target(path).with_context(cannot)? {
        Target::Stdout | Target::Direct(_) => Ok(()),
        Target::File(file) => {
            if file.exists() {
                OpenOptions::new().write(true).open(&file).with_context(cannot)?;
            }
            temporary_beside(&file).map(drop).with_context(cannot)
        }
    }
}

/// Writes `text` to the file, whole or not at all, or to stdout. A reader that has gone
/// (`mailcall compare | head -1`) is not an error.
///
/// # Errors
/// If it cannot be written.
pub fn deliver(text: &str, output: Option<&Path>) -> Result<()> {
    let path = output.unwrap_or(Path::new(STDOUT));
    // A file gets what there is; whatever else may be a terminal.
    let clean = match target(path) {
        Ok(Target::File(_)) => None,
        _ if output.is_none() && terminal::colour(&io::stdout()) => Some(terminal::shown(text)),
        _ => Some(terminal::plain(text)),
    };
    let text = clean.as_deref().unwrap_or(text);
    deliver_with(path, |to| Ok(to.write_all(text.as_bytes())?))
}

/// The same for what is not text: `pour` writes it.
///
/// # Errors
/// If `pour` fails, or it cannot be written.
pub fn deliver_with(path: &Path, pour: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let cannot = || format!("cannot write to {}", path.display());
    match target(path).with_context(cannot)? {
        Target::Stdout => {
            let mut stdout = io::stdout().lock();
            unless_gone(pour(&mut stdout).and_then(|()| Ok(stdout.flush()?)))
                .context("cannot write to stdout")
        }
        Target::Direct(file) => {
            let opened = OpenOptions::new().append(true).open(file).map_err(Into::into);
            unless_gone(opened.and_then(|mut f| pour(&mut f))).with_context(cannot)
        }
        Target::File(file) => replace(&file, pour).with_context(cannot),
    }
}

/// Whether what was delivered there is in a file now, and not in a pipe or on a device.
pub fn is_file(path: &Path) -> bool {
    matches!(target(path), Ok(Target::File(_)))
}

const STDOUT: &str = "/dev/stdout";

/// Where an `--output` leads.
enum Target {
    /// Our own stdout, whatever that is.
    Stdout,
    /// A pipe or device: it cannot be replaced, only written to.
    Direct(PathBuf),
    /// A file, there already or not.
    File(PathBuf),
}

fn target(path: &Path) -> Result<Target> {
    if path == Path::new(STDOUT) {
        return Ok(Target::Stdout);
    }
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => bail!("it is a directory"),
        // Names of what is open already: replacing the file under it would pull it from its owner.
        Ok(_)
            if ["/dev/fd", "/dev/stderr", "/proc"]
                .iter()
                .any(|open| path.starts_with(open)) =>
        {
            Ok(Target::Direct(path.to_path_buf()))
        }
        // A link is followed: it is the file that is replaced, not the link to it.
        Ok(there) if there.is_file() => Ok(Target::File(fs::canonicalize(path)?)),
        Ok(_) => Ok(Target::Direct(path.to_path_buf())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => new_file(path),
        Err(e) => Err(e.into()),
    }
}

fn new_file(path: &Path) -> Result<Target> {
    let names_a_folder = path
        .as_os_str()
        .to_string_lossy()
        .ends_with(std::path::is_separator);
    if path.file_name().is_none() || names_a_folder {
        bail!("it does not name a file");
    }
    if path.is_symlink() {
        bail!("it is a link to a file that does not exist");
    }
    if !folder(path).is_dir() {
        bail!("there is no directory {}", folder(path).display());
    }
    Ok(Target::File(path.to_path_buf()))
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A new file in the same folder, so that a rename can put it in place; it is removed unless kept.
fn temporary_beside(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mailcall-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask, as any new file
    builder.tempfile_in(folder(file))
}

fn replace(file: &Path, pour: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut new = temporary_beside(file)?;
    let _tracked = scratch::track(new.path());
    pour(new.as_file_mut())?;
    if let Ok(old) = fs::metadata(file) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

fn unless_gone(written: Result<()>) -> Result<()> {
    let kind = |e: &anyhow::Error| e.downcast_ref::<io::Error>().map(io::Error::kind);
    match written {
        Err(e) if kind(&e) == Some(io::ErrorKind::BrokenPipe) => Ok(()),
        other => other,
    }
}

/// Breaks prose into lines of at most `width` columns, the later ones indented. A word that is longer
/// than a line (a file's name) is cut.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in words(text) {
        let wide = unicode_width::UnicodeWidthStr::width(word.as_str());
        if column > indent && column + 1 + wide > width {
            (column, _) = (indent, new_line(&mut out, indent));
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if column + wide > width {
                (column, _) = (indent, new_line(&mut out, indent));
            }
            out.push(c);
            column += wide;
        }
    }
    out.push('\n');
    out
}

/// What stays on one line: a word, or a number and its unit.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        // A Korean particle follows its word without a space.
        let bare = word.trim_matches(|c: char| c != '%' && !c.is_ascii_alphanumeric());
        match words.last_mut().filter(|_| ["B", "ms", "s", "%"].contains(&bare)) {
            Some(number) => *number = format!("{number} {word}"),
            None => words.push(word.into()),
        }
    }
    words
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_format_has_a_name_and_ends_its_text() {
        for format in Format::value_variants() {
            assert_eq!(Format::from_str(format.name, false).unwrap().name, format.name);
            for report in [fixture::typical(), fixture::lost(), fixture::empty()] {
                let text = render(*format, &report, &Style::default()).unwrap();
                assert!(
                    text.ends_with('\n') && !text.contains("NaN") && !text.contains("inf"),
                    "{}",
                    format.name
                );
            }
        }
        assert_eq!(Format::default().name, "table");
    }

    #[test]
    fn a_file_is_written_whole_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.txt");
        check_output(&file).unwrap();
        assert!(!file.exists());
        deliver("first, and longer\n", Some(&file)).unwrap();
        check_output(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "first, and longer\n");
        deliver("second\n", Some(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "a temporary file was left behind"
        );
    }

    #[test]
    fn charts_lie_beside_a_file_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run {
            file: String::new(),
            report: fixture::with_events(),
        };
        let written = |name: &str| {
            let format = Format::from_str(name, false).unwrap();
            let file = dir.path().join(format!("my.{name}"));
            publish(format, std::slice::from_ref(&run), &Style::default(), Some(&file)).unwrap();
            let mut names: Vec<_> = fs::read_dir(dir.path())
                .unwrap()
                .map(|f| f.unwrap().file_name())
                .collect();
            names.sort();
            names
                .into_iter()
                .map(|n| n.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(written("html"), ["my.html"]);
        let charts = ["bytes", "distribution", "latency", "model", "timeline"].map(|c| format!("my-{c}.svg"));
        assert_eq!(written("markdown")[..5], charts);
        let markdown = Format::from_str("markdown", false).unwrap();
        publish(markdown, &[run], &Style::default(), Some(Path::new("/dev/null"))).unwrap();
        assert!(!Path::new("/dev/null-latency.svg").exists());
    }

    #[test]
    fn several_runs_in_every_format_that_has_room_for_them() {
        let run = |seed: u64| {
            let mut report = fixture::typical();
            report.scenario.seed = seed;
            Run {
                file: "x.json".into(),
                report,
            }
        };
        let runs = [run(1), run(2)];
        for format in FORMATS {
            let drawn = render_runs(*format, &runs, &Style::default());
            assert_eq!(drawn.is_ok(), format.holds_runs(), "{}", format.name);
            let Ok(text) = drawn else { continue };
            assert!(
                text.contains("--seed 1") && text.contains("--seed 2"),
                "{}",
                format.name
            );
            assert_eq!(
                render_runs(*format, &runs[..1], &Style::default()).unwrap(),
                render(*format, &runs[0].report, &Style::default()).unwrap()
            );
        }
        assert!(!Format::from_str("json", false).unwrap().holds_runs());
    }

    #[test]
    fn what_cannot_be_written_is_said_before_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let early = format!("{:#}", check_output(path).unwrap_err());
            let late = format!("{:#}", deliver("x", Some(path)).unwrap_err());
            assert!(
                early.contains(&format!("cannot write to {}", path.display())),
                "{early}"
            );
            assert_eq!(early, late);
            early
        };
        assert!(said(dir.path()).contains("is a directory"));
        assert!(said(&dir.path().join("none/report")).contains("no directory"));
        assert!(said(Path::new("")).contains("does not name a file"));
        assert!(said(&dir.path().join("folder/")).contains("does not name a file"));
        let file = dir.path().join("file");
        fs::write(&file, "old").unwrap();
        said(&file.join("below"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_without_permission_leaves_the_old_file_alone() {
        // /proc refuses new files even to root.
        let refused = Path::new("/proc/mailcall-report");
        assert!(check_output(refused).is_err() && deliver("x", Some(refused)).is_err());
        assert!(!refused.exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_modes_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link, dangling) = (dir.path().join("f"), dir.path().join("l"), dir.path().join("d"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        symlink(dir.path().join("nowhere"), &dangling).unwrap();
        deliver("new", Some(&link)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(format!("{:#}", check_output(&dangling).unwrap_err()).contains("link to a file"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_closed_pipes() {
        check_output(Path::new("/dev/null")).unwrap();
        deliver("x", Some(Path::new("/dev/null"))).unwrap();
        check_output(Path::new(STDOUT)).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        let broken = writer.write_all(b"x").unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
        unless_gone(Err(broken.into())).unwrap();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(unless_gone(Err(full.into())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_written_to_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        check_output(&pipe).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        deliver("through the pipe", Some(&pipe)).unwrap();
        assert_eq!(reader.join().unwrap(), "through the pipe");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_named_by_its_descriptor_is_added_to() {
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut open = fs::File::create(&path).unwrap();
        open.write_all(b"first, ").unwrap();
        let name = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        check_output(&name).unwrap();
        deliver("second", Some(&name)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first, second");
    }

    #[test]
    fn wrapping_counts_columns_and_cuts_long_words() {
        assert_eq!(wrap("one two three", 8, 2), "one two\n  three\n");
        assert_eq!(wrap("메일이 왔다", 8, 0), "메일이\n왔다\n");
        assert_eq!(wrap("", 8, 2), "\n");
        assert_eq!(wrap("four four nine", 9, 0), "four four\nnine\n");
        assert_eq!(wrap("four four nine", 8, 0), "four\nfour\nnine\n");
        assert_eq!(
            wrap("waits (104 ms).", 12, 0),
            "waits\n(104 ms).\n",
            "a unit stays with its number"
        );
        assert_eq!(wrap("평균 (104 ms)은", 10, 0), "평균\n(104 ms)은\n");
        for width in 10..60 {
            let text = wrap(
                &format!("see {} for the 메일함메일함메일함 rest", "x".repeat(100)),
                width,
                3,
            );
            assert!(text.lines().all(|l| l.width() <= width), "{text}");
            assert_eq!(text.matches('x').count(), 100);
        }
    }
}
