//! Where a server is, and how to get there: scheme, host and port (RFC 6454), and what the scheme
//! decides.

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::service::Stream;

/// A server's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the schemes are `https` and `wss` rather than `http` and `ws`.
    pub encrypted: bool,
    /// `host:port`.
    pub authority: String,
}

impl Origin {
    /// An origin that is spoken to in the clear.
    pub fn plain(authority: impl Into<String>) -> Origin {
        Origin {
            encrypted: false,
            authority: authority.into(),
        }
    }

    /// The URL of a target by HTTP (RFC 9110, section 4.2).
    pub fn http(&self, target: &str) -> String {
        let s = if self.encrypted { "s" } else { "" };
        format!("http{s}://{}{target}", self.authority)
    }

    /// The URL of a target by WebSocket (RFC 6455, section 3).
    pub fn ws(&self, target: &str) -> String {
        let s = if self.encrypted { "s" } else { "" };
        format!("ws{s}://{}{target}", self.authority)
    }

    fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or(&*self.authority, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Opens a connection, through the TLS handshake where the origin wants one and `tls` says whom to trust.
///
/// # Errors
/// If nobody listens there, or the server cannot prove who it is.
pub async fn dial(origin: &Origin, tls: Option<&ClientConfig>) -> anyhow::Result<Stream> {
    let stream = TcpStream::connect(&origin.authority).await?;
    stream.set_nodelay(true)?;
    let Some(config) = tls.filter(|_| origin.encrypted) else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(origin.host().to_owned())?;
    let connector = TlsConnector::from(Arc::new(config.clone()));
    let encrypted = connector.connect(name, stream).await.context("the TLS handshake failed")?;
    Ok(Box::new(encrypted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_hosts() {
        let mut origin = Origin::plain("127.0.0.1:80");
        assert_eq!((origin.http("/a"), origin.ws("/")), ("http://127.0.0.1:80/a".into(), "ws://127.0.0.1:80/".into()));
        origin.encrypted = true;
        assert_eq!((origin.http("/a"), origin.ws("/")), ("https://127.0.0.1:80/a".into(), "wss://127.0.0.1:80/".into()));
        assert_eq!(origin.host(), "127.0.0.1");
        assert_eq!(Origin::plain("[::1]:443").host(), "::1");
        assert_eq!(Origin::plain("localhost").host(), "localhost");
    }
}
