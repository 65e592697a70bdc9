//! Our proxies beside the real ones they stand for: nginx and haproxy, configured as the files say, in front of the same
//! server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use mailcall::mail::Plan;
use mailcall::outcome::sweep::Sweep;
use mailcall::outcome::{Coding, HttpVersion, ProxySettings, Scenario, Upgrade};
use mailcall::proxy::{self, HINT, REMEDIES};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::haproxy::{haproxy, has_haproxy};
use crate::support::served::run;
use crate::support::serving::{PATIENCE, Served, handshake, patient, until};
use crate::support::undisturbed::undisturbed;
use crate::support::{Kept, is_here};

/// How many mails, and the time from one to the next: some 90 kB of events, 22 of nginx's buffers.
const MAILS: (usize, Duration) = (250, Duration::from_millis(20));

/// The same for a compressor, which writes something for every 16,000 symbols that it has read.
const MANY: (usize, Duration) = (2_000, Duration::from_millis(2));

/// How far apart the real proxy and ours may be.
const APART: Duration = Duration::from_millis(100);

/// A proxy in front of a server, and its address.
struct InFront {
    address: SocketAddr,
    _child: Option<Kept>,
    _until: Option<DropGuard>,
}

/// Ours.
fn ours(server: SocketAddr, settings: ProxySettings) -> InFront {
    let end = CancellationToken::new();
    let (over, listener) = (end.clone(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let serving = axum::serve(listener, proxy::in_front_of(server, settings));
            tokio::select! {
                ended = async { serving.await } => ended.unwrap(),
                () = over.cancelled() => {}
            }
        });
    });
    InFront {
        address,
        _child: None,
        _until: Some(end.drop_guard()),
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// nginx, configured as settings say.
fn nginx(server: SocketAddr, folder: &Path, settings: &ProxySettings) -> InFront {
    nginx_with(server, folder, &directives(settings))
}

/// What settings are in nginx's configuration.
fn directives(settings: &ProxySettings) -> String {
    let mut lines = vec![match settings.buffer_bytes {
        Some(size) => format!(
            "proxy_buffer_size {size}; proxy_buffers 8 {size}; proxy_busy_buffers_size {}",
            2 * size
        ),
        None => "proxy_buffering off".into(),
    }];
    if !settings.obeys_hint {
        lines.push("proxy_ignore_headers X-Accel-Buffering".into());
    }
    if settings.upstream == HttpVersion::Http11 {
        lines.push("proxy_http_version 1.1".into());
    }
    if settings.upgrade == Upgrade::Forwarded {
        lines.push("proxy_set_header Upgrade $http_upgrade".into());
        lines.push("proxy_set_header Connection $upgrading".into());
    }
    if settings.compress == Some(Coding::Gzip) {
        lines.push("gzip on; gzip_types *; gzip_proxied any; gzip_comp_level 1".into());
        lines.push(format!("gzip_buffers 32 {}", settings.buffer_bytes.unwrap()));
    }
    if !settings.chunked {
        lines.push("chunked_transfer_encoding off".into());
    }
    let idle = settings.idle_ms.unwrap_or(3_600e3);
    lines.push(format!("proxy_read_timeout {idle}ms;"));
    lines.join("; ")
}

fn nginx_with(server: SocketAddr, folder: &Path, directives: &str) -> InFront {
    let address = free_port();
    // One process: a worker would outlive a master that is killed.
    let config = format!(
        "master_process off; daemon off; pid pid; error_log error;
        events {{ worker_connections 64; }}
        http {{
            access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
            uwsgi_temp_path u; scgi_temp_path s; sendfile on; tcp_nopush on;
            map $http_upgrade $upgrading {{ default upgrade; '' ''; }}
            server {{ listen {address}; location / {{ proxy_pass http://{server}; {directives} }} }}
        }}"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("nginx");
    let child = Kept::start(
        command
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg("error"),
    );
    until("nginx listens", || TcpStream::connect(address).is_ok());
    InFront {
        address,
        _child: Some(child),
        _until: None,
    }
}

/// haproxy with one timeout for a server that is silent, and for a tunnel.
fn silent(server: SocketAddr, folder: &Path, idle_ms: f64) -> InFront {
    let defaults =
        format!("    timeout connect 5s\n    timeout server {idle_ms}ms\n    timeout tunnel {idle_ms}ms");
    let (address, child) = haproxy(folder, &defaults, &format!("    server s {server}"));
    InFront {
        address,
        _child: Some(child),
        _until: None,
    }
}

fn has_nginx() -> bool {
    let version = Command::new("nginx").arg("-v").output();
    is_here("nginx", version.is_ok_and(|o| o.status.success()))
}

/// What a client read: when, and how many bytes of plain text it had by then.
#[derive(Debug)]
struct Seen {
    pieces: Vec<(Instant, usize)>,
    /// When the connection ended.
    end: Instant,
    /// Whether the answer was whole by then.
    is_whole: bool,
}

/// A client that asks for the events, and reads until the connection or the answer ends.
struct Reader(std::thread::JoinHandle<Seen>);

impl Reader {
    fn start(proxy: SocketAddr) -> Reader {
        let mut socket = TcpStream::connect(proxy).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            socket,
            "GET /sse HTTP/1.1\r\nHost: {proxy}\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        .unwrap();
        Reader(std::thread::spawn(move || {
            let (mut read, mut at) = (Vec::new(), Vec::new());
            let mut buffer = [0; 65_536];
            loop {
                let n = socket.read(&mut buffer).unwrap();
                read.extend_from_slice(&buffer[..n]);
                at.push((Instant::now(), read.len()));
                let is_whole = read.ends_with(b"\r\n0\r\n\r\n");
                if n == 0 || is_whole {
                    return seen(&read, &at, is_whole);
                }
            }
        }))
    }
}

/// Takes the body out of an answer: each chunk is a piece, or without chunks each read.
fn seen(read: &[u8], at: &[(Instant, usize)], is_whole: bool) -> Seen {
    let text = String::from_utf8_lossy(read);
    let head = text.find("\r\n\r\n").map_or(0, |end| end + 4);
    let fields = text[..head].to_ascii_lowercase();
    assert!(
        fields.starts_with("http/1.1 200") || fields.starts_with("http/1.0 200"),
        "{fields}"
    );
    let when = |end: usize| at.iter().find(|(_, n)| *n >= end).unwrap().0;
    let mut pieces: Vec<(Instant, Vec<u8>)> = Vec::new();
    if fields.contains("transfer-encoding: chunked") {
        let mut from = head;
        while let Some(line) = read[from..].windows(2).position(|w| w == b"\r\n") {
            let size = std::str::from_utf8(&read[from..from + line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let begin = from + line + 2;
            if size == 0 || begin + size > read.len() {
                break;
            }
            pieces.push((when(begin + size), read[begin..begin + size].to_vec()));
            from = begin + size + 2;
        }
    } else {
        let mut from = head;
        for (instant, end) in at.iter().filter(|(_, end)| *end > head) {
            pieces.push((*instant, read[from..*end].to_vec()));
            from = *end;
        }
    }
    let mut coded = Vec::new();
    let plain = |coded: &[u8]| match fields.contains("content-encoding: gzip") {
        false => coded.len(),
        true => {
            let mut text = Vec::new();
            // It ends where the compressor had not flushed.
            let _ = MultiGzDecoder::new(coded).read_to_end(&mut text);
            text.len()
        }
    };
    let pieces = pieces.into_iter().map(|(instant, piece)| {
        coded.extend_from_slice(&piece);
        (instant, plain(&coded))
    });
    Seen {
        pieces: pieces.filter(|(_, n)| *n > 0).collect(),
        end: at.last().unwrap().0,
        is_whole,
    }
}

/// What clients behind both see of the same mail.
fn beside(
    settings: &ProxySettings,
    (mails, pause): (usize, Duration),
    real: impl Fn(SocketAddr, &Path) -> InFront,
) -> [Seen; 2] {
    let served = Served::start("sse", patient(), Scenario::default());
    let folder = tempfile::tempdir().unwrap();
    let both = [
        real(served.address(), folder.path()),
        ours(served.address(), settings.clone()),
    ];
    let readers = both.each_ref().map(|proxy| Reader::start(proxy.address));
    until("both streams are open", || served.mailbox.watchers() == 2);
    let began = Instant::now();
    let plan = Plan::draw(&Scenario {
        mails: mails as u64,
        ..Scenario::default()
    });
    for (mail, n) in plan.unwrap().mails.iter().zip(0_u32..) {
        served.mailbox.append([mail.mail.clone()]);
        let next = began + pause * (n + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    served.shut_down();
    let seen = readers.map(|reader| reader.0.join().unwrap());
    served.stop();
    seen
}

/// The same pieces at the same times, each boundary within a buffer.
fn agree(name: &str, settings: &ProxySettings, [real, ours]: &[Seen; 2]) {
    let count = |seen: &Seen| seen.pieces.len();
    assert_eq!(
        real.pieces.last().unwrap().1,
        ours.pieces.last().unwrap().1,
        "{name}: all of it"
    );
    assert_eq!(
        (real.is_whole, ours.is_whole),
        (settings.chunked, settings.chunked),
        "{name}"
    );
    if settings.holds_back(true) {
        assert_eq!(count(real), count(ours), "{name}: {real:#?} {ours:#?}");
        let buffer = settings.buffer_bytes.unwrap();
        for ((real_at, real), (our_at, our)) in real.pieces.iter().zip(&ours.pieces) {
            assert!(real.abs_diff(*our) <= buffer, "{name}: {real} and {our}");
            let apart = our_at.max(real_at).duration_since(*our_at.min(real_at));
            assert!(apart < APART, "{name}: {apart:?} apart at {real}");
        }
    } else {
        // Each mail by itself, unless two were read at once.
        for seen in [real, ours] {
            assert!(count(seen) > MAILS.0 * 9 / 10, "{name}: {}", count(seen));
        }
    }
}

#[test]
fn nginx_passes_on_what_our_files_say() {
    if !has_nginx() {
        return;
    }
    for name in ["nginx", "nginx-hinted", "nginx-tuned", "http10"] {
        let settings = proxy::find(name).unwrap().settings;
        undisturbed(|| {
            let both = beside(&settings, MAILS, |server, folder| {
                nginx(server, folder, &settings)
            });
            agree(name, &settings, &both);
        });
    }
}

#[test]
fn nginx_compresses_as_our_file_says() {
    if !has_nginx() {
        return;
    }
    let settings = proxy::find("gzip").unwrap().settings;
    undisturbed(|| {
        let both = beside(&settings, MANY, |server, folder| nginx(server, folder, &settings));
        assert!(both[0].pieces.len() > 3, "{both:#?}");
        agree("gzip", &settings, &both);
    });
}

#[test]
fn each_remedy_changes_in_nginx_what_it_changes_in_ours() {
    if !has_nginx() {
        return;
    }
    let before = proxy::find("nginx").unwrap().settings;
    let plain = directives(&before);
    std::thread::scope(|scope| {
        for remedy in REMEDIES {
            let (before, plain) = (&before, &plain);
            scope.spawn(move || {
                let mut settings = before.clone();
                (remedy.apply)(&mut settings);
                // The server sends the field; what decides is whether nginx heeds it.
                let directives = match remedy.line {
                    HINT => plain.replace("proxy_ignore_headers X-Accel-Buffering;", ""),
                    line => {
                        let name = line.split(' ').next().unwrap();
                        let others = plain
                            .split(';')
                            .filter(|one| !one.trim().starts_with(&format!("{name} ")));
                        format!(
                            "{}; {line};",
                            others.collect::<Vec<_>>().join(";").trim_end_matches(';')
                        )
                    }
                };
                undisturbed(|| {
                    let both = beside(&settings, MAILS, |server, folder| {
                        nginx_with(server, folder, &directives)
                    });
                    agree(remedy.line, &settings, &both);
                });
            });
        }
    });
}

/// A load balancer's minute, divided by 30.
fn quick_load_balancer() -> ProxySettings {
    let mut settings = proxy::find("load-balancer").unwrap().settings;
    settings.idle_ms = settings.idle_ms.map(|ms| ms / 30.0);
    settings
}

/// When a silent stream is cut after its beginning, behind haproxy and behind ours; `None` if it is not within 5 s.
fn cut(heartbeat: Duration) -> [Option<Duration>; 2] {
    let settings = quick_load_balancer();
    let scenario = Scenario {
        heartbeat_ms: heartbeat.as_secs_f64() * 1e3,
        ..Scenario::default()
    };
    let served = Served::start("sse", patient(), scenario);
    let folder = tempfile::tempdir().unwrap();
    let both = [
        silent(served.address(), folder.path(), settings.idle_ms.unwrap()),
        ours(served.address(), settings),
    ];
    let readers = both.each_ref().map(|proxy| Reader::start(proxy.address));
    until("both streams are open", || served.mailbox.watchers() == 2);
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    let end = Instant::now();
    served.shut_down();
    let cut = readers.map(|reader| {
        let seen = reader.0.join().unwrap();
        (!seen.is_whole && seen.end < end).then(|| seen.end.saturating_duration_since(began))
    });
    served.stop();
    cut
}

#[test]
fn haproxy_cuts_what_is_silent_when_ours_does() {
    if !has_haproxy() {
        return;
    }
    undisturbed(|| {
        let [real, ours] = cut(Duration::from_secs(10)).map(|cut| cut.expect("it is silent for too long"));
        let idle = Duration::from_secs(2);
        for cut in [real, ours] {
            assert!(cut.max(idle) - cut.min(idle) < APART, "{cut:?}");
        }
        assert_eq!(
            cut(Duration::from_secs(1)),
            [None, None],
            "a heartbeat keeps it open"
        );
    });
}

/// When a silent WebSocket is cut.
fn tunnel_cut(proxy: SocketAddr) -> Duration {
    let mut socket = TcpStream::connect(proxy).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(handshake("").as_bytes()).unwrap();
    let (began, mut read) = (Instant::now(), Vec::new());
    let mut buffer = [0; 4_096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => read.extend_from_slice(&buffer[..n]),
        }
    }
    let text = String::from_utf8_lossy(&read);
    assert!(text.starts_with("HTTP/1.1 101"), "{text}");
    began.elapsed()
}

#[test]
fn haproxy_cuts_a_silent_tunnel_when_ours_does_and_corporate_kills_every_one() {
    if !has_haproxy() {
        return;
    }
    undisturbed(|| {
        let settings = quick_load_balancer();
        let served = Served::start("ws", patient(), Scenario::default());
        let folder = tempfile::tempdir().unwrap();
        let real = silent(served.address(), folder.path(), settings.idle_ms.unwrap());
        let corporate = ours(served.address(), proxy::find("corporate").unwrap().settings);
        let ours = ours(served.address(), settings);
        let idle = Duration::from_secs(2);
        for cut in [tunnel_cut(real.address), tunnel_cut(ours.address)] {
            assert!(cut.max(idle) - cut.min(idle) < APART, "{cut:?}");
        }
        let killed = tunnel_cut(corporate.address);
        assert!(
            killed >= Duration::from_millis(200) && killed < idle,
            "{killed:?}"
        );
        served.stop();
    });
}

#[test]
fn the_crossover_of_heartbeats_is_there_in_real_time_too() {
    // A load balancer's minute and its heartbeats, divided by 30.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quick.toml");
    std::fs::write(&file, "idle_ms = 2000").unwrap();
    let args = [
        "sweep",
        "sse",
        "ws",
        "--heartbeat",
        "333ms,1s,1833ms,2167ms,4s",
        "--proxy",
    ];
    let rest = [
        "--rate",
        "1/3s",
        "--arrivals",
        "steady",
        "--mails",
        "1",
        "--format",
        "json",
    ];
    undisturbed(|| {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain([file.to_str().unwrap()])
            .chain(rest)
            .collect();
        let output = run(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        let sweep: Sweep = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {text}"));
        for row in &sweep.results {
            let (technique, at) = (row.technique(), row.at);
            assert_eq!(
                row.cuts().unwrap() > 0,
                at > 2_000.0,
                "{technique} with a heartbeat of {at} ms"
            );
            assert_eq!(row.outcome().unwrap().mails.delivered, 1, "{technique} at {at}");
        }
        for cut in &sweep.cuts {
            assert!(cut.below <= 2_010.0 && cut.from >= 1_990.0, "{cut:?}");
        }
    });
}
