//! The simulated link, seen from outside: plain sockets against a small server behind it, checked
//! against the model, and where the kernel can emulate a network itself, against that.
//!
//! Times are bounded below exactly, for nothing may come early, and above generously, for a busy
//! machine is late. Where a figure must be close, it is a median or the best of several.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailcall::lab::Lab;
use mailcall::link::{Connection, Cut, Ledger, Network};
use mailcall::outcome::{Arrivals, Block, Link, Outcome, Scenario};
use mailcall::technique::{self, Technique, tcp};
use mailcall::theory::{Path, Pipe};
use mailcall::wire::{Decoder, Direction, Lengths};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support;
use crate::support::undisturbed::{undisturbed, watching};

/// What a byte asks the server behind the link to do.
const ECHO: u8 = b'e';
/// Sends [`BULK`] bytes and closes at once.
const SEND: u8 = b's';
/// Sends numbered messages at a steady pace, each with the instant it was sent.
const PACE: u8 = b'p';
/// Reads [`BULK`] bytes and says so.
const TAKE: u8 = b't';

const BULK: usize = 250_000;
const PACED: u32 = 150;
const GAP: Duration = Duration::from_millis(10);

fn link(rtt_ms: f64) -> Link {
    Link {
        rtt_ms,
        ..Link::default()
    }
}

/// A server behind a link, on a thread of its own for as long as the process lives.
struct Behind {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    epoch: Instant,
}

impl Behind {
    fn new(link: &Link, seed: u64) -> Behind {
        Behind::at(&"127.0.0.1:0".parse().unwrap(), link, seed)
    }

    fn at(address: &SocketAddr, link: &Link, seed: u64) -> Behind {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let network = Network::new(ledger.clone(), link, seed).unwrap();
        let epoch = Instant::now();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    socket.set_nodelay(true).unwrap();
                    let connection = network.attach(socket, Decoder::Lengths(Lengths::default()));
                    tokio::spawn(async move {
                        let _ = obey(connection.open().await.unwrap(), epoch).await;
                    });
                }
            });
        });
        Behind {
            address,
            ledger,
            epoch,
        }
    }

    fn connect(&self) -> TcpStream {
        connect(self.address)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
}

async fn obey(mut connection: Connection, epoch: Instant) -> std::io::Result<()> {
    loop {
        match connection.read_u8().await? {
            ECHO => connection.write_all(&micros(epoch)).await?,
            SEND => return connection.write_all(&vec![b'x'; BULK]).await,
            TAKE => {
                let mut sink = vec![0; BULK];
                connection.read_exact(&mut sink).await?;
                connection.write_all(&micros(epoch)).await?;
            }
            PACE => {
                for _ in 0..PACED {
                    connection.write_all(&micros(epoch)).await?;
                    tokio::time::sleep(GAP).await;
                }
            }
            other => panic!("{other} means nothing"),
        }
    }
}

fn micros(epoch: Instant) -> [u8; 8] {
    (epoch.elapsed().as_micros() as u64).to_be_bytes()
}

/// Waits for eight bytes: microseconds since the server's epoch when it sent them.
fn told(stream: &mut TcpStream) -> Duration {
    let mut at = [0; 8];
    stream.read_exact(&mut at).unwrap();
    Duration::from_micros(u64::from_be_bytes(at))
}

fn ask(stream: &mut TcpStream) -> Duration {
    stream.write_all(&[ECHO]).unwrap();
    told(stream)
}

/// The median.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[test]
fn a_connection_costs_a_round_trip_before_its_first_request() {
    let server = Behind::new(&link(60.0), 1);
    // (until the request is there, until the answer is there, one more request on the same connection)
    let all: Vec<[f64; 3]> = (0..7)
        .map(|_| {
            let opened = Instant::now();
            let mut stream = server.connect();
            let heard = ask(&mut stream) + server.epoch.duration_since(opened.min(server.epoch));
            let (heard, first) = (heard, opened.elapsed());
            let there = (server.epoch + heard).duration_since(opened);
            let again = Instant::now();
            ask(&mut stream);
            [ms(there), ms(first), ms(again.elapsed())]
        })
        .collect();
    for (i, model) in [90.0, 120.0, 60.0].into_iter().enumerate() {
        let seen: Vec<f64> = all.iter().map(|times| times[i]).collect();
        // The server counts whole microseconds.
        assert!(seen.iter().all(|t| *t >= model - 0.002), "{model} ms: {seen:?}");
        assert!(middle(seen.clone()) < model * 1.25, "{model} ms: {seen:?}");
    }
}

#[test]
fn the_line_carries_its_bandwidth_and_no_more() {
    undisturbed(|| {
        let server = Behind::new(
            &Link {
                bandwidth_bit_s: Some(4e6),
                ..link(20.0)
            },
            1,
        );
        let expected = BULK as f64 * 8.0 / 4e6;
        let mut down = server.connect();
        ask(&mut down);
        let start = Instant::now();
        down.write_all(&[SEND]).unwrap();
        let mut received = Vec::new();
        assert_eq!(down.read_to_end(&mut received).unwrap(), BULK);
        let took = start.elapsed().as_secs_f64();
        assert!(
            (expected + 0.02..expected * 1.2).contains(&took),
            "down: {took} s for {expected}"
        );

        let mut up = server.connect();
        ask(&mut up);
        let start = Instant::now();
        up.write_all(&[TAKE]).unwrap();
        up.write_all(&vec![b'y'; BULK]).unwrap();
        told(&mut up);
        let took = start.elapsed().as_secs_f64();
        assert!(
            (expected + 0.02..expected * 1.2).contains(&took),
            "up: {took} s for {expected}"
        );
    });
}

#[test]
fn what_a_server_wrote_before_it_closed_still_arrives_and_then_the_end() {
    let server = Behind::new(
        &Link {
            bandwidth_bit_s: Some(8e6),
            ..link(50.0)
        },
        1,
    );
    let mut stream = server.connect();
    stream.write_all(&[SEND]).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), BULK);
    // The meter holds the connection open until then, and has seen all of it.
    drop(stream);
    support::until("the connection is closed", || server.ledger.open() == 0);
    assert_eq!(server.ledger.totals().raw, [1, BULK as u64]);
}

#[test]
fn a_clients_end_comes_behind_its_bytes() {
    let server = Behind::new(&link(40.0), 1);
    let mut stream = server.connect();
    let start = Instant::now();
    stream.write_all(&[ECHO, ECHO]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 16);
    assert!(
        start.elapsed() >= Duration::from_millis(80),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn an_end_takes_its_way_like_any_byte() {
    let server = Behind::new(&link(40.0), 1);
    let mut stream = server.connect();
    ask(&mut stream);
    // Nothing else is under way: there and back is a round trip.
    let start = Instant::now();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(40), "{took:?}");
}

/// When each paced message was sent and came, and when the model says that it should have come.
struct Paced {
    sent: Vec<f64>,
    came: Vec<f64>,
    modelled: Vec<f64>,
}

impl Paced {
    /// Lets a server send at its pace over the link; its luck is said to come from `seed`.
    fn run(link: &Link, seed: u64, said: u64) -> Paced {
        let server = Behind::new(link, seed);
        let opened = server.epoch.elapsed().as_secs_f64();
        let mut stream = server.connect();
        stream.write_all(&[PACE]).unwrap();
        let (sent, came): (Vec<f64>, Vec<f64>) = (0..PACED)
            .map(|_| {
                let sent = told(&mut stream).as_secs_f64();
                (sent, server.epoch.elapsed().as_secs_f64())
            })
            .unzip();
        let mut pipe = Pipe::down(link.path(), opened, said, 0);
        let modelled = sent.iter().map(|at| pipe.deliver(*at, 8)).collect();
        Paced { sent, came, modelled }
    }

    /// How far off the model the messages came, milliseconds.
    fn deviations(&self) -> Vec<f64> {
        let pairs = self.came.iter().zip(&self.modelled);
        pairs.map(|(came, modelled)| (came - modelled) * 1e3).collect()
    }
}

fn uneven() -> Link {
    Link {
        jitter_ms: 30.0,
        loss_fraction: 0.05,
        ..link(20.0)
    }
}

#[test]
fn a_seed_decides_when_each_message_comes() {
    let run = Paced::run(&uneven(), 7, 7);
    let off = run.deviations();
    // A stamp is taken a moment before its message is sent, and says whole microseconds.
    assert!(off.iter().all(|d| *d > -0.01), "early: {off:?}");
    assert!(middle(off.clone()) < 1.0, "late: {off:?}");
    let other = Paced::run(&uneven(), 7, 8).deviations();
    assert!(middle(other.iter().map(|d| d.abs()).collect()) > 3.0, "{other:?}");
}

#[test]
fn jitter_keeps_to_its_bounds_and_to_the_order() {
    let jitter = Link {
        jitter_ms: 8.0,
        ..link(20.0)
    };
    let run = Paced::run(&jitter, 3, 3);
    let delays: Vec<f64> = run
        .came
        .iter()
        .zip(&run.sent)
        .map(|(came, sent)| (came - sent) * 1e3)
        .collect();
    assert!(delays.iter().all(|d| *d >= 9.998), "{delays:?}");
    assert!(run.sent.is_sorted() && run.came.is_sorted());
    // Half the jitter on average; 150 draws have a standard error of 0.19 ms.
    assert!((13.0..16.0).contains(&middle(delays.clone())), "{delays:?}");
}

#[test]
fn a_lost_message_holds_back_what_is_behind_it() {
    let lossy = Link {
        loss_fraction: 0.04,
        ..link(20.0)
    };
    let run = Paced::run(&lossy, 5, 5);
    let delay = |i: usize| run.modelled[i] - run.sent[i];
    // A lost message is held for 0.2 s and then takes half a round trip: 0.21 s, as far as a sum of doubles is exact.
    let lost: Vec<usize> = (0..PACED as usize).filter(|i| delay(*i) > 0.2).collect();
    assert!(!lost.is_empty(), "choose another seed");
    for i in lost {
        let until = run.sent[i] + 0.21;
        let behind = (i + 1..PACED as usize).take_while(|j| run.sent[*j] < until - 0.02);
        for j in behind {
            assert!(
                run.came[j] >= run.came[i] && run.came[j] >= until,
                "{j} overtook {i}"
            );
        }
    }
}

#[test]
fn as_many_are_lost_as_were_to_be_and_each_costs_its_hold() {
    undisturbed(|| {
        let (trips, loss, rtt, seed) = (150, 0.04, 0.002, 12);
        let lossy = Link {
            loss_fraction: loss,
            ..link(rtt * 1e3)
        };
        let server = Behind::new(&lossy, seed);
        let mut stream = server.connect();
        // One at a time, so that each hold is one message's: 200 ms, or 600 if it was lost twice.
        let holds: Vec<f64> = (0..trips)
            .map(|_| {
                let start = Instant::now();
                ask(&mut stream);
                ((start.elapsed().as_secs_f64() - rtt) / 0.2).floor()
            })
            .collect();
        let luck = |new: fn(Path, f64, u64, u64) -> Pipe| {
            let path = Path {
                loss,
                ..Path::default()
            };
            let mut pipe = new(path, 0.0, seed, 0);
            let hours = (1..=trips).map(|k| f64::from(k) * 3_600.0);
            hours.map(|at| pipe.deliver(at, 8) - at).sum::<f64>() / 0.2
        };
        let drawn = (luck(Pipe::up) + luck(Pipe::down)).round();
        assert_eq!(
            holds.iter().sum::<f64>(),
            drawn,
            "holds seen, and drawn from the seed"
        );
        // A trip is held if one of its two segments is lost: binomial, give or take four deviations.
        let held = holds.iter().filter(|h| **h > 0.0).count() as f64;
        let (n, p) = (f64::from(trips), 1.0 - (1.0 - loss) * (1.0 - loss));
        assert!(
            (held - n * p).abs() < 4.0 * (n * p * (1.0 - p)).sqrt(),
            "{held} for {}",
            n * p
        );
    });
}

#[test]
fn a_writer_waits_when_the_buffer_is_full() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = connect(listener.local_addr().unwrap());
        let slow = Link {
            bandwidth_bit_s: Some(1e6),
            ..link(10_000.0)
        };
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let network = Network::new(ledger, &slow, 1).unwrap();
        let socket = listener.accept().await.unwrap().0;
        let attached = network.attach(socket, Decoder::Lengths(Lengths::default()));
        let mut connection = attached.open().await.unwrap();
        let mut accepted = 0;
        // The line is idle during the handshake, and then takes 1,448 bytes in 12 ms.
        let full = std::future::poll_fn(|cx| {
            while let std::task::Poll::Ready(written) =
                std::pin::Pin::new(&mut connection).poll_write(cx, &[0; 10_000])
            {
                accepted += written.unwrap();
            }
            std::task::Poll::Ready(accepted)
        });
        assert_eq!(full.await, 256 * 1024);
    });
}

fn all() -> Vec<&'static Technique> {
    technique::ALL.iter().copied().chain([&tcp::TECHNIQUE]).collect()
}

fn run(technique: &'static Technique, scenario: Scenario, cuts: Vec<Cut>) -> Outcome {
    let mut lab = Lab::new(scenario).unwrap();
    lab.cuts = cuts;
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
}

/// A run of a second or so over a link that is slow in every way.
fn scenario() -> Scenario {
    Scenario {
        mails: 24,
        rate_per_s: 24.0,
        poll_interval_ms: 200.0,
        link: Link {
            rtt_ms: 160.0,
            jitter_ms: 20.0,
            bandwidth_bit_s: Some(1e6),
            loss_fraction: 0.02,
            nat_ms: None,
        },
        ..Scenario::default()
    }
}

/// How often at most a delivery waits for the machine to wake somebody, over a shaped link.
const WAKES: f64 = 4.0;

/// Runs until the measured mean lies this near to the prediction. A busy machine is late: as late as a thread that
/// sleeps meanwhile is at worst, each time that somebody has to be woken. A wrong model is off each time.
fn agrees(technique: &'static Technique, scenario: &Scenario, above: f64, below: f64) -> Outcome {
    let mut tries = (0..5).map(|_| {
        let (o, stall) = watching(|| run(technique, scenario.clone(), Vec::new()));
        assert!(o.clean(), "{}: {:?}", o.technique, o.mails);
        (o, stall.as_secs_f64() * 1e6)
    });
    let fits = |o: &Outcome, stall: f64| {
        let measured = o.latency_us.as_ref().map_or(0.0, |l| l.mean);
        let predicted = o.predicted.latency_us.mean;
        (predicted * (1.0 - below)..predicted * (1.0 + above) + WAKES * stall).contains(&measured)
    };
    let fitting = tries.find(|(o, stall)| fits(o, *stall));
    let Some((o, _)) = fitting else {
        panic!(
            "{} is never near its prediction over {:?}",
            technique.name, scenario.link
        )
    };
    o
}

#[test]
fn each_technique_is_delayed_as_predicted() {
    let variants = [
        Scenario {
            link: link(160.0),
            poll_interval_ms: 400.0,
            ..scenario()
        },
        scenario(),
        Scenario {
            seed: 4,
            mails: 14,
            attach: 3_000,
            ..scenario()
        },
    ];
    for scenario in variants {
        std::thread::scope(|scope| {
            for technique in all() {
                let scenario = &scenario;
                scope.spawn(move || {
                    let o = agrees(technique, scenario, 0.1, 0.1);
                    assert_eq!(o.predicted.method, "simulated");
                });
            }
        });
    }
}

/// The mail's connection is not the first, and what was tried before had its share of luck.
#[test]
fn a_fallback_is_delayed_as_predicted() {
    let sockjs = technique::named("sockjs").unwrap();
    for block in [vec![Block::Websocket], vec![Block::Websocket, Block::Streaming]] {
        let scenario = Scenario { block, ..scenario() };
        agrees(sockjs, &scenario, 0.1, 0.1);
    }
}

#[test]
fn a_link_delays_and_changes_no_byte() {
    for technique in all().iter().filter(|t| ["sse", "ws", "tcp"].contains(&t.name)) {
        let o = run(
            technique,
            Scenario {
                reply: true,
                ..scenario()
            },
            Vec::new(),
        );
        assert!(o.clean(), "{}: {:?}", o.technique, o.mails);
        let (measured, predicted) = (&o.bytes, &o.predicted.bytes);
        let sheet = [
            (measured.up.total as f64, predicted.up.total),
            (measured.down.total as f64, predicted.down.total),
            (measured.up.head as f64, predicted.up.head),
            (measured.down.framing as f64, predicted.down.framing),
            (o.requests.total as f64, o.predicted.requests.total),
        ];
        assert!(
            sheet.iter().all(|(m, p)| (m - p).abs() < 1e-6),
            "{}: {sheet:?}",
            o.technique
        );
    }
}

#[test]
fn nothing_is_lost_when_a_slow_connection_breaks() {
    std::thread::scope(|scope| {
        for technique in all() {
            for (after, direction) in [
                (0, Direction::Up),
                (40, Direction::Up),
                (150, Direction::Down),
                (1_000, Direction::Down),
                (1_700, Direction::Down),
            ] {
                scope.spawn(move || {
                    let cut = Cut {
                        connection: 0,
                        direction,
                        after,
                        reset: after % 20 == 0,
                    };
                    let scenario = Scenario {
                        mails: 8,
                        arrivals: Arrivals::Burst(2),
                        link: Link {
                            bandwidth_bit_s: Some(2e6),
                            ..link(20.0)
                        },
                        ..scenario()
                    };
                    let o = run(technique, scenario, vec![cut]);
                    assert!(o.clean(), "{} after {cut:?}: {:?}", o.technique, o.mails);
                });
            }
        }
    });
}

/// RFC 6202, section 2.2, out of the model and out of a run: on average close to one transit, at worst
/// three.
#[test]
fn a_long_poll_takes_one_transit_on_average_and_three_at_worst() {
    let rare = Scenario {
        mails: 20,
        rate_per_s: 2.0,
        link: link(100.0),
        seed: 2,
        ..scenario()
    };
    let o = agrees(technique::named("long-poll").unwrap(), &rare, 0.1, 0.01);
    let (measured, predicted) = (o.latency_us.unwrap(), o.predicted.latency_us);
    assert!((50e3..65e3).contains(&predicted.mean), "{predicted:?}");
    assert!(predicted.max <= 150e3 + 1.0, "{predicted:?}");
    assert!(measured.min >= 50e3, "{measured:?}");
}

/// A network of the kernel's own: a pair of interfaces, one of them in a namespace of its own. Gone
/// when dropped.
#[cfg(target_os = "linux")]
struct Namespace(String);

#[cfg(target_os = "linux")]
impl Namespace {
    const SERVER: &str = "10.203.77.1";

    /// Shapes both directions by this queueing discipline; says why if it cannot be had.
    fn new(name: &str, qdisc: &str) -> Result<Namespace, String> {
        let namespace = Namespace(format!("mc-{name}"));
        let (ns, outer, inner) = (&namespace.0, format!("{name}-o"), format!("{name}-i"));
        let inside = format!("ip netns exec {ns}");
        for command in [
            format!("ip netns add {ns}"),
            format!("ip link add {outer} type veth peer name {inner} netns {ns}"),
            format!("ip address add {}/30 dev {outer}", Namespace::SERVER),
            format!("ip link set {outer} up"),
            format!("{inside} ip address add 10.203.77.2/30 dev {inner}"),
            format!("{inside} ip link set {inner} up"),
            format!("tc qdisc add dev {outer} root {qdisc}"),
            format!("{inside} tc qdisc add dev {inner} root {qdisc}"),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            let done = std::process::Command::new(words[0]).args(&words[1..]).output();
            let done = done.map_err(|e| format!("{}: {e}", words[0]))?;
            if !done.status.success() {
                return Err(format!(
                    "{command}: {}",
                    String::from_utf8_lossy(&done.stderr).trim()
                ));
            }
        }
        Ok(namespace)
    }

    /// Runs the measuring half below inside, against a server outside.
    fn measure(&self, server: SocketAddr) -> [f64; 3] {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", &self.0]);
        command.arg(std::env::current_exe().unwrap());
        command.args([
            "link::measures_what_it_is_pointed_at",
            "--exact",
            "--ignored",
            "--nocapture",
        ]);
        command.env("MAILCALL_MEASURE", server.to_string());
        let (status, stdout) = support::run(&mut command);
        let stdout = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{stdout}");
        let line = stdout.lines().find_map(|l| l.split_once("measured: ")).unwrap().1;
        let figures: Vec<f64> = line.split(' ').map(|f| f.parse().unwrap()).collect();
        figures.try_into().unwrap()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Namespace {
    fn drop(&mut self) {
        // Takes the interfaces along; fails only if there is none.
        let _ = std::process::Command::new("ip")
            .args(["netns", "delete", &self.0])
            .output();
    }
}

/// Milliseconds from connecting to the first answer, for a round trip after that, and for a bulk
/// transfer.
fn measure(server: SocketAddr) -> [f64; 3] {
    let mut best = [f64::INFINITY; 3];
    for _ in 0..3 {
        let opened = Instant::now();
        let mut stream = connect(server);
        ask(&mut stream);
        let first = opened.elapsed();
        let again = Instant::now();
        ask(&mut stream);
        let (again, start) = (again.elapsed(), Instant::now());
        stream.write_all(&[SEND]).unwrap();
        let mut received = Vec::new();
        assert_eq!(stream.read_to_end(&mut received).unwrap(), BULK);
        for (best, new) in best.iter_mut().zip([first, again, start.elapsed()]) {
            *best = best.min(ms(new));
        }
    }
    best
}

#[test]
#[ignore = "the half of another test that runs in a namespace"]
fn measures_what_it_is_pointed_at() {
    let server = std::env::var("MAILCALL_MEASURE").unwrap().parse().unwrap();
    println!("measured: {}", measure(server).map(|f| f.to_string()).join(" "));
}

/// Whether this process may make namespaces, and their tools are there.
#[cfg(target_os = "linux")]
fn may_have_namespaces() -> bool {
    let root = rustix::process::geteuid().is_root();
    let tool = |name: &str| std::process::Command::new(name).arg("-V").output().is_ok();
    support::is_here("root with ip and tc (iproute2)", root && tool("ip") && tool("tc"))
}

#[cfg(target_os = "linux")]
fn compare_with_the_kernel(name: &str, qdisc: &str, link: &Link, figures: &[usize], tolerance: f64) {
    if !may_have_namespaces() {
        return;
    }
    let namespace = match Namespace::new(name, qdisc) {
        Ok(namespace) => namespace,
        Err(why) => {
            // There is nothing to install that would help, so this may be missing where peers are required.
            support::skips::note("a kernel that can emulate the link");
            let _ = writeln!(
                std::io::stderr(),
                "skipped: this kernel cannot emulate the link: {why}"
            );
            return;
        }
    };
    let at = format!("{}:0", Namespace::SERVER).parse().unwrap();
    let theirs = namespace.measure(Behind::at(&at, &Link::default(), 1).address);
    let ours = measure(Behind::new(link, 1).address);
    let names = ["connect to first answer", "round trip", "250 kB"];
    for i in figures.iter().copied() {
        let deviation = ours[i] / theirs[i] - 1.0;
        let _ = writeln!(
            std::io::stderr(),
            "{qdisc}, {}: {:.1} ms by the kernel, {:.1} ms simulated: {:+.1} %",
            names[i],
            theirs[i],
            ours[i],
            deviation * 100.0
        );
        assert!(deviation.abs() < tolerance, "{}: {theirs:?} {ours:?}", names[i]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn delays_are_those_of_the_kernels_own_emulation() {
    compare_with_the_kernel("mcd", "netem delay 40ms", &link(80.0), &[0, 1], 0.05);
}

#[test]
#[cfg(target_os = "linux")]
fn the_bandwidth_is_that_of_the_kernels_own_shaper() {
    // The kernel counts headers: 66 bytes for each 1,448 of data, and the first burst is free.
    let slow = Link {
        bandwidth_bit_s: Some(2e6),
        ..Link::default()
    };
    compare_with_the_kernel("mcb", "tbf rate 2mbit burst 3000 latency 2s", &slow, &[2], 0.08);
}
