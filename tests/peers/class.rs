//! A class in a real browser: Chromium joins by the code, its own `fetch`, `EventSource` and `WebSocket` deliver every
//! mail once, and the page shows what the server's meter says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::browser::{Browser, Screen};
use crate::support::classroom::Classroom;
use crate::support::{Kept, is_here, runs, until};

const PHONE: Screen = Screen {
    width: 360,
    scheme: "dark",
};
const DESKTOP: Screen = Screen {
    width: 1440,
    scheme: "light",
};

/// What every lane of the page has delivered, and how often twice.
fn delivered(browser: &mut Browser) -> Vec<[u64; 2]> {
    let lanes = browser.evaluate("Object.values(mailcall.lanes).map((l) => [l.delivered, l.duplicated])");
    serde_json::from_value(lanes).unwrap_or_default()
}

fn all_have(browser: &mut Browser, mails: u64) {
    let mut have = Vec::new();
    until("every lane has every mail", || {
        std::thread::sleep(Duration::from_millis(50));
        have = delivered(browser);
        have.len() == 5 && have.iter().all(|[n, _]| *n >= mails)
    });
    assert!(have.iter().all(|lane| *lane == [mails, 0]), "{have:?}");
}

fn send(class: &Classroom, mails: usize) {
    for _ in 0..mails {
        assert_eq!(class.lead(&json!({ "do": "mail" })).status, 204);
    }
}

/// What the page shows of each lane is what the server's last answer said, and that is what the board says of the
/// student.
fn figures_agree(class: &Classroom, browser: &mut Browser) {
    let look = "Object.entries(mailcall.state.lanes).map(([lane, m]) => { \
                const sum = (labels) => Object.values(labels).reduce((a, b) => a + b, 0); \
                const text = document.querySelector(`[data-lane=\"${lane}\"] .numbers`).innerText; \
                return [lane, m.mails, text, [m.requests, m.empty, sum(m.up), sum(m.down)]]; })";
    let mut lanes: Vec<(String, u64, String, [u64; 4])> = Vec::new();
    let digits = |text: &str| -> Vec<u64> {
        let text = text.replace([',', '\u{202f}', '\u{a0}'], "");
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        numbers.filter_map(|n| n.parse().ok()).collect()
    };
    until("the page shows the last answer", || {
        lanes = serde_json::from_value(browser.evaluate(look)).unwrap();
        let agrees = |(_, _, text, figures): &(String, u64, String, [u64; 4])| {
            let shown = digits(text);
            figures.iter().all(|figure| shown.contains(figure))
        };
        lanes.iter().all(agrees)
    });
    let shown = class.shown();
    let number = browser.evaluate("mailcall.number");
    let student = shown["students"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["number"] == number);
    let student = student.unwrap_or_else(|| panic!("{number}: {shown}"));
    for (lane, mails, ..) in lanes {
        assert_eq!(student["lanes"][&lane]["delivered"], mails, "{lane}: {student}");
    }
}

#[test]
fn chromium_joins_and_every_lane_delivers_every_mail_once() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    for (language, screen, says) in [("en", PHONE, "Polling"), ("ko", DESKTOP, "폴링")] {
        let class = Classroom::start(&["--interval", "200ms"]);
        let mut browser = Browser::start();
        browser.visit_in(language, &class.url, screen);
        until("it has joined", || {
            browser.evaluate("window.mailcall && mailcall.number || 0") == 1
        });
        assert_eq!(browser.evaluate("document.documentElement.lang"), language);
        let text = browser.evaluate("document.body.innerText");
        assert!(text.as_str().unwrap().contains(says), "{text}");
        until("every lane is open", || {
            let table = class.shown()["table"].take();
            table.as_array().unwrap().iter().all(|row| row["students"] == 1)
        });
        send(&class, 5);
        all_have(&mut browser, 5);

        // A mail whose delay the page does not know yet: its clock has jumped, and answers come too slowly for a good
        // estimate of the server's.
        browser.evaluate(
            "{ const at = Date.now; Date.now = () => at() + 1000; const ask = fetch; \
             window.fetch = async (url, how) => { \
             if (`${url}`.includes('/class/state')) await new Promise((then) => setTimeout(then, 2000)); \
             return ask(url, how); }; } 0",
        );
        send(&class, 1);
        all_have(&mut browser, 6);
        until("its arrival is known", || {
            browser.evaluate("mailcall.state.arrivals.some(([id]) => id === 6)") == true
        });

        // A reload continues with the same student, the same cursors and what was not reported.
        browser.visit_in(language, &class.url, screen);
        until("it has joined again", || {
            browser.evaluate("window.mailcall && mailcall.number || 0") == 1
        });
        send(&class, 2);
        until("every lane has what came since", || {
            let students = class.shown()["students"].take();
            let lanes = students[0]["lanes"].as_object().unwrap().clone();
            lanes.values().all(|lane| lane["delivered"] == 8)
        });
        assert_eq!(class.shown()["joined"], 1);
        assert!(delivered(&mut browser).iter().all(|[_, twice]| *twice == 0));
        until("the figures have come", || {
            let mails = browser.evaluate("Object.values(mailcall.state.lanes).map((l) => l.mails)");
            mails == json!([8, 8, 8, 8, 8])
        });
        figures_agree(&class, &mut browser);
        let wide = browser.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(wide.as_f64().unwrap() <= 0.0, "it scrolls sideways by {wide}");
        let foreign: Vec<String> = browser.requests();
        let foreign: Vec<&String> = foreign
            .iter()
            .filter(|url| !url.contains(class.authority()))
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
        class.stop();
    }
}

#[test]
fn chromium_shows_what_its_switches_do() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let class = Classroom::start(&["--interval", "200ms"]);
    let mut browser = Browser::start();
    browser.visit_in("en", &class.url, PHONE);
    until("it has joined", || {
        browser.evaluate("window.mailcall && mailcall.number || 0") == 1
    });
    until("every lane is open", || {
        let table = class.shown()["table"].take();
        table.as_array().unwrap().iter().all(|row| row["students"] == 1)
    });
    let press = |browser: &mut Browser, name: &str| {
        let found = browser.evaluate(&format!(
            "(() => {{ const b = [...document.querySelectorAll('#switches button')].find((b) => \
             b.textContent.includes({name:?})); b && b.click(); return !!b; }})()"
        ));
        assert_eq!(found, true, "{name}");
    };
    press(&mut browser, "Lose");
    until("it is lost", || class.shown()["students"][0]["lost"] == true);
    send(&class, 3);
    std::thread::sleep(Duration::from_millis(800));
    assert!(
        delivered(&mut browser).iter().all(|[n, _]| *n == 0),
        "nothing arrives"
    );
    press(&mut browser, "Lose");
    all_have(&mut browser, 3);
    press(&mut browser, "Block");
    until("it is blocked", || {
        class.shown()["students"][0]["blocked"] == true
    });
    press(&mut browser, "Block");
    send(&class, 1);
    all_have(&mut browser, 4);
    class.stop();
}

#[test]
fn chromium_shows_the_board_and_leads_with_the_key_alone() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let class = Classroom::start(&["--students", "3"]);
    let mut browser = Browser::start();
    let board = class.board();
    let without = board.split('#').next().unwrap().to_owned();
    browser.visit_in("en", &without, DESKTOP);
    until("the figures are there", || {
        browser.evaluate("!!(window.mailcall && mailcall.state)") == true
    });
    let buttons = |browser: &mut Browser| -> Value {
        browser.evaluate("[...document.querySelectorAll('button')].filter((b) => b.offsetParent).map((b) => b.textContent)")
    };
    let shown = buttons(&mut browser).to_string();
    assert!(!shown.contains("Stop listening"), "{shown}");
    browser.visit_in("ko", "about:blank", DESKTOP);
    browser.visit_in("ko", &board, DESKTOP);
    until("the figures are there", || {
        browser.evaluate("!!(window.mailcall && mailcall.state)") == true
    });
    assert!(
        !browser
            .evaluate("location.href")
            .as_str()
            .unwrap()
            .contains(&class.key),
        "the projector does not show the key"
    );
    assert_eq!(browser.evaluate("document.documentElement.lang"), "ko");
    browser.press("m");
    until("the key's mail arrives", || {
        class.shown()["table"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["delivered"].as_u64() >= Some(3))
    });
    let complaints: Vec<String> = browser.complaints().iter().map(|c| c.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    class.stop();
}

/// A phone that loses its network, and one whose page is frozen for a while, go on where they were.
#[test]
fn chromium_continues_after_it_was_offline_and_after_it_slept() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let class = Classroom::start(&["--interval", "200ms"]);
    let mut browser = Browser::start();
    browser.visit_in("en", &class.url, PHONE);
    until("it has joined", || {
        browser.evaluate("window.mailcall && mailcall.number || 0") == 1
    });
    send(&class, 1);
    all_have(&mut browser, 1);
    let network = |offline: bool| json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.call("Network.emulateNetworkConditions", network(true));
    send(&class, 3);
    std::thread::sleep(Duration::from_secs(2));
    browser.call("Network.emulateNetworkConditions", network(false));
    all_have(&mut browser, 4);
    for state in ["frozen", "active"] {
        browser.call("Page.setWebLifecycleState", json!({ "state": state }));
        if state == "frozen" {
            send(&class, 3);
            std::thread::sleep(Duration::from_secs(3));
        }
    }
    all_have(&mut browser, 7);
    class.stop();
}

/// Firefox needs no driver here: the server sees what arrives on each of its lanes.
#[test]
fn firefox_joins_and_every_lane_delivers_every_mail_once() {
    if !is_here("firefox-esr", runs("firefox-esr")) {
        return;
    }
    let class = Classroom::start(&["--interval", "200ms"]);
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("firefox-esr");
    command.env("HOME", home.path()).env("MOZ_HEADLESS", "1");
    command
        .args(["--no-remote", "--profile"])
        .arg(home.path())
        .arg(&class.url);
    let firefox = Kept::start(command.stderr(std::process::Stdio::null()));
    until("every lane is open", || {
        let table = class.shown()["table"].take();
        table.as_array().unwrap().iter().all(|row| row["students"] == 1)
    });
    send(&class, 5);
    until("every lane has every mail", || {
        let students = class.shown()["students"].take();
        let lanes = students[0]["lanes"].as_object().unwrap().clone();
        lanes.values().all(|lane| lane["delivered"] == 5)
    });
    let table = class.shown()["table"].take();
    for row in table.as_array().unwrap() {
        assert_eq!(row["delivered"], 5, "the server sent each once: {row}");
    }
    drop(firefox);
    class.stop();
}

/// A class of simulated students, one phone and the board, all on this machine: no mail is lost, and the board is up to
/// date. `MAILCALL_CLASS=STUDENTS,SECONDS` makes it larger; `scripts/class-load` does so, and reads the figures.
#[test]
fn a_whole_class_loses_no_mail() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let asked = std::env::var("MAILCALL_CLASS").unwrap_or_else(|_| "6,8".into());
    let (students, seconds) = asked.split_once(',').unwrap();
    let (students, seconds): (u64, u64) = (students.parse().unwrap(), seconds.parse().unwrap());
    let robots = (students - 2).to_string();
    let class = Classroom::start(&["--students", &robots, "--interval", "1s"]);
    let mut phones = [Browser::start(), Browser::start()];
    for (n, phone) in phones.iter_mut().enumerate() {
        phone.visit_in("en", &class.url, PHONE);
        until("it has joined", || {
            phone.evaluate("window.mailcall && mailcall.number || 0") != 0
        });
        assert!(n < 2);
    }
    let mut board = Browser::start();
    board.visit_in("en", &class.board(), DESKTOP);
    until("the board is there", || {
        board.evaluate("!!(window.mailcall && mailcall.state)") == true
    });
    let open = |class: &Classroom| {
        let table = class.shown()["table"].take();
        let all = |row: &Value| row["students"] == students;
        table.as_array().unwrap().iter().all(all)
    };
    until("every lane is open", || open(&class));
    // The page notes how long each arrival took to be shown.
    board.evaluate(
        "(() => { window.late = []; let known = 0, seen = 0; const look = () => { const s = mailcall.state; \
         if (s.now_ms !== seen) { seen = s.now_ms; for (const [id, at] of s.arrivals) if (id > known) { known = id; \
         late.push(s.now_ms - at + (performance.now() - mailcall.updated)); } } setTimeout(look, 10); }; look(); })()",
    );
    let memory = |class: &Classroom| class.resident();
    let (mut sent, mut before) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        send(&class, 1);
        sent += 1;
        std::thread::sleep(Duration::from_millis(490));
        if start.elapsed() < Duration::from_secs(seconds / 3) {
            before = memory(&class);
        }
    }
    until("every lane of everyone has every mail", || {
        let shown = class.shown();
        let students = shown["students"].as_array().unwrap();
        students.iter().all(|student| {
            let mut lanes = student["lanes"].as_object().unwrap().values();
            lanes.all(|lane| lane["delivered"] == sent)
        })
    });
    for phone in &mut phones {
        let have = delivered(phone);
        assert!(have.iter().all(|lane| *lane == [sent, 0]), "{have:?}");
    }
    let after = memory(&class);
    let late = board.evaluate("late");
    let mut late: Vec<f64> = serde_json::from_value(late).unwrap();
    late.sort_by(f64::total_cmp);
    assert!(
        late.len() as u64 >= sent / 2,
        "{} of {sent} were shown",
        late.len()
    );
    let p99 = late[(late.len() * 99).div_ceil(100) - 1];
    println!(
        "{students} students, {sent} mails, {seconds} s: none lost; the board shows mail after p99 {p99:.0} ms; memory {before} kB \
         after a third, {after} kB at the end"
    );
    assert!(after < before * 3 / 2 + 20_000, "{before} kB, then {after} kB");
    class.stop();
}

/// `serve` shows the same page to a browser, and a list to curl.
#[test]
fn chromium_gets_the_page_from_serve() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let server = crate::support::served::Serving::start(&["--mails", "0"]);
    let list = server.get("/");
    assert!(
        list.contains("mailcall serves here") && !list.contains("<html"),
        "{list}"
    );
    let mut browser = Browser::start();
    browser.visit_in("en", &server.url, PHONE);
    until("it has joined", || {
        browser.evaluate("window.mailcall && mailcall.number || 0") == 1
    });
    std::thread::sleep(Duration::from_millis(500));
    server.post("text/plain", b"Lunch?");
    all_have(&mut browser, 1);
    assert_eq!(
        browser.evaluate("document.querySelector('#switches').offsetParent === null"),
        true
    );
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    server.stop(rustix::process::Signal::INT);
}
