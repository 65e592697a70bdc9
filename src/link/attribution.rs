//! Attribution: to which request each byte of a connection belongs, and so to whose account.
//!
//! ```text
//!  GET /poll?after=3&student=k3f9  ──▶ Owners::owner ──▶ account   this head and what follows it upwards,
//!                                                                   and the response that answers it
//!  GET /poll?after=4&student=x2m7  ──▶ Owners::owner ──▶ account   from here on
//! ```
//!
//! A browser sends requests of several lanes, and of several pages, on one connection. Requests are answered in
//! their order (RFC 9112, section 9.3.2), so the n-th final response head begins the answer to the n-th request.
//! What crossed before the first request with an owner, the page itself, belongs to that owner; requests without
//! an owner after it belong to the same. HTTP/2, whose requests mix, is refused where conditions follow the request, and
//! belongs to nobody elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::account::{Account, Owner, Owners};
use super::conditions::Assigned;
use crate::clock;
use crate::wire::transcript::Cut;
use crate::wire::{Decoder, Direction, Event, Kind, Part, Sink, Tally};

/// How many bytes of each direction can still be looked up when they get their label.
const WINDOW: usize = 16 * 1024;

/// The attribution of one connection.
#[derive(Debug)]
pub(super) struct Attribution {
    owners: Arc<dyn Owners>,
    /// Tells the link of the conditions of the current request.
    assigned: Arc<Assigned>,
    /// The accounts that this connection has carried requests of.
    seen: Vec<Arc<Account>>,
    /// The head of a request whose owner is not known yet.
    head: Option<Part>,
    /// The account of what crosses upwards.
    up: Option<Arc<Account>>,
    /// The accounts of the requests whose answers are not over, the oldest first.
    down: VecDeque<Option<Arc<Account>>>,
    /// Whether the next response head answers the next request.
    answered: bool,
    /// The account of requests without an owner.
    rest: Option<Arc<Account>>,
    windows: [Window; 2],
    /// When it was accepted.
    epoch: Instant,
    crossing: usize,
    /// Whether it has carried a request whose conditions can change.
    is_known: bool,
}

/// The last bytes of a direction.
#[derive(Debug, Default)]
struct Window {
    /// The offset of the first byte.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn trim(&mut self) {
        let gone = self.bytes.len().saturating_sub(WINDOW);
        if gone > 0 {
            self.bytes.drain(..gone);
            self.start += gone as u64;
        }
    }

    /// Keeps nothing, and no memory.
    fn forget(&mut self) {
        self.start += self.bytes.len() as u64;
        self.bytes = Vec::new();
    }

    fn get(&self, part: &Part) -> Option<&[u8]> {
        let from = usize::try_from(part.start.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..)?.get(..part.len as usize)
    }
}

impl Attribution {
    /// The attribution of a new connection.
    pub fn new(owners: Arc<dyn Owners>, assigned: Arc<Assigned>) -> Attribution {
        Attribution {
            owners,
            assigned,
            seen: Vec::new(),
            head: None,
            up: None,
            down: VecDeque::new(),
            answered: false,
            rest: None,
            windows: Default::default(),
            epoch: clock::now(),
            crossing: 0,
            is_known: false,
        }
    }

    /// Decodes bytes that crossed, and counts them in `tally` and for their owners.
    pub fn feed(&mut self, decoder: &mut Decoder, direction: Direction, bytes: &[u8], tally: &mut Tally) {
        if self.crossing == 0 && bytes.starts_with(b"PRI ") {
            self.assigned.refuse();
        }
        self.windows[direction as usize].push(bytes);
        self.crossing += 1;
        decoder.feed(direction, bytes, &mut Both(tally, self));
        let window = &mut self.windows[direction as usize];
        // A connection without an owner has no exchange to show, and costs no memory for one.
        match self.rest {
            Some(_) => window.trim(),
            None => window.forget(),
        }
    }

    /// Bytes of the server have crossed that were decoded and counted without this, while nobody owned the connection.
    pub fn passed(&mut self, bytes: u64) {
        self.windows[Direction::Down as usize].start += bytes;
        self.crossing += 1;
    }

    /// Whether none of its requests has an owner so far.
    pub fn is_unowned(&self) -> bool {
        self.rest.is_none()
    }

    /// Labels what is pending at the end of the connection.
    pub fn finish(&mut self, decoder: &mut Decoder, tally: &mut Tally) {
        decoder.finish(&mut Both(tally, self));
        self.settle();
        if self.is_unowned() {
            self.owners.nobody().add(*tally);
        }
    }

    /// `None` before anyone owned the connection.
    fn account(&self, direction: Direction) -> Option<Arc<Account>> {
        match direction {
            _ if self.is_unowned() => None,
            Direction::Up => self.up.clone(),
            Direction::Down => self.down.front().cloned().flatten().or_else(|| self.rest.clone()),
        }
    }

    /// Counts a part for its owner.
    fn attribute(&mut self, part: Part) {
        let Some(account) = self.account(part.direction) else {
            return;
        };
        let window = &self.windows[part.direction as usize];
        account.part(part, || {
            Some(Cut {
                part,
                crossing: self.crossing,
                at_us: clock::since(self.epoch).as_secs_f64() * 1e6,
                bytes: window.get(&part)?.to_vec(),
            })
        });
    }

    /// A head whose target could not be read belongs to what came before it.
    fn settle(&mut self) {
        if let Some(head) = self.head.take() {
            self.attribute(head);
        }
    }

    /// Counts something that is no part for the owner of a direction.
    fn count(&mut self, direction: Direction, count: impl FnOnce(&mut Tally)) {
        if let Some(account) = self.account(direction) {
            account.count(count);
        }
    }

    /// Makes `owner` the owner of the request that begins, and of all that had none: `tally` is what crossed, and has the
    /// request's head already.
    fn begin(&mut self, owner: &Owner, tally: &Tally) {
        if self.is_unowned() {
            let mut early = *tally;
            if let Some(head) = self.head {
                early.up[head.label] -= head.len;
            }
            owner.rest.add(early);
        }
        self.rest = Some(owner.rest.clone());
        self.assigned.assign(owner.conditions.clone());
        if !self.seen.iter().any(|seen| Arc::ptr_eq(seen, &owner.account)) {
            self.seen.push(owner.account.clone());
            owner.account.connected();
        }
        if owner.conditions.is_some() && !std::mem::replace(&mut self.is_known, true) {
            self.owners.connected(self.epoch);
        }
        owner.account.begin();
    }
}

impl Attribution {
    fn part(&mut self, part: Part) {
        self.settle();
        if part.kind == Kind::RequestHead {
            self.head = Some(part);
            return;
        }
        if part.kind == Kind::ResponseHead && std::mem::take(&mut self.answered) {
            self.down.pop_front();
        }
        self.attribute(part);
    }

    fn event(&mut self, event: Event) {
        let direction = match event {
            Event::Request => Direction::Up,
            Event::Empty | Event::Upgraded | Event::Coded => Direction::Down,
            Event::Message(direction) | Event::Violation(direction, _) => direction,
        };
        self.count(direction, |tally| tally.event(event));
    }

    fn target(&mut self, target: &[u8], tally: &Tally) {
        let account = match self.owners.owner(target) {
            Some(owner) => {
                self.begin(&owner, tally);
                Some(owner.account)
            }
            None => {
                self.assigned.assign(None);
                self.rest.clone()
            }
        };
        self.up.clone_from(&account);
        self.down.push_back(account);
        self.settle();
    }
}

/// Counts all of a connection, and its owners' shares.
struct Both<'a>(&'a mut Tally, &'a mut Attribution);

impl Sink for Both<'_> {
    fn part(&mut self, part: Part) {
        self.0.part(part);
        self.1.part(part);
    }

    fn event(&mut self, event: Event) {
        self.0.event(event);
        self.1.event(event);
    }

    fn message_head(&mut self, direction: Direction, head: u64) {
        self.0.message_head(direction, head);
        self.1
            .count(direction, |tally| tally.message_head(direction, head));
    }

    fn client_state(&mut self, bytes: u64) {
        self.0.client_state(bytes);
        self.1.count(Direction::Up, |tally| tally.client_state(bytes));
    }

    fn mail(&mut self) {
        self.0.mail();
        self.1.count(Direction::Down, Sink::mail);
    }

    fn failed(&mut self) {
        self.0.failed();
        self.1.count(Direction::Down, Sink::failed);
    }

    fn wants_targets(&self) -> bool {
        true
    }

    fn target(&mut self, target: &[u8]) {
        self.1.target(target, self.0);
    }

    fn answered(&mut self) {
        self.1.answered = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::meter::{Meter, Reader, feed};
    use crate::wire::{Known, as_declared};

    #[derive(Debug, Default)]
    struct One {
        account: Arc<Account>,
        rest: Arc<Account>,
        nobody: Account,
    }

    impl Owners for One {
        fn owner(&self, target: &[u8]) -> Option<Owner> {
            target.starts_with(b"/mine").then(|| Owner {
                account: self.account.clone(),
                rest: self.rest.clone(),
                conditions: None,
            })
        }

        fn connected(&self, _accepted: Instant) {}

        fn nobody(&self) -> &Account {
            &self.nobody
        }
    }

    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
    const CHUNK: &[u8] = b"9\r\n{\"id\":7}\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /// A stream that nobody owns, whose chunks are known from elsewhere; then, if there is one, a request with an owner.
    fn crossed(owners: &Arc<One>, later: Option<&[u8]>) -> Tally {
        let assigned = Arc::default();
        let mut meter = Meter {
            reader: Reader::Own(Decoder::http(as_declared), Tally::default()),
            raw: [0; 2],
            attribution: Some(Box::new(Attribution::new(owners.clone(), assigned))),
        };
        let chunks = || [CHUNK; 3].into_iter();
        let mut known = Known::default();
        let mut other = Decoder::http(as_declared);
        let mut spare = Tally::default();
        other.feed(Direction::Up, b"GET /all HTTP/1.1\r\n\r\n", &mut spare);
        other.feed(Direction::Down, HEAD, &mut spare);
        other.feed_known(chunks(), &mut known, &mut spare);
        let read = |meter: &mut Meter, direction, bytes: &[u8]| {
            let Reader::Own(decoder, tally) = &mut meter.reader else {
                panic!("it has one");
            };
            feed(decoder, &mut meter.attribution, direction, bytes, tally);
        };
        read(&mut meter, Direction::Up, b"GET /all HTTP/1.1\r\n\r\n");
        read(&mut meter, Direction::Down, HEAD);
        meter.sent(chunks(), &mut known);
        read(&mut meter, Direction::Down, b"0\r\n\r\n");
        if let Some(request) = later {
            read(&mut meter, Direction::Up, request);
            read(&mut meter, Direction::Down, ANSWER);
        }
        let Reader::Own(mut decoder, mut tally) = meter.reader else {
            panic!("it has one");
        };
        meter.attribution.unwrap().finish(&mut decoder, &mut tally);
        tally
    }

    #[test]
    fn what_crossed_before_the_first_owner_is_the_pages() {
        let owners = Arc::new(One::default());
        let early = crossed(&owners, None);
        assert_eq!((early.mails, owners.nobody.tally()), (3, early));
        let owners = Arc::new(One {
            account: Arc::new(Account::with_exchange()),
            ..One::default()
        });
        let request = b"GET /mine HTTP/1.1\r\n\r\n";
        let all = crossed(&owners, Some(request));
        let (mine, rest) = (owners.account.tally(), owners.rest.tally());
        assert_eq!(
            (mine.up.total(), mine.down.total()),
            (request.len() as u64, ANSWER.len() as u64)
        );
        assert_eq!((mine.requests, rest), (1, early));
        assert_eq!(owners.nobody.tally(), Tally::default());
        let mut sum = mine;
        sum += rest;
        assert_eq!(sum, all);
        // Their bytes are still found, although others have passed.
        let exchange = owners.account.exchange().unwrap();
        assert_eq!(
            (exchange.left_out, exchange.bytes(Direction::Down)),
            ([0; 2], ANSWER.len() as u64)
        );
    }
}
