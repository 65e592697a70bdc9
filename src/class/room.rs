//! The room: who is in it, whose bytes are whose, and which mail came when.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::{Mutex, RwLock};
use rand::rngs::SysRng;
use rand::{RngExt, TryRng};

use super::lead::Lead;
use super::mails::Mails;
use super::outage::Outage;
use super::rate::{Limit, Rate};
use super::refused::Refused;
use super::student::Student;
use crate::clock;
use crate::lab::outages::Outages;
use crate::lab::standalone::Post;
use crate::lab::traffic::Traffic;
use crate::lang::Text;
use crate::link::{Account, Ledger, Owner, Owners};
use crate::technique::{self, Technique};

/// The techniques that a browser's own `fetch`, `EventSource` and `WebSocket` speak, one lane each: first those that
/// are compared by default.
pub static LANES: LazyLock<Vec<&'static Technique>> = LazyLock::new(|| {
    let plain = technique::ALL.iter().copied().filter(|t| t.layered.is_none());
    let mut lanes: Vec<_> = plain.collect();
    lanes.sort_by_key(|technique| !technique.usual);
    lanes
});

/// How a room is opened.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// What students have to know to join; `None` lets everyone join.
    pub code: Option<String>,
    /// What the teacher has to know to lead; `None`: nobody leads.
    pub key: Option<String>,
    /// The most students.
    pub students: usize,
}

impl Open {
    /// A room for a class, with a code of four digits and a key that nobody can guess.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn class(students: usize) -> anyhow::Result<Open> {
        Ok(Open {
            code: Some(random(4, b"0123456789")?),
            key: Some(random(24, LETTERS)?),
            students,
        })
    }

    /// A room for visitors who have nothing to do with each other.
    pub fn alone() -> Open {
        Open {
            students: 1_000,
            ..Open::default()
        }
    }
}

/// Letters and digits that cannot be mistaken for each other.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A random text.
fn random(len: usize, of: &[u8]) -> anyhow::Result<String> {
    let mut seed = [0; 32];
    SysRng
        .try_fill_bytes(&mut seed)
        .context(crate::lang::t!("the system has no random numbers"))?;
    let mut rng = <rand_chacha::ChaCha20Rng as rand::SeedableRng>::from_seed(seed);
    let letters = (0..len).map(|_| char::from(of[rng.random_range(0..of.len())]));
    Ok(letters.collect())
}

/// Wrong codes from one address: a code of four digits is then found in hours.
const GUESSES: Limit = Limit {
    burst: 60.0,
    per_s: 0.5,
};

/// Students who join from one address. A class may share one.
const JOINS: Limit = Limit {
    burst: 120.0,
    per_s: 1.0,
};

/// The most addresses whose attempts are remembered.
const ADDRESSES: usize = 10_000;

/// How long a student must have been silent before another one may have the place in a full room.
const GONE: Duration = Duration::from_secs(300);

/// A class, or the single visitor of `serve`.
#[derive(Debug)]
pub struct Room {
    open: Open,
    students: RwLock<Students>,
    joined: AtomicU32,
    nobody: Account,
    start: Instant,
    doors: Mutex<HashMap<IpAddr, Door>>,
    jitter: AtomicBool,
    hint: RwLock<Option<Text>>,
    samples: Mutex<VecDeque<(Instant, u64)>>,
    served: OnceLock<Served>,
    /// The mail.
    pub mails: Mails,
    /// What the teacher does.
    pub lead: Lead,
    /// When the server does not listen.
    pub outage: Outage,
}

/// The server that the room is in.
#[derive(Debug)]
pub struct Served {
    /// Its counts.
    pub ledger: Arc<Ledger>,
    /// The requests of each technique.
    pub traffic: Vec<(&'static str, Traffic)>,
    /// Where students find it, the first best.
    pub urls: Vec<String>,
}

/// What one address has used of its attempts to join.
#[derive(Debug)]
struct Door {
    guesses: Rate,
    joins: Rate,
}

#[derive(Debug, Default)]
struct Students {
    by_token: BTreeMap<String, Arc<Student>>,
}

impl Room {
    /// An empty room over a mailbox.
    pub fn new(open: Open, post: Post, outages: Outages) -> Room {
        let now = clock::now();
        Room {
            open,
            students: RwLock::default(),
            joined: AtomicU32::new(0),
            nobody: Account::default(),
            start: now,
            mails: Mails::new(post),
            doors: Mutex::default(),
            jitter: AtomicBool::new(true),
            hint: RwLock::default(),
            samples: Mutex::default(),
            served: OnceLock::new(),
            lead: Lead::default(),
            outage: Outage::new(outages),
        }
    }

    /// Whether it has no class: everyone who comes is alone.
    pub fn is_alone(&self) -> bool {
        self.open.key.is_none()
    }

    /// What students have to know to join.
    pub fn code(&self) -> Option<&str> {
        self.open.code.as_deref()
    }

    /// The most students.
    pub fn places(&self) -> usize {
        self.open.students
    }

    /// Whether this is the teacher's key.
    pub fn is_key(&self, key: &str) -> bool {
        // Every byte is compared, so that the time taken says nothing.
        self.open.key.as_deref().is_some_and(|known| {
            known.len() == key.len() && known.bytes().zip(key.bytes()).fold(0, |d, (a, b)| d | (a ^ b)) == 0
        })
    }

    /// Milliseconds from the room's start to an instant, to a tenth: nobody measures more finely from a page.
    pub fn ms(&self, at: Instant) -> f64 {
        let ms = at.saturating_duration_since(self.start).as_secs_f64() * 1e3;
        (ms * 10.0).round() / 10.0
    }

    /// The same for now.
    pub fn now_ms(&self) -> f64 {
        self.ms(clock::now())
    }

    /// Sets the server, once it listens.
    pub fn is_served_by(&self, served: Served) {
        let _ = self.served.set(served);
    }

    /// The server, once it listens.
    pub fn served(&self) -> Option<&Served> {
        self.served.get()
    }

    /// Lets a student at this address join, or continue with the token.
    ///
    /// # Errors
    /// If the code is wrong, the token unknown, the room full, or the address tries too often.
    pub fn join(
        &self,
        from: IpAddr,
        code: Option<&str>,
        token: Option<&str>,
    ) -> Result<Arc<Student>, Refused> {
        let now = clock::now();
        if let Some(token) = token {
            let student = self.student(token).ok_or(Refused::Unknown)?;
            student.seen(now);
            return Ok(student);
        }
        let mut doors = self.doors.lock();
        if doors.len() >= ADDRESSES {
            doors.clear();
        }
        let door = doors.entry(from).or_insert_with(|| Door {
            guesses: Rate::new(GUESSES, now),
            joins: Rate::new(JOINS, now),
        });
        // Who has guessed too often is not told when the code was right.
        if !door.guesses.has_any(now) {
            return Err(Refused::TooOften);
        }
        if self
            .open
            .code
            .as_deref()
            .is_some_and(|known| Some(known) != code.map(str::trim))
        {
            door.guesses.take(now);
            return Err(Refused::Code);
        }
        if !door.joins.take(now) {
            return Err(Refused::TooOften);
        }
        drop(doors);
        self.enter(false)
    }

    /// Lets a student in.
    ///
    /// # Errors
    /// If there is no place.
    pub fn enter(&self, simulated: bool) -> Result<Arc<Student>, Refused> {
        let now = clock::now();
        let token = random(10, LETTERS).map_err(|_| Refused::Full)?;
        let mut students = self.students.write();
        let mut gone = None;
        if students.by_token.len() >= self.open.students {
            let silent = students.by_token.values().max_by_key(|s| s.silent(now)).cloned();
            let silent = silent.filter(|s| s.silent(now) > GONE).ok_or(Refused::Full)?;
            gone = students.by_token.remove(&silent.token);
        }
        let number = self.joined.fetch_add(1, Ordering::Relaxed) + 1;
        let newest = self.mails.post().mailbox().newest();
        let student = Student::new(token.clone(), number, LANES.len(), simulated, newest, now);
        let student = Arc::new(student);
        students.by_token.insert(token, student.clone());
        drop(students);
        // Not before: a connection that another thread serves may be waiting for `students`.
        gone.iter().for_each(|student| student.conditions.find_again());
        Ok(student)
    }

    /// How many have joined so far.
    pub fn joined(&self) -> u32 {
        self.joined.load(Ordering::Relaxed)
    }

    /// The student with this token.
    pub fn student(&self, token: &str) -> Option<Arc<Student>> {
        self.students.read().by_token.get(token).cloned()
    }

    /// All students, in the order of joining.
    pub fn students(&self) -> Vec<Arc<Student>> {
        let mut all: Vec<_> = self.students.read().by_token.values().cloned().collect();
        all.sort_by_key(|s| s.number);
        all
    }

    /// How many are here.
    pub fn here(&self) -> usize {
        let now = clock::now();
        self.students
            .read()
            .by_token
            .values()
            .filter(|s| s.is_here(now))
            .count()
    }

    /// Whether clients wait a random time before they reconnect.
    pub fn jitter(&self) -> bool {
        self.jitter.load(Ordering::Relaxed)
    }

    /// Lets clients wait a random time before they reconnect, or all the same time.
    pub fn set_jitter(&self, on: bool) {
        self.jitter.store(on, Ordering::Relaxed);
    }

    /// What the board says if something is wrong.
    pub fn hint(&self) -> Option<Text> {
        self.hint.read().clone()
    }

    /// Lets the board say this.
    pub fn set_hint(&self, hint: Option<Text>) {
        *self.hint.write() = hint;
    }

    /// Remembers how many requests there were by now.
    pub fn sample(&self) {
        let Some(served) = self.served() else { return };
        let now = clock::now();
        let mut samples = self.samples.lock();
        samples.push_back((now, served.ledger.requests()));
        while samples
            .front()
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) > Duration::from_secs(2))
        {
            samples.pop_front();
        }
    }

    /// Requests in a second, over the last two.
    pub fn requests_per_s(&self) -> f64 {
        let samples = self.samples.lock();
        let Some(((from, before), (to, after))) = samples.front().zip(samples.back()) else {
            return 0.0;
        };
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        if seconds > 0.0 {
            (after - before) as f64 / seconds
        } else {
            0.0
        }
    }

    /// Ends the lanes' connections of all students.
    pub fn break_off(&self) {
        self.students().iter().for_each(|s| s.conditions.break_off());
    }

    /// The lane that a path belongs to: that of the technique with its name.
    pub fn lane(path: &str) -> Option<usize> {
        let name = path.strip_prefix('/')?.split('/').next()?;
        LANES.iter().position(|technique| technique.name == name)
    }
}

/// A value in a query, as it is written.
pub fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The student's token in a query.
pub fn token(query: &str) -> Option<&str> {
    value(query, "student")
}

/// The path and query of a request's target, also of one in absolute form (RFC 9112, section 3.2.2).
fn origin_form(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return target;
    };
    rest.find('/').map_or("/", |at| &rest[at..])
}

impl Owners for Room {
    fn owner(&self, target: &[u8]) -> Option<Owner> {
        let (path, query) = origin_form(std::str::from_utf8(target).ok()?).split_once('?')?;
        let student = self.student(token(query)?)?;
        Some(student.owner(Room::lane(path)))
    }

    fn connected(&self, accepted: Instant) {
        self.outage.connected(self.ms(accepted));
    }

    fn nobody(&self) -> &Account {
        &self.nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_query_in_either_form() {
        assert_eq!(origin_form("/poll?student=a"), "/poll?student=a");
        assert_eq!(
            origin_form("http://localhost:80/poll?student=a"),
            "/poll?student=a"
        );
        assert_eq!(origin_form("http://localhost"), "/");
        assert_eq!(origin_form("/poll?to=http://x/"), "/poll?to=http://x/");
        assert_eq!(token("after=0&student=k3f9"), Some("k3f9"));
        assert_eq!(token("students=k3f9"), None);
    }
}
