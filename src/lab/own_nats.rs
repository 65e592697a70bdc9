//! The NATS server that a lab starts for the log of its runs, when it is needed.

use std::sync::Arc;

use parking_lot::Mutex;

#[cfg(unix)]
use crate::mail;

/// The NATS server that a lab starts for itself. Clones share it; it ends with the last.
#[derive(Clone, Debug, Default)]
pub struct OwnNats(Arc<Mutex<Option<OwnServer>>>);

#[cfg(unix)]
type OwnServer = mail::PrivateServer;

/// It cannot be started: the process that ends it needs a shell.
#[cfg(not(unix))]
type OwnServer = std::convert::Infallible;

impl OwnNats {
    /// Its address; it is started first, if it does not run.
    #[cfg(unix)]
    pub(super) fn url(&self) -> anyhow::Result<String> {
        let mut server = self.0.lock();
        if let Some(server) = &*server {
            return Ok(server.url.clone());
        }
        Ok(server.insert(mail::PrivateServer::start()?).url.clone())
    }

    #[cfg(not(unix))]
    pub(super) fn url(&self) -> anyhow::Result<String> {
        anyhow::bail!("--log nats needs a Unix system: give the address of a server, --log nats://HOST:PORT")
    }
}
