//! What `mailcall advise` says besides bytes: the client's radio, clients behind a proxy, the server's processor and
//! memory, and money.

use std::path::Path;

use mailcall::outcome::advice::{Advice, Candidate, Failing};

use serde_json::Value;

use crate::advise::{advice, json, run, said};

fn told(args: &str) -> String {
    let args: Vec<&str> = args.split_whitespace().collect();
    said(&run(&args).stdout)
}

fn of(advice: &Advice, name: &str) -> Candidate {
    advice.candidate(name).unwrap().clone()
}

/// Wake-ups and seconds on, per hour, of the first technique.
fn radio(args: &str) -> (f64, f64) {
    let radio = advice(args).results[0].radio.clone().unwrap();
    (radio.wakeups_per_hour, radio.on_s_per_hour)
}

#[track_caller]
fn near(found: (f64, f64), expected: (f64, f64), share: f64) {
    let is = |found: f64, expected: f64| (found - expected).abs() <= share * expected;
    assert!(
        is(found.0, expected.0) && is(found.1, expected.1),
        "{found:?}, not {expected:?}"
    );
}

#[test]
fn a_radio_is_woken_where_packets_are_further_apart_than_its_tail() {
    // Polls every 5 s keep it on; after a minute it is asleep again.
    near(radio("poll --interval 5s --delay 5s"), (1.0, 3_600.0), 1e-6);
    near(radio("poll --interval 1min --delay 1min"), (60.0, 600.0), 1e-6);
    near(
        radio("poll --interval 1min --delay 1min --radio-tail 2s"),
        (60.0, 120.0),
        1e-6,
    );
    near(
        radio("poll --interval 1min --delay 1min --radio-tail 1min"),
        (1.0, 3_600.0),
        1e-6,
    );
    // More mail than can be simulated comes with the same polls.
    near(
        radio("poll --interval 1min --delay 1min --rate 100/s"),
        (60.0, 600.0),
        1e-6,
    );
    // Heartbeats, and next to no mail: each costs its tail. Requests that are held 25 s do, too.
    for name in ["sse", "ndjson", "ws", "sockjs", "socketio"] {
        let rare = radio(&format!("{name} --heartbeat 60s --rate 1/day --delay 1h"));
        near(rare, (60.0, 600.0), 2e-3);
    }
    near(radio("long-poll --rate 1/day --delay 1h"), (144.0, 1_440.0), 2e-3);
    // A round trip is part of each: 50 ms more of the radio.
    near(
        radio("poll --interval 1min --delay 1min --rtt 50ms"),
        (60.0, 60.0 * 10.05),
        1e-4,
    );
}

#[test]
fn a_closed_connection_is_another_packet() {
    let hourly = |more: &str| radio(&format!("poll --interval 1h --delay 1h --rate 1/h {more}"));
    // The server closes it 75 s after the poll.
    near(hourly(""), (2.0, 20.0), 1e-6);
    near(hourly("--keep-alive 5s"), (1.0, 15.0), 1e-6);
    near(hourly("--keep-alive 2h"), (1.0, 10.0), 1e-6);
    near(hourly("--http 1.0"), (1.0, 10.0), 1e-6);
    // TCP's and TLS's round trips, and the request's: 0.3 s; then 10 s, and 10 s when it is closed.
    let far = hourly("--tls --rtt 100ms");
    near(far, (2.0, 20.3), 1e-3);
}

/// Mail at random instants and a heartbeat after each silence have a formula: `theory/radio.rs` derives it.
#[test]
fn pushed_mail_and_heartbeats_use_it_as_the_formula_has_it() {
    for (rate, per_s, heartbeat, tail) in [
        ("1/min", 1.0 / 60.0, 15.0, 10.0),
        ("4/min", 1.0 / 15.0, 60.0, 10.0),
        ("1/h", 1.0 / 3_600.0, 30.0, 11.5),
    ] {
        let gone = |seconds: f64| 1.0 - f64::exp(-per_s * seconds);
        let woken = 3_600.0 * per_s * f64::exp(-per_s * tail) / gone(heartbeat);
        let on = 3_600.0 * gone(tail) / gone(heartbeat);
        let args = format!("sse --rate {rate} --heartbeat {heartbeat}s --radio-tail {tail}s --delay 1h");
        near(radio(&args), (woken, on), 0.015);
    }
}

/// A client that talks uses its radio for that, too: Poisson messages, whose answers come a round trip later.
#[test]
fn what_clients_say_wakes_it_as_well() {
    let (per_s, tail): (f64, f64) = (1.0 / 120.0, 10.0);
    let silent = f64::exp(-per_s * tail);
    let args = "poll --interval 1min --delay 1min --talk 1/2min";
    // Off if neither a poll nor a message came in the last 10 s.
    let off = (50.0 / 60.0) * silent;
    let woken = 3_600.0 * (silent / 60.0 + per_s * off);
    near(radio(args), (woken, 3_600.0 * (1.0 - off)), 1e-6);
    // A stream's client has another connection for it, which is closed after 75 s.
    let [apart, both] = ["sse", "ws"].map(|name| radio(&format!("{name} --delay 1h --talk 1/10min")));
    assert!(apart.1 > both.1 + 10.0, "{apart:?} {both:?}");
}

#[test]
fn a_modelled_figure_says_so_everywhere() {
    let result = json("ws");
    let radio = &result["results"][0]["radio"];
    assert_eq!(
        (&radio["method"], &result["radio_tail_ms"]),
        (&"modelled".into(), &10_000.0.into())
    );
    let table = told("ws --radio-tail 12s");
    for part in [
        "One client's radio, modelled with a tail of 12 s",
        "radio: modelled, not measured.",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let help = said(&run(&["--help"]).stdout);
    assert!(help.contains("its modelled wake-ups and seconds on"), "{help}");
}

#[test]
fn clients_behind_a_proxy_get_mail_by_another_way_or_none() {
    let case = "--clients 100000 --heartbeat 30s";
    let mixed = advice(&format!("{case} --blocked-share 2%"));
    // Techniques that find another way are compared without being named.
    let names: Vec<&str> = mixed.results.iter().map(|c| c.technique.as_str()).collect();
    assert_eq!(names, ["poll", "long-poll", "sse", "ws", "sockjs", "socketio"]);
    let all = advice(&format!("{case} {}", names.join(" ")));
    let behind = advice(&format!("{case} {} --block websocket,streaming", names.join(" ")));
    for name in ["sse", "ws"] {
        let (c, open) = (of(&mixed, name), of(&all, name));
        assert_eq!((c.without_mail, c.blocked_per_client), (Some(2_000.0), None));
        assert_eq!(c.fails, [Failing::PartlyBlocked]);
        assert_eq!((c.per_client, c.radio), (open.per_client, open.radio));
        assert_eq!(c.total, open.per_client.times(98_000.0));
    }
    for name in ["poll", "long-poll", "sockjs", "socketio"] {
        let (c, open, other) = (of(&mixed, name), of(&all, name), of(&behind, name));
        assert_eq!((c.without_mail, c.fails.is_empty()), (Some(0.0), true));
        assert_eq!(c.blocked_per_client, Some(other.per_client));
        let mean = |of: fn(&Candidate) -> f64| (of(&c), 0.98 * of(&open) + 0.02 * of(&other));
        for (found, expected) in [
            mean(|c| c.total.bytes_per_day),
            mean(|c| c.total.requests_per_s),
            mean(|c| c.per_client.bytes_down_per_day.unwrap()),
            mean(|c| c.per_client.opening_bytes),
            mean(|c| c.radio.as_ref().unwrap().on_s_per_hour),
        ] {
            assert!(
                (found - expected).abs() <= 1e-9 * expected,
                "{name}: {found} {expected}"
            );
        }
    }
    // ws alone would be the best; it is out, and so is what it is measured by.
    assert_eq!(all.recommendation.as_deref(), Some("sse"));
    assert_eq!(mixed.recommendation.as_deref(), Some("sockjs"));
    let text = told(&format!("{case} --blocked-share 2%"));
    for part in [
        "2 % of the clients behind a proxy that blocks websocket and streaming",
        "Not ws: 2,000 of 100,000 clients get no mail, because they are behind the proxy.",
        "Behind the proxy a client of sockjs takes another way:",
        "partly blocked: the clients behind the proxy get no mail.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Behind the proxy a client of poll"), "{text}");
}

#[test]
fn a_proxy_may_make_mail_late_or_be_in_nobodys_way() {
    let late = advice("sockjs --rtt 40ms --delay 30ms --blocked-share 1%").results[0].clone();
    // Three transits of 20 ms over the way that is left.
    assert_eq!(late.fails, [Failing::TooLate]);
    assert!((late.latency_ms.worst.unwrap() - 60.0).abs() < 1e-6, "{late:?}");
    assert!((late.latency_ms.mean.unwrap() - 20.0).abs() < 1.0, "{late:?}");
    let nobody = advice("ws sockjs --blocked-share 0%");
    for c in &nobody.results {
        assert_eq!((c.without_mail, c.fails.is_empty()), (Some(0.0), true), "{c:?}");
    }
    let everybody = advice("ws sockjs --clients 50 --blocked-share 100%");
    assert_eq!(of(&everybody, "ws").without_mail, Some(50.0));
    assert_eq!(of(&everybody, "ws").total.bytes_per_day, 0.0);
    assert_eq!(everybody.recommendation.as_deref(), Some("sockjs"));
    let stomp = advice("stomp --blocked-share 10%").results[0].clone();
    assert_eq!(stomp.fails, [Failing::PartlyBlocked]);
    let over = advice("stomp --over sockjs --blocked-share 10%").results[0].clone();
    assert!(
        over.fails.is_empty() && over.blocked_per_client.is_some(),
        "{over:?}"
    );
    let without = json("ws");
    for key in ["without_mail", "blocked_per_client", "cost_per_month", "server"] {
        assert_eq!(without["results"][0][key], Value::Null, "{key}");
    }
    assert_eq!(
        (&without["blocked_share"], &without["prices"]),
        (&Value::Null, &Value::Null)
    );
}

/// The prices in `docs/prices.toml` are 1 for a million of anything, and 0.1 for a GB down.
#[test]
fn a_month_costs_what_the_file_says() {
    let advice = advice("poll ws --clients 1000 --delay 10s --keep-alive 75s --prices docs/prices.toml");
    let second = 30.0 * 86_400.0;
    for c in &advice.results {
        let month = c.cost_per_month.unwrap();
        let gb = c.total.bytes_down_per_day.unwrap() * 30.0 / 1e9;
        let is = |found: Option<f64>, expected: f64| {
            let found = found.unwrap();
            assert!(
                (found - expected).abs() <= 1e-9 * expected,
                "{c:?}: {found} {expected}"
            );
        };
        is(month.requests, c.total.requests_per_s * second / 1e6);
        is(
            month.messages,
            c.total.messages_per_s.unwrap_or(0.0) * second / 1e6,
        );
        is(month.connection_minutes, 1_000.0 * second / 60.0 / 1e6);
        is(month.down, gb * 0.1);
        is(month.up, 0.0);
        let parts = [
            month.requests,
            month.messages,
            month.connection_minutes,
            month.down,
        ];
        is(Some(month.total), parts.into_iter().flatten().sum());
    }
    // A poll every 10 s and a mail a minute: 259,200 requests, 43,200 messages, for each of 1,000.
    let (poll, ws) = (of(&advice, "poll"), of(&advice, "ws"));
    near(
        (poll.cost_per_month.unwrap().requests.unwrap(), 1.0),
        (259.2, 1.0),
        2e-3,
    );
    near(
        (ws.cost_per_month.unwrap().messages.unwrap(), 1.0),
        (43.2, 1.0),
        1e-6,
    );
    assert_eq!((poll.total.messages_per_s, ws.total.requests_per_s), (None, 0.0));
    let text = told("poll ws --clients 1000 --delay 10s --prices docs/prices.toml");
    for part in [
        "A month for all 1,000, in coins requests messages connections traffic traffic in all",
        "By these prices ws is the cheapest of those that meet what is asked:",
        "A month has 30 days.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!told("poll ws").contains("month"));
}

#[test]
fn a_price_file_that_cannot_be_used_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.toml");
    let refused = |file: &Path, says: &str| {
        let output = run(&["--prices", file.to_str().unwrap()]);
        let error = said(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(says) && error.contains(file.to_str().unwrap()),
            "{error}"
        );
        assert!(output.stdout.is_empty());
    };
    for (text, says) in [
        ("", "it is empty"),
        (
            "currency = \"EUR\"\n",
            "it has no price; allowed are per_million_requests, ",
        ),
        (
            "currency = \"EUR\"\nper_request = 1\n",
            "per_request is no key of a price file",
        ),
        (
            "currency = \"EUR\"\nper_gb_down = -1\n",
            "per_gb_down is -1; allowed is a number from 0 to",
        ),
        (
            "currency = \"EUR\"\nper_gb_down = nan\n",
            "per_gb_down is NaN; allowed is",
        ),
        ("per_gb_down = 1\n", "currency must be a name"),
        ("currency = \"EUR\"\nper_gb_down = \n", "line 2: "),
        ("currency = \"\u{FF}", "line 1: "),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(&file, says);
    }
    std::fs::write(&file, vec![b'#'; 70_000]).unwrap();
    refused(&file, "larger than the 64 KiB allowed");
    std::fs::write(&file, b"currency = \"EUR\"\n# \xFF\n").unwrap();
    refused(&file, "line 2: it is not UTF-8");
    refused(&folder.path().join("missing.toml"), "No such file");
    refused(folder.path(), "directory");
}

#[test]
fn other_values_that_make_no_sense_are_named_with_what_is_allowed() {
    let cases: &[(&[&str], &str)] = &[
        (&["--radio-tail", "0s"], "1ms to 1h"),
        (&["--radio-tail", "2h"], "1ms to 1h"),
        (&["--radio-tail", "long"], "1ms to 1h"),
        (&["--blocked-share", "2"], "0% to 100%"),
        (&["--blocked-share", "101%"], "0% to 100%"),
        (&["--blocked-share", "-1%"], "0% to 100%"),
        (&["--blocked-share", "nan%"], "0% to 100%"),
        (&["--isolate"], "--verify"),
    ];
    for (args, expected) in cases {
        let output = run(args);
        let error = said(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

/// A server in a process of its own is measured; what all connections would take follows from it.
#[cfg(unix)]
#[test]
fn processor_and_memory_are_shown_where_they_were_measured() {
    let args = "sse ws --rate 1/min --delay 5s --verify --isolate";
    let advice = advice(args);
    for c in &advice.results {
        let used = c.server.unwrap();
        assert!(
            used.cpu_us > 0.0 && used.cpu_us_per_delivery.unwrap() > 0.0,
            "{c:?}"
        );
        assert_eq!(
            used.memory_bytes_per_connection.is_some(),
            cfg!(target_os = "linux"),
            "{c:?}"
        );
    }
    let style = mailcall::report::Style::default();
    let text = said(
        mailcall::report::draw(mailcall::report::Format::Table, &advice, &style)
            .unwrap()
            .as_bytes(),
    );
    for part in [
        "Each server in a process of its own, measured processor memory memory µs per mail each all",
        "all: as much for each that is held.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn all_of_it_is_the_same_for_any_seed() {
    let all = "poll sse sockjs --blocked-share 2% --prices docs/prices.toml --talk 1/min --rtt 20ms";
    let told = |seed: &str| advice(&format!("{all} --seed {seed}")).results;
    let (one, two) = (told("1"), told("2"));
    assert_eq!(one, told("1"));
    for (one, two) in one.iter().zip(&two) {
        assert_eq!(
            (&one.radio, one.blocked_per_client),
            (&two.radio, two.blocked_per_client)
        );
        assert_eq!(one.cost_per_month, two.cost_per_month);
    }
}
