//! A server goes away and comes back, in simulated runs: every technique's clients return, and no mail is lost that
//! need not be.

use std::time::Duration;

use mailcall::lab::storm::{self, Outage, Storming};
use mailcall::outcome::storm::Row;
use mailcall::outcome::{HttpVersion, Over, Retry, Scenario};
use mailcall::technique::{self, Technique, tcp};
use mailcall::theory::Jitter;

const DOWN: Duration = Duration::from_secs(3);

fn retry(jitter: Jitter) -> Retry {
    Retry {
        first_ms: Some(1_000.0),
        jitter,
        ..Retry::default()
    }
}

fn scenario(clients: usize) -> Scenario {
    Scenario {
        clients,
        rate_per_s: 8.0,
        retry: retry(Jitter::Full),
        ..Scenario::default()
    }
}

fn simulate(technique: &'static Technique, scenario: Scenario, down: Duration, new_log: bool) -> Row {
    let outage = Outage { down, new_log };
    let lab = storm::lab(scenario, &outage).unwrap();
    Storming::new(&lab, outage).simulate(technique).unwrap().unwrap()
}

/// Each technique in each scenario in which it can work.
fn everywhere(check: impl Fn(&'static Technique, Scenario, &str)) {
    let usual = scenario(7);
    let with = |change: fn(&mut Scenario)| {
        let mut scenario = usual.clone();
        change(&mut scenario);
        scenario
    };
    let scenarios = [
        ("plain", usual.clone()),
        ("TLS", with(|s| s.tls = true)),
        ("HTTP/2", with(|s| s.http = HttpVersion::Http2)),
        ("HTTP/1.0", with(|s| s.http = HttpVersion::Http10)),
        ("far away", with(|s| s.link.rtt_ms = 80.0)),
        ("over SockJS", with(|s| s.over = Over::Sockjs)),
    ];
    for (name, scenario) in scenarios {
        for technique in technique::ALL.iter().copied().chain([&tcp::TECHNIQUE]) {
            if technique.useless(&scenario).is_none() {
                check(technique, scenario.clone(), &format!("{} {name}", technique.name));
            }
        }
    }
}

#[test]
fn every_technique_returns_to_its_log_with_every_mail() {
    everywhere(|technique, scenario, what| {
        let clients = scenario.clients as u64;
        let row = simulate(technique, scenario, DOWN, false);
        let figures = &row.figures;
        assert!(row.is_clean(false), "{what}: {:?}", figures.mails);
        assert!(
            figures.mails.expected > 20 * clients,
            "{what}: {:?}",
            figures.mails
        );
        assert!(
            figures.connects >= clients,
            "{what}: {} connects",
            figures.connects
        );
        assert!(figures.most_connects_in_500ms <= figures.connects, "{what}");
        assert_eq!(
            figures.connects_per_100ms.iter().sum::<u64>(),
            figures.connects,
            "{what}"
        );
        let recovered = figures.recovered_ms.expect(what);
        assert!(figures.first_connect_ms.unwrap() <= recovered, "{what}");
        assert!(recovered < 6_000.0, "{what}: {recovered}");
        assert!(
            figures.overhead_bytes > 0 || technique.name == tcp::TECHNIQUE.name,
            "{what}"
        );
    });
}

#[test]
fn a_new_log_is_told_and_loses_only_what_nobody_had_seen() {
    everywhere(|technique, scenario, what| {
        if technique.name == tcp::TECHNIQUE.name {
            // It names no log.
            return;
        }
        let clients = scenario.clients as u64;
        let row = simulate(technique, scenario, DOWN, true);
        let m = &row.figures.mails;
        assert!(row.is_clean(true), "{what}: {m:?}");
        assert!(row.figures.recovered_ms.is_some(), "{what}: {m:?}");
        assert_eq!(m.reset, clients, "{what}: {m:?}");
        assert_eq!(m.delivered + m.lost, m.expected, "{what}: {m:?}");
        // What polls had not asked for yet, or what was under way.
        assert!(m.lost <= 5 * clients, "{what}: {m:?}");
    });
}

#[test]
fn polling_loses_with_the_log_what_it_had_not_asked_for() {
    let rare = Scenario {
        poll_interval_ms: 2_000.0,
        ..scenario(20)
    };
    let row = simulate(technique::named("poll").unwrap(), rare, DOWN, true);
    assert!(row.figures.mails.lost > 20, "{:?}", row.figures.mails);
    assert!(
        row.is_clean(true) && !row.is_clean(false),
        "{:?}",
        row.figures.mails
    );
}

#[test]
fn without_jitter_all_come_at_once_and_with_jitter_they_do_not() {
    let ws = technique::named("ws").unwrap();
    let most = |jitter| {
        let scenario = Scenario {
            retry: retry(jitter),
            ..scenario(60)
        };
        simulate(ws, scenario, DOWN + Duration::from_secs(1), false).figures
    };
    let together = most(Jitter::None);
    // The attempts are 1, 3 and 7 s after the loss.
    assert_eq!((together.most_connects_in_500ms, together.connects), (60, 60));
    assert_eq!(together.first_connect_ms, Some(3_000.0));
    assert_eq!(together.recovered_ms, Some(3_000.0));
    let [equal, full] = [Jitter::Equal, Jitter::Full].map(most);
    assert!(equal.most_connects_in_500ms < 40 && full.most_connects_in_500ms < 40);
    assert!(
        full.first_connect_ms < Some(1_000.0),
        "{:?}",
        full.first_connect_ms
    );
}

#[test]
fn the_same_seed_gives_the_same_storm() {
    let sse = technique::named("sse").unwrap();
    let once = || simulate(sse, scenario(20), DOWN, false);
    assert_eq!(once(), once());
    let other = Scenario {
        seed: 2,
        ..scenario(20)
    };
    let other = simulate(sse, other, DOWN, false).figures.connects_per_100ms;
    assert_ne!(once().figures.connects_per_100ms, other);
}

#[test]
fn after_a_long_outage_the_fullest_window_is_as_the_formula_says() {
    let ws = technique::named("ws").unwrap();
    for jitter in [Jitter::Full, Jitter::Equal] {
        let (clients, down) = (400, Duration::from_secs(40));
        let scenario = Scenario {
            rate_per_s: 0.1,
            retry: retry(jitter),
            ..scenario(clients)
        };
        let waits = scenario.retry.waits(Duration::from_secs(1));
        let expected = waits
            .most_connects(clients as f64, 0.5, down.as_secs_f64())
            .unwrap();
        let most = simulate(ws, scenario, down, false).figures.most_connects_in_500ms as f64;
        assert!(
            (0.8..1.35).contains(&(most / expected)),
            "{jitter:?}: {most}, not {expected}"
        );
    }
}
