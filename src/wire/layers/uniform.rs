//! Content with one label, independent of its bytes: a client's POST, an error's body, unreadable bytes.

use super::super::{Carried, Direction, Kind, Label, Layer, Spans};

/// Labels all bytes the same.
#[derive(Debug)]
pub(in super::super) struct Uniform(pub Label, pub Kind);

impl Layer for Uniform {
    fn uniform(&self, _sender: Direction) -> Option<(Label, Kind)> {
        Some((self.0, self.1))
    }

    fn unit(&mut self, bytes: &[u8], _from: usize, _sender: Direction) -> Option<usize> {
        Some(bytes.len())
    }

    fn label(&mut self, unit: &[u8], _carried: Carried, spans: &mut Spans) {
        spans.push(unit.len(), self.0, self.1);
    }
}
