//! A class: who may join, whose bytes are whose, what switches do, votes, the outage, and students who disturb.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::classroom::{Classroom, exchange, request};
use crate::support::{PATIENCE, until};

/// All bytes of a direction of a lane or of the page.
fn bytes(figures: &Value, way: &str) -> u64 {
    let labels = figures[way].as_object().unwrap();
    labels.values().filter_map(Value::as_u64).sum()
}

#[test]
fn who_knows_the_code_joins_and_who_has_a_token_continues() {
    let class = Classroom::start(&[]);
    let wrong = class.post("/class/join", &json!({ "code": "0" }));
    assert_eq!(wrong.status, 403);
    assert!(wrong.json()["error"]["ko"].as_str().unwrap().contains("코드"));
    assert_eq!(class.post("/class/join", &json!({})).status, 403);
    let (token, joined) = class.join();
    assert_eq!(joined["number"], 1);
    assert_eq!(
        joined["techniques"],
        json!(["poll", "long-poll", "sse", "ws", "ndjson"])
    );
    let again = class.post("/class/join", &json!({ "student": token })).json();
    assert_eq!((&again["number"], &again["student"]), (&json!(1), &json!(token)));
    assert_eq!(class.join().1["number"], 2);
    let forged = class.post("/class/join", &json!({ "student": "forged" }));
    assert_eq!(forged.status, 404);
    for (method, target) in [
        ("GET", "/poll?after=0&student=forged"),
        ("GET", "/poll?after=0"),
        ("GET", "/class/exchange?student=forged&lane=poll"),
        ("POST", "/class/state?student=forged"),
        ("POST", "/mail"),
        ("GET", "/schedule"),
    ] {
        let answer = class.ask(method, target, "", "");
        assert_eq!(answer.status, 404, "{method} {target}");
    }
    class.stop();
}

#[test]
fn every_byte_of_a_phone_is_in_one_lane_or_in_its_page() {
    let class = Classroom::start(&["--mails", "0"]);
    let (mut up, mut down) = (0, 0);
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    let mut say = |stream: &mut TcpStream, request: &str| {
        let answer = exchange(stream, request);
        up += request.len() as u64;
        down += (answer.head.len() + 4 + answer.body.len()) as u64;
        answer
    };
    // The page itself comes before anyone knows who asks.
    let page = say(&mut stream, &request("GET", "/", "Accept: text/html\r\n", ""));
    assert!(
        page.head.contains("content-security-policy: default-src 'none'"),
        "{}",
        page.head
    );
    let code = json!({ "code": class.code }).to_string();
    let joined = say(&mut stream, &request("POST", "/class/join", "", &code)).json();
    let token = joined["student"].as_str().unwrap();
    let cursor = joined["cursor"].as_str().unwrap();
    let poll = format!("/poll?after={cursor}&student={token}");
    assert_eq!(say(&mut stream, &request("GET", &poll, "", "")).status, 204);
    let mail = json!({ "mail": "<b>Lunch?</b>" }).to_string();
    let act = format!("/class/act?student={token}");
    assert_eq!(say(&mut stream, &request("POST", &act, "", &mail)).status, 204);
    let list = say(&mut stream, &request("GET", &poll, "", ""));
    assert_eq!(list.json()[0]["body"], "<b>Lunch?</b>");
    drop(stream);

    // A task of its own notes when a mail arrived.
    until("its arrival is known", || class.shown()["arrivals"][0][0] == 1);
    let state = class.state(token);
    let poll = &state["lanes"]["poll"];
    assert_eq!(
        (&poll["requests"], &poll["empty"], &poll["mails"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(poll["down"]["payload"], list.json()[0].to_string().len());
    // The answer that was just read is not in it: it was counted when it was sent.
    let asked = request(
        "POST",
        &format!("/class/state?student={token}"),
        "Content-Type: application/json\r\n",
        r#"{"since":0}"#,
    );
    let sums = ["up", "down"].map(|way| {
        let lanes = state["lanes"].as_object().unwrap().values();
        lanes.map(|lane| bytes(lane, way)).sum::<u64>() + bytes(&state["page"], way)
    });
    assert_eq!(sums, [up + asked.len() as u64, down]);
    assert_eq!(
        state["mails"],
        json!([{ "id": 1, "by": 1, "text": "<b>Lunch?</b>" }])
    );
    assert_eq!(state["arrivals"][0][0], 1);

    let exchange = class
        .get(&format!("/class/exchange?student={token}&lane=poll"))
        .json();
    let units = exchange["units"].as_array().unwrap();
    let size: u64 = units.iter().map(|unit| unit["size"].as_u64().unwrap()).sum();
    assert_eq!(
        size,
        (request("GET", &format!("/poll?after={cursor}&student={token}"), "", "").len()
            + list.head.len()
            + 4
            + list.body.len()) as u64
    );
    assert_eq!(units[0]["direction"], "up");
    assert!(
        units
            .iter()
            .all(|unit| unit["parts"].as_array().unwrap().iter().all(|part| {
                part["what"]["ko"].is_string()
                    && part["source"].as_str().is_some_and(|source| !source.is_empty())
            })),
        "{units:#?}"
    );
    assert_eq!(
        class
            .get(&format!("/class/exchange?student={token}&lane=sse"))
            .status,
        404
    );
    class.stop();
}

#[test]
fn what_a_page_cannot_know_is_not_believed() {
    let class = Classroom::start(&[]);
    let (token, joined) = class.join();
    let cursor = joined["cursor"].as_str().unwrap();
    assert_eq!(class.lead(&json!({ "do": "mail" })).status, 204);
    until("the mail is noted", || class.state(&token)["arrivals"][0][0] == 1);
    let wait = |class: &Classroom| class.shown()["table"][0]["wait_ms"].clone();
    for deliveries in [
        json!({ "poll": [[1, 86_400_000.0]] }),
        json!({ "poll": [[2, 1.0]] }),
        json!({ "poll": [[1, -5_000.0]] }),
        json!({ "poll": [["1", null]], "nothing": 7 }),
    ] {
        let told = json!({ "since": 0, "deliveries": deliveries });
        assert_eq!(
            class.post(&format!("/class/state?student={token}"), &told).status,
            200
        );
        assert_eq!(wait(&class), Value::Null, "{deliveries}");
    }
    // The absolute form of a target (RFC 9112, section 3.2.2) belongs to the same lane.
    let absolute = format!("http://localhost/poll?after={cursor}&student={token}");
    assert_eq!(class.get(&absolute).status, 200);
    assert_eq!(class.state(&token)["lanes"]["poll"]["requests"], 1);
    // HTTP/2 mixes requests: it is refused.
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(1)), "it is closed");
    class.stop();
}

#[test]
fn the_code_cannot_be_guessed_quickly_nor_read_on_the_board() {
    let class = Classroom::start(&[]);
    assert_eq!(class.shown()["code"], Value::Null);
    assert_eq!(class.shown()["urls"], json!([]));
    let key = format!("Authorization: Bearer {}\r\n", class.key);
    let led = class.ask("GET", "/class/board", &key, "").json();
    assert_eq!(led["code"], class.code);
    assert!(led["qr"].as_str().unwrap().starts_with("<svg"));
    let tries = (0..100).map(|_| class.post("/class/join", &json!({ "code": "none" })).status);
    let tries: Vec<u16> = tries.collect();
    assert!(tries[..50].iter().all(|status| *status == 403), "{tries:?}");
    assert_eq!(tries[99], 429);
    let right = class.post("/class/join", &json!({ "code": class.code }));
    assert_eq!(right.status, 429, "who guesses is not told when it is right");
    class.stop();
}

/// A run that fails, and orders that come while something runs.
#[test]
fn a_run_that_fails_does_not_end_the_lesson() {
    let folder = tempfile::tempdir().unwrap();
    let (lesson, record) = (folder.path().join("fails.toml"), folder.path().join("class.json"));
    let steps = LESSON.replace(
        "mailcall ws --mails 3 --rate 100/s",
        "mailcall ws --replay none.csv",
    );
    std::fs::write(&lesson, steps).unwrap();
    let class = Classroom::start(&[
        "--lesson",
        lesson.to_str().unwrap(),
        "--record",
        record.to_str().unwrap(),
    ]);
    let (token, _) = class.join();
    until("the lesson begins", || class.shown()["lesson"]["step"] == 1);
    class.lead(&json!({ "do": "next" }));
    until("a question is open", || class.shown()["question"]["open"] == true);
    assert_eq!(
        class
            .act(&token, &json!({ "vote": { "question": 2, "value": 3.0 } }))
            .status,
        204
    );
    for _ in 0..3 {
        class.lead(&json!({ "do": "next" }));
    }
    until("the failure is shown", || {
        class.shown()["lesson"]["phase"] == "result"
    });
    let shown = class.shown()["lesson"]["result"].to_string();
    assert!(shown.contains("none.csv"), "{shown}");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(
        class.shown()["lesson"]["step"],
        2,
        "what was ordered meanwhile does not count"
    );
    class.lead(&json!({ "do": "next" }));
    until("the lesson goes on", || class.shown()["lesson"]["step"] == 3);
    class.stop();
    let saved: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!(
        (&saved["partial"], &saved["questions"][0]["votes"]),
        (&json!(true), &json!([3.0]))
    );
    assert_eq!(saved["questions"].as_array().unwrap().len(), 2);
}

/// Two students on one connection, as in two tabs of one browser.
#[test]
fn a_connection_may_carry_requests_of_two_students() {
    let class = Classroom::start(&[]);
    let (one, joined) = class.join();
    let (two, _) = class.join();
    let cursor = joined["cursor"].as_str().unwrap();
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    for token in [&one, &two, &one] {
        let poll = request("GET", &format!("/poll?after={cursor}&student={token}"), "", "");
        assert_eq!(exchange(&mut stream, &poll).status, 204);
    }
    let asked = |token: &str| class.state(token)["lanes"]["poll"]["requests"].clone();
    assert_eq!([asked(&one), asked(&two)], [json!(2), json!(1)]);
    class.stop();
}

#[test]
fn switches_act_on_the_lanes_of_one_student_alone() {
    let class = Classroom::start(&[]);
    let (here, joined) = class.join();
    let (there, _) = class.join();
    let cursor = joined["cursor"].as_str().unwrap();
    let turn = |switch: &str, on: bool| {
        let done = class.act(&there, &json!({ "switch": switch, "on": on }));
        assert_eq!(done.status, 204, "{done:?}");
        assert_eq!(class.state(&there)["switches"][switch], on);
        assert_eq!(class.state(&here)["switches"][switch], false);
    };
    let poll = |token: &str| request("GET", &format!("/poll?after={cursor}&student={token}"), "", "");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let ws = |token: &str| {
        class
            .ask("GET", &format!("/ws?after={cursor}&student={token}"), upgrade, "")
            .status
    };

    turn("blocked", true);
    assert_eq!([ws(&there), ws(&here)], [403, 101]);
    turn("blocked", false);
    assert_eq!(ws(&there), 101);

    turn("away", true);
    let start = Instant::now();
    assert_eq!(
        class.get(&format!("/poll?after={cursor}&student={there}")).status,
        204
    );
    // The opening's round trip, and the request's.
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );
    turn("away", false);

    let mut lost = TcpStream::connect(class.authority()).unwrap();
    assert_eq!(exchange(&mut lost, &poll(&there)).status, 204);
    turn("lost", true);
    lost.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    lost.write_all(poll(&there).as_bytes()).unwrap();
    assert!(
        lost.read(&mut [0; 1]).is_err(),
        "nothing arrives, and nobody is told"
    );
    assert_eq!(
        class.get(&format!("/poll?after={cursor}&student={here}")).status,
        204
    );
    turn("lost", false);
    lost.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(!matches!(lost.read(&mut [0; 1]), Ok(1)), "it breaks");
    assert_eq!(
        class.get(&format!("/poll?after={cursor}&student={there}")).status,
        204
    );
    class.stop();
}

/// A stream that is open when the switch is turned.
#[test]
fn a_stream_that_is_lost_breaks_when_it_is_found_again() {
    let class = Classroom::start(&[]);
    let (token, joined) = class.join();
    let cursor = joined["cursor"].as_str().unwrap();
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    let sse = request("GET", &format!("/sse?after={cursor}&student={token}"), "", "");
    stream.write_all(sse.as_bytes()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = String::new();
    let mut hear = |stream: &mut TcpStream, text: &str| {
        while !heard.contains(text) {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).unwrap();
            assert!(n > 0, "{heard}");
            heard += &String::from_utf8_lossy(&piece[..n]);
        }
    };
    assert_eq!(class.lead(&json!({ "do": "mail", "text": "first" })).status, 204);
    hear(&mut stream, "first");
    // To find what is not lost changes nothing.
    class.act(&token, &json!({ "switch": "lost", "on": false }));
    class.act(&token, &json!({ "switch": "lost", "on": true }));
    assert_eq!(class.lead(&json!({ "do": "mail", "text": "second" })).status, 204);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "nothing arrives");
    class.act(&token, &json!({ "switch": "lost", "on": false }));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(
        rest.is_empty(),
        "what was lost never comes: {}",
        String::from_utf8_lossy(&rest)
    );
    let again = class.get(&format!(
        "/poll?after={}&student={token}",
        cursor.replacen('0', "1", 1)
    ));
    assert_eq!(again.json()[0]["body"], "second", "the cursor finds it");
    class.stop();
}

#[test]
fn simulated_students_receive_every_mail_once_on_every_lane() {
    let class = Classroom::start(&[
        "--students",
        "4",
        "--mails",
        "20",
        "--rate",
        "20/s",
        "--interval",
        "200ms",
    ]);
    let mut board = Value::Null;
    until("all mail is there", || {
        board = class.shown();
        board["table"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["delivered"] == 80)
    });
    for student in board["students"].as_array().unwrap() {
        assert_eq!(student["simulated"], true);
        for (lane, received) in student["lanes"].as_object().unwrap() {
            assert_eq!(
                (&received["delivered"], &received["newest"]),
                (&json!(20), &json!(20)),
                "{lane}"
            );
        }
    }
    for row in board["table"].as_array().unwrap() {
        let name = row["technique"].as_str().unwrap();
        let held = if name == "poll" { 0 } else { 4 };
        assert!(row["held"].as_u64().unwrap() >= held, "{row}");
        assert!(
            row["wait_ms"].as_f64().is_some() && row["overhead_per_mail"].as_f64().is_some(),
            "{row}"
        );
    }
    assert_eq!((&board["here"], &board["joined"]), (&json!(4), &json!(4)));
    let last = class.stop();
    assert!(last.starts_with("4 students, 20 mails, "), "{last}");
}

#[test]
fn after_an_outage_everyone_comes_back_and_the_peak_is_counted() {
    let class = Classroom::start(&["--students", "3"]);
    let open = |class: &Classroom| class.shown()["connections"].as_u64().unwrap();
    until("the lanes are open", || open(&class) >= 12);
    assert_eq!(class.lead(&json!({ "do": "jitter", "on": false })).status, 204);
    let mut kept = TcpStream::connect(class.authority()).unwrap();
    let board = request("GET", "/class/board?since=1", "", "");
    assert_eq!(exchange(&mut kept, &board).status, 200);
    assert_eq!(class.lead(&json!({ "do": "outage" })).status, 204);
    until("it does not listen", || {
        TcpStream::connect(class.authority()).is_err()
    });
    std::thread::sleep(Duration::from_millis(60));
    let during = exchange(&mut kept, &board).json();
    assert_eq!(
        (&during["outage"]["over"], &during["outage"]["jitter"]),
        (&json!(false), &json!(false))
    );
    until("it listens again", || {
        TcpStream::connect(class.authority()).is_ok()
    });
    // Four lanes of each are open all the time, and the fifth asks again.
    let connects = |outage: &Value| -> u64 {
        let bars = outage["connects"].as_array().unwrap();
        bars.iter().map(|bar| bar[1].as_u64().unwrap()).sum()
    };
    let mut outage = Value::Null;
    until("everyone is back", || {
        outage = class.shown()["outage"].take();
        connects(&outage) >= 12
    });
    assert!(
        outage["over"] == true && outage["peak"].as_u64().unwrap() >= 1,
        "{outage}"
    );
    assert_eq!(class.lead(&json!({ "do": "mail" })).status, 204);
    until("mail reaches everyone", || {
        class.shown()["table"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["delivered"] == 3)
    });
    class.stop();
}

const LESSON: &str = r#"
title.en = "A vote"
title.ko = "투표"
goal.en = "To guess"
goal.ko = "맞히기"

[[step]]
say.en = "Read this."
say.ko = "읽어 보세요."

[[step]]
ask.en = "How many mails will arrive?"
ask.ko = "메일이 몇 통 올까요?"
run = "mailcall ws --mails 3 --rate 100/s"
expect = [{ that = 'of("ws").mails.delivered == 3', because.en = "all came", because.ko = "모두 왔습니다" }]
value = 'of("ws").mails.delivered'
answer.en = "It was {of(\"ws\").mails.delivered}."
answer.ko = "{of(\"ws\").mails.delivered}통이었습니다."

[[step]]
ask.en = "Was any lost?"
ask.ko = "잃어버린 것이 있을까요?"
choices = [
    { text.en = "yes", text.ko = "예", when = 'of("ws").mails.lost > 0' },
    { text.en = "no", text.ko = "아니요", when = 'of("ws").mails.lost == 0' },
]
answer.en = "None."
answer.ko = "없습니다."
"#;

#[test]
fn a_lesson_asks_first_and_shows_votes_beside_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (lesson, record) = (folder.path().join("vote.toml"), folder.path().join("class.json"));
    std::fs::write(&lesson, LESSON).unwrap();
    let (lesson, record) = (lesson.to_str().unwrap(), record.to_str().unwrap());
    let mut class = Classroom::start(&["--lesson", lesson, "--record", record]);
    let tokens: Vec<String> = (0..3).map(|_| class.join().0).collect();
    until("the lesson begins", || class.shown()["lesson"]["step"] == 1);
    assert_eq!(class.shown()["lesson"]["say"]["ko"], "읽어 보세요.");
    for (key, status) in [("forged", 401), ("", 401)] {
        let fields = format!("Authorization: Bearer {key}\r\n");
        assert_eq!(
            class
                .ask("POST", "/class/lead", &fields, r#"{"do":"next"}"#)
                .status,
            status
        );
    }
    assert_eq!(class.shown()["lesson"]["step"], 1, "no student leads");

    assert_eq!(class.lead(&json!({ "do": "next" })).status, 204);
    until("a question is open", || class.shown()["question"]["open"] == true);
    for (token, value) in tokens.iter().zip([3.0, 3.0, 12.0]) {
        assert_eq!(
            class.state(token)["question"]["ask"]["en"],
            "How many mails will arrive?"
        );
        let vote = json!({ "vote": { "question": 2, "value": value } });
        assert_eq!(class.act(token, &vote).status, 204);
        assert_eq!(class.state(token)["question"]["vote"], value);
    }
    let refused = class.act(&tokens[0], &json!({ "vote": { "question": 2, "choice": 0 } }));
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(class.shown()["question"]["votes"], json!([3.0, 3.0, 12.0]));

    // Enter in the terminal does the same as the button.
    class.stdin.write_all(b"\n").unwrap();
    until("the answer is there", || {
        class.shown()["question"]["answer"]["right"] == 3.0
    });
    let board = class.shown();
    assert!(
        board["lesson"]["result"].as_str().unwrap().contains("<pre>"),
        "{}",
        board["lesson"]
    );
    assert_eq!(board["question"]["answer"]["text"]["ko"], "3통이었습니다.");
    assert_eq!(
        class
            .act(&tokens[0], &json!({ "vote": { "question": 2, "value": 3.0 } }))
            .status,
        422
    );

    class.lead(&json!({ "do": "next" }));
    until("the next question is open", || {
        class.shown()["question"]["id"] == 3
    });
    class.act(&tokens[0], &json!({ "vote": { "question": 3, "choice": 1 } }));
    class.lead(&json!({ "do": "next" }));
    until("its answer is there", || {
        class.shown()["question"]["answer"]["right"] == 1.0
    });
    class.lead(&json!({ "do": "next" }));
    class.says("the lesson is over");
    class.stop();

    let saved: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!(
        (&saved["command"], &saved["partial"], &saved["students"]),
        (&json!("class"), &json!(false), &json!(3))
    );
    assert_eq!(saved["questions"][0]["votes"], json!([3.0, 3.0, 12.0]));
    assert_eq!(saved["questions"][1]["votes"], json!([0.0, 1.0]));
    let text = saved.to_string();
    assert!(
        tokens.iter().all(|token| !text.contains(token)),
        "no one is named"
    );
    for (format, shows) in [
        ("table", "It was 3."),
        ("csv", "3,2,true"),
        ("html", "A vote"),
        ("markdown", "Question 2"),
    ] {
        let drawn = crate::support::served::run(&["report", record, "--format", format]);
        let text = String::from_utf8(drawn.stdout).unwrap();
        assert!(drawn.status.success() && text.contains(shows), "{format}: {text}");
    }
}

#[test]
fn who_disturbs_is_refused_and_others_do_not_notice() {
    let class = Classroom::start(&["--mails", "0"]);
    let (quiet, joined) = class.join();
    let (loud, _) = class.join();
    let cursor = joined["cursor"].as_str().unwrap().to_owned();
    let long = "x".repeat(201);
    assert_eq!(class.act(&loud, &json!({ "mail": long })).status, 422);
    assert_eq!(class.act(&loud, &json!({ "mail": " " })).status, 422);
    assert_eq!(class.act(&loud, &json!({ "name": "x" })).status, 422);
    assert_eq!(
        class
            .post(&format!("/class/act?student={loud}"), &json!("x".repeat(100_000)))
            .status,
        413
    );
    let foreign = class.ask("POST", "/class/join", "Origin: http://evil.example\r\n", "{}");
    assert_eq!(foreign.status, 403);
    let rebound = "GET /class/board HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    assert!(exchange(&mut stream, rebound).status >= 400);

    let script = json!({ "mail": "<script>alert(1)</script>" });
    assert_eq!(class.act(&loud, &script).status, 204);
    assert_eq!(class.lead(&json!({ "do": "hide", "id": 1 })).status, 204);
    assert_eq!(class.lead(&json!({ "do": "hide", "id": 7 })).status, 422);
    let state = class.state(&quiet);
    assert_eq!((&state["mails"], &state["hidden"]), (&json!([]), &json!([1])));
    assert_eq!(
        class.shown()["mails"][0]["text"],
        "",
        "it is hidden from the board's readers, too"
    );
    let mails = (0..20)
        .filter(|_| class.act(&loud, &json!({ "mail": "again" })).status == 204)
        .count();
    assert!(mails < 10, "{mails} mails at once");

    // A flood of polls is refused; meanwhile the other student's requests are answered.
    let authority = class.authority().to_owned();
    let target = format!("/poll?after={cursor}&student={loud}");
    let flood = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(authority).unwrap();
        let answers = (0..1_500).map(|_| exchange(&mut stream, &request("GET", &target, "", "")).status);
        answers.filter(|status| *status == 429).count()
    });
    let mut slowest = Duration::ZERO;
    let mut stream = TcpStream::connect(class.authority()).unwrap();
    for _ in 0..50 {
        let start = Instant::now();
        let poll = request("GET", &format!("/poll?after={cursor}&student={quiet}"), "", "");
        assert!([200, 204].contains(&exchange(&mut stream, &poll).status));
        slowest = slowest.max(start.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = flood.join().unwrap();
    assert!(
        refused > 500,
        "{refused} of 1,500 refused; the slowest other took {slowest:?}"
    );
    // A bound against hanging; `scripts/class-under-flood` measures.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    class.stop();
}

#[test]
fn without_an_address_only_this_machine_joins() {
    let class = Classroom::start(&[]);
    assert!(class.url.starts_with("http://127.0.0.1:"), "{}", class.url);
    class.stop();
    let mut command = crate::support::served::mailcall(&["class", "--students", "9", "--places", "3"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--students 9 do not fit in --places 3"), "{said}");
}
