//! The connection from a decoder to its [`Sink`], which joins neighbouring parts of the same kind and label.

use super::carrier::Carriers;
use super::{Direction, Event, Kind, Label, Part, Sink, Spans};

/// Takes the parts of one direction during one call of `feed`.
pub(super) struct Out<'a, S: Sink> {
    sink: &'a mut S,
    /// The carriers of the current bytes; empty if there are none.
    carriers: Carriers,
    run: Part,
    /// A buffer for the spans of a unit, reused for each.
    pub spans: Spans,
}

impl<'a, S: Sink> Out<'a, S> {
    #[inline]
    pub fn new(direction: Direction, sink: &'a mut S) -> Self {
        Out {
            sink,
            carriers: Carriers::default(),
            run: Part {
                direction,
                start: 0,
                len: 0,
                label: Label::Control,
                kind: Kind::Unread,
            },
            spans: Spans::default(),
        }
    }

    /// Runs `read` on content within these carriers.
    #[inline]
    pub fn inside<T>(&mut self, carriers: &mut Carriers, read: impl FnOnce(&mut Self) -> T) -> T {
        self.flush();
        std::mem::swap(&mut self.carriers, carriers);
        let read = read(self);
        self.flush();
        std::mem::swap(&mut self.carriers, carriers);
        read
    }

    #[inline]
    pub fn part(&mut self, start: u64, len: u64, label: Label, kind: Kind) {
        if len == 0 {
            return;
        }
        let run = &mut self.run;
        if run.start + run.len == start && run.label == label && run.kind == kind {
            run.len += len;
        } else {
            self.flush();
            self.run = Part {
                start,
                len,
                label,
                kind,
                ..self.run
            };
        }
    }

    /// Labels the surroundings of carriers: see [`Carriers::take_decided`].
    pub fn settle(&mut self, carriers: &mut Carriers, all: bool) {
        for carrier in carriers.take_decided(all) {
            let (label, places) = carrier.surroundings();
            for (start, len, kind) in places {
                self.part(start, len, label, kind);
            }
        }
    }

    /// Passes an event on, after the parts before it.
    #[inline]
    pub fn event(&mut self, event: Event) {
        self.flush();
        self.sink.event(event);
    }

    /// See [`Sink::message_head`].
    pub fn message_head(&mut self, head: u64) {
        self.sink.message_head(self.run.direction, head);
    }

    /// See [`Sink::client_state`].
    pub fn client_state(&mut self, bytes: u64) {
        self.sink.client_state(bytes);
    }

    /// See [`Sink::mail`].
    pub fn mail(&mut self) {
        self.sink.mail();
    }

    #[inline]
    fn flush(&mut self) {
        if self.run.len > 0 {
            self.carriers.labelled(&self.run);
            self.sink.part(self.run);
            self.run.len = 0;
        }
    }
}

impl<S: Sink> Drop for Out<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.flush();
    }
}
