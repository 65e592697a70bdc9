//! Where the writer of a client's stream gets its mail from: the log itself, or a queue of the client's own, as servers
//! have that push each mail to every connection (`--slow-policy`).
//!
//! ```text
//! log ◀── position ── writer ─▶ socket     the log keeps all mail anyway: a slow client costs a number
//! log ─▶ pump ─▶ queue ─▶ writer ─▶ socket   what a slow client has not taken waits here, and somebody must decide
//! ```
//!
//! The decisions: let the queue grow (`buffer`), drop its oldest mail (`drop-oldest`), keep only the newest (`latest`), or
//! cut the client off (`disconnect`), which then comes back with its cursor. A client is told what was dropped: as a gap.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::fanout::{Progress, SharedProgress};
use super::service::{BATCH, Service};
use crate::mail::{BATCH_TEXT, Backlog, Batch, Cursor, LogEntry, Mailbox, Notice, Position, Share, Watch};
use crate::outcome::SlowPolicy;

/// The most mails in the queue of a client whose queue is limited.
pub const QUEUED: usize = 16;

/// A client was cut off because its queue was full.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client reads too slowly: its queue is full")]
pub struct CutOff;

/// The mail for one client.
#[derive(Debug)]
pub struct Source {
    log: Arc<Mailbox>,
    progress: SharedProgress,
    way: Way,
    /// What was taken out last, and is being written.
    taken: Share,
}

#[derive(Debug)]
enum Way {
    Log(Watch),
    Queue(
        Arc<Queue>,
        #[expect(dead_code, reason = "it ends with the source")] AbortOnDropHandle<()>,
    ),
}

impl Source {
    /// From the log, after a cursor.
    pub fn log(service: &Service, cursor: Option<Cursor>) -> Source {
        let log = service.mailbox.clone();
        Source {
            taken: service.share(),
            way: Way::Log(log.watch()),
            progress: Progress::of(Position::of(cursor, &log)),
            log,
        }
    }

    /// The same through a queue of the client's own, if the scenario has a policy for it.
    pub fn of(service: &Service, cursor: Option<Cursor>) -> Source {
        let mut source = Source::log(service, cursor);
        source.way = match (service.scenario.slow_policy, source.way) {
            (Some(policy), Way::Log(watch)) => {
                let position = source.progress.lock().position;
                let queue = Arc::new(Queue::new(policy, source.log.backlog(), position.after()));
                let pump = pump(source.log.clone(), watch, position, queue.clone());
                Way::Queue(queue, AbortOnDropHandle::new(tokio::spawn(pump)))
            }
            (_, way) => way,
        };
        source
    }

    /// When something was sent last.
    pub fn sent(&self) -> Instant {
        self.progress.lock().sent
    }

    /// Notes that something is sent now.
    pub fn sends(&self) {
        self.progress.lock().sent = Instant::now();
    }

    /// How far it has come, for the fan-out; `None` if its task has to send all mail itself: with a queue, or where clients
    /// read slowly and what waits for them is measured.
    pub fn shared(&self, service: &Service) -> Option<&SharedProgress> {
        let can_join = matches!(self.way, Way::Log(_)) && service.scenario.slow == 0;
        can_join.then_some(&self.progress)
    }

    /// Returns once there is mail to send, or the client has to be cut off.
    pub async fn ready(&mut self) {
        // What was taken has been written.
        self.taken.set(0, 0);
        match &mut self.way {
            Way::Log(watch) => {
                let joins = async |joins| {
                    poll_fn(|_| match self.progress.lock().joins == joins {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    })
                    .await;
                };
                loop {
                    joins(false).await;
                    let after = self.progress.lock().position.after();
                    // A watch that is not polled any more has to be dropped, or nobody else would be woken.
                    tokio::select! {
                        biased;
                        () = joins(true) => {}
                        () = watch.beyond(after) => return,
                    }
                }
            }
            Way::Queue(queue, _) => queue.filled().await,
        }
    }

    /// What to send next.
    ///
    /// # Errors
    /// If the client has to be cut off.
    pub fn next(&mut self) -> Result<Batch, CutOff> {
        let batch = match &mut self.way {
            Way::Log(_) => self.progress.lock().position.next(&self.log, BATCH),
            Way::Queue(queue, _) => queue.take()?,
        };
        self.taken.hold(batch.mails.iter().map(size));
        Ok(batch)
    }

    /// The number of the last mail before the next.
    pub fn after(&self) -> u64 {
        match &self.way {
            Way::Log(_) => self.progress.lock().position.after(),
            Way::Queue(queue, _) => queue.0.lock().after,
        }
    }

    /// Returns when the client has to be cut off, also while something is being written to it.
    pub fn cut_off(&self) -> impl Future<Output = CutOff> + use<> {
        let queue = match &self.way {
            Way::Log(_) => None,
            Way::Queue(queue, _) => Some(queue.clone()),
        };
        async move {
            match queue {
                None => std::future::pending().await,
                Some(queue) => queue.is_cut_off().await,
            }
        }
    }
}

fn size(entry: &Arc<LogEntry>) -> usize {
    entry.mail.text_len()
}

/// Puts the log's mail into a queue, as it comes.
async fn pump(log: Arc<Mailbox>, mut watch: Watch, mut position: Position, queue: Arc<Queue>) {
    let mut is_new = false;
    loop {
        let Batch { notices, mails, .. } = position.next(&log, BATCH);
        let told = notices
            .into_iter()
            .find(|notice| !matches!(notice, Notice::Gap(_)));
        queue.tell(told);
        let is_empty = mails.is_empty();
        for mail in mails {
            if !is_new {
                queue.has_room().await;
            }
            if queue.put(mail).is_err() {
                return;
            }
            // A client that reads takes it at once, before the next.
            tokio::task::yield_now().await;
        }
        if is_empty {
            is_new = true;
            watch.beyond(position.after()).await;
        }
    }
}

/// What waits for one client.
#[derive(Debug)]
struct Queue(Mutex<Waiting>, Notify);

#[derive(Debug)]
struct Waiting {
    policy: SlowPolicy,
    /// The most that it may hold, in mails.
    most: usize,
    notice: Option<Notice>,
    mails: VecDeque<Arc<LogEntry>>,
    bytes: usize,
    /// The number of the last mail that was taken.
    after: u64,
    is_cut_off: bool,
    backlog: Backlog,
    share: Share,
}

impl Queue {
    fn new(policy: SlowPolicy, backlog: &Backlog, after: u64) -> Queue {
        let most = match policy {
            SlowPolicy::Buffer => usize::MAX,
            SlowPolicy::DropOldest | SlowPolicy::Disconnect => QUEUED,
            SlowPolicy::Latest => 1,
        };
        let waiting = Waiting {
            policy,
            most,
            notice: None,
            mails: VecDeque::new(),
            bytes: 0,
            after,
            is_cut_off: false,
            backlog: backlog.clone(),
            share: Share::of(backlog),
        };
        Queue(waiting.into(), Notify::new())
    }

    /// Keeps a reset or an epoch for the client.
    fn tell(&self, notice: Option<Notice>) {
        if let Some(notice) = notice {
            let mut waiting = self.0.lock();
            waiting.notice = Some(notice);
            if let Notice::Reset(_) = notice {
                // What waits is of another log.
                (waiting.mails, waiting.bytes, waiting.after) = (VecDeque::new(), 0, 0);
                waiting.count();
            }
            self.1.notify_waiters();
        }
    }

    /// Returns when one more mail fits, if the client would be cut off otherwise: what was there before it came stays in
    /// the log until then.
    async fn has_room(&self) {
        self.until(|waiting| waiting.policy != SlowPolicy::Disconnect || waiting.mails.len() < waiting.most)
            .await;
    }

    /// Puts a mail in.
    fn put(&self, mail: Arc<LogEntry>) -> Result<(), CutOff> {
        let waiting = &mut *self.0.lock();
        waiting.put(mail);
        self.1.notify_waiters();
        match waiting.is_cut_off {
            true => Err(CutOff),
            false => Ok(()),
        }
    }

    fn take(&self) -> Result<Batch, CutOff> {
        let batch = self.0.lock().take();
        self.1.notify_waiters();
        batch
    }

    async fn filled(&self) {
        self.until(|waiting| waiting.is_cut_off || waiting.notice.is_some() || !waiting.mails.is_empty())
            .await;
    }

    async fn is_cut_off(&self) -> CutOff {
        self.until(|waiting| waiting.is_cut_off).await;
        CutOff
    }

    async fn until(&self, is: impl Fn(&Waiting) -> bool) {
        loop {
            // Before the look, or a change in between would be missed.
            let changed = self.1.notified();
            if is(&self.0.lock()) {
                return;
            }
            changed.await;
        }
    }
}

impl Waiting {
    fn put(&mut self, mail: Arc<LogEntry>) {
        if self.policy == SlowPolicy::Disconnect && self.mails.len() >= self.most {
            self.is_cut_off = true;
            self.backlog.cut_off();
            (self.mails, self.bytes) = (VecDeque::new(), 0);
            return self.count();
        }
        self.bytes += size(&mail);
        self.mails.push_back(mail);
        let over = self.mails.len().saturating_sub(self.most);
        self.bytes -= self.mails.drain(..over).map(|mail| size(&mail)).sum::<usize>();
        self.backlog.dropped(over as u64);
        self.count();
    }

    /// Takes as many mails as one batch from the log has, up to the next gap.
    fn take(&mut self) -> Result<Batch, CutOff> {
        if self.is_cut_off {
            return Err(CutOff);
        }
        let first = self.mails.front().map(|mail| mail.number);
        let gap = first.map_or(0, |first| first - self.after - 1);
        let mut batch = Batch {
            notices: self.notice.take().into_iter().collect(),
            ..Batch::default()
        };
        batch.notices.extend((gap > 0).then_some(Notice::Gap(gap)));
        self.after += gap;
        let mut bytes = 0;
        while let Some(next) = self.mails.front()
            && next.number == self.after + 1
            && batch.mails.len() < BATCH
            && (bytes == 0 || bytes + size(next) <= BATCH_TEXT)
            && let Some(mail) = self.mails.pop_front()
        {
            bytes += size(&mail);
            self.after = mail.number;
            batch.mails.push(mail);
        }
        self.bytes -= bytes;
        batch.more = !self.mails.is_empty();
        self.count();
        Ok(batch)
    }

    fn count(&mut self) {
        self.share.set(self.mails.len(), self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mail::{Epoch, Letter, Mail};

    fn log(mails: u64) -> Vec<Arc<LogEntry>> {
        let log = Mailbox::new(1_000, Epoch::of_seed(1));
        log.append((1..=mails).map(|n| Mail::new(n, &Letter::default(), Bytes::new())));
        log.read(0, 1_000).mails
    }

    fn queue(policy: SlowPolicy, after: u64) -> (Queue, Backlog) {
        let backlog = Backlog::default();
        (Queue::new(policy, &backlog, after), backlog)
    }

    /// What a batch holds: its notices, and the numbers of its mails.
    fn taken(queue: &Queue) -> (Vec<Notice>, Vec<u64>) {
        let batch = queue.take().unwrap();
        (
            batch.notices,
            batch.mails.iter().map(|mail| mail.number).collect(),
        )
    }

    #[test]
    fn what_a_full_queue_drops_is_told_as_a_gap() {
        let (oldest, backlog) = queue(SlowPolicy::DropOldest, 0);
        for mail in log(20) {
            oldest.put(mail).unwrap();
        }
        assert_eq!(taken(&oldest), (vec![Notice::Gap(4)], (5..=20).collect()));
        assert_eq!(backlog.counted().unwrap().dropped, 4);
        assert_eq!(taken(&oldest), (Vec::new(), Vec::new()), "it is told once");
        let (latest, _) = queue(SlowPolicy::Latest, 2);
        log(5)
            .into_iter()
            .skip(2)
            .for_each(|mail| latest.put(mail).unwrap());
        assert_eq!(taken(&latest), (vec![Notice::Gap(2)], vec![5]));
    }

    #[test]
    fn one_that_grows_drops_nothing_and_is_counted() {
        let (buffer, backlog) = queue(SlowPolicy::Buffer, 0);
        let mails = log(100);
        let bytes: usize = mails.iter().map(size).sum();
        mails.into_iter().for_each(|mail| buffer.put(mail).unwrap());
        let counted = backlog.counted().unwrap();
        assert_eq!(
            (counted.mails, counted.bytes, counted.dropped),
            (100, bytes as u64, 0)
        );
        // A batch at a time, as from the log.
        assert_eq!(taken(&buffer).1, (1..=BATCH as u64).collect::<Vec<_>>());
        assert_eq!(buffer.0.lock().mails.len(), 100 - BATCH);
    }

    #[tokio::test]
    async fn a_full_queue_cuts_its_client_off() {
        let (queue, backlog) = queue(SlowPolicy::Disconnect, 0);
        let mut mails = log(QUEUED as u64 + 1).into_iter();
        mails
            .by_ref()
            .take(QUEUED)
            .for_each(|mail| queue.put(mail).unwrap());
        assert!(queue.put(mails.next().unwrap()).is_err() && queue.take().is_err());
        let _: CutOff = queue.is_cut_off().await;
        queue.filled().await;
        assert_eq!(backlog.counted().unwrap().cut_off, 1);
        assert_eq!(queue.0.lock().bytes, 0, "nothing is kept for it");
    }

    #[test]
    fn a_reset_comes_before_the_mail_and_begins_anew() {
        let (queue, _) = queue(SlowPolicy::Buffer, 7);
        let reset = Notice::Reset(Epoch::of_seed(1));
        queue.tell(Some(reset));
        log(2).into_iter().for_each(|mail| queue.put(mail).unwrap());
        assert_eq!(taken(&queue), (vec![reset], vec![1, 2]));
    }
}
