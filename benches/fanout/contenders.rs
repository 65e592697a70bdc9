//! The servers, each on the first core: ours, ours without the meter, a writer of prepared frames, and Node's
//! `ws`. Each gets a mail as soon as it arrives and sends it to all its clients.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::Ledger;
use mailcall::mail::{Letter, Mail, Mailbox};
use mailcall::outcome::Scenario;
use mailcall::technique::{self, BODY_TIMEOUT, Headers, Service};
use rand::SeedableRng;
use tokio_util::sync::CancellationToken;

use super::crowd::{self, Crowd};
use super::support::{Kept, is_here, peers, runs};
use super::unmetered;

/// The size of a mail's JSON, bytes.
const SIZE: usize = 300;

const HANDSHAKE: &str = "GET /ws?after=0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const GET: &str = "GET /sse?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub struct Contender {
    crowd: Crowd,
    /// Appends this many mails.
    publish: Box<dyn FnMut(u64)>,
    /// The length on the wire of the mail with this number, bytes.
    length: fn(u64) -> usize,
    published: u64,
}

impl Contender {
    /// Mails times clients per second; the next `depth` mails arrive once all clients have the previous ones.
    pub fn deliveries_per_s(&mut self, depth: u64, time: Duration) -> f64 {
        let start = Instant::now();
        let before = self.published;
        while start.elapsed() < time {
            (self.publish)(depth);
            let numbers = self.published + 1..=self.published + depth;
            self.published += depth;
            self.crowd
                .take(numbers.map(self.length).sum::<usize>() * self.crowd.len());
        }
        let deliveries = (self.published - before) as usize * self.crowd.len();
        deliveries as f64 / start.elapsed().as_secs_f64()
    }

    /// A technique of ours, with or without the meter.
    pub fn ours(technique: &'static str, metered: bool, clients: usize) -> Contender {
        let (address, mailbox, publisher) = on_the_first_core(move || {
            let mailbox = Arc::new(Mailbox::new(64, mailcall::mail::Epoch::of_seed(1)));
            let address = serve(technique, metered, mailbox.clone(), clients);
            (address, mailbox.clone(), publisher(mailbox))
        });
        let (request, greeting, length): (_, _, fn(u64) -> usize) = match technique {
            "ws" => (HANDSHAKE, "\r\n\r\n", |_| 4 + SIZE),
            _ => (GET, "\n\n\r\n", event_length),
        };
        let crowd = Crowd::connect(address, clients, request, greeting);
        while mailbox.watchers() < clients {
            std::thread::yield_now();
        }
        let publish = Box::new(move |n| publisher.send(n).expect("the publisher lives"));
        Contender {
            crowd,
            publish,
            length,
            published: 0,
        }
    }

    /// Writes prepared frames, all waiting ones in one write: no server that writes to sockets one by one can
    /// be faster.
    pub fn writer(clients: usize) -> Contender {
        let (address, publisher) = on_the_first_core(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let (send, receive) = mpsc::channel::<u64>();
            std::thread::spawn(move || write_ready_frames(&listener, clients, &receive));
            (address, send)
        });
        let crowd = Crowd::connect(address, clients, "", "");
        let publish = Box::new(move |n| publisher.send(n).expect("the writer lives"));
        Contender {
            crowd,
            publish,
            length: |_| 4 + SIZE,
            published: 0,
        }
    }

    /// npm's `ws`, if it is installed.
    pub fn node(clients: usize) -> Option<Contender> {
        let modules = peers().join("node_modules");
        if !is_here("npm's ws", modules.join("ws").is_dir() && runs("node")) {
            return None;
        }
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fanout/node.js"));
        command.arg(SIZE.to_string()).env("NODE_PATH", modules);
        let mut node = on_the_first_core(move || Kept::start(&mut command));
        let mut port = String::new();
        BufReader::new(node.stdout())
            .read_line(&mut port)
            .expect("it says its port");
        let port: u16 = port.trim().parse().expect("it says its port");
        let crowd = Crowd::connect(([127, 0, 0, 1], port).into(), clients, HANDSHAKE, "\r\n\r\n");
        let mut orders = node.stdin();
        let publish = Box::new(move |n| {
            // Node ends with this closure.
            let _node = &node;
            orders.write_all(&b"mail"[..n as usize]).expect("node lives");
        });
        Some(Contender {
            crowd,
            publish,
            length: |_| 4 + SIZE,
            published: 0,
        })
    }
}

/// Threads and processes started within it stay on that core.
fn on_the_first_core<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    let started = std::thread::spawn(|| {
        crowd::pin(0);
        start()
    });
    started.join().expect("a server starts")
}

/// The length of an event in its chunk.
fn event_length(number: u64) -> usize {
    let event = format!("id: {number}\ndata: \n\n").len() + SIZE;
    event + format!("{event:x}\r\n\r\n").len()
}

fn serve(technique: &str, metered: bool, mailbox: Arc<Mailbox>, clients: usize) -> SocketAddr {
    let scenario = Scenario {
        heartbeat_ms: 3_600_000.0,
        clients,
        ..Scenario::default()
    };
    let shutdown = CancellationToken::new();
    let limits = Limits::for_clients(clients, scenario.poll_interval());
    let service = Service {
        mailbox,
        headers: Arc::new(Headers::load(&scenario.headers).expect("the lean profile is built in")),
        scenario: Arc::new(scenario),
        shutdown: shutdown.clone(),
        replies: Arc::default(),
        received: Arc::default(),
        body_timeout: BODY_TIMEOUT,
        tuning: mailcall::technique::Tuning::default(),
        subprotocols: Arc::default(),
    };
    let technique = technique::named(technique).expect("the technique exists");
    if !metered {
        return unmetered::serve(technique, service, limits);
    }
    let handler = Handler::new(technique, service);
    let ledger = Arc::new(Ledger::new(Vec::new()));
    let server = Server::start(technique.name, handler, limits, ledger, shutdown);
    server.expect("the server starts").address
}

/// A thread beside the server's. It appends as many mails as each number that it receives, one by one.
fn publisher(mailbox: Arc<Mailbox>) -> mpsc::Sender<u64> {
    let (send, receive) = mpsc::channel();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mail = Mail::made_up(1, SIZE, Bytes::new(), &mut rng);
    std::thread::spawn(move || {
        for mails in receive {
            for _ in 0..mails {
                mailbox.append([mail.clone()]);
            }
        }
    });
    send
}

fn write_ready_frames(listener: &TcpListener, clients: usize, orders: &mpsc::Receiver<u64>) {
    let mut sockets: Vec<_> = (0..clients)
        .map(|_| listener.accept().expect("clients come").0)
        .collect();
    for socket in &sockets {
        socket.set_nodelay(true).expect("TCP_NODELAY can be set");
    }
    let json = Mail::new(
        1,
        &Letter {
            body: "m".repeat(SIZE),
            ..Letter::default()
        },
        Bytes::new(),
    )
    .json;
    let mut frame = vec![0x81, 126];
    frame.extend((SIZE as u16).to_be_bytes());
    frame.extend(&json[..SIZE]);
    for mails in orders {
        let frames = frame.repeat(mails as usize);
        for socket in &mut sockets {
            socket.write_all(&frames).expect("clients read");
        }
    }
}
