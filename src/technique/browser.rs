//! A browser whose tabs the clients are (`--tabs`): its connections to a host are few, and the tabs share them.
//!
//! ```text
//! tab 1 … tab 6   GET ──────────▶   a connection each, in use until the answer is over
//! tab 7           GET … waits       for the first of the six that is free again, in the order of asking
//! ```
//!
//! RFC 9112, section 9.4, wants a client to limit its open connections and names no number. Chromium has at most six
//! for HTTP/1 to one host (`g_max_sockets_per_group` in its `net/socket/client_socket_pool_manager.cc`), and counts
//! WebSockets apart: 255 of them. On HTTP/2 there is one connection for all (RFC 9113, section 9.1), with at least a
//! hundred streams (section 6.5.2).

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::connection::Pool;
use super::inbox::Inbox;
use crate::clock;
use crate::outcome::{EventKind, Scenario};

/// Since when each request that waits for a connection has waited.
pub type Queue = Vec<Instant>;

/// The right to use a connection.
pub type Slot = OwnedSemaphorePermit;

/// What all tabs share.
#[derive(Clone, Debug)]
pub struct Browser {
    /// A permit for each connection that may be in use; `None` if there is no limit.
    free: Option<Arc<Semaphore>>,
    queue: watch::Sender<Queue>,
    pool: Arc<Pool>,
}

impl Browser {
    /// The browser of a scenario, without connections yet; `None` if its clients are no tabs.
    pub fn of(scenario: &Scenario) -> Option<Browser> {
        let free = |most| Arc::new(Semaphore::new(most));
        scenario.tabs.map(|_| Browser {
            free: scenario.connections_per_host().map(free),
            queue: watch::Sender::default(),
            pool: Arc::default(),
        })
    }

    /// The requests that wait, now and later.
    pub fn queue(&self) -> watch::Receiver<Queue> {
        self.queue.subscribe()
    }

    /// A tab, which records in its inbox when a request waits. What waits when it is `closed` is given up.
    pub fn tab(&self, inbox: Inbox, closed: CancellationToken) -> Tab {
        Tab(Some((self.clone(), inbox, closed)))
    }
}

/// A tab was closed before its request got a connection.
#[derive(Debug, thiserror::Error)]
#[error("the tab was closed before its request got one of the browser's connections")]
pub struct Closed;

/// A client's place in a browser. By default it has none, and its connections are its own.
#[derive(Clone, Debug, Default)]
pub struct Tab(Option<(Browser, Inbox, CancellationToken)>);

impl Tab {
    /// The browser's connections; without a browser, a pool of its own.
    pub fn pool(&self) -> Arc<Pool> {
        let pool = self.0.as_ref().map(|(browser, ..)| browser.pool.clone());
        pool.unwrap_or_default()
    }

    /// Waits until a connection may be used; `None` where nothing limits them.
    ///
    /// # Errors
    /// If the tab was closed meanwhile.
    pub async fn slot(&self) -> Result<Option<Slot>, Closed> {
        let limited = self.0.as_ref().and_then(|tab| Some((tab, tab.0.free.clone()?)));
        let Some(((browser, inbox, closed), free)) = limited else {
            return Ok(None);
        };
        let is_over = closed.is_cancelled();
        match free.clone().try_acquire_owned() {
            _ if is_over && inbox.is_starved() => return Err(Closed),
            Ok(slot) => return Ok(Some(slot)),
            Err(_) if is_over => return Err(Closed),
            Err(_) => inbox.happened(EventKind::Queued),
        }
        let mut waiting = Waiting(browser, inbox, clock::now(), false);
        browser.queue.send_modify(|queue| queue.push(waiting.2));
        tokio::select! {
            biased;
            () = closed.cancelled() => Err(Closed),
            slot = free.acquire_owned() => {
                waiting.3 = true;
                slot.map(Some).map_err(|_| Closed)
            }
        }
    }
}

/// A request in the queue, until it is dropped: since when, and whether it got a connection.
struct Waiting<'a>(&'a Browser, &'a Inbox, Instant, bool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Waiting(browser, inbox, since, is_served) = *self;
        browser.queue.send_modify(|queue| {
            let place = queue.iter().position(|waiting| *waiting == since);
            place.map(|place| queue.remove(place));
        });
        inbox.left_queue(since, is_served);
    }
}
