//! Gives the sending side of a connection to the techniques' fan-out.

use std::sync::Arc;

use bytes::Bytes;

use crate::link;
use crate::technique::fanout::{Counts, Outlet};
use crate::wire::Known;

/// A connection's sending side in the form that the fan-out takes.
pub fn outlet(of: link::Outlet) -> Outlet {
    Outlet {
        socket: of.socket().clone(),
        counts: Arc::new(of),
    }
}

impl Counts for link::Outlet {
    fn is_free(&self) -> bool {
        link::Outlet::is_free(self)
    }

    fn moved(&self, bytes: usize) {
        link::Outlet::moved(self, bytes);
    }

    fn count(&self, sent: &mut dyn Iterator<Item = &Bytes>, known: &mut Known) {
        link::Outlet::count(self, sent, known);
    }
}
