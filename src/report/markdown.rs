//! GitHub-flavoured Markdown: the table's content, all columns of it, for a report or a README.

use std::fmt::Write;

use anyhow::Result;

use super::figures::{self, Cell, Sheet};
use super::{Style, notes, printable, sentence, timeline};
use crate::lang::t;
use crate::outcome::Report;

/// Writes the report as Markdown.
pub fn draw(report: &Report, style: &Style) -> Result<String> {
    let mut out = format!("{}.\n", escaped(&notes::scenario(report)));
    let cost = figures::cost(report);
    table(&mut out, &cost)?;
    for absent in notes::absent(report) {
        writeln!(out, "\n{}.", escaped(&absent))?;
    }
    if let Some(talk) = figures::talk(report) {
        table(&mut out, &talk)?;
    }
    table(&mut out, &figures::bytes(report))?;
    if style.timeline {
        write!(out, "\n{}", fenced("text", &timeline::draw(report, 100)))?;
    }
    writeln!(out, "\n{}", escaped(&sentence::notice(report, style.lesson)))?;
    for alarm in notes::alarms(report) {
        writeln!(out, "\n> **{}**", escaped(&alarm))?;
    }
    writeln!(
        out,
        "\n{}",
        escaped(&notes::legend(report, &cost, &["p99", "state"]))
    )?;
    writeln!(out, "\n{}", escaped(&place(report)))?;
    write!(out, "\n{}", fenced("sh", &format!("{}\n", command(report))))?;
    Ok(out)
}

fn table(out: &mut String, sheet: &Sheet) -> Result<()> {
    if !sheet.title.is_empty() {
        writeln!(out, "\n{}:", t!(sheet.title))?;
    }
    let heads = sheet.columns.iter().map(|c| match c.unit {
        "" => c.title.to_string(),
        unit => format!("{}, {unit}", c.title),
    });
    writeln!(out, "\n| technique | {} |", heads.collect::<Vec<_>>().join(" | "))?;
    writeln!(out, "| --- |{}", " ---: |".repeat(sheet.columns.len()))?;
    for (i, name) in sheet.names.iter().enumerate() {
        let cells = sheet.columns.iter().map(|c| measured(&c.measured[i]));
        writeln!(
            out,
            "| {} | {} |",
            escaped(name),
            cells.collect::<Vec<_>>().join(" | ")
        )?;
        if sheet.predicted {
            let cells = sheet.columns.iter().map(|c| match c.predicted[i].as_str() {
                "" => String::new(),
                number => format!("*{number}*"),
            });
            writeln!(out, "| *predicted* | {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
    }
    Ok(())
}

/// A number, bold if it is the best, with what stands behind it.
fn measured(cell: &Cell) -> String {
    let mut text = match cell.mark.best {
        true => format!("**{}**", cell.number),
        false => cell.number.clone(),
    };
    if !cell.give.is_empty() {
        text += &format!(" {}", cell.give);
    }
    if let Some(ratio) = cell.mark.times {
        text += &format!(" ({})", figures::times(ratio));
    }
    text
}

fn place(report: &Report) -> String {
    let e = &report.environment;
    let cpu = e
        .cpu
        .as_deref()
        .map(|cpu| format!(", {}", printable(cpu)))
        .unwrap_or_default();
    t!(
        "Measured on %{os}%{cpu}, %{cores} cores, with mailcall %{version} by:",
        os = printable(&e.os),
        cpu = cpu,
        cores = e.cores,
        version = printable(&report.mailcall)
    )
}

/// The command that reproduces the report, quoted for a POSIX shell.
fn command(report: &Report) -> String {
    let quoted = |arg: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,%@+".contains(c);
        match printable(arg) {
            arg if !arg.is_empty() && arg.chars().all(plain) => arg,
            arg => format!("'{}'", arg.replace('\'', r"'\''")),
        }
    };
    ["mailcall".to_string()]
        .into_iter()
        .chain(report.argv.iter().map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A code block, its fence longer than any run of backticks within (CommonMark, section 4.5).
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}{fence}\n")
}

/// Text that Markdown shall not read as markup, a table's bars above all.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        if r"\|`*_<>[]&#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn written(report: &Report) -> String {
        draw(
            report,
            &Style {
                timeline: true,
                ..Style::default()
            },
        )
        .unwrap()
    }

    /// Bars that part cells: those without a backslash before them.
    fn bars(line: &str) -> usize {
        line.matches('|').count() - line.matches(r"\|").count()
    }

    #[test]
    fn every_row_of_a_table_has_as_many_cells_as_its_head() {
        let mut report = fixture::with_events();
        report.results[0].technique = "a|b `c` *d* \\".into();
        let text = written(&report);
        let outside_code = text.split("```").step_by(2).collect::<String>();
        let rows: Vec<&str> = outside_code.lines().filter(|l| l.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 * (2 + 2 * 4));
        for table in rows.chunks(2 + 2 * 4) {
            assert!(table.iter().all(|row| bars(row) == bars(table[0])), "{text}");
        }
        assert!(text.contains(r"| a\|b \`c\` \*d\* \\ |"), "{text}");
    }

    #[test]
    fn has_what_the_terminal_has() {
        let report = fixture::lost();
        let text = written(&report);
        for part in [
            "20 mails of 300 bytes",
            "| *predicted* |",
            "mean latency, ms",
            "overhead, B per mail",
            "> **sse: delivered 18 of 20: 2 lost**",
            "on linux, Example CPU, 2 cores, with mailcall 0.1.0",
            "```sh\nmailcall compare\n```",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(
            written(&fixture::typical()).contains(&escaped(&sentence::notice(&fixture::typical(), |_| None)))
        );
    }

    #[test]
    fn several_seeds_show_their_intervals() {
        let text = written(&fixture::five_seeds());
        for cell in [
            "| 104 ±4.8 (×1,286) |",
            "| **0.087** ±0.0040 (×1.07) |",
            "| 62 ±2.0 (×62) |",
        ] {
            assert!(text.contains(cell), "{cell}\n{text}");
        }
    }

    #[test]
    fn the_command_can_be_pasted() {
        let mut report = fixture::typical();
        report.argv = ["compare", "--replay", "it's ```mine.mbox", "--rate", "2/s", ""]
            .map(String::from)
            .to_vec();
        assert_eq!(
            command(&report),
            r"mailcall compare --replay 'it'\''s ```mine.mbox' --rate 2/s ''"
        );
        let text = written(&report);
        assert!(
            text.contains("````sh\nmailcall compare") && text.ends_with("````\n"),
            "{text}"
        );
    }
}
