//! The list of what a proxy may do to an answer. A further condition is a file like the others, and a line here.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;

use super::passing::{Passing, body};
use super::{buffer, compress, idle, longest};

/// What a proxy may do to an answer.
type Condition = fn(&Passing, Response<Body>) -> Response<Body>;

/// All of it, in the order from the server to the client.
const CONDITIONS: &[Condition] = &[
    taken,
    idle::apply,
    longest::apply,
    buffer::apply,
    compress::apply,
    passed,
];

/// The answer as the client gets it.
pub async fn pass(passing: &Passing, response: Response<Body>) -> Response<Body> {
    if response.body().is_end_stream() {
        return response;
    }
    let passed = CONDITIONS.iter().fold(response, |r, apply| apply(passing, r));
    if !passing.settings.holds_back(passing.hinted) {
        return passed;
    }
    // The head waits in the buffer like what follows it.
    let (head, mut rest) = passed.into_parts();
    let first = rest.frame().await;
    let whole = body((first, rest), |(first, mut rest)| async move {
        let next = match first {
            Some(first) => Some(first),
            None => rest.frame().await,
        };
        Ok(next.transpose()?.map(|frame| (frame, (None, rest))))
    });
    Response::from_parts(head, whole)
}

fn taken(passing: &Passing, response: Response<Body>) -> Response<Body> {
    let counts = passing.counts.clone();
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            counts.taken_bytes.add(frame.data_ref().map_or(0, Bytes::len));
            frame
        }))
    })
}

fn passed(passing: &Passing, response: Response<Body>) -> Response<Body> {
    let counts = passing.counts.clone();
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            counts.passed_bytes.add(frame.data_ref().map_or(0, Bytes::len));
            counts.pieces.add(1);
            frame
        }))
    })
}
