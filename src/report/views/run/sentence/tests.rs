use super::figures::*;
use super::*;
use crate::outcome::{Outcome, Report};
use crate::report::fixture::{self, LONG_POLL, POLL, Plain, SSE, WS};
use crate::wire::Label;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn said(report: &Report) -> String {
    notice(report, |_| None)
}

fn says(report: &Report, parts: &[&str]) {
    let text = said(report);
    println!("{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn typical_waste_and_waiting() {
    says(
        &fixture::typical(),
        &[
            "poll made 62 requests and 43 of them (69 %) brought nothing",
            "waited 104 ms",
            "ws made 1,",
            "22.5 B",
            "619 B",
        ],
    );
}

#[test]
fn a_websocket_can_lose() {
    let cheaper = [
        "ws is quicker",
        "poll is cheaper",
        "4.0 B of overhead a mail",
        "ws 8.2 B",
        "because 20 answers brought its 2,000 mails",
    ];
    says(&fixture::ws_loses(), &cheaper);
    says(
        &fixture::one_mail(),
        &[
            "long-poll costs 422 B of overhead a mail, ws 656 B (1.6 times as much)",
            "opening ws's connection takes 640 B of head, for only 1 mail",
        ],
    );
    let framed = Plain {
        head: 100,
        framing: 900,
        ..fixture::WS_ONCE
    };
    let text = said(&fixture::of(&[
        Plain {
            head: 420,
            framing: 2,
            ..fixture::WS_ONCE
        },
        Plain { name: "b", ..framed },
    ]));
    assert!(!text.contains("opening"), "framing is what costs here: {text}");
}

#[test]
fn what_was_disturbed_has_no_price_to_tell() {
    let mut report = fixture::of(&[SSE, WS]);
    report.results[0].connections.reconnects = Some(5);
    says(&report, &["sse (reconnected 5 times) was disturbed on the way"]);
    report.results[1].requests.failed = Some(1);
    says(
        &report,
        &["sse (reconnected 5 times) and ws (1 failed answer) were disturbed"],
    );
    let alone = fixture::only(&report, "sse");
    assert_eq!(notice(&alone, |_| Some("Paid once.".into())), said(&alone));
    // A refused transport is one of its attempts, which its own sentence mentions.
    let mut fell_back = fixture::only(&fixture::of(&[SSE]), "sse");
    fell_back.results[0].requests.failed = Some(1);
    fell_back.results[0].attempts = vec![crate::outcome::Attempt {
        client: 0,
        transport: "websocket".into(),
        t_us: 0.0,
        took_us: 1.0,
        failed: Some("403".into()),
    }];
    assert_eq!(notice(&fell_back, |_| Some("Fell back.".into())), "Fell back.");
}

#[test]
fn bytes_are_shared_out_over_the_mails_they_carried() {
    let mut report = fixture::of(&[SSE]);
    let before = label(&report.results[0], Label::Payload);
    report.results[0].mails.carried = Some(2 * report.results[0].mails.delivered);
    assert_eq!(label(&report.results[0], Label::Payload), before / 2.0);
}

#[test]
fn nothing_differs() {
    says(
        &fixture::alike(),
        &[
            "Nothing sets sse and sse-too apart",
            "same within 10 %",
            "and so is latency",
        ],
    );
    let mut apart = fixture::alike();
    apart.results[1].latency_us.as_mut().unwrap().mean = 600.0;
    says(&apart, &["Nothing sets", "latency within a millisecond"]);
    apart.results[0].trust.starved = true;
    assert!(
        !said(&apart).contains("latency"),
        "a starved machine's latency is not spoken of"
    );
}

#[test]
fn one_dimension_alone() {
    let slow = fixture::of(&[
        SSE,
        Plain {
            name: "late",
            mean_ms: 90.0,
            ..SSE
        },
    ]);
    says(
        &slow,
        &[
            "same within 10 % with sse and late, but mail waited 90 ms on average with late",
            "0.1 ms with sse",
        ],
    );
    let busy = fixture::of(&[
        LONG_POLL,
        Plain {
            requests: 40,
            name: "other",
            ..LONG_POLL
        },
    ]);
    says(
        &busy,
        &[
            "other needed 40 requests where long-poll needed 21",
            "overhead is the same within 10 %",
        ],
    );
    let pushed = fixture::of(&[SSE, WS]);
    says(
        &pushed,
        &[
            "ws costs 22.5 B of overhead a mail, sse 42.4 B (1.9 times as much)",
            "of which framing is 26.4 B against 4 B",
        ],
    );
    let late = fixture::of(&[
        Plain {
            empty: Some(1),
            ..POLL
        },
        WS,
    ]);
    says(
        &late,
        &[
            "ws costs 22.5 B of overhead a mail, poll 619 B (27.5 times as much)",
            "mail waits 0.09 ms with ws, 104 ms with poll",
        ],
    );
}

#[test]
fn lost_mail_outweighs_prices() {
    says(
        &fixture::lost(),
        &["sse (2 lost) and ws (1 out of order, 1 never answered) did not do the whole job"],
    );
    let alone = fixture::only(&fixture::lost(), "sse");
    says(&alone, &["sse (2 lost)", "what it cost here"]);
    assert_eq!(notice(&alone, |_| Some("All is well.".into())), said(&alone));
}

#[test]
fn attachments_pay_base64() {
    says(
        &fixture::attachments(),
        &[
            "poll and sse carry the attachment as base64",
            "33 % on top",
            "ws sends it as it is, with 14 B of framing",
        ],
    );
    let mut text = fixture::attachments();
    text.results.pop();
    says(&text, &["All of them carry the attachment as base64"]);
    let mut small = fixture::typical();
    small.scenario.attach = 10;
    assert!(
        !said(&small).contains("base64"),
        "ten bytes' base64 does not dominate"
    );
}

#[test]
fn replies_cost_requests() {
    says(
        &fixture::replies(),
        &[
            "ws said its 20 replies on the connection it had, with 1 request in all",
            "sse (21 requests) needed a request for each reply",
        ],
    );
    let mut silent = fixture::replies();
    silent.scenario.reply = false;
    assert!(!said(&silent).contains("Talking"));
}

#[test]
fn alone_and_with_its_own_words() {
    let all = fixture::typical();
    let of = |name| fixture::only(&all, name);
    says(
        &of("poll"),
        &[
            "62 requests for 20 mails: 43 of the requests (69 %) brought nothing",
            "waited 104 ms",
        ],
    );
    says(
        &of("long-poll"),
        &[
            "21 requests for 20 mails, hardly one in vain",
            "242 B for every mail",
        ],
    );
    says(
        &of("ws"),
        &[
            "1 request for 20 mails: what stays open is paid for once",
            "22.5 B",
        ],
    );
    says(
        &fixture::only(&fixture::one_mail(), "ws"),
        &["1 request for only 1 mail", "98 %"],
    );
    assert_eq!(
        notice(&of("ws"), |o| Some(format!("I am {}.", o.technique))),
        "I am ws."
    );
    assert_ne!(notice(&all, |_| Some("mine".into())), "mine");
}

#[test]
fn the_baseline_is_no_competitor() {
    let with = |mut plain: Vec<Plain>| {
        plain.insert(1, fixture::TCP);
        fixture::of(&plain)
    };
    let all = with(vec![POLL, LONG_POLL, SSE, WS]);
    assert_eq!(said(&all), said(&fixture::typical()));
    assert_eq!(said(&with(vec![SSE, WS])), said(&fixture::of(&[SSE, WS])));
    let ws = with(vec![WS]);
    assert_eq!(said(&ws), said(&fixture::of(&[WS])));
    assert_eq!(
        notice(&ws, |o| Some(format!("I am {}.", o.technique))),
        "I am ws."
    );
    says(
        &fixture::of(&[fixture::TCP]),
        &["tcp made 0 requests for 20 mails"],
    );
    let mut lost = all.clone();
    lost.results[1].mails.lost = 1;
    says(&lost, &["tcp (1 lost) did not do the whole job"]);
}

#[test]
fn sums_over_seeds_are_told_as_such() {
    says(
        &fixture::five_seeds(),
        &[
            "Over 5 seeds: poll made 310 requests and 215 of them (69 %) brought nothing",
            "ws made 5,",
        ],
    );
    let mut interrupted = fixture::five_seeds();
    interrupted.envelope.partial = true;
    assert_eq!(
        said(&interrupted),
        said(&fixture::five_seeds()),
        "whole seeds are whole runs"
    );
}

#[test]
fn chance_is_not_told_as_a_difference() {
    let late = |ms: f64, requests: u64, framing: u64| Plain {
        name: "late",
        mean_ms: ms,
        requests,
        framing,
        ..SSE
    };
    let seeds = |chance: [(f64, u64, u64); 5]| {
        let each = chance.map(|(ms, n, framing)| vec![Plain { mean_ms: 10.0, ..SSE }, late(ms, n, framing)]);
        fixture::repeated(&each)
    };
    let steady = [(15.0, 1, 527); 5];
    says(
        &seeds(steady),
        &["mail waited 15 ms on average with late and 10 ms with sse"],
    );
    let mut wild = steady;
    wild[0] = (55.0, 9, 3_000);
    wild[1] = (9.0, 1, 500);
    says(
        &seeds(wild),
        &[
            "Nothing sets sse and late apart",
            "differ by no more than chance, and latency differs by no more than chance",
        ],
    );
    // One run: latencies of 100 and 112 ms with twenty mails each may be the same technique.
    let mut few = fixture::of(&[
        Plain {
            mean_ms: 100.0,
            ..SSE
        },
        late(112.0, 1, 527),
    ]);
    says(&few, &["Nothing sets", "latency differs by no more than chance"]);
    for o in &mut few.results {
        o.latency_us.as_mut().unwrap().count = 20_000;
    }
    says(&few, &["mail waited 112 ms"]);
}

#[test]
fn interrupted_or_empty() {
    let mut half = fixture::typical();
    half.envelope.partial = true;
    half.results[0].mails.delivered = 7;
    says(&half, &["interrupted after 67 of 80 deliveries"]);
    says(&fixture::empty(), &["No mail arrived"]);
    says(&fixture::of(&[]), &["No mail arrived"]);
}

#[test]
fn every_situation_has_its_own_sentence() {
    let typical = fixture::typical();
    let reports = [
        typical.clone(),
        fixture::ws_loses(),
        fixture::one_mail(),
        fixture::alike(),
        fixture::lost(),
        fixture::attachments(),
        fixture::replies(),
        fixture::empty(),
        fixture::only(&typical, "poll"),
        fixture::only(&typical, "long-poll"),
        fixture::only(&typical, "sse"),
    ];
    let different: BTreeSet<String> = reports.iter().map(said).collect();
    assert_eq!(different.len(), reports.len());
}

prop_compose! {
    fn any_plain(name: &'static str)(
        mails in 0..50u64, mean_ms in 0.0..500.0, requests in 0..200u64, empty in prop::option::of(0..200u64),
        up in prop::option::of(0..50u64), head in 0..20_000u64, framing in 0..20_000u64, control in 0..500u64,
    ) -> Plain {
        let payload = mails * 300;
        let empty = empty.map(|e| e.min(requests));
        Plain { name, mails, mean_ms, requests, empty, messages: (up, up), head, framing, control, payload }
    }
}

proptest! {
    /// For any figures: one sentence, all numbers finite, and no wrong claim of being cheaper or faster.
    #[test]
    fn never_claims_what_is_not_so(a in any_plain("aa"), b in any_plain("bb"), c in any_plain("cc"), attach in 0..60_000usize) {
        let mut report = fixture::of(&[a, b, c]);
        report.scenario.attach = attach;
        let text = said(&report);
        prop_assert!(text.ends_with('.') && !text.contains("NaN") && !text.contains("inf") && !text.contains('–'), "{}", text);
        let of = |name: &str| report.results.iter().find(|o| o.technique == name).unwrap();
        let before = |what: &str| text.find(what).map(|i| of(&text[i - 2..i]));
        if let (Some(quick), Some(cheap)) = (before(" is quicker"), before(" is cheaper")) {
            prop_assert!(latency(quick) < latency(cheap) && overhead(cheap) < overhead(quick), "{}", text);
        }
        if text.contains("Nothing sets") {
            let all: Vec<&Outcome> = report.results.iter().collect();
            let (low, high) = range(&all, overhead);
            prop_assert!(high <= low * SAME, "{}", text);
        }
        if let Some(worst) = before(" made ").filter(|_| text.contains("instead of")) {
            prop_assert!(report.results.iter().all(|o| overhead(o) <= overhead(worst) || o.requests.total < worst.requests.total || latency(o) < latency(worst)), "{}", text);
        }
    }
}

#[test]
fn talking_is_told_where_one_connection_does_for_both_ways() {
    let said = |report: &Report| notice(report, |_| None);
    assert_eq!(
        said(&fixture::talking()),
        "Both ways at once: ws said its 40 messages on its one connection, at 6 B of overhead each; sse (2 \
         connections) needed a request for every one, at up to 205 B, 34 times as much."
    );
    let mut encrypted = fixture::talking();
    encrypted.results[0].bytes.down.tls = 9;
    assert!(said(&encrypted).ends_with("34 times as much. Neither has what TLS adds."));
    let mut several = fixture::talking();
    several.results[1].talk.as_mut().unwrap().connections_per_client = 3.0;
    assert!(!said(&several).contains("one connection"));
    // A technique that framed no message, or paid no less, is not praised for it.
    for spoil in [
        (|o| o.messages.up = Some(0)) as fn(&mut Outcome),
        |o| o.talk.as_mut().unwrap().overhead_bytes_per_message.up = Some(300.0),
        |o| o.talk = None,
    ] {
        let mut report = fixture::talking();
        spoil(&mut report.results[1]);
        assert!(!said(&report).contains("Both ways"), "{}", said(&report));
    }
}

#[test]
fn a_message_lost_or_heard_twice_is_no_whole_job() {
    let mut report = fixture::talking();
    let talk = report.results[0].talk.as_mut().unwrap();
    (talk.heard, talk.lost, talk.duplicated) = (38, 2, 1);
    assert!(!report.results[0].clean() && report.results[1].clean());
    let said = notice(&report, |_| None);
    assert!(said.contains("2 of the client's messages never heard"), "{said}");
    assert!(said.contains("1 of the client's messages heard twice"), "{said}");
}
