//! What a run reports, held against a capture of the same run: dumpcap records the loopback, tshark
//! reads the record, and the labels are recomputed here from tshark's fields, by code that shares
//! nothing with the meter.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use mailcall::outcome::{Connection, Labelled, Outcome, Report, Scenario, Traffic};
use mailcall::technique;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::value::RawValue;

use crate::support::{Kept, is_here, run, runs, until};

/// Short enough intervals for empty answers, comments and pings to occur.
const BUSY: &[&str] = &[
    "--mails=12",
    "--rate=40",
    "--clients=2",
    "--interval=20ms",
    "--hold=30ms",
    "--heartbeat=15ms",
];

#[test]
fn every_technique_agrees_with_its_capture() {
    agrees(&["compare"]);
}

#[test]
fn with_replies_and_a_browsers_headers_too() {
    agrees(&["compare", "--reply", "--headers=browser"]);
}

#[test]
fn what_stands_on_top_of_them_too() {
    let on_top = on_top();
    agrees(&[&["compare"][..], &on_top, &["--reply"]].concat());
    agrees(&[&["compare"][..], &on_top, &["--attach=1000", "--closer=server"]].concat());
    agrees(
        &[
            &["compare"][..],
            &on_top,
            &["--attach=70000", "--frames=binary", "--reply"],
        ]
        .concat(),
    );
}

/// The techniques that are protocols on top of others.
fn on_top() -> Vec<&'static str> {
    let layered = technique::ALL
        .iter()
        .filter(|technique| technique.layered.is_some());
    layered.map(|technique| technique.name).collect()
}

#[test]
fn attachments_in_frames_of_either_kind_too() {
    // Lengths of 16 and of 64 bits, and a server that closes first.
    agrees(&["compare", "ws", "--reply", "--frames=binary", "--attach=70000"]);
    agrees(&[
        "compare",
        "ws",
        "--reply",
        "--frames=text",
        "--attach=1000",
        "--closer=server",
    ]);
}

fn agrees(args: &[&str]) {
    if !is_here("tshark", runs("tshark") && runs("dumpcap")) {
        return;
    }
    let recording = Recording::start();
    if !is_here("a dumpcap that may capture on lo", recording.is_some()) {
        return;
    }
    let mut mailcall = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    mailcall.env("LC_ALL", "C");
    let (status, json) = run(mailcall.args(args).args(BUSY).arg("--format=json"));
    let file = recording.expect("checked above").stop();
    assert!(status.success(), "{args:?} ended with {status}");
    let report: Report = serde_json::from_slice(&json).unwrap();
    let opened = openings(file.path());
    for outcome in &report.results {
        let capture = Capture::read(file.path(), server_of(outcome, &opened));
        for connection in &outcome.connections.each {
            capture.agrees(connection, &report.scenario, &outcome.technique);
        }
    }
}

// ---- recording -------------------------------------------------------------------------------------

/// dumpcap at work on the loopback.
struct Recording {
    dumpcap: Kept,
    recorded: Arc<Mutex<Vec<u8>>>,
    probe: TcpStream,
    // The probe's other end, never read.
    _listener: TcpListener,
}

impl Recording {
    /// Starts it, and returns once it has recorded a probe; `None` if it may not record.
    fn start() -> Option<Recording> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut dumpcap = Command::new("dumpcap");
        dumpcap
            .args(["-q", "-i", "lo", "-f", "tcp", "-B", "64", "-w", "-"])
            .stderr(Stdio::null());
        let mut dumpcap = Kept::start(&mut dumpcap);
        let mut stdout = dumpcap.stdout();
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let record = recorded.clone();
        std::thread::spawn(move || {
            let mut buf = [0; 64 * 1024];
            while let Ok(n @ 1..) = stdout.read(&mut buf) {
                record.lock().unwrap().extend_from_slice(&buf[..n]);
            }
        });
        let mut recording = Recording {
            dumpcap,
            recorded,
            probe,
            _listener: listener,
        };
        recording.sees("begins").then_some(recording)
    }

    /// Sends a word past dumpcap until it has seen it; false if dumpcap ends instead.
    fn sees(&mut self, word: &str) -> bool {
        let word = format!("<capture {} {word}>", self.dumpcap.id());
        let mut ended = false;
        until("dumpcap has seen a probe", || {
            self.probe.write_all(word.as_bytes()).unwrap();
            ended = self.dumpcap.has_ended().is_some();
            ended || memchr::memmem::find(&self.recorded.lock().unwrap(), word.as_bytes()).is_some()
        });
        !ended
    }

    /// Returns what crossed the loopback until now.
    fn stop(mut self) -> tempfile::NamedTempFile {
        assert!(self.sees("ends"), "dumpcap ended by itself");
        let pid = Pid::from_raw(self.dumpcap.id() as i32).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert!(self.dumpcap.ended().success());
        // The reading thread lets go of its share when it has read all.
        until("all of the record is read", || {
            Arc::strong_count(&self.recorded) == 1
        });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&self.recorded.lock().unwrap()).unwrap();
        file
    }
}

// ---- reading ---------------------------------------------------------------------------------------

/// tshark's fields for each packet that passes a display filter.
fn tshark(file: &Path, server: Option<u16>, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(file)
        .args(["-n", "-T", "fields", "-Y", filter])
        .stderr(Stdio::null());
    if let Some(port) = server {
        tshark.arg("-d").arg(format!("tcp.port=={port},http"));
    }
    fields.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let (status, out) = run(&mut tshark);
    assert!(status.success(), "{tshark:?} ended with {status}");
    let lines = String::from_utf8(out).unwrap();
    lines
        .lines()
        .map(|line| line.split('\t').map(String::from).collect())
        .collect()
}

/// The ports of clients by the port they connected to.
fn openings(file: &Path) -> BTreeMap<u16, BTreeSet<u16>> {
    let filter = "tcp.flags.syn == 1 && tcp.flags.ack == 0";
    let mut opened: BTreeMap<u16, BTreeSet<u16>> = BTreeMap::new();
    for packet in tshark(file, None, filter, &["tcp.srcport", "tcp.dstport"]) {
        opened
            .entry(packet[1].parse().unwrap())
            .or_default()
            .insert(packet[0].parse().unwrap());
    }
    opened
}

/// Others use the loopback too: a technique's server is the one to which exactly the reported
/// clients connected.
fn server_of(outcome: &Outcome, opened: &BTreeMap<u16, BTreeSet<u16>>) -> u16 {
    let reported: BTreeSet<u16> = outcome.connections.each.iter().map(|c| c.port).collect();
    assert_eq!(reported.len() as u64, outcome.connections.opened);
    let server = opened.iter().find(|(_, clients)| **clients == reported);
    *server
        .unwrap_or_else(|| {
            panic!(
                "nobody had exactly the clients {reported:?} of {}",
                outcome.technique
            )
        })
        .0
}

/// What a capture shows of one server.
struct Capture {
    server: u16,
    /// The bytes of each direction, by sender and receiver.
    streams: BTreeMap<(u16, u16), Vec<u8>>,
    /// Requests that tshark saw, by client.
    requests: BTreeMap<u16, u64>,
    /// WebSocket frames that tshark saw, by sender and receiver.
    frames: BTreeMap<(u16, u16), Frames>,
}

/// WebSocket frames of one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    messages: u64,
    /// Of data frames: header and mask, and what is inside.
    headers: u64,
    inside: u64,
    /// Of control frames: all.
    control: u64,
}

impl Capture {
    fn read(file: &Path, server: u16) -> Capture {
        let mut capture = Capture {
            server,
            streams: BTreeMap::new(),
            requests: BTreeMap::new(),
            frames: BTreeMap::new(),
        };
        capture.read_streams(file);
        capture.read_messages(file);
        capture
    }

    /// Puts the streams together from their segments. What was sent again is there already.
    fn read_streams(&mut self, file: &Path) {
        let filter = format!("tcp.port == {} && tcp.len > 0", self.server);
        let mut segments: BTreeMap<(u16, u16), BTreeMap<usize, Vec<u8>>> = BTreeMap::new();
        for packet in tshark(
            file,
            None,
            &filter,
            &["tcp.srcport", "tcp.dstport", "tcp.seq", "tcp.payload"],
        ) {
            let at = packet[2].parse::<usize>().unwrap() - 1;
            let bytes = from_hex(&packet[3]);
            let stream = segments.entry(ends(&packet)).or_default();
            if stream.get(&at).is_none_or(|known| known.len() < bytes.len()) {
                stream.insert(at, bytes);
            }
        }
        for (ends, segments) in segments {
            let stream = self.streams.entry(ends).or_default();
            for (at, bytes) in segments {
                assert!(at <= stream.len(), "dumpcap lost packets");
                let known = (stream.len() - at).min(bytes.len());
                stream.extend_from_slice(&bytes[known..]);
            }
        }
    }

    fn read_messages(&mut self, file: &Path) {
        let filter = format!("tcp.port == {} && (http.request || websocket)", self.server);
        let fields = [
            "tcp.srcport",
            "tcp.dstport",
            "http.request.method",
            "websocket.opcode",
            "websocket.mask",
            "websocket.payload_length",
            "websocket.payload_length_ext_16",
            "websocket.payload_length_ext_64",
        ];
        for packet in tshark(file, Some(self.server), &filter, &fields) {
            let requests = packet[2].split(',').filter(|method| !method.is_empty()).count();
            *self.requests.entry(ends(&packet).0).or_default() += requests as u64;
            self.frames.entry(ends(&packet)).or_default().add(&packet);
        }
    }

    /// Every figure that is reported of a connection, by label, is what the capture comes to.
    fn agrees(&self, reported: &Connection, scenario: &Scenario, technique: &str) {
        let stream = |ends| self.streams.get(&ends).map_or(&[][..], |bytes: &Vec<u8>| bytes);
        let (up, down) = ((reported.port, self.server), (self.server, reported.port));
        let mail = (scenario.size + scenario.attach) as u64;
        let frames = |ends| self.frames.get(&ends).copied().unwrap_or_default();
        let asked = asked(stream(up));
        let seen = Traffic {
            up: labels(stream(up), frames(up), None, &asked),
            down: labels(stream(down), frames(down), Some(mail), &asked),
        };
        assert_eq!(seen, reported.bytes, "{technique}, port {}", reported.port);
        let requests = self.requests.get(&reported.port).copied().unwrap_or_default();
        assert_eq!(requests, reported.requests, "{technique}, port {}", reported.port);
    }
}

fn ends(packet: &[String]) -> (u16, u16) {
    (packet[0].parse().unwrap(), packet[1].parse().unwrap())
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

impl Frames {
    /// Adds the frames that end in one packet (RFC 6455, section 5.2). Only data frames can have
    /// extended lengths, so it doesn't matter whose they are.
    fn add(&mut self, packet: &[String]) {
        let numbers = |i: usize| packet[i].split(',').filter_map(|n| n.parse::<u64>().ok());
        let masked = packet[4].split(',').map(|mask| mask == "1" || mask == "True");
        for ((opcode, masked), length) in numbers(3).zip(masked).zip(numbers(5)) {
            let header = if masked { 6 } else { 2 };
            if opcode >= 8 {
                self.control += header + length;
            } else {
                self.messages += 1;
                self.headers += header;
                self.inside += if length < 126 { length } else { 0 };
            }
        }
        for (field, bytes) in [(6, 2), (7, 8)] {
            for length in numbers(field) {
                self.headers += bytes;
                self.inside += length;
            }
        }
    }
}

// ---- labelling -------------------------------------------------------------------------------------

/// The labels of one direction: those of its HTTP messages and of its frames. `mail` is how many
/// bytes the sender made of each message; without it, a message is all payload. `asked` is what the
/// requests asked for.
fn labels(stream: &[u8], frames: Frames, mail: Option<u64>, asked: &[String]) -> Labelled<u64> {
    let mut labels = Labelled {
        total: stream.len() as u64,
        ..Labelled::default()
    };
    let mut rest = stream;
    let mut asked = asked.iter();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
        let (head, body) = rest.split_at(end + 4);
        labels.head += head.len() as u64;
        let head = std::str::from_utf8(head).unwrap().to_ascii_lowercase();
        let on_top = asked.next().and_then(|target| OnTop::of(target));
        if head.contains("upgrade: websocket") {
            match on_top {
                Some(on_top) => labels.add_messages(body, frames, on_top, mail),
                None => labels.add_frames(body, frames, mail),
            }
            return labels;
        }
        rest = if head.contains("transfer-encoding: chunked") {
            labels.add_chunks(body, on_top, mail)
        } else {
            let (body, rest) = body.split_at(length(&head));
            match on_top {
                Some(on_top) => labels.add_units(body, 0, on_top, mail),
                None => labels.add_body(body),
            }
            rest
        };
    }
    assert!(rest.is_empty(), "{} bytes that begin no HTTP message", rest.len());
    labels
}

fn length(head: &str) -> usize {
    let length = head.split("content-length: ").nth(1);
    length.map_or(0, |l| l.lines().next().unwrap().parse().unwrap())
}

/// What the requests of a connection ask for, in order.
fn asked(mut rest: &[u8]) -> Vec<String> {
    let mut asked = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
        let head = std::str::from_utf8(&rest[..end + 2]).unwrap();
        asked.push(head.split(' ').nth(1).unwrap().to_string());
        let head = head.to_ascii_lowercase();
        if head.contains("upgrade: websocket") {
            break;
        }
        rest = &rest[end + 4 + length(&head)..];
    }
    asked
}

/// A protocol on top of frames or bodies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum OnTop {
    Stomp,
    SockJs,
    /// Where nothing that is asked for carries mail.
    SockJsInfo,
    EngineIo,
}

/// What is in a unit of one: bytes of payload and of control; the rest is framing, and so is what
/// stands round it. `None` if all of it is control, and that, too.
type Inside = Option<(u64, u64)>;

impl OnTop {
    fn of(target: &str) -> Option<OnTop> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path.rsplit('/').next()? {
            "stomp" => Some(OnTop::Stomp),
            "info" => Some(OnTop::SockJsInfo),
            "websocket" | "xhr" | "xhr_streaming" | "xhr_send" if path.contains("sockjs/") => {
                Some(OnTop::SockJs)
            }
            _ if query.contains("EIO=4") => Some(OnTop::EngineIo),
            _ => None,
        }
    }

    fn inside(self, unit: &[u8], binary: bool, mail: Option<u64>) -> Inside {
        match self {
            OnTop::Stomp => stomp(unit, mail).map(|payload| (payload, 0)),
            OnTop::SockJs => sockjs(std::str::from_utf8(unit).unwrap(), mail),
            OnTop::SockJsInfo => None,
            OnTop::EngineIo if binary => Some((unit.len() as u64, 0)),
            OnTop::EngineIo => {
                engine_io(std::str::from_utf8(unit).unwrap(), mail).map(|payload| (payload, 0))
            }
        }
    }
}

/// How the notice begins that names the log.
const NAMES_LOG: &str = r#"{"epoch":"#;

fn names_log(text: &str) -> bool {
    text.starts_with(NAMES_LOG)
}

/// A frame: mail in MESSAGE, what a client says in SEND (STOMP 1.2).
fn stomp(frame: &[u8], mail: Option<u64>) -> Option<u64> {
    let blank = memchr::memmem::find(frame, b"\n\n")?;
    let body = frame[blank + 2..].strip_suffix(b"\0")?;
    match frame.split(|b| *b == b'\n').next()? {
        b"MESSAGE" => mail,
        b"SEND" => Some(body.len() as u64),
        _ => None,
    }
}

/// `a["…","…"]`, or without the `a` (SockJS protocol).
fn sockjs(frame: &str, mail: Option<u64>) -> Inside {
    let list = frame.trim_end();
    let list = list.strip_prefix('a').unwrap_or(list);
    let quoted: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    let (mut payload, mut control) = (None, 0);
    for raw in quoted {
        let text: String = serde_json::from_str(raw.get()).unwrap();
        let is_stomp = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '\n');
        let bears = match mail {
            _ if is_stomp => stomp(text.as_bytes(), mail),
            _ if names_log(&text) || text.starts_with("after=") => None,
            Some(mail) => Some(mail),
            None => Some(text.len() as u64),
        };
        match bears {
            Some(bytes) => payload = Some(payload.unwrap_or(0) + bytes),
            // Without its quotes.
            None => control += raw.get().len() as u64 - 2,
        }
    }
    payload.map(|payload| (payload, control))
}

/// A packet, and in it a packet of Socket.IO's: an event's arguments, an acknowledgement's data.
fn engine_io(packet: &str, mail: Option<u64>) -> Option<u64> {
    let packet = packet.trim_end_matches('\u{1e}').strip_prefix('4')?;
    let list: Vec<&RawValue> = serde_json::from_str(&packet[packet.find('[')?..]).ok()?;
    if list.get(1).is_some_and(|raw| names_log(raw.get())) {
        return None;
    }
    let said = |skip: usize| {
        let said = list
            .iter()
            .skip(skip)
            .filter(|raw| !raw.get().starts_with(r#"{"_placeholder""#));
        said.map(|raw| raw.get().len() as u64).sum::<u64>()
    };
    match packet.as_bytes()[0] {
        b'2' => Some(mail.unwrap_or(said(1))),
        b'5' => Some(said(1)),
        b'3' | b'6' if !list.is_empty() => Some(said(0)),
        _ => None,
    }
}

/// The frames of one direction: opcode, header's length, unmasked content, and whether it is the last of
/// its message (RFC 6455, section 5.2).
fn frames_of(mut bytes: &[u8]) -> Vec<(u8, u64, Vec<u8>, bool)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let number = |n: usize| rest[..n].iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let (length, extended) = match second & 0x7F {
            126 => (number(2), 2),
            127 => (number(8), 8),
            short => (usize::from(short), 0),
        };
        let mask = if second & 0x80 != 0 { 4 } else { 0 };
        let (key, rest) = rest[extended..].split_at(mask);
        let (content, behind) = rest.split_at(length);
        let key = |n: usize| if key.is_empty() { 0 } else { key[n % 4] };
        let content = content.iter().enumerate().map(|(n, b)| b ^ key(n)).collect();
        frames.push((
            first & 0x0F,
            (2 + extended + mask) as u64,
            content,
            first & 0x80 != 0,
        ));
        bytes = behind;
    }
    frames
}

/// How the bytes after a head are labelled.
trait Add {
    fn add_frames(&mut self, bytes: &[u8], frames: Frames, mail: Option<u64>);
    fn add_messages(&mut self, bytes: &[u8], frames: Frames, on_top: OnTop, mail: Option<u64>);
    fn add_unit(&mut self, len: u64, inside: Inside);
    fn add_units(&mut self, body: &[u8], around: u64, on_top: OnTop, mail: Option<u64>);
    fn add_chunks<'a>(&mut self, bytes: &'a [u8], on_top: Option<OnTop>, mail: Option<u64>) -> &'a [u8];
    fn add_event(&mut self, chunk: u64, event: &str);
    fn add_body(&mut self, body: &[u8]);
}

impl Add for Labelled<u64> {
    fn add_frames(&mut self, bytes: &[u8], frames: Frames, mail: Option<u64>) {
        assert_eq!(
            bytes.len() as u64,
            frames.control + frames.headers + frames.inside,
            "tshark missed frames"
        );
        let (mut notices, mut around) = (0, 0);
        let mut inside = 0;
        for (opcode, header, content, _) in frames_of(bytes) {
            if opcode == 1 && content.starts_with(NAMES_LOG.as_bytes()) {
                (notices, around, inside) = (notices + 1, around + header, inside + content.len() as u64);
            }
        }
        let bear = frames.inside - inside;
        let payload = mail.map_or(bear, |mail| mail * (frames.messages - notices));
        self.control += frames.control + around + inside;
        self.framing += frames.headers - around + bear - payload;
        self.payload += payload;
    }

    fn add_messages(&mut self, bytes: &[u8], frames: Frames, on_top: OnTop, mail: Option<u64>) {
        assert_eq!(
            bytes.len() as u64,
            frames.control + frames.headers + frames.inside,
            "tshark missed frames"
        );
        let (mut around, mut binary, mut message) = (0, false, Vec::new());
        for (opcode, header, content, last) in frames_of(bytes) {
            if opcode >= 8 {
                self.control += header + content.len() as u64;
                continue;
            }
            binary = if opcode == 0 { binary } else { opcode == 2 };
            around += header;
            message.extend(content);
            if last {
                let inside = on_top.inside(&message, binary, mail);
                self.add_unit(std::mem::take(&mut around) + message.len() as u64, inside);
                message.clear();
            }
        }
    }

    /// A unit, with what surrounds it.
    fn add_unit(&mut self, len: u64, inside: Inside) {
        let (payload, control) = inside.unwrap_or((0, len));
        self.payload += payload;
        self.control += control;
        self.framing += len - payload - control;
    }

    /// What a body or chunk holds, with what surrounds that.
    fn add_units(&mut self, body: &[u8], around: u64, on_top: OnTop, mail: Option<u64>) {
        let end = if on_top == OnTop::EngineIo { 0x1e } else { b'\n' };
        let mut bears = body.is_empty();
        for unit in body.split_inclusive(|b| *b == end) {
            let inside = on_top.inside(unit, false, mail);
            bears |= inside.is_some();
            self.add_unit(unit.len() as u64, inside);
        }
        self.add_unit(around, bears.then_some((0, 0)));
    }

    /// Chunks up to and with the last (RFC 9112, section 7.1), or to where the client left; returns
    /// what comes behind.
    fn add_chunks<'a>(&mut self, mut bytes: &'a [u8], on_top: Option<OnTop>, mail: Option<u64>) -> &'a [u8] {
        while let Some(line) = memchr::memmem::find(bytes, b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
            let (chunk, rest) = bytes.split_at(line + 2 + size + 2);
            let data = &chunk[line + 2..line + 2 + size];
            match on_top {
                Some(on_top) => self.add_units(data, (chunk.len() - size) as u64, on_top, mail),
                None => self.add_event(chunk.len() as u64, std::str::from_utf8(data).unwrap()),
            }
            bytes = rest;
            if size == 0 {
                break;
            }
        }
        bytes
    }

    /// One event to a chunk, as our server writes them.
    fn add_event(&mut self, chunk: u64, event: &str) {
        if event.starts_with("retry:") || event.starts_with(':') {
            self.control += chunk;
            return;
        }
        let data = event.lines().filter_map(|line| line.strip_prefix("data: "));
        let payload = data.map(|data| data.len() as u64).sum::<u64>();
        self.payload += payload;
        self.framing += chunk - payload;
    }

    /// A reply, or a list of mails.
    fn add_body(&mut self, body: &[u8]) {
        let length = body.len() as u64;
        let (mut payload, mut control) = (length, 0);
        if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(body) {
            let len = |raw: &&RawValue| raw.get().len() as u64;
            let (notices, mails): (Vec<_>, Vec<_>) = elements.iter().partition(|e| names_log(e.get()));
            payload = mails.into_iter().map(len).sum();
            // With the comma behind it.
            control = notices.into_iter().map(|notice| len(notice) + 1).sum();
        }
        self.payload += payload;
        self.control += control;
        self.framing += length - payload - control;
    }
}
