//! Where a server's connections come from: a TCP socket, or memory in a simulated run.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::link::{self, MAX_SEGMENT, memory};

/// How long a connection is silent before the kernel asks whether its client is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How long a server waits before it tries again to listen, after an outage.
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

/// TCP keep-alive, with which the kernel notices that a silent client is gone (RFC 9293, section 3.8.4).
fn keep_alive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE / 4)
}

/// Where a server is to listen.
#[derive(Debug)]
pub enum Place {
    /// At this address; port 0 is any free one.
    At(SocketAddr),
    /// At this address, with a socket that keeps its port from others: it does not listen yet, so clients are refused.
    Reserved(SocketAddr, Socket),
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Place {
        Place::At(address)
    }
}

impl Place {
    /// Keeps the port of a server that has just ended. A client that connects to a port of its own host could otherwise
    /// get that port itself, and be connected with itself (RFC 9293, section 3.5).
    ///
    /// # Errors
    /// If somebody else has it.
    pub fn reserve(address: SocketAddr) -> std::io::Result<Place> {
        Ok(Place::Reserved(address, bind(address)?))
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        match self {
            Place::At(address) | Place::Reserved(address, _) => *address,
        }
    }

    /// Listens there.
    ///
    /// # Errors
    /// If it is not free.
    pub fn listen(self) -> std::io::Result<std::net::TcpListener> {
        match self {
            Place::At(address) => listen(address),
            Place::Reserved(_, socket) => begin(socket),
        }
    }
}

pub fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    begin(bind(address)?)
}

fn begin(socket: Socket) -> std::io::Result<std::net::TcpListener> {
    socket.listen(4_096)?;
    Ok(socket.into())
}

/// A socket with this address that does not listen yet.
fn bind(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_mss(MAX_SEGMENT)?;
    // Old connections of this port that are in TIME-WAIT must not keep a server from listening on it again
    // (RFC 9293, section 3.6.1). On Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(not(target_os = "linux"))]
    let _ = MAX_SEGMENT;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Where connections come from.
pub enum Listener {
    Tcp(TcpListener),
    Memory(memory::Listener),
}

impl Listener {
    /// Does not listen until `end`, and then listens at the same address; `None` if the server shuts down before.
    pub async fn closed_until(self, end: Instant, shutdown: &CancellationToken) -> Option<Listener> {
        let Listener::Tcp(listener) = self else {
            return Some(self);
        };
        let address = listener.local_addr();
        drop(listener);
        let listens = async {
            clock::sleep_until(end).await;
            loop {
                let again = address.as_ref().ok().and_then(|address| listen(*address).ok());
                if let Some(listener) = again.and_then(|listener| TcpListener::from_std(listener).ok()) {
                    return Listener::Tcp(listener);
                }
                // Someone else listens there, or there are no descriptors: perhaps not for long.
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            listener = listens => Some(listener),
        }
    }

    pub async fn accept(&mut self) -> std::io::Result<(link::Socket, SocketAddr)> {
        match self {
            Listener::Tcp(listener) => {
                let (socket, client) = listener.accept().await?;
                // Small messages must not wait for earlier ones to be acknowledged (Nagle). It fails only
                // on a socket that is gone, which the first read will show.
                let _ = socket.set_nodelay(true);
                let _ = SockRef::from(&socket).set_tcp_keepalive(&keep_alive());
                Ok((socket.into(), client))
            }
            Listener::Memory(listener) => {
                let (end, client) = listener.accept().await?;
                Ok((end.into(), client))
            }
        }
    }
}
