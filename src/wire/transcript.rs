//! One connection as a reader wants it: what crossed, in the order in which it crossed, cut where one
//! thing ends and the next begins, whatever the reads and writes were that carried it.
//!
//! The bytes go through the same [`Decoder`] as a run's; only the [`Sink`] differs. So the sizes here
//! are those that a report counts.

use super::annotate::tls::Records;
use super::annotate::{self, Unit};
use super::{Decoder, Direction, Event, Kind, Labels, Part, Sink};

/// Something that crossed.
#[derive(Clone, Copy, Debug)]
pub struct Crossed<'a> {
    /// When, microseconds since whatever the caller counts from.
    pub at_us: f64,
    /// Whether these are TLS's records; what comes out of them crosses once more, behind them.
    pub sealed: bool,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub what: Happened<'a>,
}

/// What crossed.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// Bytes that one call of the socket took or gave.
    Bytes(&'a [u8]),
    /// The end of this direction's stream.
    End,
    /// The connection's sudden end.
    Reset,
}

/// What crossed one connection, named and explained.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// In the order of their first bytes.
    pub units: Vec<Unit>,
    /// Bytes of each direction by label, up and down.
    pub labels: [Labels; 2],
    /// Bytes of each direction as they were fed, up and down: what the labels must sum to.
    pub raw: [u64; 2],
}

/// Bytes of one direction that are one thing.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub direction: Direction,
    /// Which crossing brought its first byte.
    pub crossing: usize,
    /// Offset in its direction's stream.
    pub start: u64,
    pub kind: Kind,
    /// What stands encoded or escaped has two labels, everything else one.
    pub labels: Labels,
    pub bytes: Vec<u8>,
}

impl Transcript {
    /// Reads a connection that speaks what `decoder` reads, from its first byte on.
    pub fn read(mut decoder: Decoder, crossed: &[Crossed]) -> Transcript {
        let (sealed, opened): (Vec<_>, Vec<_>) = crossed.iter().copied().partition(|c| c.sealed);
        if !sealed.is_empty() {
            return Transcript::read(decoder, &opened).in_records(crossed);
        }
        let mut collected = Collected::default();
        let mut streams = [Vec::new(), Vec::new()];
        // By direction: the offset at which each crossing began.
        let mut began = [Vec::new(), Vec::new()];
        for (number, crossing) in crossed.iter().enumerate() {
            if let Happened::Bytes(bytes) = crossing.what {
                let side = crossing.direction as usize;
                began[side].push((streams[side].len() as u64, number));
                streams[side].extend_from_slice(bytes);
                decoder.feed(crossing.direction, bytes, &mut collected);
            }
        }
        decoder.finish(&mut collected);
        let mut runs = collected.runs(&streams, &began);
        runs.sort_by_key(|run| (run.crossing, run.start));
        let mut labels = [Labels::default(); 2];
        for run in &runs {
            labels[run.direction as usize] += run.labels;
        }
        Transcript {
            units: annotate::units(&runs, crossed),
            labels,
            raw: streams.map(|s| s.len() as u64),
        }
    }

    /// Puts the records among what they seal.
    fn in_records(mut self, crossed: &[Crossed]) -> Transcript {
        let mut records = Records::default();
        for crossing in crossed {
            match crossing.what {
                Happened::Bytes(bytes) if crossing.sealed => {
                    self.raw[crossing.direction as usize] += bytes.len() as u64;
                    records.crossed(crossing.direction, crossing.at_us, bytes);
                }
                Happened::Bytes(bytes) => {
                    // Counted at the socket.
                    self.raw[crossing.direction as usize] -= bytes.len() as u64;
                    records.opened(crossing.direction, bytes.len());
                }
                Happened::End | Happened::Reset => {}
            }
        }
        for unit in records.finish() {
            self.labels[unit.direction as usize] += unit.labels();
            self.units.push(unit);
        }
        self.units.extend(annotate::units(&[], &crossed_ends(crossed)));
        self.units.sort_by(|a, b| a.at_us.total_cmp(&b.at_us));
        self
    }

    /// What the first request asks for.
    pub fn target(&self) -> Option<&str> {
        self.units.iter().find_map(|u| u.target.as_deref())
    }

    /// Whether every byte is in the transcript, under one label.
    pub fn is_complete(&self) -> bool {
        let mut shown = [0, 0];
        for unit in &self.units {
            shown[unit.direction as usize] += unit.len();
        }
        self.labels.map(|l| l.total()) == self.raw && shown == self.raw
    }
}

/// Remembers the parts.
#[derive(Debug, Default)]
struct Collected {
    parts: Vec<Part>,
}

impl Sink for Collected {
    fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
    fn event(&mut self, _: Event) {}
}

impl Collected {
    /// Puts the parts in order and joins what only a read or write cut apart.
    fn runs(mut self, streams: &[Vec<u8>; 2], began: &[Vec<(u64, usize)>; 2]) -> Vec<Run> {
        self.parts.sort_by_key(|p| (p.direction, p.start));
        let mut runs: Vec<Run> = Vec::new();
        for part in self.parts {
            let side = part.direction as usize;
            let mut labels = Labels::default();
            labels.add(part.label, part.len);
            let bytes = &streams[side][part.start as usize..][..part.len as usize];
            match runs.last_mut() {
                Some(run) if run.continues_in(&part) => {
                    run.kind = if run.kind == Kind::Escape {
                        part.kind
                    } else {
                        run.kind
                    };
                    run.labels += labels;
                    run.bytes.extend_from_slice(bytes);
                }
                _ => runs.push(Run {
                    direction: part.direction,
                    crossing: crossing_of(&began[side], part.start),
                    start: part.start,
                    kind: part.kind,
                    labels,
                    bytes: bytes.to_vec(),
                }),
            }
        }
        runs
    }
}

/// The ends of streams that the socket saw.
fn crossed_ends<'a>(crossed: &[Crossed<'a>]) -> Vec<Crossed<'a>> {
    let ends = crossed
        .iter()
        .filter(|c| c.sealed && !matches!(c.what, Happened::Bytes(_)));
    ends.copied().collect()
}

fn crossing_of(began: &[(u64, usize)], offset: u64) -> usize {
    let next = began.partition_point(|(start, _)| *start <= offset);
    next.checked_sub(1).map_or(0, |i| began[i].1)
}

impl Run {
    fn continues_in(&self, part: &Part) -> bool {
        // A decoder tells a head whole: the next one is another.
        let is_head = matches!(
            part.kind,
            Kind::RequestHead | Kind::ResponseHead | Kind::FrameHeader | Kind::H2FrameHeader
        );
        let mut same_label = Labels::default();
        same_label.add(part.label, self.labels.total());
        // Escapes belong to the string that they stand in.
        let text = |kind| matches!(kind, Kind::Mail | Kind::Reply);
        let same_kind = match (self.kind, part.kind) {
            (a, b) if a == b => text(a) || a == Kind::Attachment || same_label == self.labels,
            (Kind::Escape, other) | (other, Kind::Escape) => text(other),
            _ => false,
        };
        self.direction == part.direction
            && same_kind
            && self.start + self.bytes.len() as u64 == part.start
            && !is_head
    }
}
