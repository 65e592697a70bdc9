//! Every registered technique, by looping the registry: each mail once and in order, every byte
//! labelled, and what is predicted exactly is measured exactly.

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Closer, EventKind, Frames, Labelled, Outcome, Scenario};
use mailcall::technique::{self, Technique, tcp};

use crate::support::pace;
use crate::support::undisturbed::undisturbed;

/// Fast enough for a test, and with arrivals far enough apart that no two share an answer.
fn quick() -> Scenario {
    Scenario {
        mails: 12,
        rate_per_s: 40.0,
        arrivals: Arrivals::Steady,
        poll_interval_ms: 20.0,
        grace_ms: 10_000.0,
        ..Scenario::default()
    }
}

fn run(technique: &'static Technique, scenario: Scenario) -> Outcome {
    let outcomes = Lab::new(scenario)
        .unwrap()
        .compare(&[technique], &|_| {})
        .unwrap();
    outcomes.into_iter().next().unwrap()
}

fn check_sheet(o: &Outcome) {
    assert!(o.clean(), "{}: {:?}", o.technique, o.mails);
    for side in [&o.bytes.up, &o.bytes.down] {
        assert_eq!(
            side.head + side.framing + side.control + side.payload + side.tls,
            side.total
        );
    }
    let overhead = o.bytes.up.total + o.bytes.down.total - o.bytes.up.payload - o.bytes.down.payload;
    assert_eq!(o.overhead_bytes, overhead);
}

fn delivered_in_order(o: &Outcome, client: usize) -> Vec<u64> {
    let events = o
        .events
        .iter()
        .filter(|e| e.client == Some(client) && e.kind == EventKind::Delivered);
    events.filter_map(|e| e.mail).collect()
}

#[test]
fn each_mail_comes_once_and_in_order() {
    for technique in all() {
        let o = run(
            technique,
            Scenario {
                clients: 3,
                ..quick()
            },
        );
        check_sheet(&o);
        assert_eq!(o.mails.delivered, 36);
        for client in 0..3 {
            assert_eq!(
                delivered_in_order(&o, client),
                (1..=12).collect::<Vec<_>>(),
                "{}",
                o.technique
            );
        }
        assert_eq!(o.bytes.down.payload, 36 * 300, "{}", o.technique);
    }
}

/// What a prediction leaves to chance: polling's phase, and so how many requests there are.
fn is_exact(technique: &Technique) -> bool {
    technique.holds
}

fn is_as_predicted(o: &Outcome) -> bool {
    let same = |measured: &Labelled<u64>, predicted: &Labelled<f64>| {
        let pairs = [
            (measured.head, predicted.head),
            (measured.framing, predicted.framing),
            (measured.control, predicted.control),
            (measured.payload, predicted.payload),
            (measured.total, predicted.total),
        ];
        pairs.iter().all(|(m, p)| (*m as f64 - p).abs() < 1e-6)
    };
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    same(&b.up, &p.up) && same(&b.down, &p.down) && o.requests.total as f64 == o.predicted.requests.total
}

#[test]
fn what_does_not_hang_on_chance_is_predicted_to_the_byte() {
    let variants = [
        quick(),
        Scenario {
            reply: true,
            ..quick()
        },
        Scenario {
            attach: 5_000,
            frames: Frames::Binary,
            ..quick()
        },
        Scenario {
            attach: 5_001,
            reply: true,
            ..quick()
        },
        Scenario {
            headers: "browser".into(),
            reply: true,
            ..quick()
        },
        Scenario {
            closer: Closer::Server,
            size: 64,
            ..quick()
        },
        Scenario {
            size: 70_000,
            clients: 2,
            ..quick()
        },
        Scenario {
            headers: "demos/headers/kaazing-2010.http".into(),
            ..quick()
        },
    ];
    for scenario in variants {
        for technique in all().iter().filter(|t| is_exact(t)) {
            let run = |scenario: &Scenario| run(technique, scenario.clone());
            let o = pace::at_a_pace_that_is_kept(&scenario, run, is_as_predicted);
            check_sheet(&o);
            let (b, p) = (&o.bytes, &o.predicted.bytes);
            assert!(is_as_predicted(&o), "{}\n{b:?}\n{p:?}", o.technique);
        }
    }
}

#[test]
fn silence_is_broken_as_often_as_predicted() {
    // 4 mails 330 ms apart: with 100 ms of patience, three heartbeats or empty answers in each gap.
    let scenario = Scenario {
        mails: 4,
        rate_per_s: 3.0,
        heartbeat_ms: 100.0,
        hold_ms: 100.0,
        ..quick()
    };
    let patient = all().into_iter().filter(|t| is_exact(t) && !t.flags.is_empty());
    for technique in patient {
        undisturbed(|| {
            let o = run(technique, scenario.clone());
            check_sheet(&o);
            let (measured, predicted) = (o.overhead_bytes as f64, o.predicted.overhead_bytes);
            // A timer may fire on either side of a gap's end.
            assert!(
                (measured / predicted - 1.0).abs() < 0.15,
                "{}: {measured} against {predicted}",
                o.technique
            );
            assert!(
                o.bytes.down.control + o.requests.empty.unwrap_or(0) >= 8,
                "{}: {:?}",
                o.technique,
                o.bytes
            );
        });
    }
}

#[test]
fn a_photo_costs_text_a_third_more_and_a_binary_frame_nothing() {
    let photo = 30_000;
    for technique in all() {
        for frames in [Frames::Text, Frames::Binary] {
            let o = run(
                technique,
                Scenario {
                    attach: photo,
                    frames,
                    mails: 3,
                    ..quick()
                },
            );
            check_sheet(&o);
            assert_eq!(o.bytes.down.payload, 3 * (300 + photo as u64), "{}", o.technique);
            let as_it_is = technique.name == "tcp"
                || ["ws", "stomp", "socketio"].contains(&technique.name) && frames == Frames::Binary;
            assert_eq!(
                o.bytes.down.framing > 3 * photo as u64 / 3,
                !as_it_is,
                "{}: {:?}",
                o.technique,
                o.bytes
            );
        }
    }
}

#[test]
fn an_interrupted_run_says_how_far_it_came() {
    for technique in all() {
        let lab = Lab::new(Scenario {
            rate_per_s: 5.0,
            mails: 1_000,
            ..quick()
        })
        .unwrap();
        let interrupt = lab.interrupt.clone();
        let outcomes = lab.compare(&[technique], &|progress| {
            if progress.delivered >= 1 {
                interrupt.cancel();
            }
        });
        let o = &outcomes.unwrap()[0];
        assert!((1..1_000).contains(&o.mails.sent), "{:?}", o.mails);
    }
}

/// The registry, and the baseline, which must keep the same promises.
fn all() -> Vec<&'static Technique> {
    technique::ALL.iter().copied().chain([&tcp::TECHNIQUE]).collect()
}

/// A reader who meets a name in a table finds it spelled out in the README.
#[test]
fn the_readme_spells_out_each_technique() {
    let readme = std::fs::read_to_string("README.md").unwrap().to_lowercase();
    for technique in all() {
        assert!(
            readme.contains(&technique.title.to_lowercase()),
            "{}",
            technique.title
        );
    }
}
