//! What a technique's client half works with: a cursor, and an inbox that checks what arrives.

use super::Headers;
use super::inbox::Inbox;
use super::limit;
use super::origin::{Network, Origin, Way};
use super::publish::Outbox;
use super::start::Start;
use super::stream::Stream;
use super::talk::Says;
use crate::outcome::{Closer, EventKind, Scenario};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

/// Handed to a technique's `client`.
#[derive(Debug)]
pub struct Client {
    /// Which one, from 0.
    pub number: usize,
    /// Where the server is.
    pub origin: Origin,
    /// What its connections go over.
    pub network: Network,
    /// Whom to trust, where the connection is encrypted; with the memory of this client's sessions.
    pub tls: Option<ClientConfig>,
    /// What was asked for.
    pub scenario: Arc<Scenario>,
    /// What a request carries besides the necessary.
    pub headers: Arc<Headers>,
    /// Where mail goes.
    pub inbox: Inbox,
    /// Messages that its application wants to send.
    pub says: Says,
    /// What it publishes, if that is what it is there for.
    pub outbox: Option<Outbox>,
    /// When the schedule starts.
    pub start: Start,
    /// Cancelled when the run is over: close in order, don't reconnect.
    pub stop: CancellationToken,
}

impl Client {
    /// Whether this side is to end an open stream now; if the server is to, this never returns.
    pub async fn should_close(&self) {
        match self.scenario.closer {
            Closer::Client => self.stop.cancelled().await,
            Closer::Server => std::future::pending().await,
        }
    }

    /// A connection failed. Whatever that was, another may work.
    ///
    /// # Errors
    /// If the server sent more than a client reads: it would do so again.
    pub fn failed(&self, error: anyhow::Error) -> anyhow::Result<()> {
        self.inbox.trouble(&error);
        match limit::is_exceeded(&error) {
            true => Err(error),
            false => Ok(()),
        }
    }

    /// The same where what was to be opened could not be.
    ///
    /// # Errors
    /// As for [`Client::failed`].
    pub fn refused(&self, error: anyhow::Error) -> anyhow::Result<()> {
        self.inbox.happened(EventKind::Failed);
        self.failed(error)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there, or the server cannot prove who it is.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        self.way().dial().await
    }

    /// How it gets to its server.
    pub fn way(&self) -> Way {
        Way {
            origin: self.origin.clone(),
            network: self.network.clone(),
            tls: self.tls.clone(),
        }
    }

    /// The URL of a target as it is asked for over this client's own connections.
    pub fn url(&self, target: &str) -> String {
        match &self.network {
            Network::Relay(_) => Origin::plain(&*self.origin.authority).http(target),
            Network::Sockets | Network::Simulated(_) => self.origin.http(target),
        }
    }

    /// Waits before reconnecting; false if the run is over instead.
    pub async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(duration) => !self.stop.is_cancelled(),
        }
    }
}

/// Clients without a lab.
#[cfg(test)]
pub mod testing {
    use tokio::sync::watch;

    use super::*;
    use crate::clock;

    /// A client of the server at `origin` that expects `mails` mails.
    pub fn client(origin: Origin, mails: usize) -> Client {
        let (_, start) = watch::channel(Some(clock::now()));
        let (start, due) = (Start::new(start), vec![Duration::ZERO; mails]);
        Client {
            number: 0,
            origin,
            network: Network::Sockets,
            tls: None,
            scenario: Arc::default(),
            headers: Arc::new(Headers::load("lean").expect("it is built in")),
            inbox: Inbox::new(due.into(), start.clone(), 0, watch::Sender::new(0)),
            says: Says::default(),
            outbox: None,
            start,
            stop: CancellationToken::new(),
        }
    }
}
