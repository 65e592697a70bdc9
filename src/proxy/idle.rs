//! A proxy that gives up on an answer of which nothing comes for a while: nginx's `proxy_read_timeout`, haproxy's
//! `timeout server`, a load balancer's idle timeout. A stream that is silent for longer needs heartbeats.

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;

use super::passing::{Passing, body, cut};
use crate::clock;

/// Cuts an answer that is silent for too long.
pub fn apply(passing: &Passing, response: Response<Body>) -> Response<Body> {
    let Some(idle) = passing.settings.idle() else {
        return response;
    };
    let counts = passing.counts.clone();
    response.map(|from| {
        body(from, move |mut from| {
            let counts = counts.clone();
            async move {
                let Some(next) = clock::timeout(idle, from.frame()).await else {
                    counts.idle.add(1);
                    return Err(cut("the server was silent for too long"));
                };
                Ok(next.transpose()?.map(|frame| (frame, from)))
            }
        })
    })
}
