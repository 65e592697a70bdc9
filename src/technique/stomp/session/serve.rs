//! What a session sends on its own initiative: the mail and messages of its subscriptions.

use super::super::super::service::BATCH;
use super::super::fault::Fault;
use super::super::frames;
use super::super::stored::{Most, Stored};
use super::{
    Ack, Handled, Outgoing, Session, Source, Stage, Subscription, Unsettled, UsualBinary, UsualText,
};
use crate::mail::{Cursor, LogEntry};
use crate::outcome::Frames;
use crate::wire::stomp::{Frame, Version};

impl Session {
    /// The lowest cursor of its mail subscriptions: no subscription needs earlier mail.
    pub(super) fn cursor(&self) -> Option<u64> {
        let cursors = self.subscriptions.iter().filter_map(|s| match s.source {
            Source::Mail { cursor, .. } => Some(cursor),
            _ => None,
        });
        cursors.min()
    }

    /// Queues some of what its subscriptions have to read; returns whether there was anything.
    ///
    /// # Errors
    /// If a subscription has missed messages that are no longer kept.
    pub fn serve(&mut self) -> Result<bool, Fault> {
        if self.stage != Stage::Connected || self.subscriptions.is_empty() {
            return Ok(false);
        }
        let before = self.out.len();
        self.serve_mail();
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        let served = self.serve_in_turn(&mut subscriptions);
        self.subscriptions = subscriptions;
        served?;
        Ok(self.out.len() > before)
    }

    /// Serves subscriptions other than mail, in turn, until all were served or the queue is full; the rest
    /// come first next time.
    fn serve_in_turn(&mut self, subscriptions: &mut [Subscription]) -> Handled {
        for _ in 0..subscriptions.len() {
            if self.is_full() {
                break;
            }
            let place = self.turn % subscriptions.len();
            self.turn = place + 1;
            self.serve_messages(&mut subscriptions[place])?;
        }
        Ok(())
    }

    /// Queues mail for every subscription until the queue is full; the rest is read again later.
    fn serve_mail(&mut self) {
        let Some(after) = self.cursor() else { return };
        let mut read = self.service.mailbox.read(after, BATCH);
        if read.generation != self.generation {
            self.generation = read.generation;
            self.tell_reset();
            read = self.service.mailbox.read(0, BATCH);
        }
        if read.gap > 0 {
            self.tell_gap(after + read.gap);
        }
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        for entry in &read.mails {
            let its_topic = self.broker.topic_of(entry);
            for s in &mut subscriptions {
                if self.is_full() {
                    break;
                }
                if let Source::Mail { topic, cursor, .. } = &mut s.source
                    && *cursor < entry.number
                {
                    *cursor = entry.number;
                    if *topic == its_topic {
                        let outgoing = self.mail_for(s, entry, its_topic);
                        self.queue(outgoing);
                    }
                }
            }
        }
        self.subscriptions = subscriptions;
    }

    /// Tells every mail subscription that another log begins, and moves its cursor to the beginning.
    fn tell_reset(&mut self) {
        let epoch = self.service.mailbox.epoch();
        let mut told = Vec::new();
        for s in &mut self.subscriptions {
            if let Source::Mail { topic, cursor, .. } = &mut s.source {
                *cursor = 0;
                told.push(frames::reset(s.id.as_deref(), self.broker.topic(*topic), epoch));
            }
        }
        told.into_iter().for_each(|frame| self.tell(frame));
    }

    /// Reports a gap to the subscription furthest behind, and moves all cursors past it.
    fn tell_gap(&mut self, upto: u64) {
        let end = Cursor::of(upto, self.service.mailbox.epoch());
        let mut furthest: Option<(u64, Frame)> = None;
        for s in &mut self.subscriptions {
            if let Source::Mail { topic, cursor, .. } = &mut s.source
                && *cursor < upto
            {
                if furthest.as_ref().is_none_or(|(least, _)| *cursor < *least) {
                    let name = self.broker.topic(*topic);
                    let frame = frames::gap(s.id.as_deref(), name, upto - *cursor, end);
                    furthest = Some((*cursor, frame));
                }
                *cursor = upto;
            }
        }
        if let Some((_, frame)) = furthest {
            self.tell(frame);
        }
    }

    fn mail_for(&self, s: &Subscription, entry: &LogEntry, topic: usize) -> Outgoing {
        let is_text = !self.takes_binary || self.service.scenario.frames == Frames::Text;
        let frames = if is_text { Frames::Text } else { Frames::Binary };
        let headers = entry.note.as_ref().map_or(&[][..], |note| &note.headers);
        let frame = |entry: &LogEntry| {
            let cursor = Cursor::of(entry.number, self.service.mailbox.epoch());
            let place = (cursor, self.broker.topic(topic));
            let ack = s.ack != Ack::Auto && self.version == Version::V1_2;
            frames::mail(s.id.as_deref(), place, ack, headers, (&entry.mail, frames))
        };
        let make = |entry: &LogEntry| frame(entry).to_bytes(self.version);
        let is_usual = matches!(s.source, Source::Mail { is_usual: true, .. });
        let bytes = match frames {
            _ if !is_usual || !headers.is_empty() => return Outgoing::Frame(frame(entry), self.version),
            Frames::Text => entry.form::<UsualText>(make),
            Frames::Binary => entry.form::<UsualBinary>(make),
        };
        Outgoing::Made { bytes, is_text }
    }

    fn serve_messages(&mut self, s: &mut Subscription) -> Handled {
        let most = |messages| Most {
            messages,
            bytes: self.broker.limits.session_queued.saturating_sub(self.queued),
        };
        match &mut s.source {
            Source::Mail { .. } => {}
            Source::Topic { name, reader } => {
                let read = self.broker.read(name, *reader, most(BATCH));
                let messages = read.map_err(|_| Fault::fell_behind(&s.destination))?;
                for message in messages {
                    self.deliver(s.id.as_deref(), s.ack, &message, false);
                }
            }
            Source::Queue {
                name,
                reader,
                unsettled,
            } => {
                let room = match s.ack {
                    Ack::Auto => BATCH,
                    _ => self.broker.limits.unacknowledged.saturating_sub(unsettled.len()),
                };
                for queued in self.broker.take(name, *reader, most(room.min(BATCH))) {
                    self.deliver(s.id.as_deref(), s.ack, &queued.message, queued.redelivered);
                    let delivery = self.deliveries;
                    match s.ack {
                        Ack::Auto => self.broker.settle(&[queued]),
                        _ => unsettled.push_back(Unsettled { delivery, queued }),
                    }
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self, subscription: Option<&str>, ack: Ack, message: &Stored, redelivered: bool) {
        self.deliveries += 1;
        let id = format!("{:08x}-{}", self.number, self.deliveries);
        let ack = (ack != Ack::Auto && self.version == Version::V1_2).then(|| id.clone());
        let mut frame = frames::message(subscription, id, message.destination.clone(), ack);
        if redelivered {
            frame = frame.with("redelivered", "true");
        }
        frame.headers.extend(message.headers.iter().cloned());
        let mut frame = frame.with("content-length", message.body.len().to_string());
        frame.body = message.body.clone();
        self.tell(frame);
    }

    /// Releases everything that the broker keeps for the session.
    pub(super) fn forget(&mut self) {
        self.watch = None;
        for subscription in std::mem::take(&mut self.subscriptions) {
            self.end(subscription);
        }
        // Transactions that were not committed have no effect.
        for transaction in std::mem::take(&mut self.transactions) {
            self.broker.release(self.number, transaction.bytes);
        }
    }
}
