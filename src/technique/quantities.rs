//! Counts, sizes and rates as people and this program's own tables write them: `5,000`, `10M`, `100kB`,
//! `30/min`, `10Mbit/s`. k, M and G are powers of 1,000; KiB, MiB and GiB of 1,024.

use crate::lang::{t, text};
use clap::builder::ValueParser;

/// Parses `1,234.5`, without a sign. A comma may only stand before three digits.
fn digits(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let groups: Vec<&str> = whole.split(',').collect();
    let first_fits = groups.len() == 1 || (1..=3).contains(&groups[0].len());
    let fits = first_fits
        && groups.iter().all(|g| is_number(g))
        && groups[1..].iter().all(|g| g.len() == 3)
        && is_number(fraction);
    fits.then(|| format!("{}.{fraction}", groups.concat()).parse().ok())?
}

/// Splits a text into a number and the rest.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    Some((digits(number)?, unit.trim_start()))
}

/// The factor of a prefix, in upper or lower case.
fn prefix(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "" => Some(1.0),
        "k" => Some(1e3),
        "m" => Some(1e6),
        "g" => Some(1e9),
        "t" => Some(1e12),
        "ki" => Some(1024.0),
        "mi" => Some(1024.0 * 1024.0),
        "gi" => Some(1024.0 * 1024.0 * 1024.0),
        _ => None,
    }
}

/// Parses a number with a prefix, such as `10`, `5k` or `2.5M`.
pub fn number(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    Some(number * prefix(unit)?)
}

/// Parses a number of bytes, such as `300`, `100kB` or `64 KiB`.
fn size(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    let unit = unit.strip_suffix(['B', 'b']).unwrap_or(unit);
    Some(number * prefix(unit)?)
}

/// Converts to a whole number, if the value is one within the range.
fn whole(value: Option<f64>, least: u64, most: u64) -> Option<u64> {
    let value = value.filter(|v| (*v - v.round()).abs() < 1e-6 && *v < 1e18)?;
    Some(value.round() as u64).filter(|v| (least..=most).contains(v))
}

/// A number with commas between thousands.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Parses a whole number from `least` to `most`.
pub fn count(least: u64, most: u64) -> ValueParser {
    ValueParser::from(move |text: &str| {
        whole(number(text), least, most).ok_or_else(|| {
            let (least, most) = (thousands(least), thousands(most));
            t!(
                "allowed is a whole number from %{least} to %{most}, written like 20, 5,000, 5k or 10M",
                least = least,
                most = most
            )
        })
    })
}

/// Parses a seed: any `u64`, exactly.
///
/// # Errors
/// If the text is not a `u64`.
pub fn seed(text: &str) -> Result<u64, String> {
    let allowed = |_| t!("allowed is a whole number from 0 to %{max}", max = u64::MAX);
    text.parse().map_err(allowed)
}

/// Parses a number of bytes from `least` to `most`.
pub fn bytes(least: u64, most: u64) -> ValueParser {
    ValueParser::from(move |text: &str| {
        whole(size(text), least, most).ok_or_else(|| {
            let (least, most) = (thousands(least), thousands(most));
            t!(
                "allowed are %{least} to %{most} bytes, written like 300, 5,000, 100kB or 64KiB",
                least = least,
                most = most
            )
        })
    })
}

/// Parses `2/s`, `30/min`, `1/40s`, `5k/s`, `2` into mails per second.
///
/// # Errors
/// If it is none of these, or below 1/day or above 100,000/s.
pub fn rate(text: &str) -> Result<f64, String> {
    const ALLOWED: &str =
        text!("allowed is 1/day to 100000/s, written like 2/s, 30/min, 1/40s, 5k/s, or 2 for 2/s");
    let (count, per) = text.split_once('/').unwrap_or((text, "s"));
    let per = match per.starts_with(|c: char| c.is_ascii_digit()) {
        true => per.trim().to_string(),
        false => format!("1{}", per.trim()),
    };
    let per = humantime::parse_duration(&per).map_err(|_| t!(ALLOWED))?;
    let rate = number(count).map(|n| n / per.as_secs_f64());
    rate.filter(|rate| (1.0 / 86_400.0 * (1.0 - 1e-9)..=100_000.0).contains(rate))
        .ok_or_else(|| t!(ALLOWED))
}

/// Parses `1mbit`, `56kbit`, `10Mbit/s`, `9600bit` into bits per second; k, m and g are powers of 1,000, as
/// in tc(8).
///
/// # Errors
/// If it is none of these, or below 1 kbit/s or above 100 Gbit/s.
pub fn bandwidth(text: &str) -> Result<f64, String> {
    const ALLOWED: &str = text!("allowed is 1kbit to 100gbit, written like 1mbit, 1.5Mbit/s or 56kbit");
    let lower = text.trim().to_ascii_lowercase();
    let each_second = lower.strip_suffix("/s").unwrap_or(&lower).trim_end();
    let bits = each_second.strip_suffix("bit").and_then(number);
    bits.filter(|bits| (1e3..=1e11).contains(bits))
        .ok_or_else(|| t!(ALLOWED))
}

/// Parses `10kB/s`, `64KiB/s`, `1.5MB/s` into bytes per second.
///
/// # Errors
/// If it is none of these, or below 1 kB/s, which a server takes for a client that does not read, or above 1 GB/s.
pub fn read_rate(text: &str) -> Result<f64, String> {
    let bytes = text.trim().strip_suffix("/s").and_then(size);
    bytes
        .filter(|bytes| (1e3..=1e9).contains(bytes))
        .ok_or_else(|| t!("allowed is 1kB/s to 1GB/s, written like 10kB/s, 64KiB/s or 1.5MB/s"))
}

/// Writes a rate as people do, in the form that [`rate`] reads: `2/s`, `30/min`, `1/day`.
pub fn rate_text(per_s: f64) -> String {
    let units = [("s", 1.0), ("min", 60.0), ("h", 3_600.0), ("day", 86_400.0)];
    let near = |n: f64| (n - n.round()).abs() < 1e-6 * n.max(1.0);
    let fitting = units
        .iter()
        .find(|(_, s)| per_s * s > 0.999_999 && near(per_s * s));
    let (unit, s) = fitting
        .or_else(|| units.iter().find(|(_, s)| per_s * s > 0.999_999))
        .unwrap_or(&units[3]);
    let n = per_s * s;
    match near(n) {
        true => format!("{}/{unit}", n.round()),
        false => format!("{}/{unit}", (n * 1e3).round() / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_tables_write_them() {
        for (text, value) in [
            ("0", 0.0),
            ("20", 20.0),
            ("5,000", 5e3),
            ("1,234,567", 1_234_567.0),
            ("5k", 5e3),
            ("10M", 1e7),
            ("2.41G", 2.41e9),
            ("1.5 k", 1.5e3),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for bad in [
            "", "k", "-1", "+1", "1e3", "5,00", "5,0000", ",500", "5,", "1.2.3", "1.", ".5", "10x", "0x10",
            "nan", "1 0",
        ] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(size("100kB"), Some(1e5));
        assert_eq!(size("64 KiB"), Some(65_536.0));
        assert_eq!(size("300 B"), Some(300.0));
        assert_eq!(size("1.08 MB"), Some(1.08e6));
        assert_eq!((whole(Some(2.5), 0, 9), whole(Some(10.0), 0, 9)), (None, None));
    }

    #[test]
    fn rates_are_read_in_any_unit() {
        for (text, value) in [
            ("2", 2.0),
            ("2/s", 2.0),
            ("30/min", 0.5),
            ("1/40s", 0.025),
            ("3/500ms", 6.0),
            ("5k/s", 5e3),
            ("5,000/s", 5e3),
            ("1/day", 1.0 / 86_400.0),
            ("24/day", 1.0 / 3_600.0),
        ] {
            assert_eq!(rate(text), Ok(value), "{text}");
        }
        for bad in [
            "0",
            "-1",
            "-1/s",
            "x",
            "1/",
            "1/0s",
            "1/fortnight",
            "nan",
            "inf",
            "1e9",
            "",
            "/s",
            "200k/s",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["2/s", "30/min", "1/day", "5000/s", "1/h", "1/min", "7/day"] {
            assert_eq!(rate_text(rate(text).unwrap()), text);
        }
        assert_eq!(rate_text(1.5), "90/min");
        assert_eq!(rate_text(1.0 / 3.0), "20/min");
    }

    #[test]
    fn reading_is_in_bytes_per_second() {
        for (text, value) in [
            ("10kB/s", 1e4),
            ("64 KiB/s", 65_536.0),
            ("1.5MB/s", 1.5e6),
            ("5,000/s", 5e3),
        ] {
            assert_eq!(read_rate(text), Ok(value), "{text}");
        }
        for bad in ["", "10kB", "/s", "999/s", "2GB/s", "10kbit/s", "-1kB/s", "nan/s"] {
            assert!(read_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bandwidths_are_read_in_any_unit() {
        assert_eq!(bandwidth("1mbit"), Ok(1e6));
        assert_eq!(bandwidth("1.5 Mbit"), Ok(1.5e6));
        assert_eq!(bandwidth("10Mbit/s"), Ok(1e7));
        assert_eq!(bandwidth("44.1 kbit/s"), Ok(44_100.0));
        assert_eq!(bandwidth("9600bit"), Ok(9600.0));
        assert_eq!(bandwidth("9,600 bit/s"), Ok(9600.0));
        for bad in [
            "",
            "1",
            "mbit",
            "1mb",
            "0mbit",
            "-1mbit",
            "999bit",
            "101gbit",
            "nankbit",
            "infgbit",
            "1mbit/min",
        ] {
            assert!(bandwidth(bad).is_err(), "{bad}");
        }
    }
}
