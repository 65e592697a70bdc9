//! Reads the date of a mail, from its `Date` field or from the line that separates it.
//!
//! RFC 5322, section 3.3, has one form: `Thu, 14 Jun 2007 02:07:29 +0200`. Its section 4.3 has what
//! older programs wrote: comments, white space anywhere, years of two and three digits, zones with
//! names. Mailbox files hold more: asctime(3) and date(1) (`Thu Jun 14 00:07:29 CEST 2007`), RFC 850
//! (`Thursday, 14-Jun-07 00:07:29 GMT`), RFC 3339 and ISO 8601 (`2007-06-14T00:07:29Z`), and what
//! people write (`June 14th, 2007 12:07 AM`).
//!
//! All of them consist of a clock, a day, a month and a year, and perhaps a weekday and zones. So the words
//! are read one by one, each shows which part it is, and the order matters only where it must. A text with
//! a word left over, or with a part missing or twice, is not a date: a mail without a time is better than
//! one at a wrong time.

use mail_parser::DateTime;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// How many words the name of a zone may have: "Central America Standard Time".
const ZONE_WORDS: usize = 4;

/// The longest text that can be a date: RFC 5322 allows 998 characters in a line.
const MAX_TEXT: usize = 998;

/// The instant, in seconds since 1970-01-01T00:00:00Z, or `None` if the text is not a date.
///
/// Without a zone, with one that RFC 5322 does not name, or one beyond ±2359, it is taken as UTC, as
/// section 4.3 recommends. Second 60 (section 3.3, a leap second) is the second after 59.
pub fn read(text: &str) -> Option<i64> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let text = without_comments(text);
    let mut found = Found::default();
    for (i, word) in words(&text).iter().enumerate() {
        // A weekday in another language: "jeu., 14 Jun 2007".
        let foreign = i == 0 && word.ends_with(',') && !word.contains(|c: char| c.is_ascii_digit());
        if foreign {
            found.weekday = true;
        } else {
            found.word(word)?;
        }
    }
    found.instant()
}

/// Whether a word is the name of a weekday, in full or cut to at least three letters.
pub fn is_weekday(word: &str) -> bool {
    named(&WEEKDAYS, word.trim_end_matches(['.', ','])).is_some()
}

/// Replaces each comment (RFC 5322, section 3.2.2: they nest, and a backslash quotes) with a space.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut quoted) = (0u32, false);
    for c in text.chars() {
        match c {
            _ if quoted => quoted = false,
            '\\' if depth > 0 => quoted = true,
            '(' => {
                depth += 1;
                out.push(' ');
            }
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// Splits a text at white space, but not at that beside a colon: `0: 7:29` and `00 : 07 : 29` are one word each.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.ends_with(':') || word.starts_with(':') => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// The index of the name that the word is, or abbreviates to three letters or more.
fn named(names: &[&str], word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    names.iter().position(|n| word.len() >= 3 && n.starts_with(&word))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A number and how many digits it has, which matters for years.
#[derive(Clone, Copy, Debug)]
struct Number {
    value: u32,
    digits: usize,
}

impl Number {
    fn read(text: &str) -> Option<Number> {
        (digits(text) && text.len() <= 5)
            .then(|| text.parse().ok())?
            .map(|value| Number {
                value,
                digits: text.len(),
            })
    }

    /// The year, by RFC 5322, section 4.3. Of five digits only what a year-2000 bug wrote: `19`, and then 107.
    fn year(self) -> Option<u32> {
        let year = match self.digits {
            2 if self.value < 50 => self.value + 2_000,
            2 | 3 => self.value + 1_900,
            4 => self.value,
            5 if (19_100..19_200).contains(&self.value) => self.value - 19_000 + 1_900,
            _ => return None,
        };
        (year >= 1_900).then_some(year)
    }
}

/// The parts of a date that were found so far.
#[derive(Debug, Default)]
struct Found {
    weekday: bool,
    month: Option<u32>,
    /// Day and year; or all three, if no month was named.
    numbers: Vec<Number>,
    /// The character between the three numbers of one word.
    mark: Option<char>,
    clock: Option<[u32; 3]>,
    /// With a clock that counts to twelve: whether it is past noon.
    afternoon: Option<bool>,
    offset: Option<Offset>,
    zone_name: Option<Offset>,
    zone_words: usize,
}

/// Seconds east of UTC; `None` where they are not known.
type Offset = Option<i64>;

impl Found {
    /// Reads a word; `None` if it cannot be part of a date.
    fn word(&mut self, word: &str) -> Option<()> {
        let word = word.trim_matches([',', ';', '"', '\'']).trim_end_matches('.');
        if let Some((date, time)) = iso(word) {
            self.word(date)?;
            return self.time(&time);
        }
        match word.chars().next() {
            None => Some(()),
            Some('+' | '-') => self.offset(word),
            Some(_) if word.contains(':') && !word.starts_with(char::is_alphabetic) => self.time(word),
            Some(_) if word.contains(',') => word.split(',').try_for_each(|part| self.word(part)),
            Some(c) if c.is_ascii_digit() => self.day(word),
            Some(_) => self.name(word),
        }
    }

    /// `14`, `14th`, `2007`, `14-Jun-07`, `2007-06-14`, `14.06.2007`, `20070614`, `12PM`.
    fn day(&mut self, word: &str) -> Option<()> {
        if word.len() == 8 && digits(word) {
            return self.triple([&word[..4], &word[4..6], &word[6..]], '-');
        }
        if let Some(mark) = word.chars().find(|c| matches!(c, '-' | '/' | '.')) {
            let parts: Vec<&str> = word.split(mark).collect();
            return match parts.as_slice() {
                [a, b, c] if digits(b) => self.triple([a, b, c], mark),
                [_, month, _] if named(&MONTHS, month).is_some() => {
                    parts.iter().try_for_each(|part| self.word(part))
                }
                _ => None,
            };
        }
        let lower = word.to_ascii_lowercase();
        let ordinal = ["st", "nd", "rd", "th"]
            .iter()
            .find_map(|end| lower.strip_suffix(end));
        self.number(Number::read(ordinal.unwrap_or(word))?)
    }

    fn number(&mut self, number: Number) -> Option<()> {
        self.numbers.push(number);
        (self.numbers.len() <= 3).then_some(())
    }

    fn triple(&mut self, parts: [&str; 3], mark: char) -> Option<()> {
        self.mark = Some(mark);
        let fresh = self.numbers.is_empty() && self.month.is_none();
        fresh.then_some(())?;
        parts.iter().try_for_each(|part| self.number(Number::read(part)?))
    }

    /// `00:07[:29[.5]]`, with what may follow without a space: `AM`, `Z`, `+02:00`.
    fn time(&mut self, word: &str) -> Option<()> {
        let end = word.find(|c: char| !matches!(c, '0'..='9' | ':' | '.' | ','));
        let (clock, rest) = word.split_at(end.unwrap_or(word.len()));
        let whole = clock.split(['.', ',']).next()?;
        let parts: Vec<u32> = whole
            .split(':')
            .map(|n| (digits(n) && n.len() <= 2).then(|| n.parse().ok())?)
            .collect::<Option<_>>()?;
        let clock = match parts.as_slice() {
            [hour, minute] => [*hour, *minute, 0],
            [hour, minute, second] => [*hour, *minute, *second],
            _ => return None,
        };
        self.clock.replace(clock).is_none().then_some(())?;
        if rest.is_empty() {
            Some(())
        } else {
            self.word(rest)
        }
    }

    /// A zone in digits: `+0200`, `+02:00`, `-7`. Any sign with digits is a zone, known or not.
    fn offset(&mut self, word: &str) -> Option<()> {
        let (sign, rest) = word.split_at(1);
        let flat = rest.replacen(':', "", 1);
        let after_clock = self.clock.is_some() && digits(&flat);
        let first = self.offset.is_none() && after_clock;
        first.then_some(())?;
        let (hours, minutes) = match flat.len() {
            1 | 2 => (flat.as_str(), "0"),
            3 | 4 => flat.split_at(flat.len() - 2),
            _ => ("99", "0"),
        };
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        let east = hours * 3_600 + minutes * 60;
        let known = hours <= 23 && minutes <= 59;
        self.offset = Some(known.then_some(if sign == "-" { -east } else { east }));
        Some(())
    }

    /// A weekday, a month, the half of a day, or a zone.
    fn name(&mut self, word: &str) -> Option<()> {
        if named(&WEEKDAYS, word).is_some() {
            return (!std::mem::replace(&mut self.weekday, true)).then_some(());
        }
        if let Some(month) = named(&MONTHS, word) {
            return self.month.replace(month as u32 + 1).is_none().then_some(());
        }
        // Nothing else comes before the clock, except a date in one word that begins with the month:
        // "Jun-14-2007".
        if self.clock.is_none() {
            let parts: Vec<&str> = word.split('-').collect();
            let dashed = parts.len() == 3 && named(&MONTHS, parts[0]).is_some();
            return dashed.then(|| parts.iter().try_for_each(|part| self.word(part)))?;
        }
        match word.to_ascii_lowercase().as_str() {
            "am" | "a.m" => self.afternoon.replace(false).is_none().then_some(()),
            "pm" | "p.m" => self.afternoon.replace(true).is_none().then_some(()),
            _ => self.zone(word),
        }
    }

    /// A zone's name. The first that is known counts.
    fn zone(&mut self, word: &str) -> Option<()> {
        const HOURS: [(&str, i64); 12] = [
            ("UT", 0),
            ("UTC", 0),
            ("GMT", 0),
            ("Z", 0),
            ("EST", -5),
            ("EDT", -4),
            ("CST", -6),
            ("CDT", -5),
            ("MST", -7),
            ("MDT", -6),
            ("PST", -8),
            ("PDT", -7),
        ];
        self.zone_words += 1;
        (self.zone_words <= ZONE_WORDS).then_some(())?;
        if let Some((_, hours)) = HOURS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            self.zone_name = self.zone_name.flatten().or(Some(hours * 3_600)).map(Some);
            return Some(());
        }
        // "GMT+0200"
        if let Some(sign) = word.find(['+', '-'])
            && matches!(word[..sign].to_ascii_uppercase().as_str(), "UT" | "UTC" | "GMT")
        {
            return self.offset(&word[sign..]);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_');
        let name = word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(plain);
        name.then_some(())?;
        self.zone_name.get_or_insert(None);
        Some(())
    }

    fn instant(&self) -> Option<i64> {
        let (year, month, day) = self.date()?;
        let [hour, minute, second] = self.clock?;
        let hour = match self.afternoon {
            None => hour,
            Some(past_noon) => (1..=12)
                .contains(&hour)
                .then_some(hour % 12 + if past_noon { 12 } else { 0 })?,
        };
        let plausible = hour <= 23 && minute <= 59 && second <= 60;
        plausible.then_some(())?;
        let date = DateTime {
            year: year.try_into().ok()?,
            month: month.try_into().ok()?,
            day: day.try_into().ok()?,
            hour: hour as u8,
            minute: minute as u8,
            second: 0,
            tz_before_gmt: false,
            tz_hour: 0,
            tz_minute: 0,
        };
        // A day that the month does not have would become one of the next month.
        let instant = date.to_timestamp();
        let offset = self.offset.or(self.zone_name).flatten().unwrap_or(0);
        (DateTime::from_timestamp(instant) == date).then_some(instant + i64::from(second) - offset)
    }

    /// Year, month and day.
    fn date(&self) -> Option<(u32, u32, u32)> {
        let (year, month, day) = match (self.month, self.numbers.as_slice()) {
            (Some(month), [a, b]) if a.digits > 2 || a.value > 31 => (a, month, b.value),
            (Some(month), [a, b]) => (b, month, a.value),
            (None, [a, b, c]) if a.digits > 2 => (a, b.value, c.value),
            (None, [a, b, c]) => match self.mark? {
                '.' => (c, b.value, a.value),
                // Europe puts the day first, America the month: it is clear which is which only if one of
                // them cannot be the month, or if both are the same.
                _ if b.value > 12 || a.value == b.value => (c, a.value, b.value),
                _ if a.value > 12 => (c, b.value, a.value),
                _ => return None,
            },
            _ => return None,
        };
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year.year()?, month, day))
    }
}

/// A date and a time that a `T` joins, the time with colons.
fn iso(word: &str) -> Option<(&str, String)> {
    let (date, time) = word.split_once(['T', 't'])?;
    let joined =
        date.ends_with(|c: char| c.is_ascii_digit()) && time.starts_with(|c: char| c.is_ascii_digit());
    joined.then_some(())?;
    let length = time.bytes().take_while(u8::is_ascii_digit).count();
    let time = match length {
        4 => format!("{}:{}", &time[..2], &time[2..]),
        6 => format!("{}:{}:{}", &time[..2], &time[2..4], &time[4..]),
        _ => time.to_owned(),
    };
    Some((date, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Thu, 14 Jun 2007 00:07:29 UTC
    const AT: i64 = 1_181_779_649;

    #[test]
    fn forms_that_rfc_5322_has() {
        for (text, after) in [
            ("Thu, 14 Jun 2007 00:07:29 +0000", 0),
            ("14 Jun 2007 00:07:29 -0000", 0),
            ("Thu, 14 Jun 2007 02:07:29 +0200", 0),
            ("Wed, 13 Jun 2007 20:07:29 -0400", 0),
            ("Thu, 14 Jun 2007 05:37:29 +0530", 0),
            ("Thu, 14 Jun 2007 00:07 GMT", -29),
            ("Thu, 14 Jun 07 00:07:29 UT", 0),
            ("Thu, 14 Jun 107 00:07:29 GMT", 0),
            ("Wed, 13 Jun 2007 20:07:29 EDT", 0),
            ("Wed, 13 Jun 2007 19:07:29 est", 0),
            ("Wed, 13 Jun 2007 17:07:29 PDT", 0),
            ("Thu, 14 Jun 2007 00:07:29 Z", 0),
            ("Thu, 14 Jun 2007 00:07:29 A", 0),
            ("Thu, 14 Jun 2007 00:07:29 CEST", 0),
            ("Thu, 14 Jun 2007 00:07:59 +0000", 30),
            ("Thu, 14 Jun 2007 00:07:60 +0000", 31),
            ("Thu , 14 Jun\r\n 2007 00 : 07 : 29 +0000", 0),
            (
                "Thu (a (nested \\) one)) , 14 Jun 2007(x)00:07:29 (y) +0000 (UTC)",
                0,
            ),
            ("thu, 14 JUN 2007 0:07:29 gmt", 0),
        ] {
            assert_eq!(read(text), Some(AT + after), "{text}");
        }
    }

    #[test]
    fn forms_that_programs_wrote() {
        for (text, after) in [
            ("Thu Jun 14 00:07:29 2007", 0),
            ("Thu Jun 14  0: 7:29 2007", 0),
            ("Thu Jun 14 00:07 2007", -29),
            ("Thu Jun 14 00:07:29 MET DST 2007", 0),
            ("Thu Jun 14 02:07:29 2007 +0200", 0),
            ("Wed Jun 13 20:07:29 -0400 2007", 0),
            ("Wed Jun 13 20:07:29 EDT 2007", 0),
            ("Wed, 13 Jun 2007 20:07:29 -0400 EDT", 0),
            ("Wed Jun 13 20:07:29 EDT -0400 2007", 0),
            ("Thu Jun 14 00:07:29 07", 0),
            ("Thursday, 14-Jun-07 00:07:29 GMT", 0),
            ("14-Jun-2007 02:07:29 +0200", 0),
            ("Jun-14-2007 00:07:29", 0),
            ("Thu,14 June 2007 00:07:29 +00:00", 0),
            ("Thurs, Jun. 14, 2007 12:07:29 AM", 0),
            ("June 14th, 2007 12:07:29 a.m. UTC", 0),
            ("Thu, 14 Jun 2007 12:07:29 PM", 43_200),
            ("Thu 14 Jun 2007 01:07:29PM", 46_800),
            ("2007-06-14T00:07:29Z", 0),
            ("2007-06-14t02:07:29.123456+02:00", 0),
            ("2007-06-14 00:07:29,5", 0),
            ("2007-06-13 20:07:29 -0400", 0),
            ("20070614T000729Z", 0),
            ("2007/06/14 00:07:29", 0),
            ("14.06.2007 00:07:29", 0),
            ("14.6.07 0:07", -29),
            ("6/14/2007 12:07:29 AM", 0),
            ("14/6/2007 00:07:29", 0),
            ("Thu, 14 Jun 2007 02:07:29 GMT+0200", 0),
            ("Wed, 13 Jun 2007 19:07:29 UTC-5", 0),
            ("Thu, 14 Jun 2007 00:07:29 Pacific Daylight Time", 0),
            ("Thu, 14 Jun 2007 00:07:29 Europe/Berlin", 0),
            ("Do., 14 Jun 2007 00:07:29 +0000", 0),
            ("목, 14 Jun 2007 00:07:29 +0000", 0),
            ("\"Thu, 14 Jun 2007 00:07:29 +0000\"", 0),
            ("Thu, 14 Jun 19107 00:07:29 +0000", 0),
        ] {
            assert_eq!(read(text), Some(AT + after), "{text}");
        }
    }

    #[test]
    fn a_zone_that_cannot_be_counts_as_unknown() {
        for zone in [
            "+2400",
            "-9999",
            "+0060",
            "-0299",
            "+20000",
            "+123456789",
            "+24",
            "XYZ",
        ] {
            let text = format!("Thu, 14 Jun 2007 00:07:29 {zone}");
            assert_eq!(read(&text), Some(AT), "{text}");
        }
        for (zone, east) in [("+2359", 86_340), ("-2359", -86_340)] {
            let text = format!("Thu, 14 Jun 2007 00:07:29 {zone}");
            assert_eq!(read(&text), Some(AT - east), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "yesterday",
            "00:07:29",
            "14 Jun 2007",
            "Thu Jun 14 00:07:29",
            "Thu, 32 Jun 2007 00:07:29 +0000",
            "Fri, 29 Feb 2007 00:07:29 +0000",
            "Thu, 0 Jun 2007 00:07:29 +0000",
            "Thu, 14 Jun 2007 24:07:29 +0000",
            "Thu, 14 Jun 2007 00:60:29 +0000",
            "Thu, 14 Jun 2007 00:07:61 +0000",
            "Thu, 14 Jun 2007 00:07:29:01 +0000",
            "Thu, 14 Jun 2007 00:07:29 of",
            "Thu, 14 Jun 2007 00:07:29 on it was quiet",
            "Thu, 14 Jun 2007 00:07:29 +0200 +0100",
            "Thu, 14 Jun 2007 13:07:29 PM",
            "Thu, 14 Jun 2007 00:07:29 0200",
            "Thu, 14 Brr 2007 00:07:29 +0000",
            "Thu, Thu, 14 Jun 2007 00:07:29 +0000",
            "Thu, 14 Jun Jun 2007 00:07:29 +0000",
            "Thu, 14 Jun 1899 00:07:29 +0000",
            "Thu, 14 Jun 0107 00:07:29 +0000",
            "Thu, 14 Jun 99999 00:07:29 +0000",
            "Thu, 14 Jun 7 00:07:29 +0000",
            "6/7/2007 00:07:29",
            "07-06-08 00:07:29",
            "2007-13-01 00:07:29",
            "2007-06-14",
            "1181779649",
            "99 Jun 99999 99:99:99 +9999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(
            read(&format!("Thu, 14 Jun 2007 00:07:29 {}", "x".repeat(1_000))),
            None
        );
    }

    proptest! {
        #[test]
        fn every_second_in_every_form(instant in 0i64..253_402_300_799, east in -1_439i64..1_440) {
            let local = DateTime::from_timestamp(instant + east * 60);
            let DateTime { year, month, day, hour, minute, second, .. } = local;
            prop_assume!((1970..=9999).contains(&year));
            let name = &MONTHS[usize::from(month) - 1][..3];
            let weekday = &WEEKDAYS[usize::from(local.day_of_week())][..3];
            let zone = format!("{}{:02}{:02}", if east < 0 { '-' } else { '+' }, east.abs() / 60, east.abs() % 60);
            for text in [
                format!("{weekday}, {day} {name} {year} {hour:02}:{minute:02}:{second:02} {zone}"),
                format!("{weekday} {name} {day:2} {hour:02}:{minute:02}:{second:02} {year} {zone}"),
                format!("{weekday} {name} {day:2} {hour:2}:{minute:2}:{second:2} {zone} {year}"),
                format!("{day:02}-{name}-{year} {hour:02}:{minute:02}:{second:02} {zone}"),
                format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"),
                format!("{day}.{month}.{year} {hour}:{minute}:{second} {zone}"),
            ] {
                prop_assert_eq!(read(&text), Some(instant), "{}", text);
            }
        }

        #[test]
        fn any_words_are_read_without_harm(text in "[0-9A-Za-z:,+./() -]{0,60}|\\PC{0,60}") {
            let _ = read(&text);
        }
    }
}
