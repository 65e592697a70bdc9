//! The mail of a class: when it arrived, and what people wrote.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::rate::{Limit, Rate};
use super::refused::Refused;
use super::student::Student;
use crate::clock;
use crate::lab::standalone::Post;
use crate::lang::phrase;
use crate::mail::{Letter, Posting};

/// The most mails whose arrivals are remembered.
const ARRIVALS: usize = 10_000;

/// The most mails that people wrote that are remembered.
const LETTERS_KEPT: usize = 500;

/// The longest mail of a student, in characters.
pub const LONGEST: usize = 200;

/// Mails of all students together.
const MAILS: Limit = Limit {
    burst: 40.0,
    per_s: 20.0,
};

/// The mail of a class.
#[derive(Debug)]
pub struct Mails {
    post: Post,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    arrivals: VecDeque<(u64, f64)>,
    written: VecDeque<WrittenMail>,
    rate: Rate,
}

/// A mail that a person wrote.
#[derive(Clone, Debug)]
pub struct WrittenMail {
    /// Its number.
    pub id: u64,
    /// The student's number; 0 is the teacher.
    pub by: u32,
    /// The text.
    pub text: String,
    /// Whether the teacher has hidden it.
    pub hidden: bool,
}

impl WrittenMail {
    /// The text, unless it is hidden.
    pub fn shown(&self) -> &str {
        if self.hidden { "" } else { &self.text }
    }
}

impl Mails {
    /// No mail yet.
    pub fn new(post: Post) -> Mails {
        Mails {
            post,
            state: Mutex::new(State {
                arrivals: VecDeque::new(),
                written: VecDeque::new(),
                rate: Rate::new(MAILS, clock::now()),
            }),
        }
    }

    /// The log.
    pub fn post(&self) -> &Post {
        &self.post
    }

    /// Mails up to this number have arrived, at an instant on the room's clock.
    pub fn arrived(&self, newest: u64, at: f64) {
        let mut mails = self.state.lock();
        let known = mails.arrivals.back().map_or(0, |(id, _)| *id);
        let first = (known + 1).max(newest.saturating_sub(ARRIVALS as u64 - 1));
        mails.arrivals.extend((first..=newest).map(|id| (id, at)));
        let gone = mails.arrivals.len().saturating_sub(ARRIVALS);
        mails.arrivals.drain(..gone);
    }

    /// The mails after a number, and when each arrived.
    pub fn arrivals(&self, after: u64) -> Vec<(u64, f64)> {
        let mails = self.state.lock();
        let from = mails.arrivals.partition_point(|(id, _)| *id <= after);
        mails.arrivals.range(from..).copied().collect()
    }

    /// When a mail arrived.
    pub fn arrival(&self, id: u64) -> Option<f64> {
        let mails = self.state.lock();
        let at = mails.arrivals.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(mails.arrivals[at].1)
    }

    /// Lets a mail arrive: of a student, or of the teacher.
    ///
    /// # Errors
    /// If it is empty, too long, or one of too many.
    pub fn take(&self, by: Option<&Student>, text: &str) -> Result<u64, Refused> {
        let now = clock::now();
        // Nothing that moves or turns what stands beside it (Unicode Standard Annex 9).
        let plain =
            |c: &char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let text: String = text.chars().filter(plain).collect();
        let text = text.trim();
        let number = by.map_or(0, |student| student.number);
        if by.is_some() && text.is_empty() {
            return Err(Refused::Bad(phrase!("a mail needs a text")));
        }
        if text.chars().count() > LONGEST {
            return Err(Refused::Bad(phrase!(
                "a mail may have %{longest} characters",
                longest = LONGEST.to_string()
            )));
        }
        if let Some(student) = by
            && !(student.may_mail(now) && self.state.lock().rate.take(now))
        {
            return Err(Refused::TooOften);
        }
        let letter = Letter {
            from: match by {
                Some(_) => format!("student {number}"),
                None => "teacher".into(),
            },
            subject: String::new(),
            body: text.into(),
        };
        // Locked until its text is there: a page that knows of its arrival does not ask for the text again.
        let mut mails = self.state.lock();
        let Posting::Kept(id) = self.post.take(letter) else {
            // A class has its log in memory.
            return Err(Refused::TooOften);
        };
        if !text.is_empty() {
            mails.written.push_back(WrittenMail {
                id,
                by: number,
                text: text.into(),
                hidden: false,
            });
            if mails.written.len() > LETTERS_KEPT {
                mails.written.pop_front();
            }
        }
        Ok(id)
    }

    /// What people wrote, after a mail's number.
    pub fn written(&self, after: u64) -> Vec<WrittenMail> {
        let mails = self.state.lock();
        mails
            .written
            .iter()
            .filter(|mail| mail.id > after)
            .cloned()
            .collect()
    }

    /// The numbers of mails that are hidden.
    pub fn hidden(&self) -> Vec<u64> {
        let mails = self.state.lock();
        mails
            .written
            .iter()
            .filter(|mail| mail.hidden)
            .map(|mail| mail.id)
            .collect()
    }

    /// Hides a mail; false if there is none with this number.
    pub fn hide(&self, id: u64) -> bool {
        let mut mails = self.state.lock();
        let found = mails.written.iter_mut().find(|mail| mail.id == id);
        found.map(|mail| mail.hidden = true).is_some()
    }
}
