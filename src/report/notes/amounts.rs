//! Counts, rates and durations in words.

use crate::lang::{t, text};
use crate::report::numbers::figure;

/// Things that sentences count.
#[derive(Clone, Copy)]
pub enum Things {
    Mails,
    Requests,
    Answers,
    Replies,
    Messages,
    Clients,
    Tabs,
}

/// `1 mail`, `20 mails`.
pub fn counted(n: f64, things: Things) -> String {
    let (one, many) = match things {
        Things::Mails => (text!("1 mail"), text!("%{n} mails")),
        Things::Requests => (text!("1 request"), text!("%{n} requests")),
        Things::Answers => (text!("1 answer"), text!("%{n} answers")),
        Things::Replies => (text!("1 reply"), text!("%{n} replies")),
        Things::Messages => (text!("1 message"), text!("%{n} messages")),
        Things::Clients => (text!("1 client"), text!("%{n} clients")),
        Things::Tabs => (text!("1 tab of a browser"), text!("%{n} tabs of one browser")),
    };
    match n {
        1.0 => t!(one),
        n => t!(many, n = figure(n)),
    }
}

pub fn mails(n: u64) -> String {
    counted(n as f64, Things::Mails)
}

/// `poll (3 lost)`.
pub fn named(name: &str, what: &str) -> String {
    t!("%{name} (%{what})", name = name, what = what)
}

/// A whole number.
pub fn count(n: u64) -> String {
    figure(n as f64)
}

/// `2/s`, `30/min`, `1.5/h`, `1/day`: in the first unit that makes it at least 1, as on the command line.
pub fn rate(per_s: f64) -> String {
    let (value, unit) = match per_s {
        r if r >= 1.0 => (r, "s"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "min"),
        r if r * 3600.0 >= 0.9995 => (r * 3600.0, "h"),
        r => (r * 86_400.0, "day"),
    };
    let value = (value * 1e6).round() / 1e6;
    let text = figure(value);
    let digits = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{digits}/{unit}")
}

/// `200 ms`, `25 s`.
pub fn duration(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{} ms", figure(ms))
    } else {
        format!("{} s", figure(ms / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_as_it_was_given() {
        for given in ["2/s", "30/min", "1.5/h", "1/h", "1/day", "12/day", "5,000/s"] {
            let per_s = crate::technique::quantities::rate(given).unwrap();
            assert_eq!(rate(per_s), given);
        }
    }
}
