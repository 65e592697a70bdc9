//! How far a server has sent its log to one client.

use std::sync::Arc;

use super::cursor::{Cursor, Log, Notice};
use super::entry::LogEntry;
use super::mailbox::{Mailbox, Read};

/// The place in the log from which a server sends to one client: the client's cursor, if that fits this log.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    after: u64,
    notice: Option<Notice>,
    generation: u64,
}

/// What [`Position::next`] found.
#[derive(Debug, Default)]
pub struct Batch {
    /// What the client gets before the mails: at most a reset or the epoch, then a gap.
    pub notices: Vec<Notice>,
    /// The mails, in order.
    pub mails: Vec<Arc<LogEntry>>,
    /// Whether the log has more after them.
    pub more: bool,
}

impl Batch {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.mails.is_empty()
    }
}

impl Position {
    /// The position for a client's cursor; `None` stands for a cursor that cannot be read. Such a cursor,
    /// one of another log, or one ahead of this log is reset to the beginning. A log that other servers share waits for the
    /// mail that it does not have yet, if the cursor names the log.
    pub fn of(cursor: Option<Cursor>, log: &Mailbox) -> Position {
        // Before the epoch: if the log is replaced now, the position is known to be of the one before.
        let generation = log.generation();
        let ours = |cursor: &Cursor| match cursor.epoch() {
            // Another server of the same log has sent this mail, and it has not come here yet.
            Some(epoch) if log.is_shared() => epoch == log.epoch(),
            Some(epoch) => epoch == log.epoch() && cursor.number <= log.newest(),
            None => cursor.number <= log.newest(),
        };
        let (after, notice) = match cursor.filter(ours) {
            None => (0, Some(Notice::Reset(log.epoch()))),
            Some(Cursor { number, log: name }) => {
                (number, (name == Log::Asked).then(|| Notice::Epoch(log.epoch())))
            }
        };
        Position {
            after,
            notice,
            generation,
        }
    }

    /// The number of the last mail that was sent.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Whether there is something to send before any mail comes: a reset.
    pub fn is_reset(&self) -> bool {
        matches!(self.notice, Some(Notice::Reset(_)))
    }

    /// The number of the last mail that was sent, and the generation of its log; `None` if a notice comes before the next.
    pub fn only_mail(&self) -> Option<(u64, u64)> {
        self.notice.is_none().then_some((self.after, self.generation))
    }

    /// Notes that all mail up to this number was sent elsewhere.
    pub fn sent(&mut self, after: u64) {
        self.after = after;
    }

    /// What to send next, with at most `limit` mails; moves the position past them. A reset does not wait
    /// for mail, the epoch does.
    pub fn next(&mut self, log: &Mailbox, limit: usize) -> Batch {
        let mut read = log.read(self.after, limit);
        if read.generation != self.generation {
            (self.after, self.notice) = (0, Some(Notice::Reset(log.epoch())));
            read = log.read(0, limit);
            self.generation = read.generation;
        }
        let Read { gap, mails, more, .. } = read;
        self.after = mails.last().map_or(self.after + gap, |last| last.number);
        let due = self.is_reset() || !mails.is_empty() || gap > 0;
        let notice = self.notice.take_if(|_| due);
        let gap = (gap > 0).then_some(Notice::Gap(gap));
        Batch {
            notices: notice.into_iter().chain(gap).collect(),
            mails,
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mail::{Epoch, Letter, Mail};

    fn epoch() -> Epoch {
        "k3f9".parse().unwrap()
    }

    fn log(mails: u64, keep: usize) -> Mailbox {
        let log = Mailbox::new(keep, epoch());
        log.append((1..=mails).map(|n| Mail::new(n, &Letter::default(), Bytes::new())));
        log
    }

    #[test]
    fn a_copy_of_a_log_waits_for_what_another_copy_had() {
        let log = log(3, 10).copied();
        let of = |text: &str| Position::of(text.parse().ok(), &log);
        assert!(!of("5.k3f9").is_reset());
        assert!(of("5").is_reset() && of("5.abcd").is_reset());
        let mut ahead = of("4.k3f9");
        assert!(ahead.next(&log, 10).is_empty());
        log.append((4..=5).map(|n| Mail::new(n, &Letter::default(), Bytes::new())));
        let batch = ahead.next(&log, 10);
        let numbers: Vec<u64> = batch.mails.iter().map(|mail| mail.number).collect();
        assert_eq!((numbers, batch.notices.len()), (vec![5], 0));
    }

    #[test]
    fn a_cursor_of_another_log_or_ahead_is_reset() {
        let (log, empty) = (log(3, 10), Mailbox::new(10, epoch()));
        let of = |text: &str, log: &Mailbox| Position::of(text.parse().ok(), log);
        for (text, log, reset) in [
            ("0", &empty, false),
            ("0.", &empty, false),
            ("0.k3f9", &empty, false),
            ("0.abcd", &empty, true),
            ("1", &empty, true),
            ("1.", &empty, true),
            ("3", &log, false),
            ("3.k3f9", &log, false),
            ("2.abcd", &log, true),
            ("4", &log, true),
            ("4.", &log, true),
            ("4.k3f9", &log, true),
            ("nonsense", &log, true),
        ] {
            let mut position = of(text, log);
            assert_eq!(position.is_reset(), reset, "{text}");
            if reset {
                let batch = position.next(log, 9);
                assert_eq!(batch.notices, [Notice::Reset(epoch())], "{text}");
                assert_eq!(
                    batch.mails.len() as u64,
                    log.newest(),
                    "{text}: from the beginning"
                );
                assert!(position.next(log, 9).is_empty(), "{text}: it is told once");
            }
        }
    }

    #[test]
    fn the_epoch_comes_with_the_first_mail_and_a_gap_behind_a_reset() {
        let empty = log(0, 2);
        let mut asking = Position::of(Some(Cursor::FIRST), &empty);
        assert!(asking.next(&empty, 9).is_empty());
        empty.append([Mail::new(1, &Letter::default(), Bytes::new())]);
        assert_eq!(asking.next(&empty, 9).notices, [Notice::Epoch(epoch())]);
        let full = log(5, 2);
        let mut foreign = Position::of("1.abcd".parse().ok(), &full);
        assert_eq!(
            foreign.next(&full, 1).notices,
            [Notice::Reset(epoch()), Notice::Gap(3)]
        );
        assert_eq!((foreign.after(), foreign.next(&full, 1).mails[0].number), (4, 5));
    }
}
