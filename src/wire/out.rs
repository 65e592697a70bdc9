//! The way from a decoder to the [`Sink`]: neighbouring parts that are alike become one.

use super::{Direction, Event, Kind, Label, Part, Sink};

/// Takes one direction's parts during one call of `feed`.
pub(super) struct Out<'a, S: Sink> {
    sink: &'a mut S,
    run: Part,
    /// What has passed since this was last cleared; a chunk is labelled by what it held.
    pub seen: Seen,
}

/// Which labels have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A byte under [`Label::Control`].
    pub control: bool,
    /// A byte under any other label.
    pub other: bool,
}

impl<'a, S: Sink> Out<'a, S> {
    #[inline]
    pub fn new(direction: Direction, sink: &'a mut S) -> Self {
        let run = Part {
            direction,
            start: 0,
            len: 0,
            label: Label::Control,
            kind: Kind::Unread,
        };
        Out {
            sink,
            run,
            seen: Seen::default(),
        }
    }

    #[inline]
    pub fn part(&mut self, start: u64, len: u64, label: Label, kind: Kind) {
        if len == 0 {
            return;
        }
        match label {
            Label::Control => self.seen.control = true,
            _ => self.seen.other = true,
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

    /// Tells an event, after the parts that led to it.
    #[inline]
    pub fn event(&mut self, event: Event) {
        self.flush();
        self.sink.event(event);
    }

    /// See [`Sink::said`].
    pub fn said(&mut self, head: u64) {
        self.sink.said(self.run.direction, head);
    }

    /// See [`Sink::told`].
    pub fn told(&mut self, bytes: u64) {
        self.sink.told(bytes);
    }

    /// See [`Sink::mail`].
    pub fn mail(&mut self) {
        self.sink.mail();
    }

    #[inline]
    fn flush(&mut self) {
        if self.run.len > 0 {
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
