//! Prices that a user gives, and what a month costs by them. None is built in.
//!
//! A price file is TOML: a currency, and at least one price.
//!
//! ```toml
//! currency = "EUR"
//! per_million_requests = 1.0
//! per_million_messages = 1.0
//! per_million_connection_minutes = 1.0
//! per_gb_down = 0.1
//! per_gb_up = 0.0
//! ```

use anyhow::{anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::cost::Cost;
use crate::lang::{Language, t};

/// Days of a month.
pub const MONTH_DAYS: f64 = 30.0;

/// Bytes of a GB.
const GB: f64 = 1e9;

/// The highest price of anything.
const MOST: f64 = 1e9;

/// The most characters of a currency's name.
const LONGEST_NAME: usize = 12;

const CURRENCY: &str = "currency";

/// The keys of a price file's prices.
const KEYS: [&str; 5] = [
    "per_million_requests",
    "per_million_messages",
    "per_million_connection_minutes",
    "per_gb_down",
    "per_gb_up",
];

/// What is to be paid for what; `None` if it costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// The name of the currency.
    pub currency: String,
    /// For a million HTTP requests.
    pub per_million_requests: Option<f64>,
    /// For a million WebSocket data frames and events, in either direction.
    pub per_million_messages: Option<f64>,
    /// For a million minutes that a connection is open.
    pub per_million_connection_minutes: Option<f64>,
    /// For 10⁹ bytes from the server.
    pub per_gb_down: Option<f64>,
    /// For 10⁹ bytes to it.
    pub per_gb_up: Option<f64>,
}

/// What a month of 30 days costs, in the currency of the prices; `None` where there is no price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monthly {
    /// HTTP requests.
    pub requests: Option<f64>,
    /// WebSocket data frames and events.
    pub messages: Option<f64>,
    /// Open connections.
    pub connection_minutes: Option<f64>,
    /// Bytes from the server.
    pub down: Option<f64>,
    /// Bytes to it.
    pub up: Option<f64>,
    /// All of these together.
    pub total: f64,
}

impl Prices {
    /// Reads a price file.
    ///
    /// # Errors
    /// If it is not TOML, has another key, no currency, no price, or a price that is not a number from 0 to 10⁹.
    pub fn parse(text: &str) -> anyhow::Result<Prices> {
        let table: Table = text.parse().map_err(|e| unreadable(text, &e))?;
        if let Some(other) = table
            .keys()
            .find(|key| **key != CURRENCY && !KEYS.contains(&key.as_str()))
        {
            bail!(t!(
                "%{key} is no key of a price file; allowed are %{currency}, %{keys}",
                key = crate::terminal::printable(other),
                currency = CURRENCY,
                keys = KEYS.join(", ")
            ));
        }
        let prices = KEYS.map(|key| table.get(key).map(|value| price(key, value)).transpose());
        let [requests, messages, minutes, down, up] = prices;
        let prices = Prices {
            currency: currency(&table)?,
            per_million_requests: requests?,
            per_million_messages: messages?,
            per_million_connection_minutes: minutes?,
            per_gb_down: down?,
            per_gb_up: up?,
        };
        ensure!(
            KEYS.iter().any(|key| table.contains_key(*key)),
            t!("it has no price; allowed are %{keys}", keys = KEYS.join(", "))
        );
        Ok(prices)
    }

    /// What a month costs.
    pub fn month(&self, cost: &Cost) -> Monthly {
        let days = |per_day: f64| per_day * MONTH_DAYS;
        let of = |price: Option<f64>, amount: f64, unit: f64| price.map(|price| price * amount / unit);
        let per_million = |price, per_s: f64| of(price, days(per_s * 86_400.0), 1e6);
        let requests = per_million(self.per_million_requests, cost.requests_per_s);
        let messages = per_million(self.per_million_messages, cost.messages_per_s.unwrap_or(0.0));
        let minutes = per_million(self.per_million_connection_minutes, cost.connections / 60.0);
        let down = of(self.per_gb_down, days(cost.bytes_down_per_day.unwrap_or(0.0)), GB);
        let up = of(self.per_gb_up, days(cost.bytes_up_per_day.unwrap_or(0.0)), GB);
        Monthly {
            requests,
            messages,
            connection_minutes: minutes,
            down,
            up,
            total: [requests, messages, minutes, down, up]
                .into_iter()
                .flatten()
                .sum(),
        }
    }
}

/// Where a text stops being TOML; in English also why, in the words of the reader.
fn unreadable(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = match Language::spoken() {
        Language::En => error.message().trim().replace('\n', ", "),
        Language::Ko => t!("it is not TOML"),
    };
    anyhow!(t!(
        "line %{number}: %{line}",
        number = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1,
        line = line
    ))
}

fn currency(table: &Table) -> anyhow::Result<String> {
    let name = table.get(CURRENCY).and_then(Value::as_str).map(str::trim);
    let fits =
        |name: &&str| (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.contains(char::is_control);
    name.filter(fits).map(String::from).ok_or_else(|| {
        anyhow!(t!(
            "%{key} must be a name of 1 to %{most} characters in quotes, like currency = \"EUR\"",
            key = CURRENCY,
            most = LONGEST_NAME
        ))
    })
}

fn price(key: &str, value: &Value) -> anyhow::Result<f64> {
    let (number, shown) = match value {
        Value::Integer(n) => (*n as f64, n.to_string()),
        Value::Float(n) => (*n, format!("{n:?}")),
        other => (f64::NAN, other.type_str().into()),
    };
    ensure!(
        (0.0..=MOST).contains(&number),
        t!(
            "%{key} is %{value}; allowed is a number from 0 to 1,000,000,000",
            key = key,
            value = shown
        )
    );
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_leave_prices_out() {
        let prices = Prices::parse("currency = \" EUR \"\nper_gb_down = 0.1\nper_million_requests = 2\n");
        let expected = Prices {
            currency: "EUR".into(),
            per_million_requests: Some(2.0),
            per_gb_down: Some(0.1),
            ..Prices::default()
        };
        assert_eq!(prices.unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let priced = |line: &str| format!("currency = \"EUR\"\n{line}\n");
        for (text, says) in [
            (
                priced("per_request = 1"),
                "per_request is no key of a price file; allowed are currency, per_million_requests,",
            ),
            (
                priced("per_gb_down = -1"),
                "per_gb_down is -1; allowed is a number from 0 to 1,000,000,000",
            ),
            (priced("per_gb_down = -0.5"), "per_gb_down is -0.5;"),
            (priced("per_gb_up = nan"), "per_gb_up is NaN;"),
            (priced("per_gb_up = inf"), "per_gb_up is inf;"),
            (priced("per_gb_up = 1e10"), "per_gb_up is 10000000000.0;"),
            (
                priced("per_million_messages = \"1\""),
                "per_million_messages is string;",
            ),
            (priced("per_million_messages ="), "line 2: "),
            (priced("per_gb_up = 1\nper_gb_up = 2"), "line 3: "),
            (priced(""), "it has no price; allowed are per_million_requests,"),
            (
                "per_gb_up = 1".into(),
                "currency must be a name of 1 to 12 characters in quotes, like currency = \"EUR\"",
            ),
            ("currency = 1\nper_gb_up = 1".into(), "currency must be"),
            ("currency = \"\"\nper_gb_up = 1".into(), "currency must be"),
            ("currency = \"a\\tb\"\nper_gb_up = 1".into(), "currency must be"),
        ] {
            let said = Prices::parse(&text).unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
    }

    #[test]
    fn a_month_has_thirty_days() {
        // A request every second, two messages, 3 GB down and 1 GB up per day, on ten connections.
        let cost = Cost {
            requests_per_s: 1.0,
            messages_per_s: Some(2.0),
            connections: 10.0,
            bytes_down_per_day: Some(3e9),
            bytes_up_per_day: Some(1e9),
            ..Cost::default()
        };
        let prices = Prices {
            currency: "EUR".into(),
            per_million_requests: Some(1.0),
            per_million_messages: Some(1.0),
            per_million_connection_minutes: Some(1.0),
            per_gb_down: Some(0.1),
            per_gb_up: Some(0.01),
        };
        let month = prices.month(&cost);
        // 2,592,000 seconds, 43,200 minutes, 90 and 30 GB.
        let near =
            |found: Option<f64>, value: f64| assert!((found.unwrap() - value).abs() < 1e-9, "{month:?}");
        near(month.requests, 2.592);
        near(month.messages, 5.184);
        near(month.connection_minutes, 0.432);
        near(month.down, 9.0);
        near(month.up, 0.3);
        near(Some(month.total), 2.592 + 5.184 + 0.432 + 9.0 + 0.3);
        let only = Prices {
            per_gb_up: Some(2.0),
            ..Prices::default()
        };
        let month = only.month(&cost);
        assert_eq!(
            (month.requests, month.down, month.up, month.total),
            (None, None, Some(60.0), 60.0)
        );
    }
}
