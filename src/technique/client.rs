//! What a technique's client half works with: a cursor, and an inbox that checks arriving mail.

use super::Headers;
use super::browser::Tab;
use super::cookies::Cookies;
use super::inbox::Inbox;
use super::limit;
use super::origin::{Network, Origin, ServerRoute};
use super::publish::Outbox;
use super::reconnect::{ComeBackLater, Reconnect};
use super::slow::Reading;
use super::start::Start;
use super::stream::Stream;
use super::talk::MessageQueue;
use super::unknown_session::UnknownSession;
use crate::clock;
use crate::outcome::{Closer, EventKind, Scenario};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

/// The input of a technique's `client` function.
#[derive(Debug)]
pub struct Client {
    /// Index of the client, from 0.
    pub number: usize,
    /// Where the server is.
    pub origin: Origin,
    /// The network that its connections use.
    pub network: Network,
    /// The browser that it is a tab of, if it is one.
    pub tab: Tab,
    /// The cookie of the balancer, where there is one that sets it.
    pub cookies: Cookies,
    /// TLS settings, where it is encrypted: trusted certificates, and this client's saved sessions.
    pub tls: Option<ClientConfig>,
    /// The scenario of the run.
    pub scenario: Arc<Scenario>,
    /// Header fields that a request carries beyond the necessary ones.
    pub headers: Arc<Headers>,
    /// Where mail goes.
    pub inbox: Inbox,
    /// Messages that its application wants to send.
    pub messages: MessageQueue,
    /// Mail to publish, if this client is a publisher.
    pub outbox: Option<Outbox>,
    /// When the schedule starts.
    pub start: Start,
    /// How long it waits before it connects again.
    pub reconnect: Reconnect,
    /// Cancelled when the run is over: close in order, don't reconnect.
    pub stop: CancellationToken,
}

impl Client {
    /// Waits until this side should close an open stream; never returns if the server is to close it.
    pub async fn should_close(&self) {
        match self.scenario.closer {
            Closer::Client => self.stop.cancelled().await,
            Closer::Server => std::future::pending().await,
        }
    }

    /// Records that a connection failed. Unless the error is fatal, the client may try another one.
    ///
    /// # Errors
    /// If the server sent more than a client reads: the next connection would bring the same.
    pub fn failed(&self, error: anyhow::Error) -> anyhow::Result<()> {
        self.inbox.trouble(&error);
        if UnknownSession::caused(&error) {
            self.inbox.session_unknown();
        }
        if let Some(ComeBackLater(wait)) = error.downcast_ref() {
            self.reconnect.wait_at_least(*wait);
        }
        match limit::is_exceeded(&error) {
            true => Err(error),
            false => Ok(()),
        }
    }

    /// Like [`Client::failed`], for something that could not be opened.
    ///
    /// # Errors
    /// As for [`Client::failed`].
    pub fn refused(&self, error: anyhow::Error) -> anyhow::Result<()> {
        self.inbox.happened(EventKind::Failed);
        self.failed(error)
    }

    /// Records that a stream, a session or a connection that stays open was established.
    pub fn opened(&self) {
        self.reconnect.succeeded();
        self.inbox.happened(EventKind::Opened);
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there, or the server's certificate is not accepted.
    pub async fn dial(&self) -> anyhow::Result<Stream> {
        self.route().dial().await
    }

    /// How the client reaches its server.
    pub fn route(&self) -> ServerRoute {
        ServerRoute {
            origin: self.origin.clone(),
            network: self.network.clone(),
            tls: self.tls.clone(),
            reading: Reading::of(&self.scenario, self.number),
        }
    }

    /// The URL of a target. Through a relay it is plain HTTP, because the relay encrypts.
    pub fn url(&self, target: &str) -> String {
        match &self.network {
            Network::Relay(_) => Origin::plain(&*self.origin.authority).http(target),
            Network::Sockets | Network::Simulated(_) => self.origin.http(target),
        }
    }

    /// Waits; false if the run is over instead.
    pub async fn pause(&self, duration: Duration) -> bool {
        self.pauses(tokio::time::sleep(duration)).await
    }

    /// Waits before it connects again, at first for about as long as `own`, unless the scenario says how long; false if
    /// the run is over instead.
    pub async fn wait_to_reconnect(&self, own: Duration) -> bool {
        self.wait_to_reconnect_from(self.reconnect.first(own)).await
    }

    /// The same where the first wait is this, whatever the scenario says.
    pub async fn wait_to_reconnect_from(&self, first: Duration) -> bool {
        self.pauses(clock::sleep_until(self.reconnect.next(first))).await
    }

    async fn pauses(&self, over: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = over => !self.stop.is_cancelled(),
        }
    }
}

/// A client for tests, without a lab.
#[cfg(test)]
pub mod testing {
    use tokio::sync::watch;

    use super::*;

    /// A client of the server at `origin` that expects `mails` mails.
    pub fn client(origin: Origin, mails: usize) -> Client {
        let (_, start) = watch::channel(Some(clock::now()));
        let (start, due) = (Start::new(start), vec![Duration::ZERO; mails]);
        Client {
            number: 0,
            origin,
            network: Network::Sockets,
            tab: Tab::default(),
            cookies: Cookies::default(),
            tls: None,
            scenario: Arc::default(),
            headers: Arc::new(Headers::load("lean").expect("it is built in")),
            inbox: Inbox::new(due.into(), start.clone(), 0, watch::Sender::new(0)),
            messages: MessageQueue::default(),
            outbox: None,
            start,
            reconnect: Reconnect::default(),
            stop: CancellationToken::new(),
        }
    }
}
