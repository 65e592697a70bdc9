//! The table for terminals. It fits any width by leaving columns out, never by breaking a number; a
//! number and its mark share a column.

use anyhow::Result;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::figures::{self, Column, Sheet};
use super::prose::{Paint, clip, pad, wrap};
use super::runs::{self, Grid, Run};
use super::{Style, cascade, notes, printable, sentence, timeline, topics};
use crate::lang::t;
use crate::outcome::Report;

/// Draws the report for a terminal.
pub fn draw(report: &Report, style: &Style) -> Result<String> {
    let width = style.columns();
    let prose = width.min(100);
    let paint = Paint(style.colour);
    let (cost, bytes) = (figures::cost(report), figures::bytes(report));
    let mut out = wrap(&notes::scenario(report), prose, 2);
    let mut shown = grid(&mut out, &cost, width, paint);
    for absent in notes::absent(report) {
        out.push_str(&wrap(&printable(&absent), prose, 2));
    }
    if let Some(talk) = figures::talk(report) {
        grid(&mut out, &talk, width, paint);
    }
    shown.extend(grid(&mut out, &bytes, width, paint));
    out.push_str(&cascade::draw(report, prose));
    out.push('\n');
    out.push_str(&paint.dim(&wrap(&notes::legend(report, &cost, &shown), prose, 0)));
    if style.timeline {
        out.push('\n');
        out.push_str(&timeline::draw(report, width));
    }
    out.push('\n');
    out.push_str(&wrap(
        &printable(&sentence::notice(report, sentence::own)),
        prose,
        0,
    ));
    if let Some(layers) = sentence::layers(report) {
        out.push('\n');
        out.push_str(&wrap(&printable(&layers), prose, 0));
    }
    if let Some(picture) = topics::draw(report, prose) {
        out.push('\n');
        out.push_str(&picture);
    }
    for line in notes::alarms(report) {
        out.push_str(&paint.alarm(&wrap(&line, prose, 2)));
    }
    Ok(out)
}

/// Runs are columns, to be read across; so many that they don't fit are rows.
fn laid(grid: Grid, width: usize) -> Grid {
    if natural(&grid) <= width {
        return grid;
    }
    let turned = grid.clone().turned();
    match natural(&turned) < natural(&grid) {
        true => turned,
        false => grid,
    }
}

/// How wide a grid is with each cell on one line.
fn natural(grid: &Grid) -> usize {
    let names = grid.rows.iter().map(|(name, _)| name.width());
    let first = names.fold(grid.title.width(), usize::max);
    let column = |(i, head): (usize, &String)| {
        let cells = grid.rows.iter().map(|(_, cells)| cells[i].width());
        GAP + cells.fold(head.width(), usize::max)
    };
    first + grid.heads.iter().enumerate().map(column).sum::<usize>()
}

/// Draws several runs: what is compared of them, then each.
pub fn draw_runs(all: &[Run], style: &Style) -> Result<String> {
    let (width, paint) = (style.columns(), Paint(style.colour));
    let names = runs::names(all);
    let mut out = wrap(&format!("{} runs: {}", all.len(), names.join(", ")), width, 2);
    for grid in runs::grids(all).into_iter().map(|grid| laid(grid, width)) {
        let mut table = Table::new();
        table
            .load_style(RULED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width as u16);
        table.set_header([grid.title.to_string()].into_iter().chain(grid.heads));
        for (name, cells) in grid.rows {
            table.add_row([name].into_iter().chain(cells));
        }
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if i == 0 { 0 } else { GAP as u16 }, 0));
        }
        out.push('\n');
        for line in table.lines() {
            out += line.trim_end();
            out.push('\n');
        }
    }
    for (run, name) in all.iter().zip(names) {
        out += &format!(
            "\n{}\n{}",
            paint.strong(wrap(&format!("== {name} =="), width, 3).trim_end()),
            draw(&run.report, style)?
        );
    }
    Ok(out)
}

/// The row under a measured one.
const PREDICTED: &str = "  predicted";
/// Columns between columns.
const GAP: usize = 2;

/// A rule under the header, and nothing else that would compete with the numbers.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Draws a sheet below a blank line and returns the titles of the columns for which there was room.
fn grid(out: &mut String, sheet: &Sheet, width: usize, paint: Paint) -> Vec<&'static str> {
    let names: Vec<String> = sheet.names.iter().map(|n| clip(n, width / 3)).collect();
    let predicted = if sheet.predicted { PREDICTED.len() } else { 0 };
    let first = names
        .iter()
        .map(|n| n.width())
        .chain([predicted])
        .max()
        .unwrap_or(0);
    let columns = fitting(sheet, width.saturating_sub(first));
    out.push('\n');
    if !sheet.title.is_empty() {
        out.push_str(&wrap(&t!(sheet.title), width, 2));
    }
    for line in laid_out(sheet, &names, &columns, paint).lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    columns.iter().map(|c| c.column.title).collect()
}

fn laid_out(sheet: &Sheet, names: &[String], columns: &[Laid], paint: Paint) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULED)
        .set_content_arrangement(ContentArrangement::Disabled);
    match paint.0 {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    let bold = |text: String| Cell::new(text).add_attribute(Attribute::Bold);
    let dim = |text: String| Cell::new(text).add_attribute(Attribute::Dim);
    table.set_header(
        [Cell::new("")]
            .into_iter()
            .chain(columns.iter().map(|c| bold(c.heading()))),
    );
    for (i, name) in names.iter().enumerate() {
        table.add_row(
            [Cell::new(name)]
                .into_iter()
                .chain(columns.iter().map(|c| c.measured(i))),
        );
        if sheet.predicted {
            let cells = columns.iter().map(|c| dim(c.predicted(i)));
            table.add_row([dim(PREDICTED.into())].into_iter().chain(cells));
        }
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { GAP as u16 }, 0));
    }
    table
}

/// The columns for which `room` suffices, the least important left out; one is always drawn.
fn fitting(sheet: &Sheet, room: usize) -> Vec<Laid<'_>> {
    let mut columns: Vec<Laid> = sheet
        .columns
        .iter()
        .map(|c| Laid::out(c, sheet.predicted))
        .collect();
    while columns.len() > 1 && columns.iter().map(|c| GAP + c.width()).sum::<usize>() > room {
        let Some(least) = (0..columns.len()).max_by_key(|i| columns[*i].column.rank) else {
            break;
        };
        columns.remove(least);
    }
    columns
}

/// A column and how wide its parts are: numbers end on one line, marks begin on one.
struct Laid<'a> {
    column: &'a Column,
    /// From the left edge to the end of the numbers.
    number: usize,
    /// Half-widths and the space before them; 0 if there are none.
    give: usize,
    /// Marks and the space before them; 0 if there are none.
    mark: usize,
}

impl<'a> Laid<'a> {
    fn out(column: &'a Column, predicted: bool) -> Laid<'a> {
        let predicted = column.predicted.iter().filter(|_| predicted).map(String::as_str);
        let numbers = column.measured.iter().map(|c| c.number.as_str()).chain(predicted);
        let number = numbers.map(|n| n.width()).max().unwrap_or(0);
        let widest = |text: fn(&figures::Cell) -> String| {
            let widths = column.measured.iter().map(|c| text(c).width());
            widths.max().filter(|w| *w > 0).map_or(0, |w| w + 1)
        };
        let (give, mark) = (widest(|c| c.give.clone()), widest(|c| c.mark.text()));
        let title = column.title.width().max(column.unit.width());
        Laid {
            column,
            number: number.max(title.saturating_sub(give + mark)),
            give,
            mark,
        }
    }

    fn width(&self) -> usize {
        self.number + self.give + self.mark
    }

    /// Title and unit end where the numbers do if they can, else further on.
    fn heading(&self) -> String {
        let line = |text: &str| {
            let end = self.number.max(text.width());
            pad(&format!("{}{text}", " ".repeat(end - text.width())), self.width())
        };
        match self.column.unit {
            "" => line(self.column.title),
            unit => format!("{}\n{}", line(self.column.title), line(unit)),
        }
    }

    fn measured(&self, row: usize) -> Cell {
        let cell = &self.column.measured[row];
        let behind = |text: &str, width: usize| match text {
            "" => " ".repeat(width),
            text => pad(&format!(" {text}"), width),
        };
        let (give, mark) = (
            behind(&cell.give, self.give),
            behind(&cell.mark.text(), self.mark),
        );
        let cell_of = Cell::new(format!("{}{give}{mark}", self.number(&cell.number)));
        if cell.mark.best {
            cell_of.fg(Color::Green)
        } else {
            cell_of
        }
    }

    fn predicted(&self, row: usize) -> String {
        pad(&self.number(&self.column.predicted[row]), self.width())
    }

    fn number(&self, number: &str) -> String {
        format!("{}{number}", " ".repeat(self.number - number.width()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn drawn(report: &Report, width: usize) -> String {
        draw(
            report,
            &Style {
                width: Some(width),
                timeline: true,
                ..Style::default()
            },
        )
        .unwrap()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut wide = fixture::with_events();
        wide.results[1].technique = "긴-폴링-메일함-알림-방식-이름이-매우-깁니다".into();
        wide.scenario.replay = Some("받은메일함/2007년/보관함에서-꺼낸-아주-긴-이름의-파일.mbox".into());
        wide.results[0].latency_us.as_mut().unwrap().mean = 123_456_789.0;
        wide.results[0].overhead_bytes_per_delivery = Some(1_234_567.8);
        for report in [
            fixture::typical(),
            fixture::lost(),
            fixture::attachments(),
            fixture::empty(),
            fixture::five_seeds(),
            fixture::talking(),
            wide,
        ] {
            for width in (40..=200).chain([1_000]) {
                for line in drawn(&report, width).lines() {
                    assert!(line.width() <= width, "{} > {width}: {line}", line.width());
                }
            }
        }
        let unknown = draw(&fixture::typical(), &Style::default()).unwrap();
        assert!(unknown.lines().all(|l| l.width() <= 80));
    }

    #[test]
    fn more_width_shows_more_columns_and_the_first_stay_longest() {
        let typical = fixture::typical();
        let head = |width: usize| {
            let text = drawn(&typical, width);
            text.lines()
                .find(|l| l.contains("mean latency"))
                .unwrap()
                .to_string()
        };
        let all = ["worst", "requests", "empty", "overhead"];
        assert!(all.iter().all(|t| head(80).contains(t)), "{}", head(80));
        assert!(
            ["requests", "overhead"].iter().all(|t| head(60).contains(t)),
            "{}",
            head(60)
        );
        assert!(!head(40).contains("empty"));
        let more = ["p50", "p99", "connections", "messages", "segments"];
        assert!(more.iter().all(|t| head(140).contains(t)), "{}", head(140));
        let columns = |width| head(width).split_whitespace().count();
        assert!((41..200).all(|w| columns(w) >= columns(w - 1)));
    }

    #[test]
    fn wide_names_keep_the_columns_aligned() {
        let mut report = fixture::with_events();
        let mut named = |first: &str, last: &str| {
            report.results[0].technique = first.into();
            report.results[3].technique = last.into();
            drawn(&report, 120)
        };
        // 폴링 is as wide as poll, 웹소켓 as socket: everything but the names must stay where it is.
        let (narrow, wide) = (named("poll", "socket"), named("폴링", "웹소켓"));
        let tables = |text: &str| text[text.find("mean latency").unwrap()..].to_string();
        assert_eq!(
            tables(&narrow),
            tables(&wide).replace("폴링", "poll").replace("웹소켓", "socket")
        );
    }

    #[test]
    fn colour_only_adds() {
        let report = fixture::lost();
        let plain = drawn(&report, 100);
        let colour = Style {
            width: Some(100),
            timeline: true,
            colour: true,
            ..Style::default()
        };
        let painted = draw(&report, &colour).unwrap();
        assert!(painted.contains('\x1b') && !plain.contains('\x1b'));
        let codes = |text: &str| {
            let parts = text.split('\x1b').enumerate();
            parts
                .map(|(i, p)| if i == 0 { p } else { p.split_once('m').unwrap().1 })
                .collect::<String>()
        };
        let stripped = codes(&painted);
        let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&stripped), trimmed(&plain));
    }

    #[test]
    fn half_a_run_has_no_winner_and_no_prediction() {
        let mut report = fixture::typical();
        report.envelope.partial = true;
        let text = drawn(&report, 80);
        assert!(text.contains("PARTIAL") && !text.contains("predicted") && !text.contains("best"));
    }

    #[test]
    fn several_seeds_and_a_baseline_fit_80_columns() {
        let text = drawn(&fixture::five_seeds(), 80);
        let row = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap();
        for (name, parts) in [
            ("tcp ", &["0.081 ±0.0037", "0 ±0", "4.40 ±0"][..]),
            ("poll ", &["104 ±4.8 ×1,286", "62 ±2.0 ×62", "619 ±0 ×141"]),
            (
                "ws ",
                &["0.087 ±0.0040 ×1.07 best", "1 ±0 best", "22.5 ±0 ×5.1 best"],
            ),
        ] {
            let row = row(name).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(parts.iter().all(|p| row.contains(p)), "{row}\n{text}");
        }
        let at = |name: &str| {
            let row = row(name);
            row[..row.find('±').unwrap()].width()
        };
        assert_eq!((at("tcp "), at("poll ")), (at("ws "), at("sse ")), "{text}");
    }

    #[test]
    fn a_lesson_of_its_own_stands_under_a_single_technique() {
        let drawn = |report: &Report| drawn(report, 1_000);
        let typical = fixture::typical();
        let alone = fixture::only(&typical, "ws");
        let own = sentence::own(&alone.results[0]).unwrap();
        assert!(drawn(&alone).contains(&format!("\n{own}\n")));
        assert!(!drawn(&typical).contains(&own));
    }

    #[test]
    fn names_are_cut_by_columns_not_characters() {
        assert_eq!(clip("long-poll", 9), "long-poll");
        assert_eq!(clip("long-poll", 5), "long…");
        assert_eq!(clip("메일함", 5), "메일…");
        assert_eq!(clip("메일함", 4), "메…");
    }
}
