//! A proxy that holds answers back until they are over (`--block streaming`): an event stream opens, stays
//! silent, and everything arrives when it ends.

use std::process::Command;

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Block, Closer, HttpVersion, Outcome, Scenario};
use mailcall::technique;

fn scenario() -> Scenario {
    Scenario {
        mails: 6,
        rate_per_s: 20.0,
        arrivals: Arrivals::Steady,
        grace_ms: 300.0,
        block: vec![Block::Streaming],
        ..Scenario::default()
    }
}

fn run(scenario: Scenario) -> Outcome {
    let sse = technique::named("sse").unwrap();
    let outcomes = Lab::new(scenario).unwrap().compare(&[sse], &|_| {}).unwrap();
    outcomes.into_iter().next().unwrap()
}

#[test]
fn everything_arrives_when_the_stream_ends() {
    for http in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
        for (closer, clients, reply) in [
            (Closer::Client, 1, false),
            (Closer::Server, 3, false),
            (Closer::Client, 2, true),
        ] {
            let name = format!("{http} {closer:?} {clients} {reply}");
            let o = run(Scenario {
                http,
                closer,
                clients,
                reply,
                ..scenario()
            });
            let all = 6 * clients as u64;
            assert_eq!((o.mails.delivered, o.mails.held_back), (all, Some(all)), "{name}");
            assert_eq!((o.mails.lost, o.mails.undelivered), (0, 0), "{name}");
            assert!(
                o.clean() && o.undisturbed(),
                "{name}: {:?} {:?}",
                o.mails,
                o.connections
            );
            // The last mail was due 250 ms after the first, and waited for the grace at least.
            let latency = o.latency_us.as_ref().unwrap();
            assert!(
                latency.min >= 300e3 && latency.max >= 550e3,
                "{name}: {latency:?}"
            );
            assert!(o.messages.first_us.unwrap() >= 550e3, "{name}: {:?}", o.messages);
            // The simulated run waits for as long.
            assert!(o.predicted.was_made(), "{name}");
            assert!(o.predicted.latency_us.mean >= 300e3, "{name}: {:?}", o.predicted);
            assert_eq!(
                o.predicted.bytes.down.payload, o.bytes.down.payload as f64,
                "{name}"
            );
        }
    }
}

#[test]
fn a_full_buffer_lets_through_what_it_holds() {
    let o = run(Scenario {
        mails: 7,
        size: 30_000,
        ..scenario()
    });
    // Three mails fill 64 KiB; the seventh waits for the end.
    assert_eq!(
        (o.mails.delivered, o.mails.held_back),
        (7, Some(1)),
        "{:?}",
        o.mails
    );
    assert!(o.clean());
}

#[test]
fn the_table_shows_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_mailcall"))
        .env("LC_ALL", "C")
        .args([
            "compare", "sse", "ws", "--mails", "6", "--rate", "20/s", "--grace", "300ms",
        ])
        .args(["--block", "streaming"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "The stream of sse opened and stayed silent for",
        "6 of 6 mails came only when the stream ended",
    ] {
        assert!(words.contains(said), "{text}");
    }
    let rows: Vec<&str> = text.lines().collect();
    let at = rows.iter().position(|l| l.starts_with("sse ")).unwrap();
    let predicted = rows[at + 1].strip_prefix("  predicted").unwrap();
    assert!(predicted.contains(|c: char| c.is_ascii_digit()), "{text}");
}
