//! Whose bytes they are: an account for everything that one student's lane, or one page, has cost.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::conditions::Conditions;
use crate::wire::transcript::{Cut, Transcript};
use crate::wire::{Direction, Kind, Part, Sink as _, Tally};

/// Decides which account a request belongs to, by its target.
pub trait Owners: Debug + Send + Sync {
    /// The owner of a request with this target; `None` if it names none.
    fn owner(&self, target: &[u8]) -> Option<Owner>;

    /// A connection, accepted at this instant, carries its first request whose conditions can change.
    fn connected(&self, accepted: Instant);

    /// The account of everything that nobody owns.
    fn nobody(&self) -> &Account;
}

/// Who a request belongs to.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The account of the request and of its response.
    pub account: Arc<Account>,
    /// The account of everything else on the same connection.
    pub rest: Arc<Account>,
    /// The network conditions of the request; `None` for the network as it is.
    pub conditions: Option<Arc<Conditions>>,
}

/// What belongs to one owner: counts, and the last exchange in full.
#[derive(Debug, Default)]
pub struct Account {
    sums: Mutex<Sums>,
    /// Whether the last exchange is kept.
    keeps: bool,
}

#[derive(Debug, Default)]
struct Sums {
    tally: Tally,
    connections: u64,
    exchange: Exchange,
}

/// The most parts of an exchange that are kept, and the most bytes in them: a stream may last for days.
const KEPT: (usize, usize) = (64, 8 * 1024);

/// The last request and its response. Of a long one, the heads and the newest parts.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    heads: Vec<Cut>,
    rest: Vec<Cut>,
    /// Bytes that are not kept, up and down.
    pub left_out: [u64; 2],
}

impl Account {
    /// An account that keeps its last exchange.
    pub fn with_exchange() -> Account {
        Account {
            keeps: true,
            ..Account::default()
        }
    }

    /// What was counted so far, also of requests that are still open.
    pub fn tally(&self) -> Tally {
        self.sums.lock().tally
    }

    /// How many connections have carried its requests.
    pub fn connections(&self) -> u64 {
        self.sums.lock().connections
    }

    /// The last exchange; `None` if there was none, or it is not kept.
    pub fn exchange(&self) -> Option<Exchange> {
        let sums = self.sums.lock();
        (!sums.exchange.heads.is_empty()).then(|| sums.exchange.clone())
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&self, tally: Tally) {
        self.sums.lock().tally += tally;
    }

    /// Counts one more connection that carries its requests.
    pub(super) fn connected(&self) {
        self.sums.lock().connections += 1;
    }

    /// A new exchange begins.
    pub(super) fn begin(&self) {
        if self.keeps {
            self.sums.lock().exchange = Exchange::default();
        }
    }

    /// Counts something, in the same way as a meter.
    pub(super) fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.sums.lock().tally);
    }

    /// Counts a part; `cut` makes its bytes, or `None` if they are no longer there.
    pub(super) fn part(&self, part: Part, cut: impl FnOnce() -> Option<Cut>) {
        let mut sums = self.sums.lock();
        sums.tally.part(part);
        if self.keeps {
            sums.exchange.push(part, cut());
        }
    }
}

impl Exchange {
    fn push(&mut self, part: Part, cut: Option<Cut>) {
        let Some(cut) = cut.filter(|cut| cut.bytes.len() <= KEPT.1) else {
            self.left_out[part.direction as usize] += part.len;
            return;
        };
        if matches!(part.kind, Kind::RequestHead | Kind::ResponseHead) && self.heads.len() < 4 {
            return self.heads.push(cut);
        }
        self.rest.push(cut);
        let bytes = |rest: &[Cut]| rest.iter().map(|cut| cut.bytes.len()).sum::<usize>();
        if self.rest.len() > KEPT.0 || bytes(&self.rest) > KEPT.1 {
            self.shorten();
        }
    }

    /// Leaves out the older half, up to the beginning of a chunk or frame.
    fn shorten(&mut self) {
        self.rest
            .sort_by_key(|cut| (cut.crossing, cut.part.direction, cut.part.start));
        let half = self.rest.len().div_ceil(2);
        let begins = |cut: &Cut| matches!(cut.part.kind, Kind::ChunkSize | Kind::FrameHeader);
        let next = self.rest[half..].iter().position(begins);
        let gone = self.rest.drain(..next.map_or(half, |n| half + n));
        for cut in gone {
            self.left_out[cut.part.direction as usize] += cut.part.len;
        }
    }

    /// How many heads of requests and responses it begins with.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// Its bytes as a transcript that can be explained.
    pub fn transcript(self) -> Transcript {
        Transcript::of([self.heads, self.rest].concat())
    }

    /// All bytes of a direction, those that are left out included.
    pub fn bytes(&self, direction: Direction) -> u64 {
        let kept = self.heads.iter().chain(&self.rest);
        let kept = kept.filter(|cut| cut.part.direction == direction);
        self.left_out[direction as usize] + kept.map(|cut| cut.part.len).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Label;

    fn part(start: u64, len: u64, kind: Kind) -> Part {
        Part {
            direction: Direction::Down,
            start,
            len,
            label: Label::Framing,
            kind,
        }
    }

    fn push(account: &Account, part: Part) {
        account.part(part, || {
            Some(Cut {
                part,
                crossing: part.start as usize,
                at_us: 0.0,
                bytes: vec![b'x'; part.len as usize],
            })
        });
    }

    #[test]
    fn of_a_long_exchange_the_heads_and_the_newest_parts_are_kept() {
        let account = Account::with_exchange();
        account.begin();
        push(&account, part(0, 50, Kind::ResponseHead));
        for i in 0..10_000 {
            push(&account, part(50 + 10 * i, 3, Kind::ChunkSize));
            push(&account, part(53 + 10 * i, 7, Kind::SseField));
        }
        let exchange = account.exchange().unwrap();
        assert_eq!(exchange.bytes(Direction::Down), 100_050);
        assert!(exchange.rest.len() <= KEPT.0 && exchange.rest.len() > KEPT.0 / 4);
        assert_eq!(exchange.rest[0].part.kind, Kind::ChunkSize);
        let pieces = exchange.transcript().pieces;
        assert_eq!(pieces[0].kind, Kind::ResponseHead);
        assert_eq!(pieces.last().unwrap().start, 50 + 10 * 9_999 + 3);
        assert_eq!(account.tally().down.total(), 100_050);
    }

    #[test]
    fn bytes_that_are_gone_are_counted_as_left_out() {
        let account = Account::with_exchange();
        account.begin();
        push(&account, part(0, 50, Kind::ResponseHead));
        push(&account, part(50, 9_000, Kind::Attachment));
        account.part(part(9_050, 5, Kind::Mail), || None);
        let exchange = account.exchange().unwrap();
        assert_eq!(exchange.left_out, [0, 9_005]);
        assert_eq!(exchange.bytes(Direction::Down), 9_055);
        assert!(Account::default().exchange().is_none(), "it keeps none");
    }
}
