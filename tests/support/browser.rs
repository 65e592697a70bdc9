//! Headless Chromium, controlled by the Chrome DevTools Protocol (version 1.3) over its WebSocket, so that a
//! test can check a page's requests and console messages.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::{Kept, PATIENCE, until};

/// A browser with one page.
pub struct Browser {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last: u64,
    /// The page's events since [`Browser::open`].
    pub events: Vec<Value>,
    _process: Kept,
    home: tempfile::TempDir,
}

/// The properties of the reader's screen.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub width: u32,
    pub scheme: &'static str,
}

impl Browser {
    /// Starts a browser with a new profile.
    pub fn start() -> Browser {
        Browser::start_in(tempfile::tempdir().unwrap())
    }

    /// The same with this home, which may name authorities to trust.
    pub fn start_in(home: tempfile::TempDir) -> Browser {
        let profile = home.path().join("profile");
        let mut command = Command::new("chromium");
        command.env("HOME", home.path()).env_remove("XDG_DATA_HOME");
        // It leaves its temporary files behind when it is ended.
        command.env("TMPDIR", home.path());
        // Chromium's sandbox does not run as root, and containers run tests as root.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server"]);
        command.args(["--remote-debugging-port=0", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", profile.display()));
        command.arg("about:blank").stderr(Stdio::null());
        let process = Kept::start(&mut command);
        // The port, then the path; the file is written once Chromium listens.
        let told = profile.join("DevToolsActivePort");
        let mut address = String::new();
        until("Chromium listens", || {
            address = std::fs::read_to_string(&told).unwrap_or_default();
            address.lines().count() == 2
        });
        let (port, path) = address.split_once('\n').unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://127.0.0.1:{port}{}", path.trim());
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        let mut browser = Browser {
            socket,
            session: None,
            last: 0,
            events: Vec::new(),
            _process: process,
            home,
        };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(String::from);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        browser
    }

    /// Calls a method; events that arrive before the answer are kept.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut order = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(order.to_string())).unwrap();
        loop {
            let mut told = self.listen();
            if told["id"] == self.last {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].take();
            }
            self.events.push(told);
        }
    }

    fn listen(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("Chromium goes on") {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Opens a page from disk and waits until it is loaded.
    pub fn open(&mut self, file: &Path, screen: Screen) {
        self.visit(&format!("file://{}", file.display()), screen);
    }

    /// The same for a page of a server, in a language.
    pub fn visit_in(&mut self, language: &str, url: &str, screen: Screen) {
        let fields = json!({ "headers": { "Accept-Language": language } });
        self.call("Network.setExtraHTTPHeaders", fields);
        self.visit(url, screen);
    }

    /// Opens a page and waits until it is loaded.
    pub fn visit(&mut self, url: &str, screen: Screen) {
        let Screen { width, scheme } = screen;
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", dark);
        self.events.clear();
        let loader = self.call("Page.navigate", json!({ "url": url }))["loaderId"].take();
        // The load event of the previous page may arrive late.
        let loaded = |event: &Value| {
            event["method"] == "Page.lifecycleEvent"
                && event["params"]["name"] == "load"
                && event["params"]["loaderId"] == loader
        };
        while !self.events.iter().any(loaded) {
            let event = self.listen();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// Presses a key on the element with the focus.
    pub fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key.len() == 1 && kind == "keyDown" {
                key
            } else {
                ""
            };
            self.call(
                "Input.dispatchKeyEvent",
                json!({ "type": kind, "key": key, "text": text }),
            );
        }
    }

    /// The page's requests, except the one for the page itself.
    pub fn requests(&self) -> Vec<String> {
        let asked = self
            .events
            .iter()
            .filter(|e| e["method"] == "Network.requestWillBeSent");
        let url = |e: &Value| e["params"]["request"]["url"].as_str().map(String::from);
        asked.filter_map(url).skip(1).collect()
    }

    /// The messages on its console, and its errors.
    pub fn complaints(&self) -> Vec<&Value> {
        const KINDS: [&str; 3] = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ];
        let complaint = |e: &&Value| KINDS.iter().any(|kind| e["method"] == *kind);
        self.events.iter().filter(complaint).collect()
    }
}
