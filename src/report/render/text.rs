//! A document for a terminal.

use super::super::doc::{Block, Doc};
use super::super::prose::{Paint, wrap};
use super::super::style::Style;
use super::{lanes, tables};
use crate::lang::text;
use crate::terminal::printable;

/// The widest prose, in columns.
const PROSE: usize = 100;

/// The explanation of the mark after the best in a row.
const BEST: &str = text!("*: the least, or no more than that beyond noise.");

/// Draws the document.
pub fn draw(doc: &Doc, style: &Style) -> String {
    let (width, paint) = (style.columns(), Paint(style.colour));
    let narrow = width.min(PROSE);
    let prose = |text: &str, indent| wrap(&printable(text), narrow, indent);
    let mut out = String::new();
    let mut shown = Vec::new();
    for block in &doc.blocks {
        match block {
            Block::Scenario(text) | Block::Absent(text) => out += &prose(text, 2),
            Block::Heading(text) => out += &format!("\n{}", paint.strong(&prose(text, 0))),
            Block::Text(text) => out += &format!("\n{}", prose(text, 0)),
            Block::Items { lines, .. } => {
                let lines: String = lines.iter().map(|line| prose(line, 2)).collect();
                out += &format!("\n{lines}");
            }
            Block::Warning(text) => out += &paint.alarm(&prose(text, 2)),
            Block::Table(table) if style.bytes => shown.extend(tables::draw(&mut out, table, width, paint)),
            Block::Table(table) => {
                let brief = table.brief();
                shown.extend(
                    brief
                        .iter()
                        .flat_map(|table| tables::draw(&mut out, table, width, paint)),
                );
            }
            Block::Details(details) => {
                let drawn = details.drawing.iter().map(|drawing| drawing.draw(narrow));
                out.extend(drawn.map(|drawn| format!("\n{drawn}")));
            }
            Block::Legend(_) if style.no_legend => {}
            Block::Legend(notes) => {
                let legend = prose(&doc.legend(notes, BEST, &shown), 0);
                out += &format!("\n{}", paint.dim(&legend));
            }
            Block::Lanes(drawn) if style.timeline => {
                out += &format!("\n{}", lanes::characters::draw(drawn, width));
            }
            Block::Fenced(drawing) | Block::TextChart(drawing) => {
                out += &format!("\n{}", drawing.draw(narrow))
            }
            Block::Cards(_) | Block::Chart(_) | Block::Lanes(_) | Block::Glossary(_) => {}
        }
    }
    for part in &doc.parts {
        let name = wrap(&format!("== {} ==", part.name), width, 3);
        out += &format!("\n{}\n{}", paint.strong(name.trim_end()), draw(&part.doc, style));
    }
    out
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::outcome::Report;
    use crate::report::fixture;
    use crate::report::view::View;
    use crate::report::views::run::sentence;

    fn drawn(report: &Report, width: usize) -> String {
        let style = Style {
            width: Some(width),
            timeline: true,
            bytes: true,
            ..Style::default()
        };
        draw(&report.doc(), &style)
    }

    #[test]
    fn a_first_reading_has_the_sentence_and_four_columns_at_any_width() {
        let typical = fixture::typical();
        for width in [40, 60, 80, 140] {
            let style = Style {
                width: Some(width),
                ..Style::default()
            };
            let text = draw(&typical.doc(), &style);
            let at = |what: &str| {
                text.find(what)
                    .unwrap_or_else(|| panic!("{width}: no {what}\n{text}"))
            };
            assert!(at("poll made") < at("mean latency"), "{text}");
            for column in ["requests", "empty", "overhead"] {
                at(column);
            }
            for more in ["p50", "framing  ", "connections", "Left out"] {
                assert!(!text.contains(more), "{width}: {more}\n{text}");
            }
        }
        let text = drawn(&typical, 70);
        assert!(
            text.contains("Not shown, because the terminal is narrow: "),
            "{text}"
        );
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
        let unknown = draw(&fixture::typical().doc(), &Style::default());
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
        // 폴링 is as wide as poll, 웹소켓 as socket: everything except the names must keep its place.
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
            bytes: true,
            colour: true,
            ..Style::default()
        };
        let painted = draw(&report.doc(), &colour);
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
            ("tcp ", &["0.08 ±0.004", "0 ±0", "4.4 ±0"][..]),
            ("poll ", &["104 ±4.8 +104", "62 ±2.0 ×62", "619 ±0 ×141"]),
            (
                "ws ",
                &["0.09 ±0.004 +0.006 best", "1 ±0 best", "22.5 ±0 ×5.1 best"],
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
}
