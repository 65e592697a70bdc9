//! Requests that a class refuses, and the answers to them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde_json::json;

use crate::lang::{Text, phrase};

/// Why a student could not join, or something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The code is wrong.
    Code,
    /// The token belongs to nobody.
    Unknown,
    /// There is no place.
    Full,
    /// Too often.
    TooOften,
    /// It is not what is allowed.
    Bad(Text),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Refused::Code => (
                StatusCode::FORBIDDEN,
                phrase!("this is not the code of the class"),
            ),
            Refused::Unknown => (
                StatusCode::NOT_FOUND,
                phrase!("this class does not know you: join again"),
            ),
            Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, phrase!("the class is full")),
            Refused::TooOften => (StatusCode::TOO_MANY_REQUESTS, phrase!("too often: wait a moment")),
            Refused::Bad(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
        };
        let mut answer = fresh((status, Json(json!({ "error": why.in_both() }))));
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        answer
    }
}

/// An answer that is never kept.
pub fn fresh(answer: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], answer).into_response()
}
