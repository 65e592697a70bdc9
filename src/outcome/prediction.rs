//! What a run should measure according to a simulated run, or to a formula.

use serde::{Deserialize, Serialize};

use super::bytes::Traffic;
use super::proxy::BehindProxies;
use super::slow::SlowReaders;
use super::tabs::TabQueue;

/// What the scenario costs with simulated time and a simulated network. Of many clients that are alike, a
/// few are simulated and multiplied, so counts may have decimals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// `simulated`, or `simulated with 64 of 1000 clients`. Files of older versions have `closed form`, too.
    pub method: String,
    /// Mean and worst latency.
    pub latency_us: PredictedLatency,
    /// The same by the technique's formula; `null` if the scenario has none.
    #[serde(default)]
    pub formula_us: Option<PredictedLatency>,
    /// The prediction for clients' messages; `None` unless clients talk.
    #[serde(default)]
    pub talk: Option<PredictedTalk>,
    /// How mail comes out of the proxies on the way; `None` without any.
    #[serde(default)]
    pub behind_proxies: Option<BehindProxies>,
    /// HTTP requests.
    pub requests: PredictedRequests,
    /// How requests wait for a connection; `None` unless the clients are tabs of one browser.
    #[serde(default)]
    pub tabs: Option<TabQueue>,
    /// What slow clients cost; `None` unless some read slowly.
    #[serde(default)]
    pub slow: Option<SlowReaders>,
    /// Bytes by label.
    pub bytes: Traffic<f64>,
    /// All bytes except payload, in both directions.
    pub overhead_bytes: f64,
}

impl Prediction {
    /// How many of the `expected` mails it delivers: all but those that cannot come in this scenario.
    pub fn mails(&self, expected: u64) -> u64 {
        let starved = self.tabs.as_ref().map_or(0, |tabs| tabs.undelivered);
        let dropped = self.slow.as_ref().map_or(0, |slow| slow.dropped);
        expected.saturating_sub(starved + dropped)
    }

    /// Whether there is a prediction. A client that joins in the middle of a run has none.
    pub fn was_made(&self) -> bool {
        !self.method.is_empty()
    }
}

/// Serialises a prediction that was not made as `null`.
pub(super) mod unless_unmade {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Prediction;

    pub fn serialize<S: Serializer>(predicted: &Prediction, to: S) -> Result<S::Ok, S::Error> {
        predicted.was_made().then_some(predicted).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Prediction, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}

/// The prediction for clients' messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedTalk {
    /// From the due instant until the server's application has the message.
    pub latency_us: PredictedLatency,
    /// As [`super::Talk::overhead_bytes`].
    pub overhead_bytes: f64,
    /// As [`super::Talk::connections_per_client`].
    pub connections_per_client: f64,
}

/// Predicted latency, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedLatency {
    /// Mean over all deliveries.
    pub mean: f64,
    /// The worst that can happen.
    pub max: f64,
}

/// Predicted requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictedRequests {
    /// All of them.
    pub total: f64,
    /// Requests answered without mail; `None` for a technique that has none of these.
    pub empty: Option<f64>,
}
