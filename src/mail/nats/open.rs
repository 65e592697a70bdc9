//! Opens a log, wherever it is.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::engine::Engine;
use super::feeder;
use super::keeper::Keeper;
use super::place::{LogAt, Place};
use super::post::post;
use crate::lang::t;
use crate::mail::mailbox::Mailbox;
use crate::mail::store::{Draft, Keeping, NotKept, Posting, Store};
use crate::mail::{Epoch, random_name};
use crate::outcome::Scenario;

/// How long the mails of a stream may take until they are in the window.
const FILLING: Duration = Duration::from_secs(60);

/// Opens the log of a run or a server. `epoch` is that of a log in memory; a stream has its own.
///
/// # Errors
/// If a log outside this process cannot be reached, or has other limits than the scenario's.
pub fn open(at: &LogAt, scenario: &Scenario, epoch: Epoch) -> anyhow::Result<Arc<Mailbox>> {
    match at {
        LogAt::Memory => Ok(Arc::new(Mailbox::of(scenario, epoch))),
        LogAt::Copy => Ok(Arc::new(Mailbox::of(scenario, epoch).copied())),
        LogAt::Nats(place) => open_stream(place.clone(), scenario.clone()),
    }
}

/// Starts the thread that connects the mailbox with the stream, and waits until the window is filled.
fn open_stream(place: Place, scenario: Scenario) -> anyhow::Result<Arc<Mailbox>> {
    let (done, opened) = sync_channel(1);
    let name = random_name()?;
    std::thread::Builder::new()
        .name("log in NATS".into())
        .spawn(move || serve(&place, &scenario, &name, &done))
        .context("cannot start the thread of the log")?;
    opened.recv().context("the thread of the log has ended")?
}

type Opened = SyncSender<anyhow::Result<Arc<Mailbox>>>;

/// Runs the log until its mailbox is dropped.
fn serve(place: &Place, scenario: &Scenario, name: &str, done: &Opened) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime of the log");
    let work = async {
        match begin(place, scenario, name).await {
            Err(e) => drop(done.send(Err(e))),
            Ok((mailbox, stop)) => {
                // If nobody takes it any more, it is dropped here, and the work ends at once.
                let _ = done.send(Ok(mailbox));
                stop.cancelled().await;
            }
        }
    };
    match runtime {
        // Its tasks end with it.
        Ok(runtime) => runtime.block_on(work),
        Err(e) => drop(done.send(Err(e))),
    }
}

/// Connects, and fills the window of a new mailbox. The token is cancelled when the mailbox is dropped.
async fn begin(
    place: &Place,
    scenario: &Scenario,
    name: &str,
) -> anyhow::Result<(Arc<Mailbox>, CancellationToken)> {
    let engine = Arc::new(Engine::connect(place, scenario).await?);
    let (_, info) = engine.stream().await?;
    let stop = CancellationToken::new();
    let (arrive, arriving) = mpsc::unbounded_channel();
    let (post, posted) = mpsc::unbounded_channel();
    let store = Streamed {
        engine: engine.clone(),
        arrive,
        post,
        name: name.into(),
        _stop: stop.clone().drop_guard(),
    };
    let mailbox = Mailbox::of(scenario, engine.epoch(&info));
    let mailbox = Arc::new(mailbox.stored(Box::new(store), engine.before(&info)));
    let planned = format!("{}.plan.{name}", place.stream);
    tokio::spawn(Keeper::new(engine.clone(), planned.clone()).keep(arriving));
    tokio::spawn(take(engine.clone(), posted));
    tokio::spawn(feeder::feed(engine, Arc::downgrade(&mailbox), planned));
    let last = info.state.last_sequence;
    if last > mailbox.newest() {
        let mut watch = mailbox.watch();
        let filled = tokio::time::timeout(FILLING, watch.beyond(last - 1)).await;
        if filled.is_err() {
            bail!(t!(
                "the mails of the log at %{place} did not come within %{seconds} s",
                place = place,
                seconds = FILLING.as_secs()
            ));
        }
    }
    Ok((mailbox, stop))
}

/// A mail of a client: its draft, its id, and where its number goes.
type Posted = (Draft, String, oneshot::Sender<Result<u64, NotKept>>);

/// Stores the mails of clients, each by itself.
async fn take(engine: Arc<Engine>, mut posted: mpsc::UnboundedReceiver<Posted>) {
    while let Some((draft, id, answer)) = posted.recv().await {
        let engine = engine.clone();
        tokio::spawn(async move {
            // A client that is gone does not wait for the answer.
            let _ = answer.send(post(&engine, &draft, &id).await);
        });
    }
}

/// The mailbox's end of the log.
#[derive(Debug)]
struct Streamed {
    engine: Arc<Engine>,
    arrive: mpsc::UnboundedSender<Vec<Draft>>,
    post: mpsc::UnboundedSender<Posted>,
    /// A name that no other server has.
    name: String,
    _stop: DropGuard,
}

impl Store for Streamed {
    fn arrive(&self, drafts: Vec<Draft>) {
        // It fails only while the log ends.
        let _ = self.arrive.send(drafts);
    }

    fn is_reachable(&self) -> bool {
        self.engine.is_connected()
    }

    fn post(&self, draft: Draft, key: Option<&str>) -> Posting {
        let id = match key {
            Some(key) => Ok(format!("key.{key}")),
            None => random_name().map(|name| format!("{}.{name}", self.name)),
        };
        let ended = || NotKept::Refused("it is being closed".into());
        let (answer, answered) = oneshot::channel();
        let sent = match id {
            Ok(id) => self.post.send((draft, id, answer)).map_err(|_| ended()),
            Err(e) => Err(NotKept::Refused(crate::terminal::causes(&e))),
        };
        let keeping: Keeping = Box::pin(async move {
            sent?;
            answered.await.unwrap_or(Err(NotKept::Unknown))
        });
        Posting::Sent(keeping)
    }
}
