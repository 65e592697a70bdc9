//! The server's end of a connection: a TCP socket in a real run, memory in a simulated one.

use std::io::{self, IoSlice, Read as _};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::kernel::Kernel;
use super::memory::End;

/// The server's end of an accepted connection.
#[derive(Debug)]
pub enum Socket {
    /// A socket of the kernel; code that sends the same to many clients may share it.
    Tcp(Arc<TcpStream>),
    /// A buffer inside this process.
    Memory(End),
}

impl Socket {
    /// The client's address.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(socket) => socket.peer_addr().ok(),
            Socket::Memory(end) => Some(end.peer()),
        }
    }

    /// The server's address.
    pub fn local(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(socket) => socket.local_addr().ok(),
            Socket::Memory(end) => Some(end.local()),
        }
    }

    /// The kernel's counters, where there are any.
    pub fn kernel(&self) -> Option<Kernel> {
        match self {
            Socket::Tcp(socket) => Kernel::of(&**socket),
            Socket::Memory(_) => None,
        }
    }

    /// Sets the size of the kernel's send buffer, in bytes. Linux makes it twice as large, for its own notes.
    pub fn set_send_buffer(&self, bytes: usize) {
        if let Socket::Tcp(socket) = self {
            // It fails only on a socket that is gone, which the first read will show.
            let _ = socket2::SockRef::from(&**socket).set_send_buffer_size(bytes);
        }
    }

    /// Breaks the connection for both sides: the peer gets a reset (RST) or the end of the stream (FIN).
    /// With a socket of the kernel, a reset is sent when this is dropped.
    pub fn break_off(&self, reset: bool) {
        match self {
            Socket::Tcp(socket) => {
                let socket = socket2::SockRef::from(&**socket);
                // Both wake a task that waits to read; both fail only on a socket that is gone already,
                // which is what is wanted.
                let _ = if reset {
                    // With no time to linger, close() sends a reset, and no FIN before it.
                    let no_time = Some(Duration::ZERO);
                    socket
                        .set_linger(no_time)
                        .and_then(|()| socket.shutdown(Shutdown::Read))
                } else {
                    socket.shutdown(Shutdown::Both)
                };
            }
            Socket::Memory(end) => end.break_off(reset),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Socket {
        Socket::Tcp(socket.into())
    }
}

impl From<End> for Socket {
    fn from(end: End) -> Socket {
        Socket::Memory(end)
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => loop {
                ready!(socket.poll_read_ready(cx))?;
                if let Poll::Ready(read) = once(read(socket, buf)) {
                    return Poll::Ready(read);
                }
            },
            Socket::Memory(end) => Pin::new(end).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => loop {
                ready!(socket.poll_write_ready(cx))?;
                if let Poll::Ready(written) = once(socket.try_write(buf)) {
                    return Poll::Ready(written);
                }
            },
            Socket::Memory(end) => Pin::new(end).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => loop {
                ready!(socket.poll_write_ready(cx))?;
                if let Poll::Ready(written) = once(socket.try_write_vectored(bufs)) {
                    return Poll::Ready(written);
                }
            },
            Socket::Memory(end) => Pin::new(end).poll_write_vectored(cx, bufs),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Neither kind holds anything back.
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => match socket2::SockRef::from(&**socket).shutdown(Shutdown::Write) {
                // The peer has reset it already.
                Err(e) if e.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
                done => Poll::Ready(done),
            },
            Socket::Memory(end) => Pin::new(end).poll_shutdown(cx),
        }
    }
}

/// Reads once. If less came than fits, there was no more: as in tokio's own `poll_read`, the next read then waits until the
/// kernel says that there is more, instead of trying.
fn read(socket: &TcpStream, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    let (room, before) = (buf.remaining(), buf.filled().len());
    let tried = socket.try_io(Interest::READABLE, || {
        let n = (&*socket2::SockRef::from(socket)).read(buf.initialize_unfilled())?;
        buf.advance(n);
        match 0 < n && n < room {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    });
    match buf.filled().len() > before {
        true => Ok(()),
        false => tried,
    }
}

/// Whether an attempt has come to an end.
fn once<T>(tried: io::Result<T>) -> Poll<io::Result<T>> {
    match tried {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
