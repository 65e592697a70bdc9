//! A mail in the log, the forms in which it is sent, and the memory that all of it takes.

use std::any::TypeId;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{Mail, Note};

/// A mail in the log.
#[derive(Debug)]
pub struct LogEntry {
    /// Its number, from 1.
    pub number: u64,
    /// The mail.
    pub mail: Mail,
    /// What its sender added to its text, if anything.
    pub note: Option<Box<Note>>,
    forms: OnceLock<Box<Form>>,
    weight: Weight,
}

/// One form of a mail, ready to be sent, and the next form.
#[derive(Debug)]
pub(super) struct Form {
    of: TypeId,
    bytes: Bytes,
    next: OnceLock<Box<Form>>,
}

/// Names the form [`Mail::text`].
enum Text {}

/// Names the form [`Mail::binary`].
enum Binary {}

impl LogEntry {
    pub(super) fn new(number: u64, mail: Mail, note: Option<Note>, held: &Arc<Held>) -> LogEntry {
        let noted = note.as_ref().map_or(0, Note::size);
        let weight = size_of::<LogEntry>() + mail.json.len() + mail.attachment.len() + noted;
        LogEntry {
            number,
            mail,
            note: note.map(Box::new),
            forms: OnceLock::new(),
            weight: Weight::new(weight, held),
        }
    }

    /// The bytes that are sent for this mail in the form that the type `F` names: the first client that
    /// needs them makes them, and all others share them. Each form has a type `F` of its own, private to
    /// the module that makes it, so two forms cannot be mistaken for each other. The bytes are kept as long
    /// as the log keeps the mail, if it has room for them.
    pub fn form<F: 'static>(&self, make: impl FnOnce(&LogEntry) -> Bytes) -> Bytes {
        let of = TypeId::of::<F>();
        if let Some(form) = self.forms().find(|form| form.of == of) {
            return form.bytes.clone();
        }
        // Made before it gets its place, because making it may make another form.
        let bytes = make(self);
        // If the bytes are the mail's own text, they take no memory of their own.
        let is_shared = bytes.as_ptr() == self.mail.json.as_ptr();
        let size = size_of::<Form>() + if is_shared { 0 } else { bytes.len() };
        if !self.weight.grow(size) {
            return bytes;
        }
        let next = OnceLock::new();
        let mut form = Box::new(Form {
            of,
            bytes: bytes.clone(),
            next,
        });
        let mut slot = &self.forms;
        while let Err(refused) = slot.set(form) {
            match slot.get() {
                // Another thread has just made the same form.
                Some(taken) if taken.of != of => slot = &taken.next,
                _ => {
                    self.weight.shrink(size);
                    break;
                }
            }
            form = refused;
        }
        bytes
    }

    fn forms(&self) -> impl Iterator<Item = &Form> {
        std::iter::successors(self.forms.get(), |form| form.next.get()).map(|form| &**form)
    }

    /// [`Mail::text`], made once.
    pub fn text(&self) -> Bytes {
        self.form::<Text>(|p| p.mail.text())
    }

    /// The bytes that it adds to its log.
    pub(super) fn weight(&self) -> usize {
        self.weight.own.load(Ordering::SeqCst)
    }

    /// Subtracts these bytes, when the log drops it.
    pub(super) fn drop_from_log(&self) {
        self.weight.drop_from_log();
    }

    /// [`Mail::binary`], made once.
    pub fn binary(&self) -> Bytes {
        self.form::<Binary>(|p| p.mail.binary())
    }
}

/// How many bytes a log holds, and may hold.
#[derive(Debug)]
pub(super) struct Held {
    bytes: AtomicUsize,
    pub(super) most: usize,
}

impl Held {
    /// Nothing yet, and room for `most` bytes.
    pub(super) fn most(most: usize) -> Held {
        Held {
            bytes: AtomicUsize::new(0),
            most,
        }
    }

    /// How many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }
}

/// How many bytes one mail adds to its log, until the log drops it.
#[derive(Debug)]
struct Weight {
    own: AtomicUsize,
    held: Arc<Held>,
}

impl Weight {
    /// The weight of a mail that its log has dropped.
    const DROPPED: usize = usize::MAX;

    fn new(own: usize, held: &Arc<Held>) -> Weight {
        held.bytes.fetch_add(own, Ordering::SeqCst);
        Weight {
            own: own.into(),
            held: held.clone(),
        }
    }

    /// Adds bytes, if the log has room for them and still has the mail.
    fn grow(&self, bytes: usize) -> bool {
        let fits = self.held.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes <= self.held.most;
        let more = |own: usize| (fits && own != Self::DROPPED).then(|| own + bytes);
        let grown = self.own.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        if grown.is_err() {
            self.held.bytes.fetch_sub(bytes, Ordering::SeqCst);
        }
        grown.is_ok()
    }

    /// Subtracts bytes.
    fn shrink(&self, bytes: usize) {
        let less = |own: usize| (own != Self::DROPPED).then(|| own - bytes);
        if self
            .own
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            self.held.bytes.fetch_sub(bytes, Ordering::SeqCst);
        }
    }

    /// Subtracts all bytes, when the log drops the mail.
    fn drop_from_log(&self) {
        let own = self.own.swap(Self::DROPPED, Ordering::SeqCst);
        self.held.bytes.fetch_sub(own, Ordering::SeqCst);
    }
}
