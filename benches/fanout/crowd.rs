//! The clients: bare sockets and one thread that counts the received bytes. They are the same for every
//! server, and cheap, so that the figures are the server's.
#![allow(dead_code)] // Each bench that includes this file uses its own part of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use mailcall::link::MAX_SEGMENT;
use rustix::event::epoll;
use socket2::{Domain, Socket, Type};

/// The longest wait; a longer one means that the bench hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing has to come before it counts as all.
const QUIET: Duration = Duration::from_millis(20);

/// A request, and the end of what is answered before the first mail.
pub const WS: [&str; 2] = [
    "GET /ws?after=0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "\r\n\r\n",
];
pub const SSE: [&str; 2] = ["GET /sse?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", "\n\n\r\n"];

pub struct Crowd {
    sockets: Vec<TcpStream>,
    ready: OwnedFd,
    buffer: Vec<u8>,
}

impl Crowd {
    /// Connects, sends the request, and reads up to the end of the greeting.
    pub fn connect(address: SocketAddr, clients: usize, [request, greeting]: [&str; 2]) -> Crowd {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll can be had");
        let mut crowd = Crowd {
            sockets: Vec::new(),
            ready,
            buffer: vec![0; 64 * 1024],
        };
        for number in 0..clients {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are descriptors left");
            // Segments as on Ethernet, for every server.
            socket.set_tcp_mss(MAX_SEGMENT).expect("TCP_MAXSEG can be set");
            socket.connect(&address.into()).expect("the server listens");
            let stream = TcpStream::from(socket);
            stream.set_nodelay(true).expect("TCP_NODELAY can be set");
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&crowd.ready, &stream, data, epoll::EventFlags::IN).expect("epoll takes sockets");
            crowd.sockets.push(stream);
        }
        crowd.ask(request);
        for stream in &mut crowd.sockets {
            let mut heard = Vec::new();
            while !heard.ends_with(greeting.as_bytes()) {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("the server answers");
                heard.push(byte[0]);
            }
            stream.set_nonblocking(true).expect("a socket can be nonblocking");
        }
        crowd
    }

    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Reads until exactly this many bytes have arrived.
    pub fn take(&mut self, bytes: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut taken = 0;
        while taken < bytes {
            taken += self.hear();
            assert!(
                Instant::now() < deadline,
                "{taken} of {bytes} bytes came in {PATIENCE:?}"
            );
        }
        assert_eq!(taken, bytes, "more came than was sent");
    }

    /// Reads until nothing more comes.
    pub fn drain(&mut self) {
        let mut last = Instant::now();
        while last.elapsed() < QUIET {
            if self.hear() > 0 {
                last = Instant::now();
            }
        }
    }

    /// Sends a request on each connection.
    pub fn ask(&mut self, request: &str) {
        for stream in &mut self.sockets {
            stream
                .write_all(request.as_bytes())
                .expect("a request fits the buffers");
        }
    }

    /// Reads from all sockets that have data. It never sleeps, because waking a reader would count as the
    /// server's time.
    fn hear(&mut self) -> usize {
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 256];
        let at_once = rustix::event::Timespec::default();
        let (events, _) = epoll::wait(&self.ready, &mut events, Some(&at_once)).expect("epoll waits");
        let mut heard = 0;
        for event in events.iter() {
            let socket = &mut self.sockets[event.data.u64() as usize];
            match socket.read(&mut self.buffer) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(n) => heard += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => panic!("a client cannot read: {e}"),
            }
        }
        heard
    }
}
