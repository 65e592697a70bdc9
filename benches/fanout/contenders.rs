//! The servers, each on the first core: ours, writers of prepared frames and events, Node's
//! `ws`, and uWebSockets. Each gets a mail as soon as it arrives and sends it to all its clients.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mailcall::lab::server::{Handler, Limits, Server};
use mailcall::link::Ledger;
use mailcall::mail::{Cursor, Epoch, Mail, Mailbox};
use mailcall::outcome::Scenario;
use mailcall::technique::{self, BODY_TIMEOUT, Headers, Service};
use rand::SeedableRng;
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, SSE, WS};
use super::support::{Kept, is_here, peers, runs};

/// The size of a mail's JSON, bytes.
const SIZE: usize = 300;

pub struct Contender {
    crowd: Crowd,
    /// Appends this many mails.
    publish: Box<dyn FnMut(u64)>,
    /// What the mail with this number is on the wire; its length counts.
    mail: fn(u64) -> Vec<u8>,
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
            let bytes: usize = numbers.map(|number| (self.mail)(number).len()).sum();
            self.crowd.take(bytes * self.crowd.len());
        }
        let deliveries = (self.published - before) as usize * self.crowd.len();
        deliveries as f64 / start.elapsed().as_secs_f64()
    }

    /// A technique of ours.
    pub fn ours(technique: &'static str, clients: usize) -> Contender {
        let (address, mailbox, publisher) = on_the_first_core(move || {
            let mailbox = Arc::new(Mailbox::new(64, Epoch::of_seed(1)));
            let address = serve(technique, mailbox.clone(), clients);
            (address, mailbox.clone(), publisher(mailbox))
        });
        let (request, mail): (_, fn(u64) -> Vec<u8>) = match technique {
            "ws" => (WS, frame),
            _ => (SSE, event),
        };
        let crowd = Crowd::connect(address, clients, request);
        while mailbox.watchers() < clients {
            std::thread::yield_now();
        }
        let publish = Box::new(move |n| publisher.send(n).expect("the publisher lives"));
        Contender {
            crowd,
            publish,
            mail,
            published: 0,
        }
    }

    /// Writes what is ready, all waiting mails in one write: no server that writes to sockets one by one can be faster.
    pub fn writer(mail: fn(u64) -> Vec<u8>, clients: usize) -> Contender {
        let (address, publisher) = on_the_first_core(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let (send, receive) = mpsc::channel::<u64>();
            std::thread::spawn(move || write_ready(&listener, clients, mail, &receive));
            (address, send)
        });
        Contender {
            crowd: Crowd::connect(address, clients, ["", ""]),
            publish: Box::new(move |n| publisher.send(n).expect("the writer lives")),
            mail,
            published: 0,
        }
    }

    /// npm's `ws`, if it is installed.
    pub fn node(clients: usize) -> Option<Contender> {
        let modules = peers().join("node_modules");
        let present = is_here("npm's ws", modules.join("ws").is_dir() && runs("node"));
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules);
        present.then(|| Contender::foreign(command, "node.js", clients))
    }

    /// uWebSockets as PyPI's `socketify` has it, if that is installed and loads.
    pub fn uwebsockets(clients: usize) -> Option<Contender> {
        let python = peers().join("venv/bin/python");
        let loads = Command::new(&python).args(["-c", "import socketify"]).output();
        let present = is_here("PyPI's socketify", loads.is_ok_and(|o| o.status.success()));
        present.then(|| Contender::foreign(Command::new(python), "uwebsockets.py", clients))
    }

    /// A script beside this file that prints its port, and sends a mail to all clients for each byte that it reads.
    fn foreign(mut command: Command, script: &str, clients: usize) -> Contender {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fanout");
        command.arg(folder.join(script)).arg(SIZE.to_string());
        let mut server = on_the_first_core(move || Kept::start(&mut command));
        let mut port = String::new();
        BufReader::new(server.stdout())
            .read_line(&mut port)
            .expect("it says its port");
        let port: u16 = port.trim().parse().expect("it says its port");
        let crowd = Crowd::connect(([127, 0, 0, 1], port).into(), clients, WS);
        let mut orders = server.stdin();
        let publish = Box::new(move |n| {
            // The process ends with this closure.
            let _server = &server;
            orders.write_all(&b"mail"[..n as usize]).expect("it lives");
        });
        Contender {
            crowd,
            publish,
            mail: frame,
            published: 0,
        }
    }
}

/// Threads and processes started within it stay on that core.
fn on_the_first_core<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    let started = std::thread::spawn(|| {
        crate::harness::pin(0);
        start()
    });
    started.join().expect("a server starts")
}

/// A text frame with a mail; all numbers look alike.
pub fn frame(_number: u64) -> Vec<u8> {
    let length = (SIZE as u16).to_be_bytes();
    [&[0x81, 126], &length[..], &[b'm'; SIZE]].concat()
}

/// The event of a mail in its chunk.
pub fn event(number: u64) -> Vec<u8> {
    let id = Cursor::of(number, Epoch::of_seed(1));
    let event = format!("id: {id}\ndata: {}\n\n", "m".repeat(SIZE));
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn serve(technique: &str, mailbox: Arc<Mailbox>, clients: usize) -> SocketAddr {
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
    let handler = Handler::new(technique, service);
    let ledger = Arc::new(Ledger::new(Vec::new()));
    let server = Server::start(technique.name, handler, limits, ledger, shutdown);
    server.expect("the server starts").address
}

/// A thread beside the server's. It appends as many mails as each number that it receives, at once.
fn publisher(mailbox: Arc<Mailbox>) -> mpsc::Sender<u64> {
    let (send, receive) = mpsc::channel();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mail = Mail::made_up(1, SIZE, Bytes::new(), &mut rng);
    std::thread::spawn(move || {
        for mails in receive {
            mailbox.append((0..mails).map(|_| mail.clone()));
        }
    });
    send
}

fn write_ready(
    listener: &TcpListener,
    clients: usize,
    mail: fn(u64) -> Vec<u8>,
    orders: &mpsc::Receiver<u64>,
) {
    let mut sockets: Vec<_> = (0..clients)
        .map(|_| listener.accept().expect("clients come").0)
        .collect();
    for socket in &sockets {
        socket.set_nodelay(true).expect("TCP_NODELAY can be set");
    }
    let mut written = 0;
    for mails in orders {
        let ready: Vec<u8> = (written + 1..=written + mails).flat_map(mail).collect();
        written += mails;
        for socket in &mut sockets {
            socket.write_all(&ready).expect("clients read");
        }
    }
}
