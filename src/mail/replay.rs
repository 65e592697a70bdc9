//! Real arrivals, read from a file: an mbox (RFC 4155) or a CSV of `offset_s,bytes`. Which of the
//! two it is, its first bytes tell, not its name.
//!
//! Splitting an mbox is done here: mail-parser's iterator starts a new message at any line that
//! begins with `From `, but archives hold plenty of sentences that do. A separator here follows a
//! blank line or the file's start, carries a date as asctime(3) writes it, and is followed by a
//! header field. It may be obfuscated (`From user at host.org  Thu Jun 14 00:07:29 2007`) and have a
//! time zone before or after the year. Each message is then mail-parser's to decode.
//!
//! A mail arrived at the instant its `Date` field says, in UTC. Where that is missing, unreadable or
//! more than a day off the separator's date, which an archive writes at delivery, it is the
//! separator's; so one clock set to 1970 or 2038 does not stretch the replay. Some programs write a
//! placeholder as the separator's date: such a mail has only its `Date`, and without one it arrived
//! together with the mail before it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Addr, DateTime, Encoding, HeaderName, Message, MessageParser, MimeHeaders, PartType};

use super::arrivals::{Content, Schedule};
use super::{Letter, MIN_SIZE};
use crate::shipped;

/// The largest file that is read: several decades of a busy list, yet no surprise for the memory.
const MAX_FILE: u64 = 256 << 20;
/// The largest mail a CSV may ask for.
const MAX_MAIL: usize = 64 << 20;
/// The largest offset a CSV may hold, either side of 0: as good as any, and far from an overflow.
const MAX_OFFSET_S: f64 = 1e12;

/// How many parts a mail may declare: mail-parser nests, and frees, one message within another by
/// recursion, so some thousands would overflow the stack.
const MAX_PARTS: usize = 500;

const DAY_S: i64 = 86_400;

/// Reads the arrivals in `path`.
///
/// # Errors
/// If it cannot be read, is empty or too large, or is neither an mbox nor a CSV of arrivals.
pub fn read(path: &Path) -> anyhow::Result<Schedule> {
    let name = path.display();
    let bytes = load(path).with_context(|| format!("cannot read the replay file {name}"))?;
    if start_of_text(&bytes).starts_with(b"From ") {
        parse_mbox(&bytes).with_context(|| format!("the replay file {name} begins as an mbox does"))
    } else {
        parse_csv(&bytes).with_context(|| {
            format!("the replay file {name} must be an mbox (which begins with \"From \") or a CSV of offset_s,bytes")
        })
    }
}

fn load(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = match (File::open(path), shipped::file(path)) {
        (Err(e), Some(ours)) if e.kind() == ErrorKind::NotFound => return Ok(ours.to_vec()),
        (opened, _) => opened?,
    };
    let about = file.metadata()?;
    ensure!(!about.is_dir(), "it is a directory; allowed is a file");
    let mut bytes = Vec::new();
    // Not its length from the metadata: a pipe has none.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= MAX_FILE,
        "it is larger than the {} MiB allowed",
        MAX_FILE >> 20
    );
    ensure!(!bytes.is_empty(), "it is empty");
    Ok(bytes)
}

/// What follows a byte order mark and blank lines.
fn start_of_text(bytes: &[u8]) -> &[u8] {
    bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii_start()
}

/// Reads lines of `offset_s,bytes`, with or without that header line; offsets count from wherever
/// the file likes and need not be in order.
///
/// # Errors
/// If it is not UTF-8, holds no arrivals, or a line is not two numbers within their limits.
pub fn parse_csv(bytes: &[u8]) -> anyhow::Result<Schedule> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        anyhow::anyhow!("line {line}: a CSV must be UTF-8")
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
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
        arrivals.push(arrival(&record).with_context(|| format!("line {}", line_of(&record, text)))?);
    }
    schedule(arrivals, f64::total_cmp, |offset, first| {
        Duration::from_secs_f64(offset - first)
    })
    .context("there is no line of offset_s,bytes")
}

/// The line a record stands on; its own position is that of blank lines before it.
fn line_of(record: &csv::StringRecord, text: &str) -> usize {
    let before = record.position().map_or(0, |p| p.byte() as usize);
    let start = text.len() - text.get(before..).unwrap_or_default().trim_ascii_start().len();
    1 + text[..start].matches('\n').count()
}

fn arrival(record: &csv::StringRecord) -> anyhow::Result<(f64, Content)> {
    let Some((offset, bytes)) = (record.len() == 2).then(|| (&record[0], &record[1])) else {
        bail!(
            "{:?}: allowed is offset_s,bytes, as in 449.5,415",
            record.iter().collect::<Vec<_>>().join(",")
        );
    };
    let in_range = |s: &f64| s.abs() <= MAX_OFFSET_S;
    let Some(offset_s) = offset.parse().ok().filter(in_range) else {
        bail!("offset_s {offset:?}: allowed is a number of seconds from -1e12 to 1e12");
    };
    let Some(size) = bytes.parse().ok().filter(|n: &usize| *n <= MAX_MAIL) else {
        bail!("bytes {bytes:?}: allowed is a whole number from 0 to {MAX_MAIL}");
    };
    Ok((offset_s, Content::Size(size.max(MIN_SIZE))))
}

/// Reads an mbox; see the module's text for what separates its mails and when they arrived.
///
/// # Errors
/// If it has no separator line.
pub fn parse_mbox(bytes: &[u8]) -> anyhow::Result<Schedule> {
    let parser = parser();
    let mut previous = None;
    let mut arrivals = Vec::new();
    for (posted, raw) in split(start_of_text(bytes)) {
        let raw = unquoted(raw);
        let message = parse(&parser, &raw);
        let dated = message
            .as_ref()
            .and_then(Message::date)
            .filter(|d| d.is_valid())
            .map(DateTime::to_timestamp);
        let instant = match (dated, posted) {
            (Some(dated), Some(posted)) if dated.abs_diff(posted) > DAY_S as u64 => Some(posted),
            _ => dated.or(posted).or(previous),
        };
        previous = instant;
        arrivals.push((
            instant,
            Content::Letter(message.as_ref().map(letter).unwrap_or_default()),
        ));
    }
    // Mails before the first date came together with the first that has one.
    let first = arrivals
        .iter()
        .find_map(|(instant, _)| *instant)
        .unwrap_or_default();
    let arrivals = arrivals
        .into_iter()
        .map(|(instant, content)| (instant.unwrap_or(first), content))
        .collect();
    schedule(arrivals, i64::cmp, |instant, first| {
        Duration::from_secs(instant.abs_diff(*first))
    })
    .context("no line separates mails: allowed is as in From user@host.org Thu Jun 14 00:07:29 2007")
}

/// Sorts arrivals, those of one instant staying as they were, and counts from the earliest.
fn schedule<T>(
    mut arrivals: Vec<(T, Content)>,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
    since: impl Fn(&T, &T) -> Duration,
) -> Option<Schedule> {
    arrivals.sort_by(|a, b| order(&a.0, &b.0));
    let offsets: Vec<_> = arrivals.iter().map(|(at, _)| since(at, &arrivals[0].0)).collect();
    let contents = arrivals.into_iter().map(|(_, content)| content);
    (!offsets.is_empty()).then(|| Schedule {
        letters: offsets.into_iter().zip(contents).collect(),
    })
}

/// Each mail's bytes without its separator line, and the instant that line gives, if any.
fn split(bytes: &[u8]) -> Vec<(Option<i64>, &[u8])> {
    let mut mails: Vec<(Option<i64>, &[u8])> = Vec::new();
    let (mut start, mut at, mut after_blank) = (0, 0, true);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let end = at + line.len();
        if after_blank
            && let Some(posted) = separator(line)
            && starts_with_field(&bytes[end..])
        {
            if let Some((_, mail)) = mails.last_mut() {
                *mail = &bytes[start..at];
            }
            mails.push((posted, &bytes[end..]));
            start = end;
        }
        after_blank = line.trim_ascii().is_empty();
        at = end;
    }
    mails
}

/// Whether the text begins with a field name and its colon (RFC 5322, section 3.6.8), or with the
/// quoted separator that relays once left above the first field.
fn starts_with_field(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take_while(|b| matches!(b, b'!'..=b'9' | b';'..=b'~'))
        .count();
    name > 0 && text.get(name) == Some(&b':') || text.starts_with(b">From ")
}

/// Whether a line separates mails; if so, the instant it gives, unless that is a placeholder.
fn separator(line: &[u8]) -> Option<Option<i64>> {
    let line = String::from_utf8_lossy(line.strip_prefix(b"From ")?);
    // Some archives pad the clock's digits with blanks: "7:29: 6".
    let line = line.replace(": ", ":");
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let instant = (0..words.len()).find_map(|i| asctime(&words[i..]))?;
    // Mozilla has no sender and writes when the mail was fetched; public-inbox writes the epoch,
    // and git a day in 2001 ("Mon Sep 17 00:00:00 2001") for every patch.
    let placeholder = words[0] == "-" || [0, 1_000_684_800].contains(&instant);
    Some((!placeholder).then_some(instant))
}

/// The instant of `Thu Jun 14 00:07[:29] [ZONE] 2007 [ZONE]`; without a zone, or with one that RFC
/// 5322 does not name, it is taken as UTC.
fn asctime(words: &[&str]) -> Option<i64> {
    let [weekday, month, day, clock, rest @ ..] = words else {
        return None;
    };
    position(&["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"], weekday)?;
    let month = 1 + position(&MONTHS, month)? as u8;
    let mut clock = clock.split(':').map(|n| n.parse().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    let year = rest
        .iter()
        .take(2)
        .position(|w| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit()))?;
    let zones: Vec<i64> = rest
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != year)
        .map(|(_, w)| zone(w))
        .collect::<Option<_>>()?;
    let date = DateTime {
        year: rest[year].parse().ok()?,
        month,
        day: day.parse().ok()?,
        hour,
        minute,
        second,
        tz_before_gmt: false,
        tz_hour: 0,
        tz_minute: 0,
    };
    let plausible = date.is_valid() && clock.next().is_none() && zones.len() <= 2;
    plausible.then(|| date.to_timestamp() - zones.iter().sum::<i64>())
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn position(names: &[&str], word: &str) -> Option<usize> {
    names.iter().position(|n| n.eq_ignore_ascii_case(word))
}

/// Seconds east of UTC; `None` for a word that cannot be a zone.
fn zone(word: &str) -> Option<i64> {
    const HOURS: [(&str, i64); 8] = [
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
    ];
    if let Some(digits) = word.strip_prefix(['+', '-']) {
        let hhmm: i64 = digits
            .parse()
            .ok()
            .filter(|_| digits.len() == 4 && !digits.starts_with(['+', '-']))?;
        let east = hhmm / 100 * 3_600 + hhmm % 100 * 60;
        return Some(if word.starts_with('-') { -east } else { east });
    }
    let named = (1..=5).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase());
    named.then(|| {
        HOURS
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(0, |(_, hours)| hours * 3_600)
    })
}

/// A copy for the parser: in the body, one `>` less before `From `; a head whose bytes are no UTF-8
/// read as western; and an end of line at the end, which a mail that is only a head needs.
fn unquoted(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 1);
    let mut in_head = true;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        in_head &= !line.trim_ascii().is_empty();
        let depth = line.iter().take_while(|b| **b == b'>').count();
        let quoted = depth > 0 && line[depth..].starts_with(b"From ");
        match std::str::from_utf8(line) {
            Err(_) if in_head => out.extend(western(line).bytes()),
            _ => out.extend(&line[usize::from(quoted && !in_head)..]),
        }
    }
    out.push(b'\n');
    out
}

fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .header_date(HeaderName::Date)
        .header_text(HeaderName::Subject)
        .header_address(HeaderName::From)
        .default_header_ignore()
}

/// Decodes a mail, or only its head if it has too many parts.
fn parse<'m>(parser: &MessageParser, raw: &'m [u8]) -> Option<Message<'m>> {
    // mail-parser overlooks white space within a field's name.
    let declares = |line: &&[u8]| {
        let name = line
            .iter()
            .filter(|b| !b.is_ascii_whitespace())
            .map(u8::to_ascii_lowercase);
        name.take(13).eq(*b"content-type:")
    };
    match raw.split(|b| *b == b'\n').filter(declares).nth(MAX_PARTS) {
        None => parser.parse(raw),
        Some(_) => parser.parse_headers(raw),
    }
}

fn letter(message: &Message) -> Letter {
    let from = message.from().and_then(|a| a.first()).map(written);
    let body = body(message).unwrap_or_default().replace("\r\n", "\n");
    Letter {
        from: from.unwrap_or_default(),
        subject: message.subject().unwrap_or_default().to_owned(),
        body: body.trim_end_matches('\n').to_owned(),
    }
}

/// An obfuscated address (`user at host.org (Name)`) comes as a name without an address.
fn written(from: &Addr) -> String {
    match (from.name(), from.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    }
}

/// The first text part. mail-parser reads bytes of no declared charset as UTF-8; those that are not
/// get the charset that such mail mostly was in.
fn body<'m>(message: &'m Message) -> Option<Cow<'m, str>> {
    let text = message.body_text(0)?;
    let part = message.text_part(0)?;
    let charset = part.content_type().and_then(|t| t.attribute("charset"));
    let undeclared = charset.is_none_or(|c| charset_decoder(c.as_bytes()).is_none());
    let raw = message
        .raw_message
        .get(part.offset_body as usize..part.offset_end as usize);
    match (&part.body, raw) {
        (PartType::Text(_), Some(raw))
            if undeclared && part.encoding == Encoding::None && std::str::from_utf8(raw).is_err() =>
        {
            Some(western(raw).into())
        }
        _ => Some(text),
    }
}

/// Windows-1252, of which ISO 8859-1's printable characters are a part.
fn western(bytes: &[u8]) -> String {
    let decode = charset_decoder(b"windows-1252");
    decode.map_or_else(
        || String::from_utf8_lossy(bytes).into_owned(),
        |decode| decode(bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INBOX: &[u8] = include_bytes!("../../demos/data/inbox.mbox");
    const LIST: &[u8] = include_bytes!("../../demos/data/r-help-2007-06-14.arrivals.csv");

    /// Offsets in seconds, and the letters.
    fn mbox(text: impl AsRef<[u8]>) -> Vec<(f64, Letter)> {
        let letters = parse_mbox(text.as_ref()).unwrap().letters.into_iter();
        let letter = |content| match content {
            Content::Letter(letter) => letter,
            Content::Size(n) => panic!("an mbox gave a size: {n}"),
        };
        letters
            .map(|(due, content)| (due.as_secs_f64(), letter(content)))
            .collect()
    }

    /// The only mail's letter, of a message put behind a separator.
    fn one(message: impl AsRef<[u8]>) -> Letter {
        let all = mbox([b"From a@b  Thu Jun 14 00:07:29 2007\n", message.as_ref()].concat());
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].1.clone()
    }

    fn csv(text: impl AsRef<[u8]>) -> Vec<(f64, usize)> {
        let letters = parse_csv(text.as_ref()).unwrap().letters.into_iter();
        let size = |content| match content {
            Content::Size(n) => n,
            Content::Letter(letter) => panic!("a CSV gave a letter: {letter:?}"),
        };
        letters
            .map(|(due, content)| (due.as_secs_f64(), size(content)))
            .collect()
    }

    fn complaint<T>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.err().unwrap())
    }

    #[test]
    fn the_shipped_inbox_shows_every_oddity() {
        let mails = mbox(INBOX);
        let at: Vec<_> = mails.iter().map(|(at, _)| *at).collect();
        assert_eq!(at, [0.0, 1.0, 3.0, 4.0, 6.0, 7.0, 8.0, 10.0]);
        let letters: Vec<_> = mails.into_iter().map(|(_, letter)| letter).collect();
        assert_eq!(letters[0].from, "alerts at example.org (Disk watch)");
        assert!(letters[0].body.ends_with("\nFrom here on, one mail per percent."));
        assert!(letters[1].body.contains("\nFrom the log of step 3:\n"));
        assert_eq!(letters[2].from, "Café <canteen@example.edu>");
        assert_eq!(letters[2].subject, "Menü of the week");
        assert!(
            letters[2]
                .body
                .starts_with("Café & crème: the menu of the week costs 7 €, whether you eat here")
        );
        assert_eq!(letters[3].from, "도서관 <library@example.edu>");
        assert_eq!(letters[3].subject, "예약하신 책이 도착했습니다");
        assert_eq!(
            letters[3].body,
            "안녕하세요.\n\n예약하신 책이 도착했습니다. 일주일 안에 찾아가세요."
        );
        assert_eq!(letters[4].subject, "");
        assert_eq!(letters[5].body, "The same text, plain.");
        assert!(letters[6].body.ends_with("nor is this paragraph a header."));
        assert_eq!(letters[7].body, "That was all.");
    }

    #[test]
    fn mail_parser_alone_would_split_at_sentences() {
        use mail_parser::mailbox::mbox::MessageIterator;
        assert_eq!(MessageIterator::new(INBOX).count(), 8 + 2);
    }

    #[test]
    fn line_ends_make_no_difference() {
        let crlf = String::from_utf8_lossy(INBOX).replace('\n', "\r\n");
        assert_eq!(mbox(crlf), mbox(INBOX));
        let marked = [b"\xEF\xBB\xBF\r\n\n", INBOX].concat();
        assert_eq!(mbox(marked), mbox(INBOX));
    }

    #[test]
    fn separators_as_they_are_written() {
        const AT_UTC: Option<i64> = Some(1_181_779_649);
        for (line, instant) in [
            ("From user at host.org  Thu Jun 14 00:07:29 2007", AT_UTC),
            ("From user@host Thu Jun 14 00:07:29 2007\r\n", AT_UTC),
            ("From user@host Thu Jun 14 0:7:29 2007", AT_UTC),
            ("From user@host Thu Jun 14  0: 7:29 2007", AT_UTC),
            ("From \"a user\"@host Thu Jun 14 00:07:29 GMT 2007", AT_UTC),
            ("From user@host Thu Jun 14 02:07:29 2007 +0200", AT_UTC),
            ("From 14@xxx Wed Jun 13 20:07:29 -0400 2007", AT_UTC),
            ("From user@host Wed Jun 13 20:07:29 EDT 2007", AT_UTC),
            ("From user@host Thu Jun 14 00:07 2007", AT_UTC.map(|s| s - 29)),
            ("From Thu Thu Jun 14 00:07:29 2007", AT_UTC),
            ("From - Thu Jun 14 00:07:29 2007", None),
            ("From mboxrd@z Thu Jan  1 00:00:00 1970", None),
            ("From 0123abcd Mon Sep 17 00:00:00 2001", None),
        ] {
            assert_eq!(separator(line.as_bytes()), Some(instant), "{line}");
        }
        for line in [
            "From ",
            "From here on, nothing",
            "From: user@host Thu Jun 14 00:07:29 2007",
            ">From user@host Thu Jun 14 00:07:29 2007",
            "From user@host Thu Jun 14 2007",
            "From user@host Thu Jun 32 00:07:29 2007",
            "From user@host Thu Jun 14 24:07:29 2007",
            "From user@host Thu Jun 14 00:07:29:01 2007",
            "From user@host Thu Jun 14 00:07:29 2007 on it was quiet",
            "From user@host Thu Jun 14 00:07:29 of 2007",
            "From user@host Thu Jun 14 00:07:29 +20000 2007",
            "From user@host Thu Brr 14 00:07:29 2007",
        ] {
            assert_eq!(separator(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn only_a_full_separator_ends_a_mail() {
        let body = "no blank line above:\nFrom a@b Thu Jun 14 00:07:29 2007\nTo: x\n\n\
            From a@b Thu Jun 14 00:07:29 2007\n\nno field below\n\n\
            From a@b Thu Jun 14 00:07:29 2007\nhttp //x\n\n\
            From a@b Thu Jun 14 00:07:29 2007";
        assert_eq!(one(format!("Subject: x\n\n{body}\n")).body, body);
    }

    #[test]
    fn quoting_is_undone_by_one_level_and_only_in_bodies() {
        let letter = one(
            ">From relay Thu Jun 14 00:07:29 2007\nSubject: s\n\n>From a\n>>From b\n> From c\n>Fromage\n",
        );
        assert_eq!(letter.subject, "s");
        assert_eq!(letter.body, "From a\n>From b\n> From c\n>Fromage");
    }

    #[test]
    fn missing_parts_are_empty() {
        for head_only in ["Subject: s", "Subject: s\n", "Subject: s\r\n\r\n\r\n"] {
            assert_eq!(
                one(head_only),
                Letter {
                    subject: "s".into(),
                    ..Letter::default()
                }
            );
        }
        assert_eq!(
            one("X: y\n\nb\n"),
            Letter {
                body: "b".into(),
                ..Letter::default()
            }
        );
        assert_eq!(one(">From relay"), Letter::default());
        let picture =
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b--\n";
        assert_eq!(one(picture), Letter::default());
    }

    #[test]
    fn endless_nesting_leaves_the_head() {
        for field in [
            "Content-Type: message/rfc822\n\n",
            "content - TYPE : message/global\n\n",
        ] {
            let letter = one(format!("Subject: deep\n{}", field.repeat(50_000)));
            assert_eq!(
                letter,
                Letter {
                    subject: "deep".into(),
                    ..Letter::default()
                }
            );
            let letter = one(format!("Subject: shallow\n{}", field.repeat(MAX_PARTS)));
            assert_eq!(letter.subject, "shallow");
        }
    }

    #[test]
    fn charsets_declared_and_not() {
        for (message, text) in [
            (&b"Subject: Jos\xE9\n\nJos\xE9 \x93hi\x94\n"[..], "José “hi”"),
            (b"Subject: Jos\xC3\xA9\n\nJos\xC3\xA9\n", "José"),
            (
                b"Content-Type: text/plain; charset=unknown-8bit\n\nJos\xE9\n",
                "José",
            ),
            (
                b"Content-Type: text/plain; charset=ISO-8859-1\n\nJos\xE9\n",
                "José",
            ),
            (b"Content-Type: text/plain; charset=us-ascii\n\nJos\xE9\n", "José"),
            (
                b"Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU\n",
                "Привет",
            ),
            (
                b"Content-Type: text/html\n\n<p>one &amp; <b>two</b></p>\n",
                "one & two",
            ),
        ] {
            assert_eq!(one(message).body, text);
        }
        assert_eq!(one(b"Subject: Jos\xE9\n\n").subject, "José");
    }

    #[test]
    fn charsets_of_several_bytes() {
        let euc_kr = b"Subject: =?EUC-KR?B?sKE=?=\nContent-Type: text/plain; charset=euc-kr\n\n\xB0\xA1\n";
        assert_eq!(
            one(euc_kr),
            Letter {
                subject: "가".into(),
                body: "가".into(),
                ..Letter::default()
            }
        );
    }

    #[test]
    fn when_a_mail_arrived() {
        let mail = |from: &str, field: &str, subject| format!("From {from}\n{field}Subject: {subject}\n\n\n");
        let text = [
            mail("a@b Thu Jun 14 00:00:00 2007", "", "no date"),
            mail(
                "a@b Thu Jun 14 00:00:09 2007",
                "Date: Thu, 14 Jun 2007 02:00:05 +0200\n",
                "other zone",
            ),
            mail(
                "a@b Thu Jun 14 00:00:07 2007",
                "Date: Tue, 19 Jan 2038 03:14:07 GMT\n",
                "wild",
            ),
            mail("a@b Thu Jun 14 00:00:08 2007", "Date: yesterday\n", "broken"),
            mail(
                "- Sat Jan  1 00:00:00 2011",
                "Date: Thu, 14 Jun 2007 00:00:03 GMT\n",
                "fetched later",
            ),
            mail("- Sat Jan  1 00:00:00 2011", "", "nothing known"),
        ];
        let mails = mbox(text.concat());
        let seen: Vec<_> = mails
            .iter()
            .map(|(at, letter)| (*at, letter.subject.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (0.0, "no date"),
                (3.0, "fetched later"),
                (3.0, "nothing known"),
                (5.0, "other zone"),
                (7.0, "wild"),
                (8.0, "broken")
            ]
        );
        assert_eq!(
            mbox(text[5].repeat(2)).iter().map(|m| m.0).collect::<Vec<_>>(),
            [0.0, 0.0]
        );
        assert_eq!(mbox(text[5].clone() + &text[0])[1].0, 0.0);
    }

    #[test]
    fn a_large_archive() {
        const MAILS: usize = 6_000;
        let line = "From time to time a line begins so, and once with a date: Thu Jun 14 00:07:29 2007\n\n";
        let mail = |i: usize| {
            let (hour, minute, second) = (i / 3_600, i / 60 % 60, i % 60);
            format!(
                "From user at host.org  Thu Jun 14 {hour:02}:{minute:02}:{second:02} 2007\n\
                 From: user at host.org\nSubject: {i}\n\n{}\n",
                line.repeat(10 + i % 7)
            )
        };
        // The newest first, as no archive has it.
        let text: String = (0..MAILS).rev().map(mail).collect();
        assert!(text.len() > 5_000_000);
        let mails = mbox(text);
        assert_eq!(mails.len(), MAILS);
        for (i, (at, letter)) in mails.iter().enumerate() {
            assert_eq!((*at, &letter.subject), (i as f64, &i.to_string()));
            assert_eq!(letter.body, line.repeat(10 + i % 7).trim_end());
        }
    }

    #[test]
    fn the_shipped_day_of_a_list() {
        let mails = csv(LIST);
        assert_eq!((mails.len(), mails[0]), (131, (0.0, 415)));
        assert!(mails.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(mails[1], (630.0, 5_169));
    }

    #[test]
    fn a_csv_with_and_without_its_header_line() {
        let expected = [(0.0, MIN_SIZE), (0.25, 700), (10.5, 300)];
        for text in [
            "10.5,300\n0,1\n0.25,700\n",
            "\u{FEFF}Offset_s, Bytes\r\n110.5, 300\r\n100, 0\r\n\r\n100.25,700",
            "-9.5,300\n-20,5\n-19.75,700",
        ] {
            assert_eq!(csv(text), expected, "{text:?}");
        }
    }

    #[test]
    fn complaints_name_line_value_and_what_is_allowed() {
        for (text, words) in [
            (&b"offset_s,bytes\n"[..], ["no line", "offset_s,bytes", ""]),
            (b"1,2\n\n3\n", ["line 3", "\"3\"", "offset_s,bytes"]),
            (b"1,2,3\n", ["line 1", "\"1,2,3\"", "offset_s,bytes"]),
            (b"1,2\nx,3\n", ["line 2", "offset_s \"x\"", "allowed is a number"]),
            (b"inf,3\n", ["line 1", "offset_s \"inf\"", "allowed is a number"]),
            (b"nan,3\n", ["line 1", "offset_s \"nan\"", "1e12"]),
            (b"1,-3\n", ["line 1", "bytes \"-3\"", "allowed is a whole number"]),
            (b"1,1e99\n", ["line 1", "bytes \"1e99\"", "67108864"]),
            (b"1,2\n3,\xFF\n", ["line 2", "UTF-8", ""]),
        ] {
            let said = complaint(parse_csv(text));
            assert!(words.iter().all(|w| said.contains(w)), "{said}");
        }
        let said = complaint(parse_mbox(b"From here on\nthere is no separator: none\n"));
        assert!(said.contains("no line separates mails"), "{said}");
    }

    #[test]
    fn files_that_cannot_be_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let huge = write("huge", b"");
        File::options()
            .write(true)
            .open(&huge)
            .unwrap()
            .set_len(MAX_FILE + 1)
            .unwrap();
        for (path, words) in [
            (dir.path().join("missing"), ["missing", "cannot read"]),
            (dir.path().to_owned(), ["directory", "allowed is a file"]),
            (write("empty", b""), ["empty", "it is empty"]),
            (huge, ["larger", "256 MiB"]),
            (
                write("image", b"\x89PNG\r\n\x1A\n"),
                ["must be an mbox", "CSV of offset_s,bytes"],
            ),
            (
                write("prose", b"Dear list,\nhello\n"),
                ["must be an mbox", "line 1"],
            ),
            (
                write("almost", b"From me to you\n\nhello\n"),
                ["begins as an mbox", "no line separates"],
            ),
        ] {
            let said = complaint(read(&path));
            assert!(words.iter().all(|w| said.contains(w)), "{said}");
        }
        assert_eq!(read(&write("arrivals.mbox", LIST)).unwrap().letters.len(), 131);
        assert_eq!(read(&write("inbox.csv", INBOX)).unwrap().letters.len(), 8);
    }

    /// Pieces that reach further into the readers than noise does.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                &b"From a@b Thu Jun 14 00:07:29 2007\n"[..],
                b"\nFrom - Thu Jun 14 00:07:29 +9999 2007\n",
                b"Subject: =?EUC-KR?B?sKE=?= =?iso-2022-jp?Q?=1B$B?=\n",
                b"From: =?x?q?=",
                b"Date: Thu, 14 Jun 2007 00:07:29 -0400\n",
                b"Date: 99 Jun 99999 99:99:99 +9999\n",
                b"Content-Type: multipart/mixed; boundary=b\n",
                b"Content-Type: message/rfc822\n",
                b"Content-Type: text/html; charset=utf-7\n",
                b"Content-Transfer-Encoding: base64\n",
                b"Content-Transfer-Encoding: quoted-printable\n",
                b"\n--b\n",
                b"\n--b--\n",
                b">From ",
                b"\r\n",
                b"\n\n",
                b"1,2\n",
                b"\"",
            ])
            .prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in pieces()) {
            for schedule in [parse_csv(&bytes), parse_mbox(&bytes)].into_iter().flatten() {
                prop_assert!(!schedule.letters.is_empty());
                prop_assert!(schedule.letters.is_sorted_by_key(|(due, _)| *due));
                prop_assert_eq!(schedule.letters[0].0, Duration::ZERO);
            }
        }
    }
}
