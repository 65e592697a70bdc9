//! Web pages in a browser: what one of another origin can do with a server, and what it can do once it is
//! allowed to.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support;
use crate::support::browser::Browser;
use crate::support::served::Serving;
use crate::support::{is_here, peers, runs};

/// What the mailbox holds, and a page must not see.
const SECRET: &str = "nobody else's business";

/// Every way in which a page gets at another server. Each comes to what it has read, or to null.
const TRIES: &str = r#"
async function tries(at) {
  const within = (promise) => Promise.race([promise.catch(() => null), new Promise((r) => setTimeout(() => r(null), 4000))]);
  const heard = (make, listen) => within(new Promise((resolve) => listen(make(), resolve)));
  const ask = (path, init) => within(fetch(at + path, init).then(async (r) => (r.ok ? await r.text() || "ok" : null)));
  const script = (path) => within(new Promise((resolve) => {
    window.called = (what) => resolve(JSON.stringify(what));
    const tag = document.createElement("script");
    tag.src = at + path;
    tag.onerror = () => resolve(null);
    document.head.append(tag);
  }));
  const frame = (path) => within(new Promise((resolve) => {
    const inside = document.createElement("iframe");
    inside.onload = () => { try { resolve(inside.contentDocument.body.innerText || null); } catch { resolve(null); } };
    inside.src = at + path;
    document.body.append(inside);
  }));
  const session = `/sockjs/000/${Math.random().toString(36).slice(2)}`;
  const jsonp = async () => {
    await script(`${session}/jsonp?c=called`);
    await within(fetch(`${at}${session}/xhr_send`, { method: "POST", mode: "no-cors", body: JSON.stringify([JSON.stringify({ after: 0 })]) }));
    return script(`${session}/jsonp?c=called`);
  };
  const got = {
    fetch: await ask("/poll?after=0"),
    cookies: await ask("/poll?after=0", { credentials: "include" }),
    fields: await ask("/poll?after=0", { headers: { "Last-Event-ID": "0", "X-Mine": "1" } }),
    eventsource: await heard(() => new EventSource(at + "/sse?after=0"), (source, done) => {
      source.onmessage = (event) => { source.close(); done(event.data); };
      source.onerror = () => { source.close(); done(null); };
    }),
    websocket: await heard(() => new WebSocket(at.replace("http", "ws") + "/ws?after=0"), (socket, done) => {
      socket.onmessage = (event) => { socket.close(); done(event.data); };
      socket.onerror = () => done(null);
    }),
    sockjs_info: await ask("/sockjs/info"),
    jsonp: await jsonp(),
    iframe: await frame("/poll?after=0"),
  };
  // Whether it arrives is asked of the server.
  await within(fetch(at + "/mail", { method: "POST", mode: "no-cors", body: "by fetch" }));
  await within(new Promise((resolve) => {
    const form = document.createElement("form");
    const target = document.createElement("iframe");
    target.name = "target";
    Object.assign(form, { action: at + "/mail", method: "POST", enctype: "text/plain", target: "target" });
    document.body.append(target, form);
    // Not before: the empty page that it begins with is loaded by now.
    target.onload = resolve;
    form.submit();
  }));
  return got;
}
"#;

/// What SockJS's and Socket.IO's own clients bring: the first mail, or null.
const CLIENTS: &str = r#"
async function clients(at) {
  const within = (promise) => Promise.race([promise, new Promise((r) => setTimeout(() => r(null), 20000))]);
  const sockjs = (transport) => within(new Promise((resolve) => {
    const socket = new SockJS(at + "/sockjs", null, { transports: [transport], timeout: 10000 });
    socket.onopen = () => socket.send('{"after":0}');
    socket.onmessage = ({ data }) => { resolve(data); socket.close(); };
    socket.onclose = () => resolve(null);
  }));
  const socketio = (transports) => within(new Promise((resolve) => {
    const socket = io(at, { transports, auth: { after: 0 }, reconnection: false, forceNew: true, withCredentials: true });
    socket.on("mail", (mail) => { resolve(JSON.stringify(mail)); socket.close(); });
    socket.on("connect_error", () => resolve(null));
  }));
  const got = {};
  for (const transport of ["websocket", "xhr-streaming", "xhr-polling"]) got[transport] = await sockjs(transport);
  got.polling = await socketio(["polling"]);
  got.upgraded = await socketio(["polling", "websocket"]);
  got.alone = await socketio(["websocket"]);
  return got;
}
"#;

/// Serves a page, with all of that in it, from an origin of its own; returns the port.
fn elsewhere() -> u16 {
    let script = |path: &str| {
        let text = std::fs::read_to_string(peers().join("node_modules").join(path)).unwrap();
        format!("<script>{}</script>", text.replace("</script", "<\\/script"))
    };
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>elsewhere</title>{}{}<script>{TRIES}{CLIENTS}</script><body></body>",
        script("sockjs-client/dist/sockjs.min.js"),
        script("socket.io-client/dist/socket.io.min.js")
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, page) = (stream.unwrap(), page.clone());
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 16 << 10]);
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
                let _ = stream
                    .write_all(format!("{head}Content-Length: {}\r\n\r\n{page}", page.len()).as_bytes());
            });
        }
    });
    port
}

/// Opens the page at a host of this machine and has it do something.
fn does(browser: &mut Browser, page: &str, what: &str) -> Value {
    browser.call("Page.navigate", json!({ "url": page }));
    support::until("the page is there", || {
        browser.evaluate("document.title + document.readyState + location.origin")
            == format!("elsewherecomplete{page}")
    });
    browser.evaluate(what)
}

fn secret_server(more: &[&str]) -> Serving {
    let server = Serving::start(&[&["--mails", "0", "--hold", "1s"], more].concat());
    let letter = json!({ "from": "a@b.example", "subject": "", "body": SECRET }).to_string();
    assert!(
        server
            .post("application/json", letter.as_bytes())
            .contains(" 201 ")
    );
    server
}

fn newest(server: &Serving) -> u64 {
    let answer = server.get("/schedule");
    let schedule: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    schedule["newest"].as_u64().unwrap()
}

fn browser() -> Option<Browser> {
    let clients = peers().join("node_modules/socket.io-client/dist/socket.io.min.js");
    let here = is_here("chromium", runs("chromium")) && is_here("npm's clients", clients.exists());
    here.then(Browser::start)
}

#[test]
fn a_page_of_another_origin_reads_and_writes_nothing() {
    let Some(mut browser) = browser() else { return };
    let port = elsewhere();
    let server = secret_server(&[]);
    // Of the same site, of another, and of a name that leads here.
    for page in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
    ] {
        let got = does(&mut browser, &page, &format!("tries({:?})", server.url));
        let read: Vec<_> = got
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, what)| !what.is_null())
            .collect();
        assert!(read.is_empty(), "{page} reads {read:?}");
        let got = does(&mut browser, &page, &format!("clients({:?})", server.url));
        let read: Vec<_> = got
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, what)| !what.is_null())
            .collect();
        assert!(read.is_empty(), "{page} reads {read:?}");
        assert_eq!(newest(&server), 1, "{page} writes");
    }
    server.stop(Signal::INT);
}

#[test]
fn a_page_whose_origin_is_allowed_reads_and_writes() {
    let Some(mut browser) = browser() else { return };
    let port = elsewhere();
    for page in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
    ] {
        let server = secret_server(&[
            "--allow-origin",
            &page,
            "--allow-origin",
            "http://unrelated.example",
        ]);
        let got = does(&mut browser, &page, &format!("tries({:?})", server.url));
        for way in ["fetch", "cookies", "fields", "eventsource", "websocket", "jsonp"] {
            assert!(
                got[way].as_str().is_some_and(|read| read.contains(SECRET)),
                "{page} {way}: {got}"
            );
        }
        assert!(!got["sockjs_info"].is_null(), "{page}: {got}");
        let got = does(&mut browser, &page, &format!("clients({:?})", server.url));
        for (way, read) in got.as_object().unwrap() {
            assert!(
                read.as_str().is_some_and(|read| read.contains(SECRET)),
                "{page} {way}: {got}"
            );
        }
        assert_eq!(newest(&server), 3, "{page} writes");
        server.stop(Signal::INT);
    }
}
