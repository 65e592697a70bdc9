//! Measures connections to a server that is not ours, at the client's end. Clients send plain bytes to a
//! socket in this process. The relay sends them on to the server, encrypted where its scheme says so, and
//! decodes them on the way. It counts plain bytes above TLS and raw bytes below it: the difference is what
//! encryption adds.
//!
//! ```text
//! client            relay                                   server
//!   | GET /poll…      |  TCP, below that counted   |
//!   |---------------->|  TLS where wanted          |
//!   |   Unix socket   |--------------------------->|
//!   |                 |   read along above TLS     |
//!   |<----------------|<---------------------------|
//! ```
//!
//! Every client has a socket of its own, with a memory of TLS sessions of its own. The relay makes
//! each message pass two more sockets; a test prints how long that takes.

use std::io::{self, IoSlice};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use super::clients::remembering;
use super::threads;
use crate::lang::phrase;
use crate::link::{Closed, Kernel, Ledger, tls};
use crate::outcome::HttpVersion;
use crate::scratch::{self, Tracked};
use crate::tap::{self, Tap, Tapped};
use crate::technique::{self, Origin, Stream, origin};
use crate::wire::{Decoder, Direction, Tally};

/// How long connections may take to close in order at the end.
const LINGER: Duration = Duration::from_secs(2);

/// How long it may take to connect to the server, and how long its TLS handshake may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Buffers that hold a mail and its head.
const DOWN_BUFFER: usize = 16 * 1024;
const UP_BUFFER: usize = 4 * 1024;

/// The server that a relay connects to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The server.
    pub origin: Origin,
    /// The TLS settings, where the connection is encrypted.
    pub tls: Option<ClientConfig>,
    /// The version of HTTP that clients use.
    pub http: HttpVersion,
}

impl Destination {
    /// `authority` is the certificate authority to trust, PEM.
    ///
    /// # Errors
    /// If there is no certificate in it.
    pub fn new(origin: Origin, authority: Option<&str>, http: HttpVersion) -> anyhow::Result<Destination> {
        let tls = authority
            .map(|pem| tls::client(pem, vec![tls::alpn(http)]))
            .transpose()?;
        Ok(Destination { origin, tls, http })
    }

    /// Does the TLS handshake, where there is one.
    async fn secure(&self, counted: Counted) -> anyhow::Result<Stream> {
        let Some(config) = &self.tls else {
            return Ok(Box::new(counted));
        };
        let stream = origin::secure(&self.origin, config.clone(), counted).await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        if self.http == HttpVersion::Http2 && chosen != Some(&tls::alpn(self.http)) {
            bail!("the server does not choose HTTP/2 in the TLS handshake (ALPN, RFC 7301)");
        }
        Ok(Box::new(stream))
    }
}

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    sockets: Vec<Arc<Path>>,
    ledger: Arc<Ledger>,
    trouble: Arc<Mutex<Option<anyhow::Error>>>,
    stop: CancellationToken,
    thread: JoinHandle<()>,
    /// The folder of the sockets, removed with the relay.
    _folder: TempDir,
    _tracked: Tracked,
}

impl Relay {
    /// Starts a relay with a socket for each of its `clients`.
    ///
    /// # Errors
    /// If sockets, thread or runtime are not available.
    pub fn start(to: &Destination, clients: usize) -> anyhow::Result<Relay> {
        let folder = tempfile::Builder::new().prefix("mailcall-").tempdir()?;
        let tracked = scratch::track(folder.path());
        let (ledger, trouble) = (Arc::new(Ledger::new(Vec::new())), Arc::default());
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let mut paths: Vec<Arc<Path>> = Vec::with_capacity(clients);
        for number in 0..clients {
            let path = folder.path().join(number.to_string());
            let listener = UnixListener::bind(&path).context("cannot open a socket for the relay")?;
            let shared = RelaySocket {
                to: Destination {
                    tls: to.tls.clone().map(remembering),
                    ..to.clone()
                },
                ledger: ledger.clone(),
                trouble: Arc::clone(&trouble),
            };
            tokio::spawn(attend(listener, Arc::new(shared), stop.clone()));
            paths.push(path.into());
        }
        drop(entered);
        let (books, token) = (ledger.clone(), stop.clone());
        let thread = threads::start("relay", move || {
            runtime.block_on(async {
                token.cancelled().await;
                let _ = tokio::time::timeout(LINGER, books.all_closed()).await;
            });
            // Connections that have not ended by now are dropped with the runtime, and are counted.
        })?;
        Ok(Relay {
            sockets: paths,
            ledger,
            trouble,
            stop,
            thread,
            _folder: folder,
            _tracked: tracked,
        })
    }

    /// The sockets that clients connect to, one each.
    pub fn sockets(&self) -> &[Arc<Path>] {
        &self.sockets
    }

    /// The counts of what crosses between relay and server.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stops the relay, and returns its counts. Also says why the server could last not be reached, if so.
    pub fn stop(self) -> (Arc<Ledger>, Option<anyhow::Error>) {
        self.stop.cancel();
        // The thread panics only if this program has a bug; its message was printed then.
        let _ = self.thread.join();
        let trouble = self.trouble.lock().take();
        (self.ledger, trouble)
    }
}

/// What the connections through one client's socket share.
#[derive(Debug)]
struct RelaySocket {
    to: Destination,
    ledger: Arc<Ledger>,
    trouble: Arc<Mutex<Option<anyhow::Error>>>,
}

async fn attend(listener: UnixListener, shared: Arc<RelaySocket>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((local, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    if let Err(e) = carry(local, &shared).await {
                        let mut trouble = shared.trouble.lock();
                        *trouble = Some(e);
                    }
                });
            }
            // Out of descriptors, most likely: others have to close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Carries one connection from its beginning to the end of both its directions.
async fn carry(local: UnixStream, shared: &RelaySocket) -> anyhow::Result<()> {
    let authority = || shared.to.origin.authority.clone();
    let socket = tokio::time::timeout(CONNECTING, origin::connect(&shared.to.origin))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
        .flatten()
        .with_context(|| phrase!("cannot connect to %{authority}", authority = authority()))?;
    let crossed = Arc::new(Crossed::default());
    // Declared before the stream that it counts, so dropped after it: then everything is counted.
    let meter = Mutex::new(Meter::new(&socket, shared.ledger.clone(), crossed.clone()));
    let tap = Counter {
        crossed,
        ledger: shared.ledger.clone(),
    };
    let counted = Tapped { stream: socket, tap };
    let stream = tokio::time::timeout(CONNECTING, shared.to.secure(counted))
        .await
        .with_context(|| {
            phrase!(
                "%{authority} does not finish the TLS handshake",
                authority = authority()
            )
        })?
        .with_context(|| phrase!("cannot speak to %{authority}", authority = authority()))?;
    let (down, up) = tokio::io::split(stream);
    let (from, to) = local.into_split();
    tokio::join!(carry_up(from, up, &meter), carry_down(down, to, &meter));
    Ok(())
}

/// Copies bytes to the server. A client that breaks off is passed on as one that ends.
async fn carry_up(mut from: OwnedReadHalf, mut to: WriteHalf<Stream>, meter: &Mutex<Meter>) {
    let mut buffer = vec![0; UP_BUFFER];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let mut left = &buffer[..n];
        while !left.is_empty() {
            let Ok(n @ 1..) = to.write(left).await else { return };
            // Bytes that TLS still holds have not crossed.
            if to.flush().await.is_err() {
                return;
            }
            read(meter, Direction::Up, &left[..n]);
            left = &left[n..];
        }
    }
    // Fails only on a connection that is gone.
    let _ = to.shutdown().await;
}

/// Copies bytes to the client. What comes for a client that is gone has crossed, too, and is counted.
async fn carry_down(mut from: ReadHalf<Stream>, mut to: OwnedWriteHalf, meter: &Mutex<Meter>) {
    let (mut buffer, mut heard) = (vec![0; DOWN_BUFFER], true);
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        heard = heard && to.write_all(&buffer[..n]).await.is_ok();
        read(meter, Direction::Down, &buffer[..n]);
    }
    let _ = to.shutdown().await;
}

fn read(meter: &Mutex<Meter>, direction: Direction, bytes: &[u8]) {
    meter.lock().read(direction, bytes);
}

/// Decodes what crosses a connection, and records the counts when the connection is over.
#[derive(Debug)]
struct Meter {
    port: u16,
    decoder: Decoder,
    tally: Tally,
    plain: [u64; 2],
    crossed: Arc<Crossed>,
    ledger: Arc<Ledger>,
}

impl Meter {
    fn new(socket: &TcpStream, ledger: Arc<Ledger>, crossed: Arc<Crossed>) -> Meter {
        ledger.enter(None);
        Meter {
            port: socket.local_addr().map_or(0, |a| a.port()),
            decoder: Decoder::http(technique::answers),
            tally: Tally::default(),
            plain: [0; 2],
            crossed,
            ledger,
        }
    }

    fn read(&mut self, direction: Direction, bytes: &[u8]) {
        let before = self.tally.requests;
        self.plain[direction as usize] += bytes.len() as u64;
        self.decoder.feed(direction, bytes, &mut self.tally);
        self.ledger.moved(0, self.tally.requests - before);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.decoder.finish(&mut self.tally);
        let raw = [&self.crossed.up, &self.crossed.down].map(|n| n.load(Ordering::Relaxed));
        // No plain byte is read before it has crossed, so neither is more than the raw count.
        self.tally.up.tls = raw[0].saturating_sub(self.plain[0]);
        self.tally.down.tls = raw[1].saturating_sub(self.plain[1]);
        let kernel = self.crossed.kernel.lock();
        self.ledger.close(Closed {
            port: self.port,
            tally: self.tally,
            raw,
            kernel: *kernel,
        });
    }
}

/// What crossed one connection to the server.
#[derive(Debug, Default)]
struct Crossed {
    up: AtomicU64,
    down: AtomicU64,
    kernel: Mutex<Option<Kernel>>,
}

/// The socket below TLS, with its bytes counted.
type Counted = Tapped<TcpStream, Counter>;

/// Counts the bytes that cross a socket.
#[derive(Debug)]
struct Counter {
    crossed: Arc<Crossed>,
    ledger: Arc<Ledger>,
}

impl Counter {
    fn count(&self, counter: &AtomicU64, bytes: usize) {
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
        self.ledger.moved(bytes, 0);
    }
}

impl Tap<TcpStream> for Counter {
    fn read(
        &mut self,
        stream: Pin<&mut TcpStream>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(stream.poll_read(cx, buf))?;
        self.count(&self.crossed.down, buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }

    fn write(
        &mut self,
        stream: Pin<&mut TcpStream>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(tap::write(stream, cx, bufs))?;
        self.count(&self.crossed.up, n);
        Poll::Ready(Ok(n))
    }

    fn end(&mut self, socket: &TcpStream) {
        // What this end sent went up: the kernel counts from its own end, the ledger from the server's.
        let kernel = Kernel::of(socket).map(|k| Kernel {
            sent: k.received,
            received: k.sent,
            segments_out: k.segments_in,
            segments_in: k.segments_out,
        });
        *self.crossed.kernel.lock() = kernel;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWrite;

    use super::*;
    use crate::link::tls::Identity;
    use std::future::Future;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /// Sends `said` through a relay to a server that handles its only connection with `serve`; returns what
    /// the client reads, why the server could not be reached, and the relay's counts.
    fn relayed<F: Future<Output = ()> + Send + 'static>(
        authority: Option<&str>,
        http: HttpVersion,
        said: &'static [u8],
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> (Vec<u8>, Option<String>, Arc<Ledger>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin = Origin {
                encrypted: authority.is_some(),
                authority: listener.local_addr().unwrap().to_string(),
            };
            tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
            let relay = Relay::start(&Destination::new(origin, authority, http).unwrap(), 1).unwrap();
            let mut client = UnixStream::connect(&relay.sockets()[0]).await.unwrap();
            let mut heard = Vec::new();
            // Both go only as far as the connection does, where it breaks.
            let _ = client.write_all(said).await;
            let _ = client.read_to_end(&mut heard).await;
            drop(client);
            let (ledger, trouble) = tokio::task::spawn_blocking(|| relay.stop()).await.unwrap();
            (heard, trouble.map(|e| crate::terminal::causes(&e)), ledger)
        })
    }

    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = vec![0; REQUEST.len()];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request, REQUEST, "nothing is added and nothing lost on the way");
        stream.write_all(ANSWER).await.unwrap();
        stream.shutdown().await.unwrap();
        // The end of the client's side.
        let _ = stream.read_to_end(&mut request).await;
    }

    #[test]
    fn what_is_said_passes_as_it_is_and_is_read_along() {
        let identity = Identity::make(None).unwrap();
        for encrypted in [false, true] {
            let ca = encrypted.then_some(&*identity.authority);
            let settings = identity
                .server(Vec::new(), &Arc::new(Ledger::new(Vec::new())))
                .unwrap();
            let (heard, trouble, ledger) =
                relayed(ca, HttpVersion::Http11, REQUEST, move |socket| async move {
                    match encrypted {
                        true => answer(TlsAcceptor::from(settings).accept(socket).await.unwrap()).await,
                        false => answer(socket).await,
                    }
                });
            assert_eq!((&*heard, trouble), (ANSWER, None));
            let totals = ledger.totals();
            let plain = [totals.tally.up, totals.tally.down].map(|l| l.total() - l.tls);
            assert_eq!(plain, [REQUEST.len() as u64, ANSWER.len() as u64]);
            assert_eq!(
                (totals.tally.requests, totals.unbalanced, totals.each.len()),
                (1, 0, 1)
            );
            assert_eq!(totals.tally.up.tls > 0, encrypted);
            assert_eq!(totals.raw != plain, encrypted);
            assert!((ledger.opened(), ledger.open(), ledger.peak()) == (1, 0, 1));
        }
    }

    #[test]
    fn the_books_balance_however_a_connection_ends() {
        let identity = Identity::make(None).unwrap();
        for encrypted in [false, true] {
            for before in [0, 1] {
                let ca = encrypted.then_some(&*identity.authority);
                let settings = identity
                    .server(Vec::new(), &Arc::new(Ledger::new(Vec::new())))
                    .unwrap();
                // More than fits on the way, and nobody reads it.
                static FLOOD: [u8; 4 << 20] = [b'x'; 4 << 20];
                let (_, _, ledger) = relayed(ca, HttpVersion::Http11, &FLOOD, move |socket| async move {
                    let reset = |socket: &TcpStream| {
                        socket2::SockRef::from(socket)
                            .set_linger(Some(Duration::ZERO))
                            .unwrap();
                    };
                    let mut byte = vec![0; before];
                    if encrypted {
                        let mut tls = TlsAcceptor::from(settings).accept(socket).await.unwrap();
                        tls.read_exact(&mut byte).await.unwrap();
                        reset(tls.get_ref().0);
                    } else {
                        let mut socket = socket;
                        socket.read_exact(&mut byte).await.unwrap();
                        reset(&socket);
                    }
                });
                let totals = ledger.totals();
                assert_eq!((totals.unbalanced, ledger.open()), (0, 0), "{totals:?}");
                assert!(encrypted || totals.tally.up.tls == 0, "{totals:?}");
            }
        }
    }

    #[test]
    fn a_server_that_does_not_choose_http2_is_not_spoken_to() {
        let identity = Identity::make(None).unwrap();
        let settings = identity
            .server(Vec::new(), &Arc::new(Ledger::new(Vec::new())))
            .unwrap();
        let ca = Some(&*identity.authority);
        let (heard, trouble, ledger) = relayed(ca, HttpVersion::Http2, b"PRI", move |socket| async move {
            let mut tls = TlsAcceptor::from(settings).accept(socket).await.unwrap();
            let mut all = Vec::new();
            let _ = tls.read_to_end(&mut all).await;
            assert!(all.is_empty());
        });
        assert!(heard.is_empty());
        assert!(
            trouble
                .as_deref()
                .is_some_and(|t| t.contains("does not choose HTTP/2")),
            "{trouble:?}"
        );
        let totals = ledger.totals();
        assert_eq!(
            (totals.unbalanced, totals.tally.up.tls),
            (0, totals.raw[0]),
            "all of it was the handshake"
        );
    }
}
