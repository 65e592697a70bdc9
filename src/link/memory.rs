//! Connections inside one process, for simulated runs. Each direction has a buffer of limited size, like a
//! kernel's socket: a writer whose reader does not read has to wait.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::clock;

/// The most bytes on their way in one direction: about what Linux gives a socket on the loopback.
const CAPACITY: usize = 256 * 1024;

/// The first port that Linux gives a client (`ip_local_port_range`).
const FIRST_PORT: u16 = 32_768;

/// Accepts connections.
#[derive(Debug)]
pub struct Listener(mpsc::UnboundedReceiver<End>);

/// Opens connections to a [`Listener`].
#[derive(Clone, Debug)]
pub struct Dialler {
    accept: mpsc::UnboundedSender<End>,
    server: SocketAddr,
    ports: Arc<AtomicU16>,
    connections: Arc<Mutex<Connections>>,
    /// Until then it refuses.
    from: Option<Instant>,
}

/// The pipes of all connections that may still be open, up and down.
#[derive(Debug, Default)]
struct Connections {
    pipes: Vec<[Weak<HalfPipe>; 2]>,
    /// The number of pipes at which those of closed connections are removed.
    crowded: usize,
}

impl Connections {
    fn add(&mut self, pipes: [&Arc<HalfPipe>; 2]) {
        if self.pipes.len() >= self.crowded {
            self.pipes.retain(|[up, _]| up.strong_count() > 0);
            self.crowded = 2 * self.pipes.len() + 16;
        }
        self.pipes.push(pipes.map(Arc::downgrade));
    }
}

/// A listener at an address that exists only in this process, and a dialler that connects to it, from an instant on if
/// one is given.
pub fn listen(server: SocketAddr, from: Option<Instant>) -> (Listener, Dialler) {
    let (accept, accepted) = mpsc::unbounded_channel();
    let ports = Arc::new(AtomicU16::new(FIRST_PORT));
    let dialler = Dialler {
        accept,
        server,
        ports,
        connections: Arc::default(),
        from,
    };
    (Listener(accepted), dialler)
}

impl Listener {
    /// Waits for the next connection.
    pub async fn accept(&mut self) -> io::Result<(End, SocketAddr)> {
        match self.0.recv().await {
            Some(end) => {
                let peer = end.peer();
                Ok((end, peer))
            }
            None => std::future::pending().await,
        }
    }
}

impl Dialler {
    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens yet, or any more.
    pub fn dial(&self) -> io::Result<End> {
        if self.from.is_some_and(|from| clock::now() < from) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let port = self.ports.fetch_add(1, Ordering::Relaxed);
        let client = (Ipv4Addr::LOCALHOST, port.max(FIRST_PORT)).into();
        let (up, down) = (Arc::new(HalfPipe::default()), Arc::new(HalfPipe::default()));
        self.connections.lock().add([&up, &down]);
        let mine = End {
            reads: down.clone(),
            writes: up.clone(),
            local: client,
            peer: self.server,
        };
        let other = End {
            reads: up,
            writes: down,
            local: self.server,
            peer: client,
        };
        let refused = |_| io::ErrorKind::ConnectionRefused.into();
        self.accept.send(other).map_err(refused).map(|()| mine)
    }

    /// Ends all connections at the server's end, as a kernel does when the server's process has been killed: clients
    /// read what was sent to them, and then the end of the stream, or a reset if bytes of theirs were left unread.
    pub fn end_connections(&self) {
        let all = std::mem::take(&mut self.connections.lock().pipes);
        let open = all
            .iter()
            .filter_map(|[up, down]| Some((up.upgrade()?, down.upgrade()?)));
        for (up, down) in open {
            let mut unread = false;
            up.change(|pipe| {
                unread = !pipe.bytes.is_empty();
                pipe.bytes.clear();
                pipe.reader_gone = true;
                // The server's tasks, which have lost their process, learn that it is over.
                pipe.reset = true;
            });
            down.change(|pipe| {
                pipe.ended = true;
                pipe.reset |= unread;
            });
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    reads: Arc<HalfPipe>,
    writes: Arc<HalfPipe>,
    local: SocketAddr,
    peer: SocketAddr,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct HalfPipe(Mutex<Buffer>);

#[derive(Debug, Default)]
struct Buffer {
    bytes: VecDeque<u8>,
    /// The writer has ended the stream.
    ended: bool,
    /// The reader is gone.
    reader_gone: bool,
    /// The writer has written to a reader that is gone: its next write fails, as after a reset in TCP (RFC 9293, section
    /// 3.10.7.1).
    writer_failed: bool,
    /// The connection was reset.
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl HalfPipe {
    /// Changes the buffer, and wakes both ends.
    fn change(&self, change: impl FnOnce(&mut Buffer)) {
        let mut buffer = self.0.lock();
        change(&mut buffer);
        let woken = [buffer.reader.take(), buffer.writer.take()];
        drop(buffer);
        woken.into_iter().flatten().for_each(Waker::wake);
    }
}

impl End {
    /// The other end's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end's address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Breaks the connection: this end no longer reads or writes, and the other reads the end of the stream
    /// or, after a reset, an error.
    pub fn break_off(&self, reset: bool) {
        self.writes.change(|pipe| {
            pipe.ended = true;
            pipe.reset |= reset;
            if reset {
                pipe.bytes.clear();
            }
        });
        self.reads.change(|pipe| {
            pipe.ended = true;
            pipe.reader_gone = true;
            pipe.writer_failed |= reset;
            pipe.bytes.clear();
        });
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A kernel resets a connection that is closed with unread bytes (RFC 2525, section 2.17).
        let unread = !self.reads.0.lock().bytes.is_empty();
        self.writes.change(|pipe| {
            pipe.ended = true;
            pipe.reset |= unread;
        });
        self.reads.change(|pipe| {
            pipe.reader_gone = true;
            pipe.bytes.clear();
        });
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.reads.0.lock();
        if pipe.bytes.is_empty() {
            if pipe.reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if pipe.ended || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (one, two) = pipe.bytes.as_slices();
        let first = one.len().min(buf.remaining());
        buf.put_slice(&one[..first]);
        let second = two.len().min(buf.remaining());
        buf.put_slice(&two[..second]);
        pipe.bytes.drain(..first + second);
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.writes.0.lock();
        if pipe.writer_failed || pipe.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.reader_gone {
            pipe.writer_failed = true;
            return Poll::Ready(Ok(bufs.iter().map(|b| b.len()).sum()));
        }
        let mut room = CAPACITY.saturating_sub(pipe.bytes.len());
        if room == 0 && bufs.iter().any(|b| !b.is_empty()) {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut written = 0;
        for buf in bufs {
            let n = room.min(buf.len());
            pipe.bytes.extend(&buf[..n]);
            written += n;
            room -= n;
        }
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writes.change(|pipe| pipe.ended = true);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn connected() -> (End, End) {
        let (mut listener, dialler) = listen((Ipv4Addr::LOCALHOST, 80).into(), None);
        let client = dialler.dial().unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!((peer, server.peer()), (client.local(), client.local()));
        (client, server)
    }

    #[tokio::test]
    async fn both_ways_up_to_the_end_of_each() {
        let (mut client, mut server) = connected().await;
        client.write_all(b"GET").await.unwrap();
        client.shutdown().await.unwrap();
        let mut asked = String::new();
        server.read_to_string(&mut asked).await.unwrap();
        server.write_all(b"200").await.unwrap();
        drop(server);
        let mut answered = String::new();
        client.read_to_string(&mut answered).await.unwrap();
        assert_eq!((asked.as_str(), answered.as_str()), ("GET", "200"));
        let (mut client, server) = connected().await;
        drop(server);
        client.write_all(b"to nobody").await.unwrap();
        assert_eq!(
            client.write(b"more").await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[tokio::test]
    async fn who_is_not_read_has_to_wait() {
        let (mut client, mut server) = connected().await;
        let mut written = 0;
        while let Ok(n) =
            tokio::time::timeout(std::time::Duration::from_millis(50), server.write(&[0; 60_000])).await
        {
            written += n.unwrap();
        }
        assert_eq!(written, CAPACITY);
        let mut read = vec![0; CAPACITY];
        let (write, read) = tokio::join!(server.write_all(b"more"), client.read_exact(&mut read));
        write.unwrap();
        assert_eq!(read.unwrap(), CAPACITY);
    }

    #[tokio::test]
    async fn a_connection_can_break_in_two_ways() {
        for (reset, expected) in [(false, Ok(0)), (true, Err(io::ErrorKind::ConnectionReset))] {
            let (mut client, server) = connected().await;
            server.break_off(reset);
            let read = client.read(&mut [0; 8]).await.map_err(|e| e.kind());
            assert_eq!(read, expected);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_killed_ends_its_connections_without_a_word() {
        let (mut listener, dialler) = listen((Ipv4Addr::LOCALHOST, 80).into(), None);
        let mut ends = Vec::new();
        for _ in 0..40 {
            let client = dialler.dial().unwrap();
            ends.push((client, listener.accept().await.unwrap().0));
        }
        ends.truncate(2);
        let [(quiet, server), (asking, _server)] = &mut ends[..] else {
            unreachable!("there are two");
        };
        server.write_all(b"last").await.unwrap();
        asking.write_all(b"GET").await.unwrap();
        dialler.end_connections();
        let mut read = String::new();
        quiet.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "last");
        assert_eq!(
            asking.read(&mut [0; 8]).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
        assert_eq!(
            server.read(&mut [0; 8]).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
        assert!(server.write(b"more").await.is_err());
        quiet.write_all(b"to nobody").await.unwrap();
        assert!(quiet.write(b"more").await.is_err());
    }

    #[tokio::test]
    async fn nobody_listens_any_more() {
        let (listener, dialler) = listen((Ipv4Addr::LOCALHOST, 80).into(), None);
        drop(listener);
        assert_eq!(
            dialler.dial().unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }

    #[test]
    fn nobody_listens_yet() {
        crate::clock::simulate(async {
            let from = clock::now() + std::time::Duration::from_secs(1);
            let (_listener, dialler) = listen((Ipv4Addr::LOCALHOST, 80).into(), Some(from));
            assert!(dialler.dial().is_err());
            clock::sleep_until(from).await;
            assert!(dialler.dial().is_ok());
        })
        .unwrap();
    }
}
