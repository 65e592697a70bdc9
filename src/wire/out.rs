//! The way from a decoder to the [`Sink`]: neighbouring parts that are alike become one.

use super::carrier::Carriers;
use super::event::{Event, Sink};
use super::part::{Direction, Kind, Label, Part};
use super::span::Spans;

/// Takes one direction's parts during one call of `feed`.
pub(super) struct Out<'a> {
    sink: &'a mut dyn Sink,
    /// What carries the bytes that are told here.
    carriers: Option<&'a mut Carriers>,
    run: Part,
    /// Room for the spans of a unit, used again for each.
    pub spans: Spans,
}

impl<'a> Out<'a> {
    #[inline]
    pub fn new(direction: Direction, sink: &'a mut dyn Sink) -> Out<'a> {
        Out {
            sink,
            carriers: None,
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

    /// The same for content that is carried by these.
    pub fn inside<'b>(&'b mut self, carriers: &'b mut Carriers) -> Out<'b> {
        self.flush();
        Out {
            sink: &mut *self.sink,
            carriers: Some(carriers),
            run: self.run,
            spans: Spans::default(),
        }
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
            if let Some(carriers) = &mut self.carriers {
                carriers.labelled(&self.run);
            }
            self.sink.part(self.run);
            self.run.len = 0;
        }
    }
}

impl Drop for Out<'_> {
    #[inline]
    fn drop(&mut self) {
        self.flush();
    }
}
