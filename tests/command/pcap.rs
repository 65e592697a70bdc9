//! The capture file that is written, as tshark reads it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailcall::link::{Crossing, Layer, Recorded, What};
use mailcall::outcome::{HttpVersion, Report};
use mailcall::report::pcap::{self, DatedInstant, Interface};
use mailcall::technique;
use mailcall::wire::Direction::{self, Down, Up};

use crate::support::{is_here, run, runs};

/// A port that Wireshark knows no protocol for.
const PORT: u16 = 37_251;

#[test]
fn http_and_websocket_are_dissected_on_any_port() {
    let polls = Made::new(PORT, 50_001)
        .bytes(Up, REQUEST)
        .bytes(Down, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")
        .bytes(Up, REQUEST)
        .bytes(Down, b"HTTP/1.1 204 No Content\r\n\r\n")
        .what(Up, What::End)
        .closed();
    // A stream that its client leaves.
    let events = Made::new(PORT, 50_002)
        .bytes(Up, REQUEST)
        .bytes(Down, SSE_HEAD)
        .bytes(Down, b"a\r\ndata: []\n\n\r\n")
        .bytes(Down, b"4\r\n: \n\n\r\n")
        .what(Up, What::End)
        .closed();
    let sockets = Made::new(PORT + 1, 50_003)
        .bytes(Up, UPGRADE)
        .bytes(Down, SWITCHING)
        .bytes(Down, &frame(0x81, 5, None))
        .bytes(Up, &frame(0x81, 200, Some([1, 2, 3, 4])))
        .bytes(Down, &frame(0x82, 70_000, None))
        .bytes(Down, b"\x89\x00")
        .bytes(Up, &frame(0x8a, 0, Some([5, 6, 7, 8])))
        .bytes(Up, b"\x88\x82\0\0\0\0\x03\xe8")
        .bytes(Down, b"\x88\x02\x03\xe8")
        .what(Down, What::End)
        .what(Up, What::End)
        .closed();
    let (one, two) = ([polls, events], [sockets]);
    let payload = |recorded: &[Recorded], direction| -> usize {
        recorded.iter().map(|r| sent(r, direction).len()).sum()
    };
    let file = write(&[interface("sse", &one), interface("ws", &two)]);
    let Some(tshark) = Tshark::of(file.path()) else {
        return;
    };
    tshark.finds_nothing_wrong();
    assert_eq!(tshark.requests(), 4);
    let frames = tshark.fields("websocket", &["frame.interface_name", "websocket.opcode"]);
    let opcodes: Vec<&str> = frames.iter().flat_map(|frame| frame[1].split(',')).collect();
    assert_eq!(opcodes, ["1", "1", "2", "9", "10", "8", "8"]);
    assert!(frames.iter().all(|frame| frame[0] == "ws"), "{frames:?}");
    for (name, recorded) in [("sse", &one[..]), ("ws", &two[..])] {
        for direction in [Up, Down] {
            assert_eq!(tshark.payload(name, direction), payload(recorded, direction));
        }
    }
}

#[test]
fn http2_without_tls_is_dissected_when_told_so() {
    // The preface and SETTINGS; then HEADERS of a GET, as HPACK's static table has it (RFC 7541).
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    request.extend(b"\0\0\x03\x01\x05\0\0\0\x01\x82\x86\x84");
    let recorded = Made::new(PORT, 50_004)
        .bytes(Up, &request)
        .bytes(
            Down,
            b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\x88",
        )
        .bytes(Down, b"\0\0\x02\0\x01\0\0\0\x01[]")
        .bytes(Up, b"\0\0\0\x04\x01\0\0\0\0")
        .what(Up, What::End)
        .closed();
    let file = write(&[interface("poll", &[recorded])]);
    let Some(tshark) = Tshark::of(file.path()) else {
        return;
    };
    let tshark = tshark.decoding_as_described();
    tshark.finds_nothing_wrong();
    let requests = tshark.fields("http2.headers.method", &["http2.headers.method"]);
    assert_eq!(requests, [["GET"]]);
    let data = tshark.fields("http2.type == 0", &["http2.length"]);
    assert_eq!(data.len(), 1);
}

#[test]
fn a_port_that_is_registered_for_something_else_can_be_told_too() {
    // EtherNet/IP's.
    let recorded = Made::new(44_818, 50_005)
        .bytes(Up, REQUEST)
        .bytes(Down, b"HTTP/1.1 204 No Content\r\n\r\n")
        .what(Up, What::End)
        .closed();
    let file = write(&[interface("poll", &[recorded])]);
    if let Some(tshark) = Tshark::of(file.path()) {
        let tshark = tshark.decoding_as_described();
        tshark.finds_nothing_wrong();
        assert_eq!(tshark.requests(), 1);
    }
}

#[test]
fn megabytes_fill_no_window_on_ipv6() {
    let body = vec![b'x'; 10 << 20];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut made = Made::v6(PORT, 50_006)
        .bytes(Up, REQUEST)
        .bytes(Down, head.as_bytes());
    for written in body.chunks(1 << 20) {
        made = made.bytes(Down, written);
    }
    let recorded = made.what(Up, What::End).closed();
    let file = write(&[interface("poll", &[recorded])]);
    let Some(tshark) = Tshark::of(file.path()) else {
        return;
    };
    tshark.finds_nothing_wrong();
    assert_eq!(tshark.payload("poll", Down), head.len() + body.len());
    assert!(tshark.fields("tcp.len > 1448", &["frame.number"]).is_empty());
    let whole = tshark.fields("http.response", &["http.content_length"]);
    assert_eq!(whole, [[body.len().to_string()]]);
}

#[test]
fn a_reset_is_the_only_thing_to_warn_of() {
    let reset = Made::new(PORT, 50_007)
        .bytes(Up, REQUEST)
        .bytes(Down, SSE_HEAD)
        .what(Down, What::Reset)
        .closed();
    // The port is used again, and this connection outlives the run.
    let again = Made::later(PORT, 50_007)
        .bytes(Up, REQUEST)
        .bytes(Down, SSE_HEAD)
        .0;
    let file = write(&[interface("sse", &[reset, again])]);
    let Some(tshark) = Tshark::of(file.path()) else {
        return;
    };
    let warnings = tshark.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0][1].contains("reset"), "{warnings:?}");
    let streams = tshark.fields("http.request", &["tcp.stream"]);
    assert_eq!(streams, [["0"], ["1"]]);
    assert!(tshark.fields("tcp.flags.fin == 1", &["tcp.stream"]).is_empty());
}

// ---- runs ------------------------------------------------------------------------------------------

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
fn a_run_is_what_its_capture_shows() {
    agrees(&["--baseline"]);
    agrees(&["--reply", "--headers=browser", "--closer=server"]);
}

#[test]
fn attachments_over_a_slow_link_too() {
    agrees(&[
        "--attach=70000",
        "--frames=binary",
        "--rtt=5ms",
        "--bandwidth=50mbit",
    ]);
}

#[test]
fn a_connection_for_each_request_too() {
    agrees(&["--http=1.0", "--reply"]);
}

#[test]
fn what_is_encrypted_is_opened_by_the_secrets_inside() {
    agrees(&["--tls", "--reply"]);
    agrees(&["--tls", "--http=1.0"]);
}

#[test]
fn http2_too() {
    agrees(&["--http=2", "--reply"]);
    agrees(&["--http=2", "--reply", "--tls"]);
}

/// Everything that is reported of a run is found in its capture again.
fn agrees(args: &[&str]) {
    if !is_here("tshark", runs("tshark")) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("run.pcapng");
    let mut mailcall = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    mailcall.env("LC_ALL", "C");
    mailcall.args(["compare", "--all"]).args(BUSY).args(args);
    // A busy machine may lose an answer, and say so; that is not what is asked here.
    let (_, json) = run(mailcall.args(["--format=json", "--pcap"]).arg(&file));
    let report: Report = serde_json::from_slice(&json).unwrap();
    let tshark = Tshark::of(&file).expect("it is here").decoding_as_described();
    tshark.finds_nothing_wrong();
    for outcome in &report.results {
        let seen = tshark.counts(&outcome.technique);
        // tshark 4.0 takes the frames of a WebSocket on HTTP/2 (RFC 8441) for DATA and no more.
        let is_ws = outcome.technique == "ws" && report.scenario.http != HttpVersion::Http2;
        let mut messages = [&outcome.messages.up, &outcome.messages.down]
            .map(|messages| messages.filter(|_| is_ws).unwrap_or_default());
        if technique::named(&outcome.technique).is_some_and(|technique| technique.layered.is_some()) {
            // What is only control on top is no message, and a frame for tshark all the same.
            messages = seen.messages;
        } else if is_ws {
            // The notice that names the log is control to a run, and a data frame for tshark: one for each
            // client. One that connects again knows the log already.
            messages[1] += outcome.connections.opened - outcome.connections.reconnects.unwrap_or_default();
        }
        let reported = Counts {
            connections: outcome.connections.opened,
            requests: outcome.requests.total,
            messages,
            bytes: [outcome.bytes.up.total, outcome.bytes.down.total],
        };
        assert_eq!(seen, reported, "{} with {args:?}", outcome.technique);
    }
}

#[test]
fn what_cannot_be_captured_is_said() {
    for (args, says) in [
        (["--pcap=x", "--isolate", "--mails=1"], "--isolate"),
        (["--pcap=x", "--repeat=2", "--mails=1"], "--repeat 2"),
        (["--pcap=x", "--output=x", "--mails=1"], "--output"),
        (["--pcap=/nowhere/x", "--clients=1", "--mails=1"], "/nowhere"),
    ] {
        let mut mailcall = Command::new(env!("CARGO_BIN_EXE_mailcall"));
        mailcall.env("LC_ALL", "C");
        let output = mailcall.arg("poll").args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("--pcap") || said.contains("cannot write"), "{said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!Path::new("x").exists());
    }
}

// ---- recordings ------------------------------------------------------------------------------------

const REQUEST: &[u8] = b"GET /mail?after=0 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

const SSE_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// The handshake of RFC 6455, section 1.3.
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n\
    connection: Upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
    connection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A frame (RFC 6455, section 5.2) of so many letters.
fn frame(first: u8, length: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(masked | length as u8),
        126..=0xffff => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend((0..length).map(|i| b'x' ^ mask[i % 4]));
    frame
}

/// A recording that is made up; something happens every microsecond.
struct Made(Recorded);

impl Made {
    fn new(server: u16, client: u16) -> Made {
        Made::on(Ipv4Addr::LOCALHOST.into(), server, client, Duration::ZERO)
    }

    fn v6(server: u16, client: u16) -> Made {
        Made::on(Ipv6Addr::LOCALHOST.into(), server, client, Duration::ZERO)
    }

    fn later(server: u16, client: u16) -> Made {
        Made::on(Ipv4Addr::LOCALHOST.into(), server, client, Duration::from_secs(1))
    }

    fn on(host: IpAddr, server: u16, client: u16, after: Duration) -> Made {
        Made(Recorded {
            client: SocketAddr::new(host, client),
            server: SocketAddr::new(host, server),
            opened: Instant::now() + after,
            closed: None,
            crossings: Vec::new(),
        })
    }

    fn bytes(self, direction: Direction, bytes: &[u8]) -> Made {
        self.what(direction, What::Bytes(bytes.to_vec()))
    }

    fn what(mut self, direction: Direction, what: What) -> Made {
        let at = self.last() + Duration::from_micros(1);
        self.0.crossings.push(Crossing {
            at,
            direction,
            layer: Layer::Socket,
            what,
        });
        self
    }

    fn last(&self) -> Instant {
        self.0.crossings.last().map_or(self.0.opened, |c| c.at)
    }

    fn closed(mut self) -> Recorded {
        self.0.closed = Some(self.last() + Duration::from_micros(1));
        self.0
    }
}

fn interface<'a>(name: &'a str, connections: &'a [Recorded]) -> Interface<'a> {
    Interface {
        name,
        connections,
        secrets: &[],
        dated: DatedInstant::now(),
    }
}

fn write(interfaces: &[Interface]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    pcap::write(file.as_file(), interfaces).unwrap();
    file
}

/// What was recorded of one direction.
fn sent(recorded: &Recorded, direction: Direction) -> Vec<u8> {
    let bytes = recorded
        .crossings
        .iter()
        .filter(|c| c.direction == direction && c.layer == Layer::Socket)
        .filter_map(|c| match &c.what {
            What::Bytes(bytes) => Some(&bytes[..]),
            _ => None,
        });
    bytes.collect::<Vec<_>>().concat()
}

// ---- tshark ----------------------------------------------------------------------------------------

/// What tshark counts of one technique, or what is reported of it; what goes up comes first.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    connections: u64,
    requests: u64,
    /// WebSocket's.
    messages: [u64; 2],
    bytes: [u64; 2],
}

/// A file as tshark reads it.
struct Tshark<'a> {
    file: &'a Path,
    /// Servers' ports: where they are those of a packet's sender, it goes down.
    servers: BTreeSet<u16>,
    options: Vec<String>,
}

impl<'a> Tshark<'a> {
    /// `None` if there is no tshark, which may be an error.
    fn of(file: &'a Path) -> Option<Tshark<'a>> {
        if !is_here("tshark", runs("tshark")) {
            return None;
        }
        let mut tshark = Tshark {
            file,
            servers: BTreeSet::new(),
            options: Vec::new(),
        };
        let opened = tshark.fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", &["tcp.dstport"]);
        tshark.servers = opened.iter().map(|packet| packet[0].parse().unwrap()).collect();
        Some(tshark)
    }

    /// Reads it as the descriptions of its interfaces say.
    fn decoding_as_described(mut self) -> Tshark<'a> {
        let described = self.fields("frame", &["frame.interface_description"]);
        let described: BTreeSet<&str> = described.iter().map(|packet| &packet[0][..]).collect();
        let hints = described.iter().flat_map(|d| d.split("Decode As: ").skip(1));
        let hints = hints.map(|hint| hint.split(';').next().unwrap().to_string());
        self.options = hints.flat_map(|hint| ["-d".to_string(), hint]).collect();
        assert!(!self.options.is_empty(), "{described:?}");
        self
    }

    /// The fields of each packet that passes a display filter, checksums checked.
    fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut tshark = Command::new("tshark");
        tshark
            .arg("-r")
            .arg(self.file)
            .args(["-n", "-T", "fields", "-Y", filter])
            .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
            .args(&self.options)
            .stderr(Stdio::null());
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

    /// Packets it warns of, and why. 0x600000 is a warning, 0x800000 an error.
    fn warnings(&self) -> Vec<Vec<String>> {
        self.fields(
            "_ws.malformed || _ws.expert.severity >= 0x600000",
            &["frame.number", "_ws.expert.message"],
        )
    }

    fn finds_nothing_wrong(&self) {
        let warnings = self.warnings();
        assert!(warnings.is_empty(), "{warnings:#?}");
        let sums = "ip.checksum.status == 1 || ipv6";
        let right = self.fields(
            &format!("tcp.checksum.status == 1 && ({sums})"),
            &["frame.time_epoch"],
        );
        assert_eq!(right.len(), self.fields("frame", &["frame.number"]).len());
        let times: Vec<&String> = right.iter().map(|packet| &packet[0]).collect();
        assert!(times.is_sorted(), "times go back");
    }

    fn counts(&self, interface: &str) -> Counts {
        let fields = [
            "tcp.srcport",
            "tcp.len",
            "tcp.flags.syn",
            "http.request.method",
            "http2.headers.method",
            "websocket.opcode",
        ];
        let mut counts = Counts {
            connections: 0,
            requests: 0,
            messages: [0; 2],
            bytes: [0; 2],
        };
        for packet in self.fields(&format!("frame.interface_name == \"{interface}\""), &fields) {
            let values = |i: usize| packet[i].split(',').filter(|value| !value.is_empty());
            let way = usize::from(self.servers.contains(&packet[0].parse().unwrap()));
            counts.bytes[way] += packet[1].parse::<u64>().unwrap();
            counts.connections += u64::from(way == 0 && (packet[2] == "1" || packet[2] == "True"));
            counts.requests += (values(3).count() + values(4).count()) as u64;
            counts.messages[way] += values(5).filter(|opcode| ["1", "2"].contains(opcode)).count() as u64;
        }
        counts
    }

    fn requests(&self) -> usize {
        let requests = self.fields("http.request", &["http.request.method"]);
        requests.iter().flat_map(|packet| packet[0].split(',')).count()
    }

    /// Bytes inside TCP, of one interface and direction.
    fn payload(&self, interface: &str, direction: Direction) -> usize {
        let packets = self.fields(
            &format!("frame.interface_name == \"{interface}\""),
            &["tcp.srcport", "tcp.len"],
        );
        let down = |packet: &Vec<String>| self.servers.contains(&packet[0].parse().unwrap());
        packets
            .iter()
            .filter(|packet| down(packet) == (direction == Down))
            .map(|packet| packet[1].parse::<usize>().unwrap())
            .sum()
    }
}
