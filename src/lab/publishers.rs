//! Clients that publish the mail of a run, on a thread of their own, like the clients that read it.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::clients::{self, CLOSING, ClientSettings};
use super::publisher::{self, Published};
use super::role::Role;
use crate::link::tls;
use crate::mail::{Mail, Plan, Planned};
use crate::technique::{Client, Cookies, Inbox, Outbox, Reconnect, Record, Start};

/// The publishers of one run.
#[derive(Debug)]
pub struct Publishers {
    expected: usize,
    /// How many are connected.
    open: Arc<watch::Sender<usize>>,
    inboxes: Vec<Inbox>,
    outboxes: Vec<mpsc::UnboundedSender<(u64, Mail)>>,
    start: watch::Sender<Option<Instant>>,
    stop: CancellationToken,
    clients: Role<anyhow::Result<Option<f64>>>,
    schedule: Option<Schedule>,
}

/// The thread that follows the schedule of the mail.
#[derive(Debug)]
struct Schedule {
    halt: CancellationToken,
    role: Role<Published>,
}

impl Publishers {
    /// Starts `expected` publishers; they connect at once.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(settings: &ClientSettings, expected: usize) -> anyhow::Result<Publishers> {
        let (start, known) = watch::channel(None);
        let start_of = Start::new(known);
        let stop = CancellationToken::new();
        let open = Arc::new(watch::Sender::new(0));
        let alpn = vec![tls::alpn(settings.scenario.http)];
        let authority = settings.authority.as_deref();
        let tls = authority.map(|pem| tls::client(pem, alpn)).transpose()?;
        let (outboxes, queues): (Vec<_>, Vec<_>) = (0..expected).map(|_| mpsc::unbounded_channel()).unzip();
        let all: Vec<Client> = queues
            .into_iter()
            .enumerate()
            .map(|(number, queue)| Client {
                number: settings.scenario.clients + number,
                tab: Default::default(),
                cookies: Cookies::of(settings.scenario),
                origin: settings.origin.clone(),
                network: settings.network.clone(),
                tls: tls.clone().map(clients::remembering),
                scenario: settings.scenario.clone(),
                headers: settings.headers.clone(),
                inbox: Inbox::new(Arc::default(), start_of.clone(), 0, watch::Sender::new(0)),
                messages: Default::default(),
                outbox: Some(Outbox::new(queue, open.clone())),
                start: start_of.clone(),
                reconnect: Reconnect::of(settings.scenario, settings.scenario.clients + number),
                stop: stop.clone(),
            })
            .collect();
        let inboxes = all.iter().map(|c| c.inbox.clone()).collect();
        let run = settings.technique.client;
        let token = stop.clone();
        let closing = CLOSING + settings.scenario.link.patience();
        let clients = Role::start(format!("{} publishers", settings.technique.name), || {
            Ok(async move { clients::drive(all, run, &token, closing).await })
        })?;
        Ok(Publishers {
            expected,
            open,
            inboxes,
            outboxes,
            start,
            stop,
            clients,
            schedule: None,
        })
    }

    /// Returns once all of them are connected.
    pub async fn ready(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self
            .open
            .subscribe()
            .wait_for(|open| *open >= self.expected)
            .await;
    }

    /// Why a publisher last failed, if one did.
    pub fn trouble(&self) -> Option<String> {
        let trouble = |inbox: &Inbox| -> Option<String> {
            let Record { trouble, .. } = inbox.record();
            trouble
        };
        self.inboxes.iter().find_map(trouble)
    }

    /// Hands each mail to a publisher when it is due, to one after the other.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn begin(&mut self, plan: &Arc<Plan>, start: Instant, halt: CancellationToken) -> anyhow::Result<()> {
        self.start.send_replace(Some(start));
        let (plan, outboxes, token) = (plan.clone(), self.outboxes.clone(), halt.clone());
        let send = move |group: &[Planned], first: u64| {
            for (planned, number) in group.iter().zip(first..) {
                let outbox = &outboxes[((number - 1) % outboxes.len() as u64) as usize];
                // A publisher that is gone sends nothing more: the delivery counts show it.
                let _ = outbox.send((number, planned.mail.clone()));
            }
        };
        let role = Role::start("publishers' schedule", || {
            Ok(async move { publisher::keep_to(&plan, start, &token, send).await })
        })?;
        self.schedule = Some(Schedule { halt, role });
        Ok(())
    }

    /// Tells publishers to close in order.
    pub fn tell_to_close(&self) {
        self.stop.cancel();
    }

    /// Waits until all have closed; returns how the schedule was kept.
    ///
    /// # Errors
    /// If one failed for a reason other than its connection.
    pub async fn finish(self) -> anyhow::Result<Published> {
        self.stop.cancel();
        let mut published = Published::default();
        if let Some(Schedule { halt, role }) = self.schedule {
            halt.cancel();
            // It panics only if this program has a bug. Then nothing was sent, and the delivery counts show it.
            published = role.join().await.unwrap_or_default();
        }
        let ended = self.clients.join().await;
        ended.context("the publishers ended before their work was done")??;
        Ok(published)
    }
}
