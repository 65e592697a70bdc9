//! A class in a real browser: Chromium joins by the code, its own `fetch`, `EventSource` and `WebSocket` deliver every
//! mail once, and the page shows what the server's meter says.

use serde_json::{Value, json};

use crate::support::browser::{Browser, Screen};
use crate::support::classroom::Classroom;
use crate::support::{is_here, runs, until};

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
        std::thread::sleep(std::time::Duration::from_millis(50));
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

/// The page's figures are the server's, once nothing moves any more.
fn figures_agree(class: &Classroom, browser: &mut Browser) {
    let token = browser
        .evaluate("Object.values(sessionStorage).join(' ')")
        .to_string();
    let number = browser.evaluate("mailcall.number");
    let shown = browser.evaluate("mailcall.state.lanes");
    // The server's figures are the page's or newer: polls and calls go on.
    let board = class.shown();
    let student = board["students"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["number"] == number);
    let student = student.unwrap_or_else(|| panic!("{number} {token}: {board}"));
    for (lane, figures) in shown.as_object().unwrap() {
        assert_eq!(
            student["lanes"][lane]["delivered"], figures["mails"],
            "{lane}: {student}"
        );
        let text = browser.evaluate(&format!(
            "(document.querySelector('[data-lane=\"{lane}\"]') || document.body).textContent"
        ));
        let text = text.as_str().unwrap().replace([',', '\u{202f}', '\u{a0}'], "");
        assert!(
            text.contains(&figures["requests"].to_string()),
            "{lane}: {figures} in {text}"
        );
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

        // A reload continues with the same student and the same cursors.
        browser.visit_in(language, &class.url, screen);
        until("it has joined again", || {
            browser.evaluate("window.mailcall && mailcall.number || 0") == 1
        });
        send(&class, 2);
        until("every lane has what came since", || {
            let students = class.shown()["students"].take();
            let lanes = students[0]["lanes"].as_object().unwrap().clone();
            lanes.values().all(|lane| lane["delivered"] == 7)
        });
        assert_eq!(class.shown()["joined"], 1);
        assert!(delivered(&mut browser).iter().all(|[_, twice]| *twice == 0));
        until("the figures have come", || {
            let mails = browser.evaluate("Object.values(mailcall.state.lanes).map((l) => l.mails)");
            mails == json!([7, 7, 7, 7, 7])
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
    std::thread::sleep(std::time::Duration::from_millis(800));
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
    std::thread::sleep(std::time::Duration::from_millis(500));
    server.post("text/plain", b"Lunch?");
    all_have(&mut browser, 1);
    assert_eq!(
        browser.evaluate("document.querySelector('#switches').offsetParent === null"),
        true
    );
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    server.stop(rustix::process::Signal::INT);
}
