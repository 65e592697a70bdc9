//! The address of a server and how to connect to it: scheme, host and port (RFC 6454), and what the scheme
//! decides.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::slow::Reading;
use super::stream::{ReadWrite, Stream};

/// A server's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the schemes are `https` and `wss` rather than `http` and `ws`.
    pub encrypted: bool,
    /// `host:port`; without a port, the scheme's default port applies.
    pub authority: String,
}

impl Origin {
    /// An unencrypted origin.
    pub fn plain(authority: impl Into<String>) -> Origin {
        Origin {
            encrypted: false,
            authority: authority.into(),
        }
    }

    /// The `http` or `https` URL of a target (RFC 9110, section 4.2).
    pub fn http(&self, target: &str) -> String {
        let s = if self.encrypted { "s" } else { "" };
        format!("http{s}://{}{target}", self.authority)
    }

    /// The `ws` or `wss` URL of a target (RFC 6455, section 3).
    pub fn ws(&self, target: &str) -> String {
        let s = if self.encrypted { "s" } else { "" };
        format!("ws{s}://{}{target}", self.authority)
    }

    /// The host alone; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        let (host, _) = self.split();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The authority's port, or the scheme's default.
    fn port(&self) -> u16 {
        let (_, port) = self.split();
        port.unwrap_or(if self.encrypted { 443 } else { 80 })
    }

    fn split(&self) -> (&str, Option<u16>) {
        let parts = self.authority.rsplit_once(':');
        let port = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        port.map_or((&self.authority, None), |(host, port)| (host, Some(port)))
    }
}

/// The network that a client's connections use.
#[derive(Clone, Default)]
pub enum Network {
    /// TCP sockets.
    #[default]
    Sockets,
    /// The socket of a relay that carries the connections, and encrypts them where required.
    Relay(Arc<Path>),
    /// In-memory pipes, in a simulated run.
    Simulated(Open),
}

/// Opens a connection to the one server of a simulated network.
pub type Open = Arc<dyn Fn() -> std::io::Result<Stream> + Send + Sync>;

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Network::Sockets => f.write_str("Sockets"),
            Network::Relay(path) => f.debug_tuple("Relay").field(path).finish(),
            Network::Simulated(_) => f.write_str("Simulated"),
        }
    }
}

/// How a client reaches its server.
#[derive(Clone, Debug)]
pub struct ServerRoute {
    /// The server's origin.
    pub origin: Origin,
    /// The network in between.
    pub network: Network,
    /// TLS settings with the trusted certificates, where the connection is encrypted.
    pub tls: Option<ClientConfig>,
    /// How connections are read; `None` if as fast as possible.
    pub reading: Option<Reading>,
}

impl ServerRoute {
    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there, or the server's certificate is not accepted.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        let stream: Stream = match &self.network {
            Network::Relay(relay) => return dial_relay(relay).await,
            Network::Simulated(open) => open()?,
            Network::Sockets => {
                let socket = connect(&self.origin).await?;
                self.reading.map_or(Ok(()), |reading| reading.prepare(&socket))?;
                Box::new(socket)
            }
        };
        let stream = match self.reading {
            Some(reading) => Box::new(reading.over(stream)),
            None => stream,
        };
        Ok(match self.tls.clone().filter(|_| self.origin.encrypted) {
            None => stream,
            Some(config) => Box::new(secure(&self.origin, config, stream).await?),
        })
    }
}

/// Opens the TCP connection.
///
/// # Errors
/// If nobody listens there.
pub async fn connect(origin: &Origin) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((origin.host(), origin.port())).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Does the TLS handshake on a connection to the origin.
///
/// # Errors
/// If the server's certificate is not accepted, or the two ends have no settings in common.
pub async fn secure<S: ReadWrite>(
    origin: &Origin,
    config: ClientConfig,
    stream: S,
) -> anyhow::Result<TlsStream<S>> {
    let name = ServerName::try_from(origin.host().to_owned())?;
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(name, stream)
        .await
        .context("the TLS handshake failed")
}

/// Opens a connection through the relay that listens at a path.
///
/// # Errors
/// If nothing listens there.
#[cfg(unix)]
pub async fn dial_relay(path: &Path) -> anyhow::Result<Stream> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

/// A relay needs Unix sockets.
#[cfg(not(unix))]
pub async fn dial_relay(_path: &Path) -> anyhow::Result<Stream> {
    anyhow::bail!("a relay needs Unix sockets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_hosts() {
        let mut origin = Origin::plain("127.0.0.1:80");
        assert_eq!(
            (origin.http("/a"), origin.ws("/")),
            ("http://127.0.0.1:80/a".into(), "ws://127.0.0.1:80/".into())
        );
        origin.encrypted = true;
        assert_eq!(
            (origin.http("/a"), origin.ws("/")),
            ("https://127.0.0.1:80/a".into(), "wss://127.0.0.1:80/".into())
        );
        assert_eq!(origin.host(), "127.0.0.1");
        assert_eq!(Origin::plain("[::1]:443").host(), "::1");
        assert_eq!(Origin::plain("localhost").host(), "localhost");
        assert_eq!(Origin::plain("[::1]").host(), "::1");
    }

    #[test]
    fn a_port_that_is_not_said_is_the_schemes() {
        let mut origin = Origin::plain("mail.example");
        assert_eq!(origin.port(), 80);
        origin.encrypted = true;
        assert_eq!(origin.port(), 443);
        for (authority, port) in [("mail.example:8000", 8000), ("[::1]:1", 1), ("[::1]", 443)] {
            origin.authority = authority.into();
            assert_eq!(origin.port(), port, "{authority}");
        }
    }
}
