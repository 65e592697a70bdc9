//! A socket whose every byte is counted and decoded on the way. It can also break where a test wants it to.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::attribution::Attribution;
use super::ledger::{Closed, Cut, Ledger, Tape};
use super::meter::{Meter, Reader, feed};
use super::outlet::Outlet;
use super::recording::{Layer, What};
use super::socket::Socket;
use super::tls_counts::TlsCounts;
use crate::tap;
use crate::wire::{Decoder, Direction, Tally};

/// An accepted connection that counts every byte in its [`Ledger`], which also says where the connection
/// breaks. Writes are counted when the kernel accepts them, reads when it returns them.
#[derive(Debug)]
pub struct Metered {
    socket: Socket,
    number: u64,
    client: Option<SocketAddr>,
    meter: Arc<Mutex<Meter>>,
    ledger: Arc<Ledger>,
    tape: Option<Tape>,
    cut: Option<Cut>,
    broken: bool,
}

impl Metered {
    /// Meters a freshly accepted socket, whose protocol `decoder` reads.
    pub fn new(socket: Socket, ledger: Arc<Ledger>, decoder: Decoder) -> Metered {
        let tape = ledger.tape(&socket);
        Metered::with(socket, ledger, tape, Reader::Own(decoder, Tally::default()))
    }

    /// The same for a socket with TLS; the counts are shared with the code that decrypts.
    pub(super) fn sealed(socket: Socket, ledger: Arc<Ledger>, decoder: Decoder) -> (Metered, TlsCounts) {
        let tape = ledger.tape(&socket);
        let counts = TlsCounts::new(ledger.clone(), tape.clone(), decoder);
        let metered = Metered::with(socket, ledger, tape, Reader::Above(counts.clone()));
        (metered, counts)
    }

    fn with(socket: Socket, ledger: Arc<Ledger>, tape: Option<Tape>, reader: Reader) -> Metered {
        let client = socket.peer();
        let (number, cut) = ledger.enter(client);
        let mut metered = Metered {
            client,
            number,
            cut,
            socket,
            meter: Arc::new(Mutex::new(Meter {
                reader,
                raw: [0; 2],
                attribution: None,
            })),
            ledger,
            tape,
            broken: false,
        };
        metered.break_if_due();
        metered
    }

    /// The same, whose bytes are also counted for their owners.
    pub(super) fn attributed(self, attribution: Option<Attribution>) -> Metered {
        self.meter.lock().attribution = attribution.map(Box::new);
        self
    }

    /// Index of the accepted connection, from 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Its sending side, for code that sends the same to many; `None` if each write has to pass through this.
    pub(super) fn outlet(&self) -> Option<Outlet> {
        let Socket::Tcp(socket) = &self.socket else {
            return None;
        };
        let is_own = matches!(self.meter.lock().reader, Reader::Own(..));
        let is_watched = self.tape.is_some() || self.cut.is_some();
        (is_own && !is_watched).then(|| Outlet::new(socket.clone(), self.meter.clone(), self.ledger.clone()))
    }

    fn account(&mut self, direction: Direction, bytes: &[u8]) {
        let meter = &mut *self.meter.lock();
        meter.raw[direction as usize] += bytes.len() as u64;
        if let Some(tape) = &self.tape {
            tape.bytes(direction, Layer::Socket, bytes);
        }
        match &mut meter.reader {
            Reader::Own(decoder, tally) => {
                let before = tally.requests;
                feed(decoder, &mut meter.attribution, direction, bytes, tally);
                self.ledger.moved(bytes.len(), tally.requests - before);
            }
            Reader::Above(counts) => {
                self.ledger.moved(bytes.len(), 0);
                if direction == Direction::Down {
                    counts.crossed(bytes.len());
                }
            }
        }
    }

    /// How many bytes may still pass before the cut.
    fn allowance(&self, direction: Direction) -> usize {
        match self.cut {
            Some(cut) if cut.direction == direction => {
                usize::try_from(cut.after - self.meter.lock().raw[direction as usize]).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        }
    }

    fn break_if_due(&mut self) {
        let Some(cut) = self
            .cut
            .filter(|c| !self.broken && self.allowance(c.direction) == 0)
        else {
            return;
        };
        self.broken = true;
        self.tell(Direction::Down, if cut.reset { What::Reset } else { What::End });
        self.socket.break_off(cut.reset);
    }

    /// Records an end or a reset.
    fn tell(&self, direction: Direction, what: What) {
        if let Some(tape) = &self.tape {
            tape.ended(direction, what);
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.broken {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let start = buf.filled().len();
        let room = self.allowance(Direction::Up);
        if room < buf.remaining() {
            // It reads into a separate buffer, so that the cut can fall inside what the socket holds.
            let mut scratch = [0; 1024];
            let mut limited = ReadBuf::new(&mut scratch[..room.min(1024)]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut limited))?;
            buf.put_slice(limited.filled());
        } else {
            let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf));
            if let Err(e) = &read
                && e.kind() == io::ErrorKind::ConnectionReset
            {
                self.tell(Direction::Up, What::Reset);
            }
            read?;
        }
        let new = &buf.filled()[start..];
        if new.is_empty() && buf.remaining() > 0 {
            self.tell(Direction::Up, What::End);
        }
        self.account(Direction::Up, new);
        self.break_if_due();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let room = self.allowance(Direction::Down).min(buf.len());
        let n = ready!(Pin::new(&mut self.socket).poll_write(cx, &buf[..room]))?;
        self.account(Direction::Down, &buf[..n]);
        self.break_if_due();
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cut.is_some() {
            // One buffer at a time, so that the cut can fall inside it.
            let first = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
            return self.poll_write(cx, first);
        }
        self.check()?;
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        let carried = tap::written(bufs, written).filter(|bytes| !bytes.is_empty());
        carried.for_each(|bytes| self.account(Direction::Down, bytes));
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        self.tell(Direction::Down, What::End);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let meter = &mut *self.meter.lock();
        let tally = match &mut meter.reader {
            Reader::Own(decoder, tally) => {
                match &mut meter.attribution {
                    None => decoder.finish(tally),
                    Some(attribution) => attribution.finish(decoder, tally),
                }
                *tally
            }
            Reader::Above(counts) => counts.close(meter.raw),
        };
        if let Some(tape) = &self.tape {
            tape.close();
        }
        if let Some(client) = self.client {
            self.ledger.left(client);
        }
        self.ledger.close(Closed {
            port: self.client.map_or(0, |client| client.port()),
            tally,
            raw: meter.raw,
            kernel: self.socket.kernel(),
        });
    }
}
