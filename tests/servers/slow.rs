//! Clients that read slowly, over real sockets: the kernel's buffers fill, the server waits, and what is measured is
//! about what was simulated.

use std::process::{Command, Output};

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Outcome, Scenario, SlowPolicy};
use mailcall::technique;

/// One of three clients reads 300 kB/s, while 1.2 MB/s come for 1.7 s.
fn run(name: &str, slow_policy: Option<SlowPolicy>) -> Outcome {
    let scenario = Scenario {
        mails: 100,
        size: 20_000,
        rate_per_s: 60.0,
        arrivals: Arrivals::Steady,
        clients: 3,
        slow: 1,
        read_bytes_s: Some(300_000.0),
        slow_policy,
        ..Scenario::default()
    };
    let technique = technique::named(name).unwrap();
    let outcomes = Lab::new(scenario)
        .unwrap()
        .compare(&[technique], &|_| {})
        .unwrap();
    outcomes.into_iter().next().unwrap()
}

#[test]
fn a_slow_client_is_as_late_as_predicted_and_the_others_are_not() {
    let cases = [
        ("poll", None),
        ("sse", None),
        ("ws", None),
        ("tcp", None),
        ("sse", Some(SlowPolicy::Buffer)),
        ("ws", Some(SlowPolicy::DropOldest)),
        ("sse", Some(SlowPolicy::Latest)),
        ("sse", Some(SlowPolicy::Disconnect)),
        ("ws", Some(SlowPolicy::Disconnect)),
    ];
    // They wait most of the time, and can wait together.
    std::thread::scope(|scope| {
        for (name, policy) in cases {
            scope.spawn(move || check(name, policy));
        }
    });
}

fn check(name: &str, policy: Option<SlowPolicy>) {
    let o = run(name, policy);
    let (slow, predicted) = (o.slow.clone().unwrap(), o.predicted.slow.clone().unwrap());
    let about = format!("{name} {policy:?}: {:?} {} dropped", o.mails, slow.dropped);
    assert!(o.clean() && o.undisturbed(), "{about}");
    assert_eq!(o.mails.delivered + slow.dropped, 300, "{about}");
    let [late, foreseen] = [&slow, &predicted].map(|s| s.latency_us.unwrap().p99 / 1e6);
    let near = foreseen * 0.6..foreseen * 1.6 + 1.0;
    assert!(near.contains(&late), "{about}: {late} s, not {foreseen} s");
    let others = slow.others_latency_us.unwrap();
    assert!(others.p99 / 1e6 < late / 3.0, "{about}: {others:?}");
    let grows = policy == Some(SlowPolicy::Buffer);
    assert_eq!(
        slow.waiting_bytes > Some(700_000),
        grows,
        "{about}: {:?}",
        slow.waiting_bytes
    );
    assert_eq!(
        slow.cut_off > 0,
        policy == Some(SlowPolicy::Disconnect),
        "{about}"
    );
}

fn mailcall(args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C").args(args.split(' ')).output().unwrap()
}

#[test]
fn the_table_shows_the_slow_beside_the_others() {
    let args = "compare sse ws --clients 3 --slow 2 --read-rate 100kB/s --size 20000 --rate 20/s --mails 60 --simulate";
    let text = |more: &str| {
        let output = mailcall(&format!("{args}{more}"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let plain = text(" --timeline");
    for said in [
        "2 of them read 100,000 B/s",
        "With sse a slow client was up to",
        "The others waited 0 ms on average.",
        "Slow clients and the others",
        "behind: the most mails that had arrived",
        "Shown: 2 of 3 clients.",
    ] {
        assert!(plain.contains(said), "{said}: {plain}");
    }
    assert!(!plain.contains("dropped"), "{plain}");
    let dropping = text(" --slow-policy latest");
    for said in [
        "a queue for each client, which holds the newest mail alone",
        "Full queues dropped",
        "dropped",
    ] {
        assert!(dropping.contains(said), "{said}: {dropping}");
    }
    let cutting = text(" --slow-policy disconnect");
    assert!(
        cutting.contains("were cut off and came back with their cursor"),
        "{cutting}"
    );
}

#[test]
fn a_server_in_a_process_of_its_own_counts_too() {
    let args = "sse --clients 2 --slow 1 --read-rate 200kB/s --size 20000 --rate 100/s --mails 60 --slow-policy buffer \
                --isolate --format json";
    let output = mailcall(&args.split_whitespace().collect::<Vec<_>>().join(" "));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let slow = &json["results"][0]["slow"];
    assert!(slow["waiting_bytes"].as_u64().unwrap() > 300_000, "{slow}");
}

#[test]
fn bad_usage_is_named() {
    for (args, said) in [
        (
            "sse --slow 3 --clients 2",
            "--slow 3 is more than the clients, of which there are 2",
        ),
        ("sse --tabs 8 --slow 3", "with --tabs 8, --slow is 0 or 8, not 3"),
        ("sse --read-rate 10kB/s", "--slow <N>"),
        ("sse --slow 1 --read-rate 10", "allowed is 1kB/s to 1GB/s"),
        (
            "sse --slow 1 --slow-policy all",
            "buffer, drop-oldest, latest, disconnect",
        ),
        (
            "poll --slow 1 --slow-policy latest",
            "`--slow-policy` belongs to sse and ws; poll has no queue",
        ),
    ] {
        let output = mailcall(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args}: {text}");
        assert!(text.contains(said), "{args}: {text}");
    }
}
