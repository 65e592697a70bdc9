//! The log: `append`, `read(after)`, and a `watch` that wakes whoever waits. All but the waiting is
//! synchronous.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Mail;
use super::cursor::Epoch;

/// A mail in the log.
#[derive(Debug)]
pub struct Posted {
    /// Its number, from 1.
    pub number: u64,
    /// The mail.
    pub mail: Mail,
    forms: OnceLock<Box<Form>>,
}

/// Bytes that are ready to be sent, and the next of them.
#[derive(Debug)]
struct Form {
    of: TypeId,
    bytes: Bytes,
    next: OnceLock<Box<Form>>,
}

/// [`Mail::text`].
enum Text {}

/// [`Mail::binary`].
enum Binary {}

impl Posted {
    fn new(number: u64, mail: Mail) -> Posted {
        Posted {
            number,
            mail,
            forms: OnceLock::new(),
        }
    }

    /// The bytes that are sent for this mail in the form that the type `F` names: made by the first client
    /// that needs them and shared by all others. `F` is a type of its own for each form, private to the
    /// module that makes it, so two forms cannot be mistaken for each other.
    pub fn form<F: 'static>(&self, make: impl FnOnce(&Posted) -> Bytes) -> Bytes {
        let of = TypeId::of::<F>();
        if let Some(form) = self.forms().find(|form| form.of == of) {
            return form.bytes.clone();
        }
        // Made before a place is taken for it: it may be made of another form.
        let bytes = make(self);
        let mut slot = &self.forms;
        loop {
            let form = slot.get_or_init(|| {
                let (bytes, next) = (bytes.clone(), OnceLock::new());
                Box::new(Form { of, bytes, next })
            });
            if form.of == of {
                return form.bytes.clone();
            }
            slot = &form.next;
        }
    }

    fn forms(&self) -> impl Iterator<Item = &Form> {
        std::iter::successors(self.forms.get(), |form| form.next.get()).map(|form| &**form)
    }

    /// [`Mail::text`], made once.
    pub fn text(&self) -> Bytes {
        self.form::<Text>(|p| p.mail.text())
    }

    /// [`Mail::binary`], made once.
    pub fn binary(&self) -> Bytes {
        self.form::<Binary>(|p| p.mail.binary())
    }

    /// How many bytes the forms made so far take, without those they share with the mail.
    pub fn forms_size(&self) -> usize {
        self.forms()
            .map(|form| &form.bytes)
            .filter(|bytes| bytes.as_ptr() != self.mail.json.as_ptr())
            .map(Bytes::len)
            .sum()
    }
}

/// An append-only log of numbered mails that keeps a bounded number of them.
#[derive(Debug)]
pub struct Mailbox {
    window: RwLock<VecDeque<Arc<Posted>>>,
    bell: Arc<Bell>,
    keep: usize,
    epoch: Epoch,
}

impl Mailbox {
    /// An empty log that keeps the newest `keep` mails (at least one), under its epoch.
    pub fn new(keep: usize, epoch: Epoch) -> Mailbox {
        Mailbox {
            window: RwLock::default(),
            bell: Arc::default(),
            keep: keep.max(1),
            epoch,
        }
    }

    /// Its name.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Appends mails that arrived at one instant and wakes whoever waits, once. Returns the number
    /// of the last. The mails' JSON must carry the numbers they get here.
    pub fn append(&self, mails: impl IntoIterator<Item = Mail>) -> u64 {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        let mut number = self.newest();
        for mail in mails {
            number += 1;
            window.push_back(Arc::new(Posted::new(number, mail)));
            if window.len() > self.keep {
                window.pop_front();
            }
        }
        self.bell.newest.store(number, Ordering::SeqCst);
        drop(window);
        self.bell.wake.notify_one();
        number
    }

    /// How many mails after number `after` the log no longer has, and at most `limit` of those that it has,
    /// oldest first.
    pub fn read(&self, after: u64, limit: usize) -> (u64, Vec<Arc<Posted>>) {
        if after >= self.newest() {
            return (0, Vec::new());
        }
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        let Some(oldest) = window.front().map(|p| p.number) else {
            return (0, Vec::new());
        };
        let gap = (oldest - 1).saturating_sub(after);
        let skip = usize::try_from(after.saturating_sub(oldest - 1)).unwrap_or(usize::MAX);
        (gap, window.iter().skip(skip).take(limit).cloned().collect())
    }

    /// Appends the mail that is made for the next number, and returns that number.
    pub fn append_next(&self, make: impl FnOnce(u64) -> Mail) -> u64 {
        let mut number = 0;
        self.append(std::iter::once_with(|| {
            number = self.newest() + 1;
            make(number)
        }));
        number
    }

    /// The number of the newest mail; 0 if there was none.
    pub fn newest(&self) -> u64 {
        self.bell.newest.load(Ordering::SeqCst)
    }

    /// Something to wait on. Hold it only while waiting: [`Mailbox::watchers`] counts it.
    pub fn watch(&self) -> Watch {
        self.bell.watchers.fetch_add(1, Ordering::SeqCst);
        Watch(self.bell.clone())
    }

    /// How many are waiting.
    pub fn watchers(&self) -> usize {
        self.bell.watchers.load(Ordering::SeqCst)
    }
}

/// Wakes whoever waits. The thread that appends wakes one, who wakes the others: waking a task from
/// outside its runtime takes a system call, for a thousand clients a thousand, from inside none.
#[derive(Debug, Default)]
struct Bell {
    newest: AtomicU64,
    /// The newest mail that all were woken for.
    told: AtomicU64,
    wake: Notify,
    watchers: AtomicUsize,
}

/// Waits for mail.
#[derive(Debug)]
pub struct Watch(Arc<Bell>);

impl Watch {
    /// Returns once the log has a mail numbered above `after`; at once if it has.
    pub async fn beyond(&mut self, after: u64) {
        let bell = &self.0;
        loop {
            // Before the look at the number, or a mail that comes in between would be missed.
            let woken = bell.wake.notified();
            if bell.newest.load(Ordering::SeqCst) > after {
                return;
            }
            woken.await;
            let newest = bell.newest.load(Ordering::SeqCst);
            if bell.told.fetch_max(newest, Ordering::SeqCst) < newest {
                bell.wake.notify_waiters();
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Letter;

    fn mail(n: u64) -> Mail {
        Mail::new(n, &Letter::default(), Bytes::new())
    }

    fn numbers(log: &Mailbox, after: u64, limit: usize) -> Vec<u64> {
        log.read(after, limit).1.iter().map(|p| p.number).collect()
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
        let posted = Posted::new(1, mail(1));
        let a = posted.form::<A>(|_| Bytes::from_static(b"a"));
        let b = posted.form::<B>(|_| Bytes::from_static(b"b"));
        assert_eq!((&a[..], &b[..]), (&b"a"[..], &b"b"[..]));
        assert_eq!(posted.form::<A>(|_| unreachable!("it was made")), a);
        assert_eq!(posted.form::<B>(|_| unreachable!("it was made")), b);
        assert_eq!(posted.forms_size(), 2);
        assert_eq!(posted.text().as_ptr(), posted.mail.json.as_ptr());
        assert_eq!(posted.forms_size(), 2, "the text is the mail's own");
        assert_eq!(posted.binary().len() + 2, posted.forms_size());
    }

    #[test]
    fn an_old_cursor_is_told_its_gap() {
        let log = Mailbox::new(3, Epoch::of_seed(1));
        log.append((1..=10).map(mail));
        assert_eq!((log.read(2, 9).0, numbers(&log, 2, 9)), (5, vec![8, 9, 10]));
        assert_eq!(log.read(7, 9).0, 0);
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

    /// Threads of their own for mail and those who wait, as in a run: nobody sleeps through the last mail.
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
