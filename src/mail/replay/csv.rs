//! Reads arrivals from a CSV of `offset_s,bytes`.

use std::time::Duration;

use anyhow::{Context, bail};

use crate::input;
use crate::lang::t;
use crate::mail::MIN_SIZE;
use crate::mail::schedule::{Content, Schedule};

/// The largest mail that a CSV may ask for.
const MAX_MAIL: usize = 64 << 20;
/// The largest offset in a CSV, before or after 0: more than anyone needs, and far from an overflow.
const MAX_OFFSET_S: f64 = 1e12;

/// Reads lines of `offset_s,bytes`, with or without that header line; offsets may count from any instant
/// and need not be in order.
///
/// # Errors
/// If it is not UTF-8, holds no arrivals, or a line is not two numbers within their limits.
pub fn parse_csv(bytes: &[u8]) -> anyhow::Result<Schedule> {
    let text = input::text(bytes)?;
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut arrivals = Vec::new();
    for (i, record) in reader.records().enumerate() {
        let record = record?;
        if i == 0
            && record
                .iter()
                .map(str::to_ascii_lowercase)
                .eq(["offset_s", "bytes"])
        {
            continue;
        }
        arrivals.push(arrival(&record).with_context(|| t!("line %{line}", line = line_of(&record, text)))?);
    }
    Schedule::sorted(arrivals, f64::total_cmp, |offset, first| {
        Duration::from_secs_f64(offset - first)
    })
    .context(t!("there is no line of offset_s,bytes"))
}

/// The line number of a record; its own position is where blank lines before it begin.
fn line_of(record: &::csv::StringRecord, text: &str) -> usize {
    let before = record.position().map_or(0, |p| p.byte() as usize);
    let start = text.len() - text.get(before..).unwrap_or_default().trim_ascii_start().len();
    1 + text[..start].matches('\n').count()
}

fn arrival(record: &::csv::StringRecord) -> anyhow::Result<(f64, Content)> {
    let Some((offset, bytes)) = (record.len() == 2).then(|| (&record[0], &record[1])) else {
        bail!(t!(
            "%{value}: allowed is offset_s,bytes, as in 449.5,415",
            value = format!("{:?}", record.iter().collect::<Vec<_>>().join(","))
        ));
    };
    let in_range = |s: &f64| s.abs() <= MAX_OFFSET_S;
    let Some(offset_s) = offset.parse().ok().filter(in_range) else {
        bail!(t!(
            "offset_s %{offset}: allowed is a number of seconds from -1e12 to 1e12",
            offset = format!("{offset:?}")
        ));
    };
    let Some(size) = bytes.parse().ok().filter(|n: &usize| *n <= MAX_MAIL) else {
        bail!(t!(
            "bytes %{bytes}: allowed is a whole number from 0 to %{max_mail}",
            bytes = format!("{bytes:?}"),
            max_mail = MAX_MAIL
        ));
    };
    Ok((offset_s, Content::Size(size.max(MIN_SIZE))))
}
