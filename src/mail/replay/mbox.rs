//! Splits an mbox (RFC 4155) into its mails.
//!
//! Mails are divided by separators: a separator is a line that begins with `From ` and, in the RFC's form,
//! goes on with the sender and a date as asctime(3) writes it. But programs have written many other forms:
//! without a sender, without a date or both (`From `, `From -`), with the address obfuscated (`user at
//! host.org`), with a zone, with `remote from host` at the end, without the blank line before. And many
//! sentences begin with the same word, which only some programs quote as `>From `. (So mail-parser's
//! iterator cannot be used: it starts a new message at each such line.)
//!
//! So a separator is recognised by two things together: its own form ([`Form`]) and what follows it
//! ([`Head`]). The less one shows, the more the other must. Some programs (the variants mboxcl and mboxcl2)
//! give each body's length in a `Content-Length` field. It is often wrong, because programs that changed
//! the body left the field as it was; so it is used only if the body ends exactly before a separator or at
//! the end of the file.

use super::date;

/// A mail as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    /// Where its separator begins, in bytes.
    pub at: usize,
    /// When it was posted according to its separator, in seconds since 1970; `None` if that has no date, or
    /// a placeholder.
    pub posted: Option<i64>,
    /// Head and body.
    pub bytes: &'a [u8],
    /// Whether lines of the body begin with `From `, so that `>From ` quotes nothing.
    pub verbatim: bool,
}

/// What a file was split into.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split<'a> {
    /// The mails.
    pub mails: Vec<Raw<'a>>,
    /// Where lines begin that may be separators, but were left in the text.
    pub doubtful: Vec<usize>,
}

/// What a line itself shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// It ends in a date as asctime(3) writes it: with its weekday.
    Asctime(Option<i64>),
    /// It ends in another date, or has none, and otherwise has at most a sender.
    Short(Option<i64>),
    /// It looks like a sentence.
    Prose,
}

/// What follows a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Head {
    /// Anything.
    None,
    /// A line with a field (RFC 5322, section 2.2).
    Field,
    /// Only fields up to a blank line, and one of them is a mail's.
    Mail,
}

/// Names of fields that mails have, and hardly any other text.
const FIELDS_OF_MAIL: [&str; 20] = [
    "bcc",
    "cc",
    "content-type",
    "date",
    "delivered-to",
    "from",
    "in-reply-to",
    "message-id",
    "mime-version",
    "received",
    "references",
    "reply-to",
    "return-path",
    "sender",
    "status",
    "subject",
    "to",
    "x-mozilla-status",
    "x-status",
    "x-uid",
];

/// The longest separator: RFC 5322 allows 998 characters in a line.
const MAX_SEPARATOR: usize = 998;

/// How many words of a separator its date may have: weekday, month, day, clock, year, zones.
const MAX_DATE_WORDS: usize = 9;

/// Splits a file, which may begin with text that belongs to no mail.
pub fn split(bytes: &[u8]) -> Split<'_> {
    let mut split = Split::default();
    let (mut at, mut after_blank) = (0, true);
    let mut open: Option<Open> = None;
    while at < bytes.len() {
        let line = line_at(bytes, at);
        let end = at + line.len();
        // A crash can leave a block of NUL bytes in a file that was being written.
        let nuls = line.iter().take_while(|b| **b == 0).count();
        let text = &line[nuls..];
        if !is_from(text) {
            after_blank = text.trim_ascii().is_empty();
            at = end;
            continue;
        }
        let first = split.mails.is_empty() && open.is_none() && bytes[..at].trim_ascii().is_empty();
        match judge(text, &bytes[end..], after_blank || nuls > 0, first) {
            Verdict::Separator(posted) => {
                split.mails.extend(open.take().map(|o| o.close(bytes, at)));
                let measured = measured(bytes, end);
                open = Some(Open {
                    at: at + nuls,
                    posted,
                    start: end,
                    verbatim: measured.is_some_and(|until| has_from(&bytes[end..until])),
                });
                after_blank = measured.is_some();
                at = measured.unwrap_or(end);
                continue;
            }
            Verdict::Doubtful => split.doubtful.push(at + nuls),
            Verdict::Text => {}
        }
        after_blank = false;
        at = end;
    }
    split.mails.extend(open.map(|o| o.close(bytes, bytes.len())));
    split
}

/// A mail whose end was not reached yet.
struct Open {
    at: usize,
    posted: Option<i64>,
    start: usize,
    verbatim: bool,
}

impl Open {
    fn close(self, bytes: &[u8], end: usize) -> Raw<'_> {
        let mut mail = &bytes[self.start..end];
        while let [rest @ .., 0 | b'\r' | b'\n'] = mail {
            mail = rest;
        }
        Raw {
            at: self.at,
            posted: self.posted,
            bytes: mail,
            verbatim: self.verbatim,
        }
    }
}

/// The line that begins at an offset, line end included.
fn line_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = &bytes[at..];
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
    &rest[..end]
}

/// Whether a line begins like a separator. Editors cut the space at the end of a bare one.
fn is_from(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.trim_ascii_end() == b"From"
}

fn has_from(text: &[u8]) -> bool {
    text.split(|b| *b == b'\n').any(is_from)
}

enum Verdict {
    Separator(Option<i64>),
    /// It looks like a separator, but not clearly enough.
    Doubtful,
    Text,
}

/// Whether a line that begins with `From ` separates mails. The `first` line of a file cannot be part of a
/// mail, so any field after it is enough.
fn judge(line: &[u8], below: &[u8], after_blank: bool, first: bool) -> Verdict {
    let (form, head) = (form(line), head(below));
    let (posted, needed) = match form {
        Form::Asctime(posted) if after_blank => (posted, Head::Field),
        Form::Asctime(posted) | Form::Short(posted) => (posted, Head::Mail),
        Form::Prose if first => (None, Head::Field),
        Form::Prose if head == Head::Mail => return Verdict::Doubtful,
        Form::Prose => return Verdict::Text,
    };
    match head >= needed || first && head == Head::Field {
        true => Verdict::Separator(posted),
        false => Verdict::Doubtful,
    }
}

fn form(line: &[u8]) -> Form {
    if line.len() > MAX_SEPARATOR {
        return Form::Prose;
    }
    let line = String::from_utf8_lossy(&line["From".len()..]);
    // UUCP: "From user Thu Jun 14 00:07:29 2007 remote from host"
    let line = line.split(" remote from ").next().unwrap_or_default();
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let start = words.len().saturating_sub(MAX_DATE_WORDS);
    for i in start..words.len() {
        let Some(instant) = date::read(&words[i..].join(" ")) else {
            continue;
        };
        // Mozilla has no sender and writes when the mail was fetched; public-inbox writes the epoch,
        // and git a day in 2001 ("Mon Sep 17 00:00:00 2001") for every patch.
        let placeholder = words[0] == "-" || [0, 1_000_684_800].contains(&instant);
        let posted = (!placeholder).then_some(instant);
        return match date::is_weekday(words[i]) {
            true => Form::Asctime(posted),
            false if i <= 1 || is_address(&words[..i]) => Form::Short(posted),
            false => Form::Prose,
        };
    }
    // A date that cannot be read still contains a clock.
    let has_clock = |word: &&str| -> bool {
        let mut parts = word.splitn(2, ':');
        let digits = |part: Option<&str>| part.is_some_and(|p| p.starts_with(|c: char| c.is_ascii_digit()));
        digits(parts.next()) && digits(parts.next())
    };
    match words.as_slice() {
        [] | ["-"] => Form::Short(None),
        words if is_address(words) => Form::Short(None),
        [one, rest @ ..] if (*one == "-" || is_address(&[one])) && rest.iter().any(has_clock) => {
            Form::Short(None)
        }
        [a, at, b, rest @ ..] if is_address(&[a, at, b]) && rest.iter().any(has_clock) => Form::Short(None),
        _ => Form::Prose,
    }
}

/// `user@host`, `user at host.org`, or what programs without an address write. Quotes may contain spaces.
fn is_address(words: &[&str]) -> bool {
    match words {
        ["MAILER-DAEMON"] => true,
        [user, "at", _] => !user.is_empty(),
        [one] => one.contains('@'),
        [first, .., last] => first.starts_with('"') && last.contains("\"@"),
        [] => false,
    }
}

fn head(text: &[u8]) -> Head {
    let (mut at, mut of_mail) = (0, false);
    while at < text.len() {
        let line = line_at(text, at);
        if ends_head(line) {
            break;
        }
        match field(line) {
            Some(name) => of_mail |= is_of_mail(name),
            // Some relays left the quoted separator above the first field.
            None if at > 0 && matches!(line.first(), Some(b' ' | b'\t')) => {}
            None if line.starts_with(b">From ") => {}
            None if at == 0 => return Head::None,
            None => return Head::Field,
        }
        at += line.len();
    }
    match (at, of_mail) {
        (0, _) => Head::None,
        (_, true) => Head::Mail,
        (_, false) => Head::Field,
    }
}

/// Whether a line is no longer part of a head.
fn ends_head(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || is_from(line)
}

fn is_of_mail(name: &[u8]) -> bool {
    FIELDS_OF_MAIL
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The name of a line's field; older mails have white space before the colon (RFC 5322, section 4.5).
fn field(line: &[u8]) -> Option<&[u8]> {
    let end = line
        .iter()
        .position(|b| !matches!(b, b'!'..=b'9' | b';'..=b'~'))?;
    let (name, rest) = line.split_at(end);
    (end > 0 && rest.trim_ascii_start().starts_with(b":")).then_some(name)
}

/// Where the mail whose head begins at `start` ends according to its `Content-Length`, if that can be trusted.
fn measured(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut length) = (start, None);
    while at < bytes.len() {
        let line = line_at(bytes, at);
        if is_from(line) {
            break;
        }
        at += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
        if field(line).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length")) {
            let value = line.splitn(2, |b| *b == b':').nth(1)?;
            length = Some(std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()?);
        }
    }
    let end = at.checked_add(length?).filter(|end| *end <= bytes.len())?;
    let mut next = end;
    while matches!(bytes.get(next), Some(b'\r' | b'\n' | 0)) {
        next += 1;
    }
    let line = line_at(bytes, next);
    let begins_line = next > end || bytes[..end].ends_with(b"\n");
    let ends = line.is_empty()
        || begins_line
            && is_from(line)
            && matches!(
                judge(line, &bytes[next + line.len()..], true, false),
                Verdict::Separator(_)
            );
    ends.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_UTC: Option<i64> = Some(1_181_779_649);

    #[test]
    fn separators_as_they_are_written() {
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
            ("From user@host Thu Jun 14 00:07:60 2007", AT_UTC.map(|s| s + 31)),
            ("From user@host Thu Jun 14 00:07:29 07", AT_UTC),
            ("From user@host Thu Jun 14 00:07:29 +20000 2007", AT_UTC),
            ("From user@host Thu, 14 Jun 2007 02:07:29 +0200 (CEST)", AT_UTC),
            ("From user Thu Jun 14 00:07:29 2007 remote from host", AT_UTC),
            ("From ???@??? Thu Jun 14 00:07:29 2007", AT_UTC),
            ("From Thu Thu Jun 14 00:07:29 2007", AT_UTC),
            ("From Thu Jun 14 00:07:29 2007", AT_UTC),
            ("From - Thu Jun 14 00:07:29 2007", None),
            ("From mboxrd@z Thu Jan  1 00:00:00 1970", None),
            ("From 0123abcd Mon Sep 17 00:00:00 2001", None),
        ] {
            assert_eq!(form(line.as_bytes()), Form::Asctime(instant), "{line}");
        }
        for (line, instant) in [
            ("From user@host 14 Jun 2007 00:07:29 GMT", AT_UTC),
            ("From user at host 2007-06-14T00:07:29Z", AT_UTC),
            ("From 2007-06-14 00:07:29", AT_UTC),
            ("From", None),
            ("From ", None),
            ("From \r\n", None),
            ("From -", None),
            ("From user@host", None),
            ("From user at host.org", None),
            ("From MAILER-DAEMON", None),
            ("From user@host Thu Jun 32 00:07:29 2007", None),
            ("From user@host Thu Jun 14 24:07:29 2007", None),
            ("From user at host.org Thu Brr 14 00:07:29 2007", None),
            ("From - Thu Jun 14 00:07:29 of 2007", None),
        ] {
            assert_eq!(form(line.as_bytes()), Form::Short(instant), "{line}");
        }
        for line in [
            "From here on, nothing",
            "From here on we meet at 12:30",
            "From Bob",
            "From user@host Thu Jun 14 2007",
            "From user@host I hear nothing",
            "From the log of 2007-06-14 00:07:29",
            "From me to you Thu Jun 14 00:07:29 2007 on it was quiet",
        ] {
            assert_eq!(form(line.as_bytes()), Form::Prose, "{line}");
        }
        let long = format!("From {} Thu Jun 14 00:07:29 2007", "x ".repeat(1_000));
        assert_eq!(form(long.as_bytes()), Form::Prose);
    }

    #[test]
    fn what_follows_a_separator() {
        for (text, expected) in [
            ("Subject: x\n\nbody", Head::Mail),
            ("X: y\nRECEIVED : a\n\tb\n c\n\n", Head::Mail),
            (">From a\nTo: x\n", Head::Mail),
            ("To: x\r\n\r\n", Head::Mail),
            ("To: x\nFrom -\n", Head::Mail),
            ("X: y\n\nTo: x\n", Head::Field),
            ("To: x\nand so on\n", Head::Field),
            ("http //x\n", Head::None),
            ("\nTo: x\n", Head::None),
            (" To: x\n", Head::None),
            ("From -\nTo: x\n", Head::None),
            ("", Head::None),
        ] {
            assert_eq!(head(text.as_bytes()), expected, "{text:?}");
        }
    }
}
