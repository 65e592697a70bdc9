//! How long clients wait before they connect again, in words.

use super::amounts::duration;
use crate::lang::t;
use crate::outcome::Retry;
use crate::report::numbers::figure;
use crate::theory::Jitter;

/// What differs from the usual.
pub fn unusual(retry: &Retry) -> Option<String> {
    let first = retry
        .first_ms
        .map(|ms| t!("first wait before reconnecting %{first}", first = duration(ms)));
    let factor = (retry.factor != Retry::default().factor).then(|| {
        t!(
            "each further wait before reconnecting times %{factor}",
            factor = figure(retry.factor)
        )
    });
    let parts: Vec<String> = first.into_iter().chain(factor).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// All of it, with the longest wait in milliseconds.
pub fn all_waits(retry: &Retry, longest_ms: f64) -> String {
    t!(
        "first wait %{first}, times %{factor} after each failure up to %{most}, %{jitter}",
        first = duration(retry.first_ms.unwrap_or_default()),
        factor = figure(retry.factor),
        most = duration(longest_ms),
        jitter = match retry.jitter {
            Jitter::None => t!("no jitter"),
            Jitter::Equal => t!("equal jitter"),
            Jitter::Full => t!("full jitter"),
        }
    )
}
