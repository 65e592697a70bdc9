//! The transcript for a terminal: bytes, label and size side by side, and their explanations below, or from
//! [`WIDE`] columns on beside them.

use std::collections::HashSet;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use super::bytes::{line, mark, write};
use super::words::{Extent, Running, arrow, cited, sum, way};
use super::{scheme, state};
use crate::explain::{Explained, Unit};
use crate::lang::{t, text};
use crate::outcome::inspection::{Inspected, Inspection};
use crate::report::prose::{Paint, pad, wrap};
use crate::report::style::Style;
use crate::terminal::printable;
use crate::wire::Labels;

/// From this width on, notes are beside the bytes.
const WIDE: usize = 100;
/// The longest lines, because longer ones are hard to read.
const WIDEST: usize = 160;
/// The width of a label and its size.
const LABEL: usize = 13;
/// The width of direction and time.
const WHEN: usize = 18;
/// The indentation of a part's bytes, and of the notes below them.
const BYTES: usize = 2;
const NOTES: usize = 6;

/// The page's width and style.
#[derive(Clone, Copy)]
struct Page {
    width: usize,
    paint: Paint,
    whole: bool,
}

/// The note on a conversation that was interrupted.
pub const PARTIAL: &str = text!("PARTIAL: interrupted; the conversation is shown as far as it had come.");

/// Draws the transcript.
pub fn draw(inspection: &Inspection, units: &[Vec<Unit>], style: &Style, extent: Extent) -> String {
    let page = Page {
        width: style.columns().min(WIDEST),
        paint: Paint(style.colour),
        whole: extent.whole,
    };
    let mut said = Said::default();
    let mut out = page.paint.strong(&format!("{}\n", scheme::url(&inspection.url)));
    for sentence in scheme::decides(&inspection.url) {
        out += &page.prose(&sentence.spoken(), 2);
    }
    if !style.no_legend {
        out.push('\n');
        out += &page.prose(&t!(LEGEND), 0);
    }
    for (number, (connection, units)) in (1..).zip(inspection.connections.iter().zip(units)) {
        page.connection(&mut out, number, connection, units, &mut said);
    }
    out.push('\n');
    page.totals(&mut out, inspection);
    out.push('\n');
    out += &page.prose(&state::sentence(units), 0);
    if inspection.partial {
        out += &page.prose(&t!(PARTIAL), 0);
    }
    out
}

/// The legend.
pub const LEGEND: &str = text!(
    "→ up: from client to server. ← down: from server to client. Time is counted from the first connection on. \\r\\n is \
     a line end; pairs of digits are bytes in hexadecimal. What stands between ‹ and › is random by nature, or a \
     clock's: another run has another."
);

impl Page {
    fn prose(&self, text: &str, indent: usize) -> String {
        let wrapped = wrap(&printable(text), self.width.min(WIDE) - indent, 0);
        wrapped.lines().map(|l| format!("{:indent$}{l}\n", "")).collect()
    }

    fn connection(
        &self,
        out: &mut String,
        number: usize,
        connection: &Inspected,
        units: &[Unit],
        said: &mut Said,
    ) {
        let from = mark(&connection.client.port().to_string(), true);
        let opened = t!(
            "connection %{number} opened at %{time} by port %{port} of the client",
            number = number,
            time = ms(connection.opened_us),
            port = from
        );
        out.push('\n');
        *out += &self.paint.strong(&self.prose(&opened, 0));
        let mut running = Running::default();
        for unit in units {
            running.add(unit);
            out.push('\n');
            self.unit(out, unit, &running, said);
        }
        if let Some(closed) = connection.closed_us {
            let closed = t!(
                "connection %{number} closed at %{time}",
                number = number,
                time = ms(closed)
            );
            *out += &format!("\n{closed}\n");
        }
    }

    fn unit(&self, out: &mut String, unit: &Unit, running: &Running, said: &mut Said) {
        let mut title = unit.title.spoken();
        if !unit.is_empty() {
            title += &t!(
                "; %{n} bytes: %{labels}",
                n = unit.len(),
                labels = sum(&unit.labels())
            );
        }
        // The time is formatted separately, so that the line breaks do not depend on it.
        let when = format!(
            "{} {:<4} {:>9}",
            arrow(unit.direction),
            way(unit.direction),
            ms(unit.at_us)
        );
        let wrapped = wrap(&printable(&title), self.width - WHEN, 0);
        for (line, when) in wrapped
            .lines()
            .zip(std::iter::once(&*when).chain(std::iter::repeat("")))
        {
            *out += &self.paint.strong(&format!("{when:WHEN$}{line}\n"));
        }
        for part in &unit.parts {
            self.part(out, part, said);
        }
        if !unit.is_empty() {
            *out += &self
                .paint
                .dim(&self.prose(&t!("so far: %{sums}", sums = running.say()), BYTES));
        }
    }

    fn part(&self, out: &mut String, part: &Explained, said: &mut Said) {
        let labels = labels(&part.labels);
        let bytes = line(&write(&part.bytes, part.random.as_ref(), self.whole));
        if self.width < WIDE {
            let bytes = cut(&bytes, self.width - BYTES - 1 - LABEL);
            self.beside(out, &[(&bytes, self.width - BYTES - 1 - LABEL), (&labels, LABEL)]);
            for note in said.notes(part, self.width - NOTES, self.whole) {
                *out += &self.paint.dim(&format!("{:NOTES$}{note}\n", ""));
            }
            return;
        }
        let left = (self.width - BYTES - LABEL - 4) * 9 / 20;
        let right = self.width - BYTES - LABEL - 4 - left;
        let notes = said.notes(part, right, self.whole);
        self.beside(
            out,
            &[(&cut(&bytes, left), left), (&labels, LABEL), (&notes, right)],
        );
    }

    /// Columns side by side; all except the first may be dim.
    fn beside(&self, out: &mut String, columns: &[(&[String], usize)]) {
        let rows = columns.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
        for row in 0..rows {
            let mut text = " ".repeat(BYTES);
            for (i, (lines, width)) in columns.iter().enumerate() {
                let cell = lines.get(row).map_or("", String::as_str);
                let padded = match i {
                    0 => pad(cell, *width) + " ",
                    1 => format!("{}{cell}   ", " ".repeat(width.saturating_sub(cell.width()))),
                    _ => self.paint.dim(cell),
                };
                text += &padded;
            }
            *out += text.trim_end();
            out.push('\n');
        }
    }

    fn totals(&self, out: &mut String, inspection: &Inspection) {
        *out += &self.paint.strong(&format!("{}\n", t!("Every byte, by label")));
        *out += &format!("{:<13}{:>9}{:>9}{:>9}\n", "", "up", "down", "both");
        for Row {
            name, up, down, both, ..
        } in rows(inspection)
        {
            *out += &format!("{name:<13}{up:>9}{down:>9}{both:>9}\n");
        }
        *out += &self.prose(&t!(CHECK), 0);
    }
}

/// The explanation of the last two rows of the totals.
pub const CHECK: &str =
    text!("The sums are what the server's socket took and gave: no byte is missing, none is counted twice.");

/// A row of the totals.
pub struct Row {
    /// A label, or the row's name.
    pub name: &'static str,
    /// Bytes from the client.
    pub up: u64,
    /// Bytes from the server.
    pub down: u64,
    /// Both together.
    pub both: u64,
    /// Whether the row is not a label's.
    pub total: bool,
}

/// The totals: the labels that have bytes, their sums, and what the socket counted.
pub fn rows(inspection: &Inspection) -> Vec<Row> {
    let [up, down] = inspection.labels();
    let raw = inspection.raw();
    let row = |name, up, down, total| Row {
        name,
        up,
        down,
        both: up + down,
        total,
    };
    let mut rows: Vec<Row> = (up + down)
        .each()
        .map(|(label, _)| row(label.name(), up[label], down[label], false))
        .collect();
    rows.push(row("sum", up.total(), down.total(), true));
    rows.push(row("at the socket", raw[0], raw[1], true));
    rows
}

/// A label and its size; base64 has two.
fn labels(labels: &Labels) -> Vec<String> {
    labels
        .each()
        .map(|(label, n)| format!("{} {n:>5}", label.name()))
        .collect()
}

/// What was explained before: when it is repeated, name and value are enough.
#[derive(Debug, Default)]
struct Said(HashSet<String>);

impl Said {
    fn for_the_first_time(&mut self, name: &str, what: &str) -> bool {
        self.0.insert(format!("{name}: {what}"))
    }

    /// The notes on a part: what it is, why, and the source; then its details.
    fn notes(&mut self, part: &Explained, width: usize, whole: bool) -> Vec<String> {
        let new = self.for_the_first_time(&part.what, &part.why);
        let why = if new { part.why.spoken() } else { String::new() };
        let mut notes = lines(
            &format!("{} {why} [{}]", part.what.spoken(), cited(&part.source)),
            width,
            0,
        );
        let mut known = Vec::new();
        for detail in &part.details {
            let value = line(&write(detail.value.spoken().as_bytes(), None, whole));
            let value = format!("· {} {}", detail.name, mark(&value, detail.random));
            if !detail.what.is_empty() && self.for_the_first_time(&detail.name, &detail.what) {
                notes.extend(lines(&std::mem::take(&mut known).join(" "), width, 2));
                notes.extend(lines(&format!("{value}: {}", detail.what.spoken()), width, 2));
            } else {
                known.push(value);
            }
        }
        notes.extend(lines(&known.join(" "), width, 2));
        notes
    }
}

/// Prose as lines; none for an empty text.
fn lines(text: &str, width: usize, indent: usize) -> Vec<String> {
    let wrapped = wrap(&printable(text), width, indent);
    wrapped
        .lines()
        .filter(|l| !l.is_empty())
        .map(String::from)
        .collect()
}

/// A time.
pub fn ms(us: f64) -> String {
    format!("{:.1} ms", us / 1e3)
}

/// Breaks a line into lines of `width` columns, between two hexadecimal bytes and not within one.
fn cut(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split_inclusive(' ') {
        let wide = word.trim_end().width();
        if column > 0 && column + wide > width && wide <= width {
            lines.push(String::new());
            column = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if column + wide > width {
                lines.push(String::new());
                column = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            column += wide;
        }
    }
    lines.iter().map(|line| line.trim_end().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use clap::ValueEnum;

    use super::super::account::Account;
    use super::*;
    use crate::explain;
    use crate::outcome::Scenario;
    use crate::outcome::inspection::Url;
    use crate::report::Format;
    use crate::report::view::View;
    use crate::wire::transcript::{Crossed, Happened, Transcript};
    use crate::wire::{Decoder, Direction};

    fn inspection() -> Inspection {
        let said: [(Direction, &[u8]); 4] = [
            (
                Direction::Up,
                b"GET /ws?after=0 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nUpgrade: websocket\r\n\r\n",
            ),
            (
                Direction::Down,
                b"HTTP/1.1 101 Switching Protocols\r\nDate: now\r\n\r\n",
            ),
            (
                Direction::Up,
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x80abcd",
            ),
            (Direction::Down, "\u{81}".as_bytes()),
        ];
        let crossed: Vec<Crossed> = (0..)
            .zip(said)
            .map(|(at, (direction, bytes))| Crossed {
                at_us: f64::from(at) * 1e3,
                sealed: false,
                direction,
                what: Happened::Bytes(bytes),
            })
            .collect();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        Inspection {
            technique: "ws".into(),
            argv: vec!["inspect".into(), "ws".into()],
            scenario: Scenario::default(),
            url: Url {
                scheme: "ws",
                authority: address,
                target: "/ws?after=0".into(),
            },
            connections: vec![Inspected {
                client: address,
                opened_us: 0.0,
                closed_us: Some(5e3),
                transcript: Transcript::read(Decoder::http(crate::wire::as_declared), &crossed),
            }],
            partial: false,
        }
    }

    fn drawn(width: usize, colour: bool) -> String {
        let style = Style {
            width: Some(width),
            colour,
            ..Style::default()
        };
        let inspection = inspection();
        let units = explain::units(&inspection.connections[0].transcript);
        draw(&inspection, &[units], &style, Extent::default())
    }

    #[test]
    fn it_fits_any_terminal() {
        for width in [40, 60, 80, 99, 100, 120, 200] {
            for line in drawn(width, false).lines() {
                assert!(line.width() <= width, "{} of {width}: {line}", line.width());
            }
        }
    }

    #[test]
    fn nothing_depends_on_colour() {
        let coloured = drawn(80, true);
        assert!(coloured.contains("\x1b[1m"));
        let plain = ["\x1b[1m", "\x1b[2m", "\x1b[0m"]
            .iter()
            .fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(plain, drawn(80, false));
    }

    #[test]
    fn what_was_explained_is_not_explained_again() {
        let text = drawn(80, false);
        assert_eq!(text.matches("a client's always is").count(), 1, "{text}");
        assert_eq!(text.matches("MASK 1").count(), 2, "{text}");
    }

    #[test]
    fn what_was_saved_is_drawn_as_it_was() {
        let account = Account::of(inspection(), Extent::default()).unwrap();
        let saved = Account::read(&account.json().unwrap()).unwrap();
        for format in Format::value_variants() {
            let drawn = |account| crate::report::draw(*format, account, &Style::default()).unwrap();
            assert_eq!(drawn(&saved), drawn(&account), "{format:?}");
        }
        let cut = account.json().unwrap().replacen("\"GET ", "\"GE ", 1);
        let refused = Account::read(&cut).unwrap_err().to_string();
        assert!(refused.contains("do not sum to its bytes"), "{refused}");
    }

    #[test]
    fn markdown_and_a_spreadsheet_have_every_part() {
        let inspection = inspection();
        let transcripts = inspection.connections.iter().map(|c| &c.transcript);
        let units: Vec<Unit> = transcripts.flat_map(crate::explain::units).collect();
        let parts = units.iter().map(|unit| unit.parts.len()).sum::<usize>();
        let account = Account::of(inspection.clone(), Extent::default()).unwrap();
        let drawn = |format| crate::report::draw(format, &account, &Style::default()).unwrap();
        let csv = drawn(Format::Csv);
        let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(csv.as_bytes())
            .records()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), parts, "{csv}");
        assert!(
            csv.starts_with("connection,direction,t_us,title,size,labels_head,"),
            "{csv}"
        );
        assert_eq!((&rows[0][0], &rows[0][1], &rows[0][2]), ("1", "up", "0.0"));
        let sizes = rows.iter().map(|row| row[4].parse::<u64>().unwrap());
        assert_eq!(sizes.sum::<u64>(), inspection.raw().iter().sum::<u64>());
        let markdown = drawn(Format::Markdown);
        let shown = markdown
            .lines()
            .filter(|l| l.starts_with("| ") && l.ends_with("\\] |"))
            .count();
        assert_eq!(shown, parts, "{markdown}");
        for part in [
            "## connection 1 opened",
            "→ up, 0.0 ms",
            "**Every byte, by label**",
            "mailcall inspect ws",
        ] {
            assert!(markdown.contains(part), "{part}: {markdown}");
        }
    }
}
