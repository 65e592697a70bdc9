//! The surroundings of a simulated run: an address and a date.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::header::{DATE, HeaderValue};

use crate::clock;

/// The first port that no service is registered for (RFC 6335, section 6).
const PORT: u16 = 49_152;

/// The date of a simulated run, if no other is given: Sun, 09 Sep 2001 01:46:40 GMT, in seconds since 1970.
const DATED: Duration = Duration::from_secs(1_000_000_000);

/// The surroundings of a simulated run.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    /// The server's address. It is part of every request, so its length counts.
    pub address: SocketAddr,
    /// The date when the run begins. It is part of every answer, and HPACK's Huffman code makes some digits
    /// longer than others.
    pub date: SystemTime,
}

impl Default for Simulated {
    fn default() -> Self {
        Simulated {
            address: (Ipv4Addr::LOCALHOST, PORT).into(),
            date: SystemTime::UNIX_EPOCH + DATED,
        }
    }
}

impl Simulated {
    /// The present date, with a server at this address: for a prediction of a real run.
    pub(super) fn now(address: SocketAddr) -> Simulated {
        Simulated {
            address,
            date: SystemTime::now(),
        }
    }

    /// Puts the simulation's date into answers (RFC 9110, section 6.6.1); hyper knows only the system's.
    pub(super) fn dated(self, routes: Router) -> Router {
        let began = clock::now();
        routes.layer(map_response(move |response: Response| async move {
            dated(response, self.date, began)
        }))
    }
}

fn dated(mut response: Response, date: SystemTime, began: Instant) -> Response {
    let date = httpdate::fmt_http_date(date + clock::since(began));
    if let Ok(value) = HeaderValue::try_from(date) {
        response.headers_mut().entry(DATE).or_insert(value);
    }
    response
}
