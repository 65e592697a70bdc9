//! The sending side of a connection, as the techniques' fan-out gets it.

use std::sync::Arc;

use bytes::Bytes;

use crate::link;
use crate::technique::fanout::{Counts, Outlet};

/// Lends a connection's sending side.
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

    fn count(&self, sent: &mut dyn Iterator<Item = &Bytes>) {
        link::Outlet::count(self, sent);
    }
}
