//! The log: `append`, `read(after)`, and a `watch` that wakes readers. Everything but the waiting is synchronous.
//!
//! The log is in this process's memory, or in a store outside it ([`Store`]). Then what is here is a window: the newest
//! mails of the store, which a task fills in the order of their numbers. Readers do not know the difference.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::backlog::Backlog;
use super::cursor::Epoch;
use super::entry::{Held, LogEntry};
use super::outside::{Arrivals, Outside};
use super::store::{Draft, Posting, Store};
use super::{Mail, Note};
use crate::outcome::Scenario;

/// What [`Mailbox::read`] found after a number.
#[derive(Debug, Default)]
pub struct Read {
    /// How many mails after the number the log no longer has.
    pub gap: u64,
    /// The mails, in order.
    pub mails: Vec<Arc<LogEntry>>,
    /// Whether the log has more after them.
    pub more: bool,
    /// Which of the logs that a mailbox has had one after the other this is: [`Mailbox::generation`].
    pub generation: u64,
}

/// The most mails that a client gets at once.
pub const BATCH_MAILS: usize = 256;

/// The most bytes of a JSON list of mails; a list of one mail may be longer.
pub const BATCH_BYTES: usize = 64 * 1024;

/// How many of these bytes may be mails ([`Mail::text_len`]), each with its comma: the others are for
/// brackets and for notices of a reset and a gap.
pub const BATCH_TEXT: usize = BATCH_BYTES - 64;

/// An append-only log of numbered mails that keeps a bounded number of them, in a bounded number of bytes.
#[derive(Debug)]
pub struct Mailbox {
    window: RwLock<VecDeque<Arc<LogEntry>>>,
    bell: Arc<Bell>,
    keep: usize,
    held: Arc<Held>,
    /// The epoch's characters.
    epoch: AtomicU32,
    backlog: Backlog,
    /// Whether it is one of several copies.
    is_copy: bool,
    outside: Outside,
    /// `None` for a log in memory.
    store: Option<Box<dyn Store>>,
}

/// A mail that a store has numbered.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its number.
    pub number: u64,
    /// The mail, with this number in its text.
    pub mail: Mail,
    /// What its sender added.
    pub note: Option<Note>,
    /// Whether it is of the schedule of this server.
    pub is_planned: bool,
}

impl Mailbox {
    /// An empty log with this epoch, which keeps the newest `keep` mails (at least one).
    pub fn new(keep: usize, epoch: Epoch) -> Mailbox {
        Mailbox {
            window: RwLock::default(),
            bell: Arc::default(),
            keep: keep.max(1),
            held: Arc::new(Held::most(usize::MAX)),
            epoch: AtomicU32::new(epoch.to_bits()),
            backlog: Backlog::default(),
            is_copy: false,
            outside: Outside::default(),
            store: None,
        }
    }

    /// The log of a run or a server, with its scenario's limits.
    pub fn of(scenario: &Scenario, epoch: Epoch) -> Mailbox {
        let most = usize::try_from(scenario.keep_bytes).unwrap_or(usize::MAX);
        Mailbox::new(scenario.keep, epoch).holding(most)
    }

    /// The same for a log that is still empty, with room for `most` bytes: of the mails, what belongs to
    /// them, and the forms in which they are sent. The newest mail is kept however long it is.
    pub fn holding(self, most: usize) -> Mailbox {
        Mailbox {
            held: Arc::new(Held::most(most)),
            ..self
        }
    }

    /// The same for one of several copies of a log in memory, at several servers: it may be a little behind the others.
    pub fn copied(self) -> Mailbox {
        Mailbox {
            is_copy: true,
            ..self
        }
    }

    /// The window of a log in a store, whose mails up to number `before` are not read.
    pub(super) fn stored(self, store: Box<dyn Store>, before: u64) -> Mailbox {
        self.bell.newest.store(before, Ordering::SeqCst);
        self.outside.begin_after(before);
        Mailbox {
            store: Some(store),
            ..self
        }
    }

    /// Whether other servers may have the same log, in a store or as a copy: a cursor may then be ahead of what is here.
    pub fn is_shared(&self) -> bool {
        self.is_copy || self.store.is_some()
    }

    /// Whether new mail can come and be taken: always, unless the log is in a store without a connection to it.
    pub fn is_reachable(&self) -> bool {
        self.store.as_ref().is_none_or(|store| store.is_reachable())
    }

    /// Bytes that the log holds, cached forms included.
    pub fn held(&self) -> usize {
        self.held.bytes()
    }

    /// Counts what was taken out of it for clients and waits for them, where that is counted.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch::from_bits(self.epoch.load(Ordering::SeqCst))
    }

    /// How often the log was replaced by another: a reader that began in another one has to start at the beginning.
    pub fn generation(&self) -> u64 {
        self.bell.generation.load(Ordering::SeqCst)
    }

    /// Appends mails of a schedule that are due at one instant; the first has number `planned` in it, and in its text.
    /// If other mail has that number already, these get the next ones. With a store this returns at once: the store
    /// keeps them in this order, and repeats what was not acknowledged.
    pub fn arrive<'a>(&self, mails: impl IntoIterator<Item = &'a Mail>, planned: u64) {
        if let Some(store) = &self.store {
            return store.arrive(mails.into_iter().map(Draft::of).collect());
        }
        let mut first = None;
        self.append(mails.into_iter().zip(0..).map(|(mail, i)| {
            // Read inside `append`, where nobody else can append.
            let number = *first.get_or_insert_with(|| self.newest() + 1) + i;
            match number == planned + i {
                true => mail.clone(),
                false => mail.numbered(number),
            }
        }));
    }

    /// Takes a mail that is not of a schedule. Its number is known at once, or with a store when that has acknowledged
    /// it. `key` names the mail: a store takes mails with the same key once, within two minutes.
    pub fn post(&self, draft: Draft, key: Option<&str>) -> Posting {
        match &self.store {
            Some(store) => store.post(draft, key),
            None => Posting::Kept(self.append_outside(draft)),
        }
    }

    fn append_outside(&self, draft: Draft) -> u64 {
        let Draft {
            letter,
            attachment,
            note,
        } = draft;
        let mut outside = self.outside.lock();
        let number = self.append_next(|number| (Mail::new(number, &letter, attachment), note));
        outside.add(number);
        number
    }

    /// What has arrived: the newest number, and which mails came from outside after `after`.
    pub fn arrivals(&self, after: u64) -> Arrivals {
        let outside = self.outside.lock();
        outside.arrivals(self.newest(), after)
    }

    /// Appends mails that arrived at one instant, and wakes readers once. Returns the number of the last.
    /// The mails' JSON must carry the numbers they get here.
    pub fn append(&self, mails: impl IntoIterator<Item = Mail>) -> u64 {
        self.append_noted(mails.into_iter().map(|mail| (mail, None)))
    }

    /// The same for mails with what their senders added to them.
    pub fn append_noted(&self, mails: impl IntoIterator<Item = (Mail, Option<Note>)>) -> u64 {
        let mut window = self.window.write();
        let before = self.newest();
        let numbered = mails.into_iter().zip(before + 1..);
        self.put(
            &mut window,
            numbered.map(|((mail, note), number)| LogEntry::new(number, mail, note, &self.held)),
        );
        drop(window);
        self.bell.ring();
        self.newest()
    }

    /// Puts mails of a store into the window, in the order of their numbers. Where numbers are missing, the store no
    /// longer has the mails, and readers get a gap.
    pub(super) fn fill(&self, mails: impl IntoIterator<Item = Stored>) {
        let mut window = self.window.write();
        let mut outside = self.outside.lock();
        let mut newest = self.newest();
        let mut contiguous = Vec::new();
        for stored in mails {
            if stored.number <= newest {
                continue;
            }
            if stored.number > newest + 1 {
                self.put(&mut window, contiguous.drain(..));
                drop_all(&mut window);
                outside.skip(stored.number - newest - 1);
            }
            newest = stored.number;
            if !stored.is_planned {
                outside.add(newest);
            }
            let Stored { mail, note, .. } = stored;
            contiguous.push(LogEntry::new(newest, mail, note, &self.held));
        }
        self.put(&mut window, contiguous);
        drop((window, outside));
        self.bell.ring();
    }

    /// Begins another log: the store's was deleted and made anew, or has lost its newest mails. Mails up to number
    /// `before` are not read.
    pub(super) fn begin_anew(&self, epoch: Epoch, before: u64) {
        let mut window = self.window.write();
        drop_all(&mut window);
        self.outside.lock().begin_after(before);
        self.epoch.store(epoch.to_bits(), Ordering::SeqCst);
        self.bell.newest.store(before, Ordering::SeqCst);
        self.bell.generation.fetch_add(1, Ordering::SeqCst);
        drop(window);
        self.bell.ring();
    }

    /// Puts entries into the window, and drops what has no place any more.
    fn put(&self, window: &mut VecDeque<Arc<LogEntry>>, entries: impl IntoIterator<Item = LogEntry>) {
        let before = self.newest();
        let most = self.held.most;
        let (mut number, mut added) = (before, 0_usize);
        for entry in entries {
            number = entry.number;
            added = added.saturating_add(entry.weight());
            window.push_back(Arc::new(entry));
            while window.len() > self.keep || (window.len() > 1 && self.held() > most) {
                drop_first(window);
            }
        }
        // Older mails make room for these and for all forms in which they will be sent.
        let forms = added.saturating_mul(FORMS).min(most / 2);
        while let Some(first) = window.front().filter(|_| window.len() > 1) {
            let needed = if first.number > before { 0 } else { forms };
            if self.held() + needed <= most {
                break;
            }
            drop_first(window);
        }
        self.bell.newest.store(number, Ordering::SeqCst);
    }

    /// At most `limit` mails after number `after`, oldest first, and no more than fit into [`BATCH_TEXT`],
    /// except that there may always be one; and how many mails before them the log no longer has.
    pub fn read(&self, after: u64, limit: usize) -> Read {
        let generation = self.generation();
        if after >= self.newest() {
            return Read {
                generation,
                ..Read::default()
            };
        }
        let window = self.window.read();
        // Now nobody can change it.
        let generation = self.generation();
        // An empty window is that of a store whose mails were all deleted.
        let oldest = window.front().map_or(self.newest() + 1, |p| p.number);
        let gap = (oldest - 1).saturating_sub(after);
        let skip = usize::try_from(after.saturating_sub(oldest - 1)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |entry: &&Arc<LogEntry>| {
            let is_first = bytes == 0;
            // With a comma.
            bytes += entry.mail.text_len() + 1;
            is_first || bytes <= BATCH_TEXT
        };
        let mails: Vec<_> = window
            .iter()
            .skip(skip)
            .take(limit)
            .take_while(fits)
            .cloned()
            .collect();
        Read {
            gap,
            more: skip + mails.len() < window.len(),
            mails,
            generation,
        }
    }

    /// Appends the mail that `make` makes for the next number, and returns that number.
    pub fn append_next(&self, make: impl FnOnce(u64) -> (Mail, Option<Note>)) -> u64 {
        self.append_noted(std::iter::once_with(|| make(self.newest() + 1)))
    }

    /// The number of the newest mail; 0 if there was none.
    pub fn newest(&self) -> u64 {
        self.bell.newest.load(Ordering::SeqCst)
    }

    /// A handle to wait with. Hold it only while waiting: [`Mailbox::watchers`] counts it.
    pub fn watch(&self) -> Watch {
        self.bell.watchers.fetch_add(1, Ordering::SeqCst);
        self.bell.watched.notify_waiters();
        let mut watch = self.watch_uncounted();
        watch.is_counted = true;
        watch
    }

    /// The same, not counted, for code that waits in the place of readers that are.
    pub fn watch_uncounted(&self) -> Watch {
        Watch {
            generation: self.generation(),
            bell: self.bell.clone(),
            is_counted: false,
        }
    }

    /// How many readers are waiting.
    pub fn watchers(&self) -> usize {
        self.bell.watchers.load(Ordering::SeqCst)
    }

    /// Ends when the number of watchers has changed since this was called.
    pub fn watchers_change(&self) -> Notified<'_> {
        self.bell.watched.notified()
    }
}

fn drop_all(window: &mut VecDeque<Arc<LogEntry>>) {
    while !window.is_empty() {
        drop_first(window);
    }
}

fn drop_first(window: &mut VecDeque<Arc<LogEntry>>) {
    if let Some(entry) = window.pop_front() {
        entry.drop_from_log();
    }
}

/// In how many forms a mail may be wanted at once, approximately: one for each technique.
const FORMS: usize = 8;

/// Wakes readers. The thread that appends wakes one, which wakes the others: waking a task from outside its
/// runtime takes a system call, for a thousand clients a thousand; from inside it takes none.
#[derive(Debug, Default)]
struct Bell {
    newest: AtomicU64,
    generation: AtomicU64,
    /// How often it was rung.
    rings: AtomicU64,
    /// The newest ring for which all readers were woken.
    told: AtomicU64,
    wake: Notify,
    watchers: AtomicUsize,
    /// Notified when the number of watchers has changed.
    watched: Notify,
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

/// Waits for mail.
#[derive(Debug)]
pub struct Watch {
    bell: Arc<Bell>,
    generation: u64,
    is_counted: bool,
}

impl Watch {
    /// Returns once the log has a mail numbered above `after`; at once if it has. It also returns, once, if the log was
    /// replaced by another.
    pub async fn beyond(&mut self, after: u64) {
        let bell = &self.bell;
        loop {
            // Before the number is read, or a mail that comes in between would be missed.
            let woken = bell.wake.notified();
            let generation = bell.generation.load(Ordering::SeqCst);
            if bell.newest.load(Ordering::SeqCst) > after || generation != self.generation {
                self.generation = generation;
                return;
            }
            woken.await;
            let rings = bell.rings.load(Ordering::SeqCst);
            if bell.told.fetch_max(rings, Ordering::SeqCst) < rings {
                bell.wake.notify_waiters();
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.is_counted {
            self.bell.watchers.fetch_sub(1, Ordering::SeqCst);
            self.bell.watched.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mail::entry::Form;
    use crate::mail::{Cursor, Letter, Notice, Position};
    use futures_util::FutureExt;

    fn mail(n: u64) -> Mail {
        Mail::new(n, &Letter::default(), Bytes::new())
    }

    fn numbers(log: &Mailbox, after: u64, limit: usize) -> Vec<u64> {
        log.read(after, limit).mails.iter().map(|p| p.number).collect()
    }

    #[test]
    fn reads_what_is_after_the_cursor() {
        let log = Mailbox::new(10, Epoch::of_seed(1));
        assert!(numbers(&log, 0, 9).is_empty());
        assert_eq!(log.append((1..=3).map(mail)), 3);
        assert_eq!(numbers(&log, 0, 9), [1, 2, 3]);
        assert_eq!(numbers(&log, 1, 1), [2]);
        assert!(numbers(&log, 3, 9).is_empty());
        assert!(numbers(&log, u64::MAX, 9).is_empty());
    }

    #[test]
    fn each_form_is_made_once_and_is_no_other() {
        enum A {}
        enum B {}
        let log = Mailbox::new(1, Epoch::of_seed(1));
        log.append([mail(1)]);
        let entry = &log.read(0, 1).mails[0];
        let a = entry.form::<A>(|_| Bytes::from_static(b"a"));
        let b = entry.form::<B>(|_| Bytes::from_static(b"b"));
        assert_eq!((&a[..], &b[..]), (&b"a"[..], &b"b"[..]));
        assert_eq!(entry.form::<A>(|_| unreachable!("it was made")), a);
        assert_eq!(entry.form::<B>(|_| unreachable!("it was made")), b);
        let held = log.held();
        assert_eq!(entry.text().as_ptr(), entry.mail.json.as_ptr());
        assert_eq!(log.held(), held + size_of::<Form>(), "the text is the mail's own");
        let size = entry.binary().len();
        assert_eq!(log.held(), held + 2 * size_of::<Form>() + size);
    }

    #[derive(Debug)]
    struct Nowhere;

    impl Store for Nowhere {
        fn arrive(&self, _: Vec<Draft>) {}
        fn is_reachable(&self) -> bool {
            false
        }
        fn post(&self, _: Draft, _: Option<&str>) -> Posting {
            unreachable!("nothing is posted")
        }
    }

    fn stored(numbers: impl IntoIterator<Item = u64>) -> Vec<Stored> {
        let stored = |number| Stored {
            number,
            mail: mail(number),
            note: None,
            is_planned: number % 2 == 0,
        };
        numbers.into_iter().map(stored).collect()
    }

    #[test]
    fn the_window_of_a_store_is_filled_in_order_and_a_hole_is_a_gap() {
        let log = Mailbox::new(4, Epoch::of_seed(1)).stored(Box::new(Nowhere), 10);
        assert_eq!((log.newest(), log.read(7, 9).gap), (10, 3), "they are not here");
        log.fill(stored([11, 12, 12, 11, 13]));
        assert_eq!(numbers(&log, 10, 9), [11, 12, 13]);
        log.fill(stored([16, 17]));
        let read = log.read(12, 9);
        assert_eq!((read.gap, numbers(&log, 12, 9)), (3, vec![16, 17]));
        log.fill(stored(18..=22));
        assert_eq!(numbers(&log, 16, 9), [19, 20, 21, 22]);
        let Arrivals {
            newest,
            planned,
            outside,
        } = log.arrivals(17);
        // 12, 16, 18, 20 and 22 were planned; what was deleted came from outside, as far as anybody knows.
        assert_eq!((newest, planned, outside), (22, 5, vec![19, 21]));
    }

    #[test]
    fn readers_notice_that_another_log_has_begun() {
        let log = Mailbox::new(9, Epoch::of_seed(1)).stored(Box::new(Nowhere), 0);
        log.fill(stored(1..=5));
        let mut watch = log.watch();
        let mut position = Position::of(Some(Cursor::of(5, log.epoch())), &log);
        let mut ahead = Position::of(Some(Cursor::of(8, log.epoch())), &log);
        assert!(!ahead.is_reset() && ahead.next(&log, 9).is_empty());
        assert!(watch.beyond(5).now_or_never().is_none());
        log.begin_anew(Epoch::of_seed(2), 0);
        log.fill(stored(1..=2));
        assert!(
            watch.beyond(5).now_or_never().is_some(),
            "once, although it is shorter"
        );
        assert!(watch.beyond(5).now_or_never().is_none());
        for position in [&mut position, &mut ahead] {
            let batch = position.next(&log, 9);
            assert_eq!(batch.notices, [Notice::Reset(Epoch::of_seed(2))]);
            assert_eq!((batch.mails.len(), position.after()), (2, 2));
            assert!(position.next(&log, 9).is_empty());
        }
        let old = Position::of(Some(Cursor::of(1, Epoch::of_seed(1))), &log);
        assert!(old.is_reset());
    }

    #[test]
    fn where_all_was_deleted_there_is_a_gap_and_nothing_else() {
        let log = Mailbox::new(9, Epoch::of_seed(1)).stored(Box::new(Nowhere), 7);
        let mut position = Position::of(Some(Cursor::of(3, log.epoch())), &log);
        let batch = position.next(&log, 9);
        assert_eq!((batch.notices, position.after()), (vec![Notice::Gap(4)], 7));
        assert!(position.next(&log, 9).is_empty(), "it is told once");
    }

    #[test]
    fn an_old_cursor_is_told_its_gap() {
        let log = Mailbox::new(3, Epoch::of_seed(1));
        log.append((1..=10).map(mail));
        assert_eq!((log.read(2, 9).gap, numbers(&log, 2, 9)), (5, vec![8, 9, 10]));
        assert_eq!(log.read(7, 9).gap, 0);
    }

    /// A mail of about `size` bytes.
    fn long(n: u64, size: usize) -> Mail {
        let body = "x".repeat(size);
        Mail::new(
            n,
            &Letter {
                body,
                ..Letter::default()
            },
            Bytes::new(),
        )
    }

    #[test]
    fn a_batch_is_limited_in_bytes_and_has_one_mail_at_least() {
        let log = Mailbox::new(1_000, Epoch::of_seed(1));
        log.append((1..=100).map(|n| long(n, 1_000)));
        log.append([long(101, 2 * BATCH_BYTES)]);
        let mut after = 0;
        let mut sizes = Vec::new();
        loop {
            let batch = log.read(after, usize::MAX);
            let bytes: usize = batch.mails.iter().map(|p| p.mail.text().len() + 1).sum();
            assert!(bytes < BATCH_BYTES || batch.mails.len() == 1);
            after = batch.mails.last().unwrap().number;
            sizes.push(batch.mails.len());
            assert_eq!(batch.more, after < 101);
            if !batch.more {
                break;
            }
        }
        assert_eq!(sizes, [62, 38, 1]);
        assert!(log.read(0, 5).more && !log.read(100, 5).more);
    }

    #[test]
    fn bytes_are_limited_with_all_that_belongs_to_a_mail() {
        const MOST: usize = 100_000;
        let log = Mailbox::new(1_000, Epoch::of_seed(1)).holding(MOST);
        let note = || Note {
            topic: 0,
            headers: vec![("name".into(), "v".repeat(1_000))],
        };
        for n in 1..=500 {
            log.append_noted([(long(n, 1_000), Some(note()))]);
            // A reader of the newest mail has its forms made and kept.
            for entry in log.read(n - 1, 1).mails {
                let made = entry.form::<u8>(|_| Bytes::from(vec![0; 1_000]));
                assert_eq!(entry.form::<u8>(|_| unreachable!()), made, "mail {n}");
            }
            // A reader of all mails has their forms made, whether or not there is room to keep them.
            for entry in log.read(0, usize::MAX).mails {
                entry.form::<u32>(|_| Bytes::from(vec![0; 1_000]));
            }
            assert!(log.held() <= MOST, "{} after {n}", log.held());
        }
        let kept: usize = (0..500).find(|n| log.read(*n, 1).gap == 0).unwrap() as usize;
        let kept = 500 - kept;
        assert!((8..=50).contains(&kept), "{kept}");
        // A mail that is longer than the limit is kept alone.
        log.append([long(501, 2 * MOST)]);
        assert_eq!((log.read(500, 9).gap, numbers(&log, 0, 9)), (0, vec![501]));
        log.append([mail(502)]);
        assert!(log.held() < 2_000);
    }

    #[tokio::test]
    async fn wakes_whoever_waits() {
        let log = Arc::new(Mailbox::new(3, Epoch::of_seed(1)));
        let mut watch = log.watch();
        assert_eq!(log.watchers(), 1);
        let waiting = tokio::spawn(async move { watch.beyond(1).await });
        log.append([mail(1)]);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        log.append([mail(2)]);
        waiting.await.unwrap();
        assert_eq!(log.watchers(), 0);
    }

    /// Whether a task was woken.
    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn one_is_woken_and_wakes_the_others() {
        let log = Mailbox::new(3, Epoch::of_seed(1));
        let wakers: Vec<Arc<Woken>> = (0..5).map(|_| Arc::default()).collect();
        let mut watches: Vec<Watch> = wakers.iter().map(|_| log.watch()).collect();
        let mut waiting: Vec<_> = watches.iter_mut().map(|w| Box::pin(w.beyond(0))).collect();
        let mut poll = |i: usize| {
            let waker = std::task::Waker::from(wakers[i].clone());
            waiting[i]
                .as_mut()
                .poll(&mut std::task::Context::from_waker(&waker))
                .is_ready()
        };
        let woken = || wakers.iter().filter(|w| w.0.load(Ordering::SeqCst)).count();
        assert!((0..5).all(|i| !poll(i)));
        log.append([mail(1)]);
        assert_eq!(woken(), 1);
        let first = wakers.iter().position(|w| w.0.load(Ordering::SeqCst)).unwrap();
        assert!(poll(first));
        assert_eq!(woken(), 5);
        assert!((0..5).filter(|i| *i != first).all(poll));
    }

    #[tokio::test]
    async fn who_was_woken_and_does_not_look_wakes_another() {
        let log = Mailbox::new(3, Epoch::of_seed(1));
        let (mut a, mut b) = (log.watch(), log.watch());
        let mut first = Box::pin(a.beyond(0));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(b.beyond(0));
        assert!(futures_util::poll!(&mut second).is_pending());
        log.append([mail(1)]);
        drop(first);
        second.await;
    }

    /// The log has one thread and the readers another, as in a run.
    #[test]
    fn nobody_sleeps_through_a_mail() {
        const MAILS: u64 = 20_000;
        let log = Arc::new(Mailbox::new(3, Epoch::of_seed(1)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let publisher = {
            let log = log.clone();
            std::thread::spawn(move || {
                for n in 1..=MAILS {
                    log.append([mail(n)]);
                }
            })
        };
        runtime.block_on(async {
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let (log, mut watch) = (log.clone(), log.watch());
                    tokio::spawn(async move {
                        let mut seen = 0;
                        while seen < MAILS {
                            watch.beyond(seen).await;
                            seen = log.newest();
                        }
                    })
                })
                .collect();
            for waiting in waiting {
                waiting.await.unwrap();
            }
        });
        publisher.join().unwrap();
    }
}
