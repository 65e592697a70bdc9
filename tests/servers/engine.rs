//! The log in NATS JetStream: its numbers, its limits, servers that share it, and what happens when the engine or the
//! way to it fails. Clients may get mail late, and never lose or repeat any.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use mailcall::lab::Lab;
use mailcall::lab::visit::Visit;
use mailcall::outcome::{Arrivals, Outcome, Scenario};
use mailcall::technique::{self, Headers, Origin, Technique};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::support::nats::{Nats, Switch};
use crate::support::served::{Serving, mailcall, run};
use crate::support::{Kept, PATIENCE, until};

/// A server without mail of its own, over the log at this place.
fn serve(log: &str, more: &[&str]) -> Serving {
    Serving::start(&[&["--mails", "0", "--log", log, "--hold", "5s"], more].concat())
}

/// Posts a mail; the whole answer.
fn post(server: &Serving, text: &str) -> String {
    server.post("text/plain", text.as_bytes())
}

/// The number that an answer to a posted mail gives it; `None` if it was not acknowledged.
fn number(answer: &str) -> Option<u64> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    head.contains(" 201 ").then(|| json["id"].as_u64().unwrap())
}

/// The list that a poll is answered with; empty for 204.
fn list(server: &Serving, after: &str) -> Vec<serde_json::Value> {
    let answer = server.get(&format!("/poll?after={after}"));
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    match answer.contains(" 204 ") {
        true => Vec::new(),
        false => serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}")),
    }
}

fn epoch(server: &Serving) -> String {
    let answer = server.get("/schedule");
    let said: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    said["epoch"].as_str().unwrap().into()
}

/// Waits until the server has this many mails in its window.
fn has(server: &Serving, newest: u64) {
    until("the mail has come to the server", || {
        let answer = server.get("/schedule");
        answer.contains(&format!("\"newest\":{newest},"))
    });
}

/// What a client of another program does to the streams.
fn ask<T>(nats: &Nats, what: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(nats.url()).await.unwrap();
        what(jetstream::new(client)).await
    })
}

#[test]
fn servers_of_one_stream_have_its_numbers_its_epoch_and_its_limits() {
    let Some(nats) = Nats::start("") else { return };
    let log = format!("{}/shared", nats.url());
    let limits = ["--keep", "5", "--keep-bytes", "100kB"];
    let (one, other) = (serve(&log, &limits), serve(&log, &limits));
    assert_eq!(epoch(&one), epoch(&other));
    for n in 1..=7 {
        let server = if n % 2 == 0 { &one } else { &other };
        assert_eq!(number(&post(server, &format!("mail {n}"))), Some(n));
    }
    let cursor = format!("1.{}", epoch(&one));
    // Started later, it reads what the stream has kept.
    let late = serve(&log, &limits);
    for server in [&one, &other, &late] {
        has(server, 7);
        let list = list(server, &cursor);
        let (gap, mails) = list.split_first().unwrap();
        assert_eq!(gap["gap"], 1);
        let bodies: Vec<_> = mails
            .iter()
            .map(|mail| (mail["id"].as_u64(), mail["body"].as_str()))
            .collect();
        let sent: Vec<String> = (3..=7).map(|n| format!("mail {n}")).collect();
        let sent: Vec<_> = (3..=7)
            .zip(&sent)
            .map(|(n, text)| (Some(n), Some(&**text)))
            .collect();
        assert_eq!(bodies, sent);
    }
    let info = ask(&nats, async |js| {
        js.get_stream("shared").await.unwrap().cached_info().clone()
    });
    assert_eq!((info.config.max_messages, info.config.max_bytes), (5, 100_000));
    assert_eq!(info.state.messages, 5);
    // Two servers with other limits would change them in turn.
    let refused = run(&["serve", "--log", &log, "--keep", "6"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && said.contains("--keep 5 --keep-bytes 100000"),
        "{said}"
    );
    // A mail of another program is a text.
    ask(&nats, async |js| {
        js.publish("shared.hello", "Lunch?".into())
            .await
            .unwrap()
            .await
            .unwrap()
    });
    has(&one, 8);
    assert_eq!(list(&one, &format!("7.{}", epoch(&one)))[0]["body"], "Lunch?");
    for server in [one, other, late] {
        server.stop(Signal::INT);
    }
}

/// A key names a mail: sent again after a lost answer, it is kept once.
#[test]
fn a_mail_with_a_key_is_kept_once() {
    let Some(nats) = Nats::start("") else { return };
    let servers = [serve(&nats.url(), &[]), serve(&nats.url(), &[])];
    let send = |server: &Serving, key: &str| {
        server.exchange(format!(
            "POST /mail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: {key}\r\n\
             Content-Length: 2\r\n\r\nhi"
        ))
    };
    for (server, key, kept) in [
        (0, "\"a\"", 1),
        (1, "\"a\"", 1),
        (0, "a", 1),
        (0, "b", 2),
        (1, "b", 2),
    ] {
        assert_eq!(number(&send(&servers[server], key)), Some(kept), "{key}");
    }
    for bad in ["", "\"\"", "a b", &"x".repeat(129)] {
        let answer = send(&servers[0], bad);
        assert!(
            answer.contains(" 400 ") && answer.contains("1 to 128"),
            "{bad}: {answer}"
        );
    }
    for server in servers {
        server.stop(Signal::INT);
    }
}

/// It gets in, and is in nothing that is printed or written.
#[test]
fn a_password_is_used_and_never_shown() {
    let Some(nats) = Nats::start("authorization { user: anna, password: \"s3cr/et\" }") else {
        return;
    };
    let given = format!("nats://anna:s3cr%2Fet@{}", nats.address());
    let args = ["ws", "--mails", "2", "--rate", "100/s", "--log", &given];
    for more in [&["--format", "json"][..], &[], &["--isolate"], &["--lang", "ko"]] {
        let output = run(&[&args, more].concat());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(&nats.url()) && !said.contains("s3cr"), "{said}");
    }
    let wrong = format!("nats://anna:s3cr3t@{}", nats.address());
    for (bad, code) in [(wrong, 1), (format!("{given}/a.b"), 2), (nats.url(), 1)] {
        let output = run(&["ws", "--log", &bad]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("nats://") && !said.contains("s3cr"), "{said}");
    }
}

fn visit(technique: &'static Technique, authority: &str, mails: u64) -> Visit {
    Visit {
        technique,
        origin: Origin::plain(authority),
        authority: None,
        scenario: Scenario {
            poll_interval_ms: 30.0,
            grace_ms: 60_000.0,
            ..Scenario::default()
        },
        headers: Arc::new(Headers::default()),
        mails: Some(mails),
        interrupt: CancellationToken::new(),
    }
}

/// Clients of every technique at this address stay for so many mails; `meanwhile` gets a function that waits until all
/// of them have so many.
fn all_stay(authority: &str, mails: u64, meanwhile: impl FnOnce(&dyn Fn(u64))) -> Vec<Outcome> {
    let visits: Vec<Visit> = technique::ALL
        .iter()
        .map(|t| visit(t, authority, mails))
        .collect();
    let arrived: Vec<_> = visits.iter().map(|v| v.arrive().unwrap()).collect();
    let delivered: Vec<AtomicU64> = visits.iter().map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        let staying: Vec<_> = visits
            .iter()
            .zip(arrived)
            .zip(&delivered)
            .map(|((visit, (arrived, asked)), delivered)| {
                scope.spawn(move || {
                    let progress = |progress: mailcall::lab::Progress| {
                        delivered.fetch_max(progress.delivered, Ordering::SeqCst);
                    };
                    visit.stay(&arrived, asked, &progress).unwrap().outcome
                })
            })
            .collect();
        meanwhile(&|n| {
            until("all clients have their mail", || {
                delivered
                    .iter()
                    .all(|delivered| delivered.load(Ordering::SeqCst) >= n)
            });
        });
        let deadline = Instant::now() + PATIENCE;
        while !staying.iter().all(|s| s.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        visits.iter().for_each(|visit| visit.interrupt.cancel());
        staying
            .into_iter()
            .map(|staying| staying.join().unwrap())
            .collect()
    })
}

fn once_and_in_order(outcome: &Outcome, expected: u64) {
    let m = &outcome.mails;
    assert_eq!(
        (
            m.expected,
            m.delivered,
            m.lost,
            m.undelivered,
            m.duplicated,
            m.reordered,
            m.gap,
            m.reset
        ),
        (expected, expected, 0, 0, 0, 0, 0, 0),
        "{}",
        outcome.technique
    );
}

#[test]
fn every_client_goes_on_at_another_server_with_its_cursor() {
    let Some(nats) = Nats::start("") else { return };
    let servers = [serve(&nats.url(), &[]), serve(&nats.url(), &[])];
    let switch = Switch::start(servers[0].authority());
    let outcomes = all_stay(&switch.address.to_string(), 9, |wait| {
        for n in 1..=4 {
            assert_eq!(number(&post(&servers[n % 2], "before")), Some(n as u64));
        }
        wait(4);
        switch.turn(Some(servers[1].authority()));
        for n in 5..=9 {
            assert_eq!(number(&post(&servers[n % 2], "after")), Some(n as u64));
        }
    });
    outcomes.iter().for_each(|outcome| once_and_in_order(outcome, 9));
    for server in servers {
        server.stop(Signal::INT);
    }
}

/// A stream that was deleted and made anew is another log.
#[test]
fn every_client_notices_that_its_stream_is_another() {
    let Some(nats) = Nats::start("") else { return };
    let server = serve(&nats.url(), &[]);
    let before = epoch(&server);
    let outcomes = all_stay(server.authority(), 8, |wait| {
        for _ in 0..3 {
            post(&server, "of the first");
        }
        wait(3);
        ask(&nats, async |js| js.delete_stream("mailcall").await.unwrap());
        until("the server has noticed", || epoch(&server) != before);
        for n in 1..=5 {
            assert_eq!(number(&post(&server, "of the second")), Some(n));
        }
    });
    for outcome in outcomes {
        let m = &outcome.mails;
        assert_eq!(
            (m.delivered, m.lost, m.reset, m.duplicated, m.reordered, m.gap),
            (8, 0, 1, 0, 0, 0),
            "{}",
            outcome.technique
        );
    }
    server.stop(Signal::INT);
}

/// While the engine is killed and started again, twice, a client posts as fast as it can: what was acknowledged is in the
/// stream, once, under the number that it was given, and clients of every technique get all that is there.
#[test]
fn what_was_acknowledged_is_kept_when_the_engine_is_killed() {
    let Some(mut nats) = Nats::start("") else { return };
    let server = serve(&nats.url(), &[]);
    let (over, refused) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let mut kept = Vec::new();
            for n in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let text = format!("mail {n}");
                let answer = post(&server, &text);
                match number(&answer) {
                    Some(number) => kept.push((number, text)),
                    None => {
                        assert!(answer.contains(" 503 "), "{answer}");
                        assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            kept
        });
        let newest = || {
            let answer = server.get("/schedule");
            let said: serde_json::Value =
                serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
            said["newest"].as_u64().unwrap()
        };
        for _ in 0..2 {
            let before = newest();
            until("mail is kept", || newest() > before + 5);
            let so_far = refused.load(Ordering::SeqCst);
            nats.kill();
            until("mail is refused", || refused.load(Ordering::SeqCst) > so_far);
            nats.start_again();
        }
        let before = newest();
        until("mail is kept again", || newest() > before + 5);
        over.store(true, Ordering::SeqCst);
        let kept = posting.join().unwrap();
        assert!(kept.len() > 10, "{} were kept", kept.len());
        let mut all = Vec::new();
        while let Some(batch) =
            Some(list(&server, &format!("{}.{}", all.len(), epoch(&server)))).filter(|l| !l.is_empty())
        {
            all.extend(batch);
        }
        for (number, text) in &kept {
            assert_eq!(all[*number as usize - 1]["body"], **text);
        }
        let count = |text: &str| all.iter().filter(|mail| mail["body"] == text).count();
        assert!(kept.iter().all(|(_, text)| count(text) == 1));
    });
    server.stop(Signal::INT);
}

/// A run of each technique, with the engine killed in the middle and started again.
#[test]
fn a_run_survives_that_its_engine_is_killed() {
    let Some(mut nats) = Nats::start("") else { return };
    let scenario = Scenario {
        mails: 60,
        rate_per_s: 40.0,
        arrivals: Arrivals::Burst(3),
        poll_interval_ms: 20.0,
        grace_ms: 60_000.0,
        log: nats.url().parse().unwrap(),
        ..Scenario::default()
    };
    let lab = Lab::new(scenario).unwrap();
    let delivered = AtomicU64::new(0);
    let outcomes = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let progress = |progress: mailcall::lab::Progress| {
                delivered.fetch_max(progress.delivered, Ordering::SeqCst);
            };
            lab.compare(technique::ALL, &progress).unwrap()
        });
        until("mail arrives", || {
            delivered.load(Ordering::SeqCst) > 8 || running.is_finished()
        });
        nats.kill();
        std::thread::sleep(Duration::from_millis(300));
        nats.start_again();
        running.join().unwrap()
    });
    for outcome in &outcomes {
        once_and_in_order(outcome, 60);
        assert_eq!(outcome.mails.sent, 60);
    }
    let streams = ask(&nats, async |js| {
        use futures_util::TryStreamExt;
        js.stream_names().try_collect::<Vec<_>>().await.unwrap()
    });
    assert!(streams.is_empty(), "a run's streams are deleted: {streams:?}");
}

/// Clients that publish to topics: a mail's topic is kept with it, because its number alone does not tell.
#[test]
fn mail_of_clients_keeps_its_topic() {
    let Some(nats) = Nats::start("") else { return };
    let scenario = Scenario {
        mails: 20,
        rate_per_s: 100.0,
        publishers: 3,
        topics: vec!["a".into(), "b".into()],
        grace_ms: 60_000.0,
        log: nats.url().parse().unwrap(),
        ..Scenario::default()
    };
    let stomp = technique::named("stomp").unwrap();
    let outcome = Lab::new(scenario)
        .unwrap()
        .compare(&[stomp], &|_| {})
        .unwrap()
        .remove(0);
    once_and_in_order(&outcome, 20);
}

/// A server without a way to the engine serves what it has, takes no mail, and delivers late.
#[test]
fn a_server_that_is_cut_off_delivers_late() {
    let Some(nats) = Nats::start("") else { return };
    let way = Switch::start(&nats.address());
    let cut_off = serve(&format!("nats://{}", way.address), &[]);
    let other = serve(&nats.url(), &[]);
    let outcomes = all_stay(cut_off.authority(), 6, |wait| {
        assert_eq!(number(&post(&cut_off, "before")), Some(1));
        assert_eq!(number(&post(&other, "before")), Some(2));
        wait(2);
        way.turn(None);
        until("no mail is taken", || {
            let answer = post(&cut_off, "lost?");
            let refused = answer.contains(" 503 ") && answer.contains("does not take mail now");
            assert!(refused || number(&answer).is_none(), "{answer}");
            refused
        });
        let before = list(&other, "2").len();
        for _ in 0..4 - before {
            assert!(number(&post(&other, "meanwhile")).is_some());
        }
        assert_eq!(list(&cut_off, "0").len(), 2, "it serves what it has");
        way.turn(Some(&nats.address()));
    });
    outcomes.iter().for_each(|outcome| once_and_in_order(outcome, 6));
    let ahead = format!("7.{}", epoch(&cut_off));
    assert!(
        list(&cut_off, &ahead).is_empty(),
        "another server may have sent mail 7: no reset"
    );
    for server in [cut_off, other] {
        server.stop(Signal::INT);
    }
}

/// The way is silent: nothing is closed, so nobody is told. A mail that was sent then may be kept later; with its key it
/// is kept once.
#[test]
fn a_silent_way_to_the_engine_delivers_late_and_once() {
    let Some(nats) = Nats::start("") else { return };
    let way = Switch::start(&nats.address());
    let cut_off = serve(&format!("nats://{}", way.address), &[]);
    let other = serve(&nats.url(), &[]);
    let keyed = || {
        cut_off.exchange(
            "POST /mail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: once\r\n\
             Content-Length: 4\r\n\r\nonce",
        )
    };
    let outcomes = all_stay(cut_off.authority(), 5, |wait| {
        assert_eq!(number(&post(&cut_off, "before")), Some(1));
        wait(1);
        let held = way.hold();
        let sent = keyed();
        assert!(
            sent.contains(" 503 ") && sent.contains("did not acknowledge"),
            "{sent}"
        );
        for n in 2..=4 {
            assert_eq!(number(&post(&other, "meanwhile")), Some(n));
        }
        assert_eq!(list(&cut_off, "0").len(), 1, "it serves what it has");
        drop(held);
        until("the mail is taken", || number(&keyed()).is_some());
    });
    outcomes.iter().for_each(|outcome| once_and_in_order(outcome, 5));
    has(&other, 5);
    let all = list(&other, "0");
    assert_eq!(all.iter().filter(|mail| mail["body"] == "once").count(), 1);
    for server in [cut_off, other] {
        server.stop(Signal::INT);
    }
}

/// The engine's store is full: what `max_file_store` limits is answered as what the disk limits is. It is another stream
/// that fills it, because a mailbox drops its oldest.
#[test]
fn while_the_store_is_full_mail_waits() {
    let Some(nats) = Nats::start("jetstream { max_file_store: 1MB }") else {
        return;
    };
    let fill = ask(&nats, async |js| {
        let other = stream::Config {
            name: "other".into(),
            subjects: vec!["other".into()],
            ..Default::default()
        };
        js.create_stream(other).await.unwrap();
        let mut stored = 0;
        // The last one is refused.
        while js
            .publish("other", vec![b'x'; 100_000].into())
            .await
            .unwrap()
            .await
            .is_ok()
        {
            stored += 1;
        }
        stored
    });
    assert!(fill > 5, "{fill}");
    let keep = ["--keep-bytes", "100kB"];
    let server = serve(&nats.url(), &keep);
    let answer = post(&server, "no room");
    assert!(
        answer.contains(" 503 ") && answer.contains("does not take mail now"),
        "{answer}"
    );
    assert!(list(&server, "0").is_empty());
    let scenario = Scenario {
        mails: 6,
        rate_per_s: 100.0,
        keep_bytes: 100_000,
        grace_ms: 60_000.0,
        log: nats.url().parse().unwrap(),
        ..Scenario::default()
    };
    let lab = Lab::new(scenario).unwrap();
    let ws = technique::named("ws").unwrap();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| lab.compare(&[ws], &|_| {}).unwrap().remove(0));
        // All of its mail is due by then; that it waits is what the run's counts show.
        std::thread::sleep(Duration::from_millis(1_500));
        assert!(!running.is_finished(), "its mail could not be stored");
        ask(&nats, async |js| js.delete_stream("other").await.unwrap());
        running.join().unwrap()
    });
    once_and_in_order(&outcome, 6);
    assert!(number(&post(&server, "room")).is_some());
    server.stop(Signal::INT);
}

/// The children of a process that run this program (proc(5)).
#[cfg(target_os = "linux")]
fn own_engines() -> Vec<(i32, String)> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let folder = line.split('\0').find(|word| word.contains("mailcall-nats-"))?;
        let engine = line.contains("nats-server") && line.contains("-c\0");
        engine.then(|| (pid, folder.trim_end_matches("/nats.conf").to_owned()))
    })
    .collect()
}

/// However the program ends, the engine that it started ends, too, and leaves nothing.
#[cfg(target_os = "linux")]
#[test]
fn an_engine_of_its_own_ends_with_the_program() {
    if crate::support::nats::program().is_none() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let here = temporary.path().to_str().unwrap();
    let ours = || {
        own_engines()
            .into_iter()
            .filter(|(_, folder)| folder.starts_with(here))
            .count()
    };
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let mut command = mailcall(&["serve", "--mails", "0", "--log", "nats"]);
        command.env("TMPDIR", here).stderr(std::process::Stdio::piped());
        let mut child = Kept::start(&mut command);
        let mut url = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout()), &mut url).unwrap();
        assert!(url.starts_with("http://"), "{url}");
        assert!(ours() > 0);
        kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
        child.ended();
        until("the engine has ended and its store is gone", || {
            ours() == 0 && std::fs::read_dir(here).unwrap().next().is_none()
        });
    }
    let output = mailcall(&[
        "compare",
        "--isolate",
        "--mails",
        "3",
        "--rate",
        "50/s",
        "--log",
        "nats",
    ])
    .env("TMPDIR", here)
    .output()
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("a nats-server of its own"),
        "{said}"
    );
    assert!(ours() == 0 && std::fs::read_dir(here).unwrap().next().is_none());
}
