//! Real arrivals, read from a file: an mbox or a CSV of `offset_s,bytes`. The file's first bytes decide
//! which of the two it is, not its name.
//!
//! A mail arrived at the instant in its `Date` field, in UTC. If that is missing, unreadable or more than a
//! day away from the separator's date, which an archive writes at delivery, the separator's date counts; so
//! one clock set to 1970 or 2038 does not stretch the replay. Some programs write a placeholder as the
//! separator's date: such a mail has only its `Date`, and without one it arrived together with the mail
//! before it. Everything odd in a file is counted and reported, with its first place: a replay leaves
//! nothing out silently.

mod csv;
mod date;
mod letter;
mod mbox;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::schedule::{Content, Schedule};
use crate::input;
use crate::lang::t;
use crate::outcome::{Oddity, OddityKind};

pub use csv::parse_csv;

/// The largest file that is read: it holds several decades of a busy list, and fits into memory.
const MAX_FILE: u64 = 256 << 20;

const DAY_S: u64 = 86_400;

/// How much of an odd line is shown, in characters.
const SHOWN: usize = 80;

/// Reads the arrivals in `path`.
///
/// # Errors
/// If it cannot be read, is empty or too large, or is neither an mbox nor a CSV of arrivals.
pub fn read(path: &Path) -> anyhow::Result<Schedule> {
    let name = path.display();
    let bytes = input::read(path, MAX_FILE)
        .with_context(|| t!("cannot read the replay file %{name}", name = name))?;
    let text =
        input::unmarked(&bytes).with_context(|| t!("cannot read the replay file %{name}", name = name))?;
    if begins_as_mbox(text) {
        parse_mbox(text).with_context(|| t!("the replay file %{name} begins as an mbox does", name = name))
    } else {
        parse_csv(text).with_context(|| {
            t!("the replay file %{name} must be an mbox (which begins with \"From \") or a CSV of offset_s,bytes", name = name)
        })
    }
}

fn begins_as_mbox(text: &[u8]) -> bool {
    let start = text.iter().position(|b| *b != 0 && !b.is_ascii_whitespace());
    let start = &text[start.unwrap_or(text.len())..];
    start.starts_with(b"From ") || start.starts_with(b"From\n") || start.starts_with(b"From\r")
}

/// Reads an mbox; the module's text explains when its mails arrived.
///
/// # Errors
/// If no line separates mails, or it is not text of single bytes.
pub fn parse_mbox(bytes: &[u8]) -> anyhow::Result<Schedule> {
    let bytes = one_kind_of_line_end(input::unmarked(bytes)?);
    let split = mbox::split(&bytes);
    let decoder = letter::Decoder::new();
    let mut odd = Oddities::new(&bytes);
    for at in split.doubtful {
        odd.add(OddityKind::NotASeparator, at, || first_line(&bytes[at..]));
    }
    let mut previous = None;
    let mut arrivals = Vec::new();
    for mail in &split.mails {
        let (letter, written) = decoder.decode(mail);
        let dated = written.as_deref().and_then(date::read);
        let instant = dated.filter(|d| mail.posted.is_none_or(|p| d.abs_diff(p) <= DAY_S));
        let instant = instant.or(mail.posted);
        let kind = match (instant, dated) {
            (None, _) => Some(OddityKind::NoDate),
            (_, Some(dated)) if instant != Some(dated) => Some(OddityKind::OverruledDate),
            (_, None) if written.is_some() => Some(OddityKind::UnreadableDate),
            _ => None,
        };
        if let Some(kind) = kind {
            odd.add(kind, mail.at, || {
                written.unwrap_or_else(|| first_line(&bytes[mail.at..]))
            });
        }
        previous = instant.or(previous);
        arrivals.push((previous, Content::Letter(letter)));
    }
    // Mails before the first date arrived together with the first that has one.
    let first = arrivals
        .iter()
        .find_map(|(instant, _)| *instant)
        .unwrap_or_default();
    let arrivals = arrivals
        .into_iter()
        .map(|(instant, content)| (instant.unwrap_or(first), content))
        .collect();
    let schedule = Schedule::sorted(arrivals, i64::cmp, |instant, first| {
        Duration::from_secs(instant.abs_diff(*first))
    })
    .context(t!(
        "no line separates mails: allowed is as in From user@host.org Thu Jun 14 00:07:29 2007"
    ))?;
    Ok(Schedule {
        oddities: odd.found,
        ..schedule
    })
}

/// The same text with line feeds, if its lines end in carriage returns only, as on old Macs.
fn one_kind_of_line_end(bytes: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_some() {
        true => bytes
            .iter()
            .map(|b| if *b == b'\r' { b'\n' } else { *b })
            .collect(),
        false => bytes.into(),
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
}

/// Counts what is odd, and keeps the first of each kind.
struct Oddities<'a> {
    bytes: &'a [u8],
    found: Vec<Oddity>,
}

impl<'a> Oddities<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let found = Vec::new();
        Oddities { bytes, found }
    }

    /// Adds an oddity that begins `at` bytes from the file's start.
    fn add(&mut self, kind: OddityKind, at: usize, text: impl FnOnce() -> String) {
        if let Some(known) = self.found.iter_mut().find(|o| o.kind == kind) {
            known.count += 1;
            return;
        }
        self.found.push(Oddity {
            kind,
            count: 1,
            line: 1 + memchr::memchr_iter(b'\n', &self.bytes[..at]).count() as u64,
            text: text().chars().take(SHOWN).collect(),
        });
    }
}

#[cfg(test)]
mod tests;
