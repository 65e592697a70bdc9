//! Transactions and acknowledgements (STOMP 1.2, "BEGIN", "COMMIT", "ACK", "NACK").

use bytes::Bytes;

use super::super::fault::Fault;
use super::super::frames;
use super::super::stored::Queued;
use super::{Ack, Handled, Session, Source, Transaction, required, size};
use crate::mail::{Cursor, Log};
use crate::wire::stomp::{Command, Frame, Version};

impl Session {
    /// Waits until the log has the mail of the last frame, and then sends the frame's receipt.
    ///
    /// # Errors
    /// The content of the ERROR that ends the session, if the log did not acknowledge a mail.
    pub async fn kept(&mut self) -> Handled {
        let receipt = self.receipt.take();
        for posting in std::mem::take(&mut self.posted) {
            if let Err(e) = posting.number().await {
                let fault = Fault::limit(e.to_string());
                return Err(match &receipt {
                    Some(receipt) => fault.with("receipt-id", receipt),
                    None => fault,
                });
            }
        }
        if let Some(receipt) = receipt {
            self.tell(frames::receipt(&receipt));
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, frame: &Frame) -> Handled {
        let id = required(frame, "transaction")?;
        if self.transactions.iter().any(|t| t.id == id) {
            return Err(Fault::new("there is a transaction with this id"));
        }
        if self.transactions.len() >= self.broker.limits.transactions {
            return Err(Fault::limit("too many transactions"));
        }
        self.transactions.push(Transaction {
            id: id.into(),
            frames: Vec::new(),
            bytes: 0,
        });
        Ok(())
    }

    /// Removes a transaction and returns it.
    pub(super) fn transaction(&mut self, frame: &Frame) -> Result<Transaction, Fault> {
        let id = required(frame, "transaction")?;
        let place = self.transactions.iter().position(|t| t.id == id);
        let place = place.ok_or_else(|| Fault::new("there is no such transaction"))?;
        Ok(self.transactions.remove(place))
    }

    pub(super) fn commit(&mut self, frame: &Frame) -> Handled {
        let Transaction { frames, bytes, .. } = self.transaction(frame)?;
        self.broker.release(self.number, bytes);
        frames.iter().try_for_each(|frame| self.carry_out(frame))
    }

    pub(super) fn postpone(&mut self, id: &str, frame: &Frame) -> Handled {
        if frame.command == Command::Send {
            self.broker.destination(required(frame, "destination")?)?;
        }
        let most = self.broker.limits.in_transaction;
        let transaction = self.transactions.iter_mut().find(|t| t.id == id);
        let transaction = transaction.ok_or_else(|| Fault::new("there is no such transaction"))?;
        if transaction.frames.len() >= most {
            return Err(Fault::limit("too much in one transaction"));
        }
        // Copied, because the body would keep the whole read buffer in memory.
        let body = Bytes::copy_from_slice(&frame.body);
        let kept = Frame {
            body,
            ..frame.clone()
        };
        let bytes = size(&kept);
        self.broker.hold(self.number, bytes)?;
        transaction.bytes += bytes;
        transaction.frames.push(kept);
        Ok(())
    }

    /// Handles ACK or NACK. Without effect if the message was settled, or its subscription has ended.
    pub(super) fn settle(&mut self, frame: &Frame, is_ack: bool) -> Handled {
        let (id, subscription) = match self.version {
            Version::V1_2 => (required(frame, "id")?, None),
            Version::V1_1 => (
                required(frame, "message-id")?,
                Some(required(frame, "subscription")?),
            ),
            Version::V1_0 => (required(frame, "message-id")?, None),
        };
        let delivery = match self.delivery(id)? {
            Some(delivery) => delivery,
            // Mail belongs to every subscriber: there is nothing to pass on to another.
            None => return Ok(()),
        };
        for s in &mut self.subscriptions {
            let Source::Queue {
                name,
                reader,
                unsettled,
            } = &mut s.source
            else {
                continue;
            };
            let Some(place) = unsettled.iter().position(|u| u.delivery == delivery) else {
                continue;
            };
            if subscription.is_some_and(|wanted| s.id.as_deref() != Some(wanted)) {
                return Err(Fault::new("this message was for another subscription"));
            }
            let settled = match s.ack {
                Ack::Client => unsettled.drain(..=place),
                Ack::Auto | Ack::ClientIndividual => unsettled.drain(place..=place),
            };
            let settled: Vec<Queued> = settled.map(|u| u.queued).collect();
            if is_ack {
                self.broker.settle(&settled);
            } else {
                self.broker.put_back(name, settled, Some(*reader));
            }
            return Ok(());
        }
        Ok(())
    }

    /// The number of this session's delivery with this id; `None` for a mail.
    fn delivery(&self, id: &str) -> Result<Option<u64>, Fault> {
        let unknown = || Fault::new("no message with this id was delivered");
        match id.split_once('-') {
            Some((session, delivery)) if session == format!("{:08x}", self.number) => {
                let delivery = delivery
                    .parse()
                    .ok()
                    .filter(|n| (1..=self.deliveries).contains(n));
                delivery.map(Some).ok_or_else(unknown)
            }
            Some(_) => Err(unknown()),
            None => match id.parse() {
                Ok(Cursor {
                    number,
                    log: Log::Any | Log::Named(_),
                }) if (1..=self.service.mailbox.newest()).contains(&number) => Ok(None),
                _ => Err(unknown()),
            },
        }
    }
}
