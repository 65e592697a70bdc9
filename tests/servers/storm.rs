//! Five hundred clients return to a server that went away, over real sockets: as many at once, and as late, as
//! predicted.

use std::time::Duration;

use mailcall::lab::storm::{self, Outage, Storming};
use mailcall::outcome::storm::Row;
use mailcall::outcome::{Retry, Scenario};
use mailcall::technique;
use mailcall::theory::Jitter;

const CLIENTS: usize = 500;

/// Each waits as long after every failure.
fn storm(name: &str, clients: usize, (jitter, wait): (Jitter, Duration), new_log: bool) -> Row {
    let scenario = Scenario {
        clients,
        rate_per_s: 4.0,
        retry: Retry {
            first_ms: Some(wait.as_secs_f64() * 1e3),
            factor: 1.0,
            jitter,
        },
        ..Scenario::default()
    };
    let outage = Outage {
        down: wait + Duration::from_millis(1_500),
        new_log,
    };
    let lab = storm::lab(scenario, &outage).unwrap();
    let technique = technique::named(name).unwrap();
    let row = Storming::new(&lab, outage).measure(technique, &|_| {});
    row.unwrap().unwrap()
}

/// How often something is measured at most: a machine with other work delays some clients, and a wrong prediction is
/// wrong each time.
const TRIES: usize = 3;

#[test]
fn jitter_spreads_five_hundred_clients_as_predicted_and_without_it_they_stay_together() {
    let mut ratios = Vec::new();
    let near = |ratio: f64| (ratio - 1.0).abs() < 0.1;
    while ratios.len() < TRIES && !ratios.last().is_some_and(|ratio| near(*ratio)) {
        // 500 clients within 4 s are less than this machine can do, so what is late is not late for long.
        let row = storm("ws", CLIENTS, (Jitter::Full, Duration::from_secs(4)), false);
        let (measured, predicted) = (&row.figures, row.predicted.as_ref().unwrap());
        assert!(row.is_clean(false), "{:?}", measured.mails);
        assert_eq!((measured.connects, predicted.connects), (500, 500));
        assert!(measured.recovered_ms.is_some());
        let most = [measured, predicted].map(|r| r.most_connects_in_500ms as f64);
        ratios.push(most[0] / most[1]);
    }
    assert!(ratios.last().is_some_and(|ratio| near(*ratio)), "{ratios:?}");

    let row = storm("ws", CLIENTS, (Jitter::None, Duration::from_secs(1)), false);
    let (measured, predicted) = (&row.figures, row.predicted.as_ref().unwrap());
    assert!(row.is_clean(false), "{:?}", measured.mails);
    assert_eq!(predicted.most_connects_in_500ms, 500);
    let last = [measured, predicted].map(|r| r.last_connect_ms.unwrap());
    assert!(last[0] <= last[1] + 2_000.0, "{last:?}");
}

/// Also for techniques whose HTTP client is another one than in the prediction.
#[test]
fn real_servers_come_back_with_their_log_and_with_a_new_one() {
    let all = [
        "poll",
        "long-poll",
        "sse",
        "ndjson",
        "stomp",
        "sockjs",
        "socketio",
    ];
    // They wait most of the time, and can wait together.
    std::thread::scope(|scope| {
        for (i, name) in all.into_iter().enumerate() {
            scope.spawn(move || {
                let new_log = i.is_multiple_of(2);
                let mut connects: Vec<[u64; 2]> = Vec::new();
                // A request that is late on a busy machine takes another's connection, or one of its own.
                while connects.len() < TRIES && connects.last().is_none_or(|[m, p]| m != p) {
                    let row = storm(name, 4, (Jitter::Equal, Duration::from_secs(1)), new_log);
                    let m = &row.figures.mails;
                    assert!(row.is_clean(new_log), "{name}: {m:?}");
                    assert_eq!(m.reset, if new_log { 4 } else { 0 }, "{name}: {m:?}");
                    assert!(row.figures.recovered_ms.is_some(), "{name}");
                    connects.push([row.figures.connects, row.predicted.unwrap().connects]);
                }
                assert!(
                    connects.last().is_some_and(|[m, p]| m == p),
                    "{name}: {connects:?}"
                );
            });
        }
    });
}
