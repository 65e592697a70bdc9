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

/// Where a server is to listen, and from when on.
#[derive(Debug)]
pub struct Place {
    /// Port 0 is any free one.
    pub address: SocketAddr,
    /// Until then clients are refused; `None` if it listens at once.
    from: Option<Instant>,
    /// Keeps the port from others until then.
    reserved: Option<Socket>,
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Place {
        Place {
            address,
            from: None,
            reserved: None,
        }
    }
}

impl Place {
    /// The place of a server that has just ended. In a real run its port is kept: a client that connects to a port of
    /// its own host could otherwise get that port itself, and be connected with itself (RFC 9293, section 3.5).
    ///
    /// # Errors
    /// If somebody else has the port.
    pub fn kept(address: SocketAddr) -> std::io::Result<Place> {
        let reserve = !clock::is_simulated();
        Ok(Place {
            reserved: reserve.then(|| bind(address)).transpose()?,
            ..address.into()
        })
    }

    /// The same, where a server listens from this instant on.
    pub fn from(self, instant: Instant) -> Place {
        Place {
            from: Some(instant),
            ..self
        }
    }

    /// A listener there, with what opens connections to it in a simulated run.
    ///
    /// # Errors
    /// If the address is not free.
    pub fn listener(self) -> std::io::Result<(Listener, Option<memory::Dialler>)> {
        if clock::is_simulated() {
            let (listener, dialler) = memory::listen(self.address, self.from);
            return Ok((Listener::Memory(listener), Some(dialler)));
        }
        let socket = self.reserved.map_or_else(|| bind(self.address), Ok)?;
        let listener = match self.from {
            Some(from) => Listener::Later(socket, from),
            None => Listener::Tcp(TcpListener::from_std(begin(socket)?)?),
        };
        Ok((listener, None))
    }
}

/// Lets a socket listen that has its address.
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
    /// A socket that has its address and listens from this instant on.
    Later(Socket, Instant),
    Memory(memory::Listener),
}

impl Listener {
    /// The address.
    ///
    /// # Errors
    /// If the socket has none.
    pub fn address(&self, simulated: SocketAddr) -> std::io::Result<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr(),
            Listener::Later(socket, _) => socket
                .local_addr()?
                .as_socket()
                .ok_or(std::io::ErrorKind::AddrNotAvailable.into()),
            Listener::Memory(_) => Ok(simulated),
        }
    }

    /// Waits until it listens; `None` if it cannot, or if the server shuts down before.
    pub async fn opened(self, shutdown: &CancellationToken) -> Option<Listener> {
        let Listener::Later(socket, from) = self else {
            return Some(self);
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            () = clock::sleep_until(from) => {}
        }
        let listener = begin(socket).and_then(TcpListener::from_std);
        listener.ok().map(Listener::Tcp)
    }

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
                let again = address
                    .as_ref()
                    .ok()
                    .and_then(|address| bind(*address).and_then(begin).ok());
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
            // It is opened first.
            Listener::Later(..) => std::future::pending().await,
            Listener::Memory(listener) => {
                let (end, client) = listener.accept().await?;
                Ok((end.into(), client))
            }
        }
    }
}
