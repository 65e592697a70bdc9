//! A proxy that cuts an answer that lasts too long, even if something comes all the time: a request timeout, as many
//! hosts of serverless functions have it.

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;

use super::passing::{Passing, body, cut};
use crate::clock;

/// Cuts an answer that lasts too long, counted from its head.
pub fn apply(passing: &Passing, response: Response<Body>) -> Response<Body> {
    let Some(longest) = passing.settings.longest_answer() else {
        return response;
    };
    let (counts, end) = (passing.counts.clone(), clock::now() + longest);
    response.map(|from| {
        body(from, move |mut from| {
            let counts = counts.clone();
            async move {
                let left = end.saturating_duration_since(clock::now());
                let Some(next) = clock::timeout(left, from.frame()).await else {
                    counts.too_long.add(1);
                    return Err(cut("the answer lasted too long"));
                };
                Ok(next.transpose()?.map(|frame| (frame, from)))
            }
        })
    })
}
