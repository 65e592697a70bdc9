//! All clients of one technique, on a thread of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::busy::Busy;
use super::role::Role;
use super::talk::Talkers;
use crate::clock;
use crate::link::tls;
use crate::mail::{Cursor, Epoch, Plan};
use crate::outcome::{EventKind, Scenario};
use crate::technique::talk::{self, MessageQueue};
use crate::technique::{
    Browser, Client, Cookies, Headers, Inbox, Network, Origin, Queue, Reconnect, Record, Start, Technique,
};

/// How many clients have their events recorded.
pub const WATCHED: usize = 8;
/// The most events recorded of each.
pub const MAX_EVENTS: usize = 5_000;

/// How long clients may take to close after they are told to.
pub const CLOSING: Duration = Duration::from_secs(3);

/// How long connections may take to close at the end, in milliseconds.
const GOODBYE: u32 = 100;

/// The running clients of one technique.
#[derive(Debug)]
pub struct Clients {
    inboxes: Vec<Inbox>,
    start: watch::Sender<Option<Instant>>,
    complete: watch::Sender<u64>,
    delivered: Arc<Notify>,
    /// The requests that wait for a connection of the clients' browser; none without a browser.
    queue: watch::Receiver<Queue>,
    stop: CancellationToken,
    /// Stops the clients when a run fails.
    _stopped: DropGuard,
    role: Role<anyhow::Result<Option<f64>>>,
    talkers: Option<Talkers>,
}

/// What clients leave behind.
#[derive(Debug)]
pub struct Finished {
    /// What each client saw.
    pub records: Vec<Record>,
    /// How busy their thread was, as a share of the time since the schedule's start.
    pub busy: Option<f64>,
    /// How late clients got the messages they had to send, in microseconds.
    pub late_us: Vec<f64>,
}

/// Everything that clients are made from.
#[derive(Debug)]
pub struct ClientSettings<'a> {
    /// The technique whose client half runs.
    pub technique: &'static Technique,
    /// What was asked for.
    pub scenario: &'a Arc<Scenario>,
    /// The mail to expect.
    pub plan: &'a Plan,
    /// The header profile.
    pub headers: &'a Arc<Headers>,
    /// Where the server is.
    pub origin: Origin,
    /// The network that connections use.
    pub network: Network,
    /// The certificate authority to trust, PEM, where connections are encrypted.
    pub authority: Option<String>,
    /// The cursor that clients start with.
    pub cursor: Cursor,
}

/// How clients join a server that is not ours.
#[derive(Debug)]
pub struct Joining {
    /// The newest mail at that time: clients expect only what comes after it.
    pub after: Cursor,
    /// The number of the last mail to wait for.
    pub last: u64,
    /// Each client's path to the server.
    pub relay_sockets: Vec<Arc<Path>>,
}

impl Clients {
    /// Starts all clients; they connect at once.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(settings: &ClientSettings) -> anyhow::Result<Clients> {
        Clients::join(settings, None)
    }

    /// The same; with `joining`, clients join a server that is not ours.
    ///
    /// # Errors
    /// As for [`Clients::start`].
    pub fn join(settings: &ClientSettings, joining: Option<&Joining>) -> anyhow::Result<Clients> {
        let (start, known) = watch::channel(None);
        let complete = watch::Sender::new(0);
        let delivered = Arc::<Notify>::default();
        let stop = CancellationToken::new();
        let due: Arc<[Duration]> = settings.plan.mails.iter().map(|m| m.due).collect();
        let tls = tls_settings(settings)?;
        let (talkers, message_queues) = talkers(settings, &stop)?;
        let mut message_queues = message_queues.into_iter();
        let browser = Browser::of(settings.scenario);
        let cookies = Cookies::of_each(settings.scenario);
        let clients: Vec<Client> = (0..settings.scenario.clients)
            .map(|number| {
                let start = Start::new(known.clone());
                let max_events = if number < WATCHED { MAX_EVENTS } else { 0 };
                let inbox = Inbox::new(due.clone(), start.clone(), max_events, complete.clone());
                let inbox = inbox.notifying(delivered.clone());
                let inbox = match joining {
                    Some(Joining { after, last, .. }) => inbox.after(*after, *last),
                    None => inbox.standing(settings.cursor),
                };
                let tab = browser.as_ref().map(|b| b.tab(inbox.clone(), stop.clone()));
                Client {
                    number,
                    tab: tab.unwrap_or_default(),
                    cookies: cookies(),
                    origin: settings.origin.clone(),
                    network: match joining.and_then(|j| j.relay_sockets.get(number)) {
                        Some(socket) => Network::Relay(socket.clone()),
                        None => settings.network.clone(),
                    },
                    tls: tls(),
                    scenario: settings.scenario.clone(),
                    headers: settings.headers.clone(),
                    inbox,
                    messages: message_queues.next().unwrap_or_default(),
                    outbox: None,
                    start,
                    reconnect: Reconnect::of(settings.scenario, number),
                    stop: stop.clone(),
                }
            })
            .collect();
        let inboxes = clients.iter().map(|c| c.inbox.clone()).collect();
        let run = settings.technique.client;
        let token = stop.clone();
        let closing = CLOSING + settings.scenario.link.patience();
        let role = Role::start(format!("{} clients", settings.technique.name), || {
            Ok(async move { drive(clients, run, &token, closing).await })
        })?;
        Ok(Clients {
            inboxes,
            start,
            complete,
            delivered,
            queue: browser.map_or_else(|| watch::channel(Queue::new()).1, |b| b.queue()),
            _stopped: stop.clone().drop_guard(),
            stop,
            role,
            talkers,
        })
    }

    /// Tells every client when the schedule starts.
    pub fn begin(&mut self, start: Instant) {
        self.start.send_replace(Some(start));
        if let Some(talkers) = &mut self.talkers {
            talkers.begin(start);
        }
    }

    /// Tells every client's inbox that the server's log is replaced ([`Inbox::log_replaced`]).
    pub fn log_replaced(&self, mails: u64, epoch: Epoch) {
        self.inboxes
            .iter()
            .for_each(|inbox| inbox.log_replaced(mails, epoch));
    }

    /// How many clients have all their mail.
    #[cfg(unix)] // Needed where a server may be visited.
    pub fn completed(&self) -> usize {
        *self.complete.borrow() as usize
    }

    /// Mails delivered so far, summed over clients.
    pub fn delivered(&self) -> u64 {
        self.inboxes.iter().map(Inbox::delivered).sum()
    }

    /// What the first client saw since an instant ([`Inbox::recent`]).
    pub fn recent(&self, since: Instant) -> Option<Vec<(Instant, EventKind, Option<u64>)>> {
        self.inboxes.first()?.recent(since)
    }

    /// Ends when a mail has been delivered since this was called.
    pub fn deliveries(&self) -> Notified<'_> {
        self.delivered.notified()
    }

    /// The requests that wait for a connection of the clients' browser, now and later.
    pub fn queue(&self) -> watch::Receiver<Queue> {
        self.queue.clone()
    }

    /// Ends when, at `from` or later, a request has waited for a connection for as long as this, and no mail has come
    /// meanwhile.
    pub async fn starvation(&self, from: Instant, patience: Duration) {
        let mut queue = self.queue.clone();
        if queue.has_changed().is_err() {
            // They are no browser's. Whoever waits for deliveries is woken by each, which takes as long as a delivery.
            return std::future::pending().await;
        }
        let mut delivered = clock::now();
        loop {
            let came = self.deliveries();
            let first = queue.borrow_and_update().first().copied();
            let over = (first.unwrap_or(from).max(delivered) + patience).max(from);
            tokio::select! {
                biased;
                () = changes(&mut queue) => {}
                () = came => delivered = clock::now(),
                () = clock::sleep_until(over), if first.is_some() => return,
            }
        }
    }

    /// How many messages clients send on their own initiative, in all.
    pub fn messages(&self) -> u64 {
        self.talkers.as_ref().map_or(0, Talkers::messages)
    }

    /// Whether the clients have ended before they were told to. They do not come back.
    #[cfg(unix)] // Needed where a server may be visited.
    pub fn have_ended(&self) -> bool {
        self.role.over().is_cancelled()
    }

    /// Ends when the clients have ended before they were told to and it is known why; otherwise never.
    pub async fn trouble_for_good(&self) {
        self.role.over().cancelled().await;
        if self.trouble().is_none() {
            std::future::pending().await
        }
    }

    /// Ends when every client has all its mail, or when the clients have ended before they were told to.
    pub fn completion(&self) -> impl Future<Output = ()> + use<> {
        let (all, mut complete) = (self.inboxes.len() as u64, self.complete.subscribe());
        let over = self.role.over().clone();
        async move {
            tokio::select! {
                biased;
                _ = complete.wait_for(|n| *n >= all) => {}
                () = over.cancelled() => {}
            }
        }
    }

    /// Why a client last failed, if one did.
    pub fn trouble(&self) -> Option<String> {
        self.inboxes.iter().find_map(|i| i.record().trouble)
    }

    /// How many clients have had a request refused because the server did not know its session.
    pub fn lost_sessions(&self) -> usize {
        self.inboxes.iter().filter(|i| i.unknown_sessions() > 0).count()
    }

    /// How often connections have failed, summed over clients.
    #[cfg(unix)] // Needed where a server may be visited.
    pub fn troubles(&self) -> u64 {
        self.inboxes.iter().map(Inbox::troubles).sum()
    }

    /// Tells every client to close in order.
    pub fn tell_to_close(&self) {
        self.stop.cancel();
    }

    /// Waits until all clients have closed, and returns what they saw.
    ///
    /// # Errors
    /// If a client half failed for another reason than its connection.
    pub async fn finish(self) -> anyhow::Result<Finished> {
        self.stop.cancel();
        let busy = self.role.join().await;
        let busy = busy.context("the clients ended before their work was done")??;
        let late_us = match self.talkers {
            Some(talkers) => talkers.finish().await,
            None => Vec::new(),
        };
        Ok(Finished {
            records: self.inboxes.iter().map(Inbox::record).collect(),
            busy,
            late_us,
        })
    }
}

/// Ends when the queue changes; never when there is no browser any more.
pub async fn changes(queue: &mut watch::Receiver<Queue>) {
    if queue.changed().await.is_err() {
        std::future::pending().await
    }
}

/// The thread that hands out clients' messages, if there are any, and where each client gets its own.
fn talkers(
    settings: &ClientSettings,
    stop: &CancellationToken,
) -> anyhow::Result<(Option<Talkers>, Vec<MessageQueue>)> {
    if settings.scenario.talk_per_s.is_none() {
        return Ok((None, Vec::new()));
    }
    let schedules = talk::schedules(settings.scenario, settings.plan.span());
    let (talkers, message_queues) = Talkers::start(settings.technique.name, &schedules, stop.clone())?;
    Ok((Some(talkers), message_queues))
}

/// Makes the TLS settings of one client after the other, where connections are encrypted. A browser's tabs share its
/// session memory.
fn tls_settings(settings: &ClientSettings) -> anyhow::Result<impl Fn() -> Option<ClientConfig> + use<>> {
    let alpn = vec![tls::alpn(settings.scenario.http)];
    let trusting = settings.authority.as_deref().map(|pem| tls::client(pem, alpn));
    let (resumes, shared) = (settings.scenario.tls_resumes, settings.scenario.tabs.is_some());
    let own = move |tls| match resumes {
        true => remembering(tls),
        false => forgetting(tls),
    };
    let first = trusting.transpose()?.map(own);
    Ok(move || first.clone().map(|tls| if shared { tls } else { own(tls) }))
}

/// TLS settings with a session memory of their own, as each user's browser has.
pub fn remembering(mut tls: ClientConfig) -> ClientConfig {
    tls.resumption = Resumption::default();
    tls
}

/// TLS settings without a session memory: each handshake is a full one.
fn forgetting(mut tls: ClientConfig) -> ClientConfig {
    tls.resumption = Resumption::disabled();
    tls
}

/// Waits for unused connections to close in order, which HTTP clients do in background tasks.
async fn say_goodbye() {
    if clock::is_simulated() {
        // The server's tasks run on the same runtime. It closes its connections when the clients' ends do.
        return;
    }
    let running = tokio::runtime::Handle::current().metrics();
    for _ in 0..GOODBYE {
        if running.num_alive_tasks() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A technique's client half.
pub type ClientHalf = fn(Client) -> futures_util::future::BoxFuture<'static, anyhow::Result<()>>;

/// Runs clients to their end, on this runtime; returns how busy its thread was, if it runs only clients.
pub async fn drive(
    clients: Vec<Client>,
    run: ClientHalf,
    stop: &CancellationToken,
    closing: Duration,
) -> anyhow::Result<Option<f64>> {
    let mut running = JoinSet::new();
    let start = clients.first().map(|c| c.start.clone());
    let busy = AbortOnDropHandle::new(tokio::spawn(async move {
        start?.known().await;
        Busy::from_now()
    }));
    for client in clients {
        running.spawn(run(client));
    }
    let all = async {
        while let Some(ended) = running.join_next().await {
            ended.map_err(|e| anyhow!("a client ended before its work was done: {e}"))??;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        biased;
        ended = all => ended?,
        // Clients that do not close in time are dropped.
        () = async { stop.cancelled().await; tokio::time::sleep(closing).await } => {}
    }
    drop(running);
    say_goodbye().await;
    let busy = if busy.is_finished() { busy.await? } else { None };
    Ok(busy.and_then(|b| b.share()))
}
