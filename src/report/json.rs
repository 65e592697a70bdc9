//! The JSON contract: the whole [`Report`], as `outcome` defines it, so that a saved run can be drawn again.
//! RFC 8259; missing values are `null`.

use anyhow::Result;

/// Any result as JSON. It also escapes DEL and the characters from U+0080 to U+009F: JSON does not require
/// this, but a terminal may interpret them (RFC 8259, section 7).
///
/// # Errors
/// If it cannot be serialised.
pub fn json_of(result: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(result)?;
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::draw::draw;
    use super::super::fixture;
    use super::super::format::Format;
    use super::super::style::Style;
    use super::*;
    use crate::outcome::Report;
    use serde_json::Value;

    fn written(report: &Report) -> String {
        json_of(report).unwrap()
    }

    #[test]
    fn a_saved_report_is_read_back_and_draws_the_same() {
        for report in [
            fixture::with_events(),
            fixture::lost(),
            fixture::empty(),
            fixture::replies(),
            fixture::talking(),
            fixture::five_seeds(),
        ] {
            let back: Report = serde_json::from_str(&written(&report)).unwrap();
            assert_eq!(written(&back), written(&report));
            let style = Style {
                width: Some(1_000),
                timeline: true,
                ..Style::default()
            };
            for format in [Format::Table, Format::Markdown] {
                let drawn = |report: &Report| draw(format, report, &style).unwrap();
                assert_eq!(drawn(&back), drawn(&report));
            }
        }
    }

    #[test]
    fn what_was_not_predicted_is_null() {
        let mut report = fixture::typical();
        report.remote = Some("wss://127.0.0.1:8443".into());
        report.results[1].predicted = Default::default();
        let value: Value = serde_json::from_str(&written(&report)).unwrap();
        assert_eq!(value["results"][1]["predicted"], Value::Null);
        assert_eq!(value["remote"], "wss://127.0.0.1:8443");
        let back: Report = serde_json::from_value(value).unwrap();
        assert!(back.results[0].predicted.was_made() && !back.results[1].predicted.was_made());
        assert_eq!(back.remote, report.remote);
    }

    #[test]
    fn every_key_of_the_contract_is_there() {
        let mut report = fixture::with_events();
        let seeds = vec![report.results[3].clone(); 2];
        report.results[0].per_run = crate::outcome::PerRun::of(&seeds);
        report.results[0].repeats = seeds;
        report.results[0].samples_us = vec![1.0];
        let value: Value = serde_json::from_str(&written(&report)).unwrap();
        for (at, keys) in [
            (
                "",
                "mailcall schema argv partial simulated environment scenario results",
            ),
            ("/environment", "os cpu cores"),
            (
                "/scenario",
                "mails size attach arrivals rate_per_s replay replay_speed seed clients reply talk_per_s grace_ms \
                 poll_interval_ms hold_ms heartbeat_ms frames closer keep keep_bytes http tls headers repeat link",
            ),
            ("/scenario/link", "rtt_ms jitter_ms bandwidth_bit_s loss_fraction"),
            (
                "/results/0",
                "technique mails latency_us latency_quantiles_us talk requests messages connections segments bytes overhead_bytes \
                 overhead_bytes_per_delivery predicted trust events events_truncated per_run repeats",
            ),
            (
                "/results/0/mails",
                "sent expected delivered lost undelivered duplicated reordered gap reset carried held_back replies",
            ),
            (
                "/results/0/latency_us",
                "count min mean p50 p90 p95 p99 max stdev",
            ),
            ("/results/0/requests", "total empty failed"),
            ("/results/0/messages", "down up first_us"),
            ("/results/0/connections", "opened peak reconnects each"),
            ("/results/0/segments", "down up"),
            ("/results/0/bytes/up", "head framing control payload tls total"),
            ("/results/0/bytes/down", "head framing control payload tls total"),
            (
                "/results/0/predicted",
                "method latency_us formula_us talk requests bytes overhead_bytes",
            ),
            ("/results/0/predicted/latency_us", "mean max"),
            ("/results/0/predicted/requests", "total empty"),
            (
                "/results/0/predicted/bytes/down",
                "head framing control payload tls total",
            ),
            ("/results/0/trust", "late_p99_us starved warnings warning_kinds"),
            ("/results/0/events/0", "t_us client kind mail"),
            (
                "/results/0/per_run",
                "seeds latency_us requests overhead_bytes_per_delivery",
            ),
            ("/results/0/per_run/latency_us", "mean half_width"),
            ("/results/0/repeats/1", "technique latency_us"),
        ] {
            let object = value
                .pointer(at)
                .and_then(Value::as_object)
                .unwrap_or_else(|| panic!("no {at}"));
            for key in keys.split_whitespace() {
                assert!(object.contains_key(key), "{at}/{key}");
            }
        }
        assert_eq!(value.pointer("/results/0/samples_us"), None);
        assert_eq!(value["scenario"]["arrivals"], "poisson");
        assert_eq!(
            value["results"][2]["requests"]["empty"],
            Value::Null,
            "sse has no empty answers"
        );
    }
}
