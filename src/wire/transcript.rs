//! A transcript of one connection for readers: all bytes in order, split where one thing ends and the next
//! begins. The sizes of reads and writes make no difference.
//!
//! The bytes pass through the same [`Decoder`] as in a run; only the [`Sink`] differs. So the sizes here are
//! those in a report.

use super::records::{Record, Records};
use super::{Decoder, Direction, Event, Kind, Labels, Part, Sink};

/// Something that crossed the socket.
#[derive(Clone, Copy, Debug)]
pub struct Crossed<'a> {
    /// When it crossed, microseconds on the caller's clock.
    pub at_us: f64,
    /// Whether these are TLS records; their plaintext crosses once more, after them.
    pub sealed: bool,
    /// The direction.
    pub direction: Direction,
    /// What crossed.
    pub what: Happened<'a>,
}

/// The kind of crossing.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// The bytes of one read or write.
    Bytes(&'a [u8]),
    /// The end of this direction's stream.
    End,
    /// A reset of the connection.
    Reset,
}

/// A connection's bytes, split into pieces. `explain` describes the purpose of each.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// In the order of their first bytes.
    pub pieces: Vec<Piece>,
    /// The ends of streams, in order.
    pub ends: Vec<End>,
    /// The TLS records, if the connection is encrypted.
    pub records: Vec<Record>,
    /// Bytes of each direction by label, up and down.
    pub labels: [Labels; 2],
    /// Bytes of each direction at the socket, up and down; the labels must sum to these.
    pub raw: [u64; 2],
}

/// Consecutive bytes of one direction and one kind.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Their direction.
    pub direction: Direction,
    /// The index of the crossing that brought the first byte.
    pub crossing: usize,
    /// The time of that crossing, microseconds on the caller's clock.
    pub at_us: f64,
    /// The offset of the first byte in its direction's stream.
    pub start: u64,
    /// Their kind.
    pub kind: Kind,
    /// Their labels. Encoded or escaped bytes have two labels, all others one.
    pub labels: Labels,
    /// The bytes as they crossed.
    pub bytes: Vec<u8>,
}

/// The end of one direction's stream.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The direction whose stream ends.
    pub direction: Direction,
    /// The index of the crossing.
    pub crossing: usize,
    /// Its time, microseconds on the caller's clock.
    pub at_us: f64,
    /// Whether it was a reset.
    pub reset: bool,
}

impl Transcript {
    /// Reads a connection with `decoder`, from its first byte on.
    pub fn read(mut decoder: Decoder, crossed: &[Crossed]) -> Transcript {
        let encrypted = crossed.iter().any(|crossing| crossing.sealed);
        let mut transcript = Transcript::default();
        let mut records = Records::default();
        let mut collected = Collected::default();
        let mut streams = [Vec::new(), Vec::new()];
        // By direction: the offset at which each crossing begins.
        let mut began = [Vec::new(), Vec::new()];
        for (number, crossing) in crossed.iter().enumerate() {
            let (direction, side) = (crossing.direction, crossing.direction as usize);
            let Happened::Bytes(bytes) = crossing.what else {
                transcript.ends.push(End {
                    direction,
                    crossing: number,
                    at_us: crossing.at_us,
                    reset: matches!(crossing.what, Happened::Reset),
                });
                continue;
            };
            // An encrypted byte appears twice, sealed and opened; only the bytes at the socket count.
            if crossing.sealed == encrypted {
                transcript.raw[side] += bytes.len() as u64;
            }
            if crossing.sealed {
                records.crossed(direction, crossing.at_us, bytes);
                continue;
            }
            records.opened(direction, bytes.len());
            began[side].push((streams[side].len() as u64, number));
            streams[side].extend_from_slice(bytes);
            decoder.feed(direction, bytes, &mut collected);
        }
        decoder.finish(&mut collected);
        transcript.pieces = collected.pieces(&streams, &began, crossed);
        transcript.records = records.finish();
        for piece in &transcript.pieces {
            transcript.labels[piece.direction as usize] += piece.labels;
        }
        for record in &transcript.records {
            transcript.labels[record.direction as usize].tls += record.added();
        }
        transcript
    }

    /// A transcript of these parts alone.
    pub fn of(cuts: Vec<Cut>) -> Transcript {
        let mut transcript = Transcript {
            pieces: joined(cuts),
            ..Transcript::default()
        };
        for piece in &transcript.pieces {
            let side = piece.direction as usize;
            transcript.labels[side] += piece.labels;
            transcript.raw[side] += piece.bytes.len() as u64;
        }
        transcript
    }

    /// Whether the transcript contains every byte exactly once.
    pub fn is_complete(&self) -> bool {
        let mut held = [0, 0];
        for piece in &self.pieces {
            held[piece.direction as usize] += piece.bytes.len() as u64;
        }
        for record in &self.records {
            held[record.direction as usize] += record.added();
        }
        self.labels.map(|l| l.total()) == self.raw && held == self.raw
    }
}

/// Records the parts.
#[derive(Debug, Default)]
struct Collected {
    parts: Vec<Part>,
}

/// A part, cut out of what crossed.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The part.
    pub part: Part,
    /// The index of the crossing that brought its first byte.
    pub crossing: usize,
    /// The time of that crossing, microseconds on the caller's clock.
    pub at_us: f64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Sink for Collected {
    fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
    fn event(&mut self, _: Event) {}
}

impl Collected {
    fn pieces(
        self,
        streams: &[Vec<u8>; 2],
        began: &[Vec<(u64, usize)>; 2],
        crossed: &[Crossed],
    ) -> Vec<Piece> {
        let cuts = self.parts.into_iter().map(|part| {
            let side = part.direction as usize;
            let crossing = crossing_of(&began[side], part.start);
            Cut {
                part,
                crossing,
                at_us: crossed[crossing].at_us,
                bytes: streams[side][part.start as usize..][..part.len as usize].to_vec(),
            }
        });
        joined(cuts.collect())
    }
}

/// Sorts the parts, and joins those that were separated only by a read or write.
fn joined(mut cuts: Vec<Cut>) -> Vec<Piece> {
    cuts.sort_by_key(|cut| (cut.part.direction, cut.part.start));
    let mut pieces: Vec<Piece> = Vec::new();
    for Cut {
        part,
        crossing,
        at_us,
        bytes,
    } in cuts
    {
        let mut labels = Labels::default();
        labels[part.label] += part.len;
        match pieces.last_mut() {
            Some(piece) if piece.continues_in(&part) => {
                if piece.kind == Kind::Escape {
                    piece.kind = part.kind;
                }
                piece.labels += labels;
                piece.bytes.extend_from_slice(&bytes);
            }
            _ => pieces.push(Piece {
                direction: part.direction,
                crossing,
                at_us,
                start: part.start,
                kind: part.kind,
                labels,
                bytes,
            }),
        }
    }
    pieces.sort_by_key(|piece| (piece.crossing, piece.start));
    pieces
}

fn crossing_of(began: &[(u64, usize)], offset: u64) -> usize {
    let next = began.partition_point(|(start, _)| *start <= offset);
    next.checked_sub(1).map_or(0, |i| began[i].1)
}

impl Piece {
    fn continues_in(&self, part: &Part) -> bool {
        // A decoder reports a head as a whole, so the next head is a new piece.
        let is_head = matches!(
            part.kind,
            Kind::RequestHead | Kind::ResponseHead | Kind::FrameHeader | Kind::H2FrameHeader
        );
        let mut same_label = Labels::default();
        same_label[part.label] += self.labels.total();
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
