//! Clients that read slowly, beside the others.

use serde::{Deserialize, Serialize};

use crate::stats;

/// What clients that read slowly cost the server, themselves and the others (`--slow`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SlowReaders {
    /// How many clients read slowly.
    pub clients: u64,
    /// The most bytes of mail that the server had taken out of its log at one instant and not written yet, for all
    /// clients together: what is being written, and the clients' queues if they have some. `None` for a protocol on top
    /// of others, whose sessions keep their mail in their own ways.
    pub waiting_bytes: Option<u64>,
    /// The same in mails.
    pub waiting_mails: Option<u64>,
    /// The most mails that had arrived at the server, and not yet at a slow client, when it got one.
    pub behind_mails: u64,
    /// Mails that full queues dropped. Their clients were told, so they are in `mails.gap`, too, and are no fault.
    pub dropped: u64,
    /// How often a client was cut off because its queue was full.
    pub cut_off: u64,
    /// The latency of the mail that reached the slow clients; `None` if none did.
    pub latency_us: Option<Spread>,
    /// The latency of the others' mail; `None` if there are no others, or nothing reached them.
    pub others_latency_us: Option<Spread>,
    /// Every latency of the slow clients and of the others: pooled percentiles need them. Not part of the contract.
    #[serde(skip)]
    pub samples_us: [Vec<f64>; 2],
}

/// How long mail waited, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Median, nearest rank.
    pub p50: f64,
    /// 99th percentile, nearest rank.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl SlowReaders {
    /// The same with the latencies of these samples.
    pub fn with(self, mut samples_us: [Vec<f64>; 2]) -> SlowReaders {
        let [latency_us, others_latency_us] = samples_us.each_mut().map(|samples| {
            stats::summarize(samples).map(|s| Spread {
                mean: s.mean,
                p50: s.p50,
                p99: s.p99,
                max: s.max,
            })
        });
        SlowReaders {
            latency_us,
            others_latency_us,
            samples_us,
            ..self
        }
    }

    /// Several runs together: sums, the most of each, and the latencies of all; `None` if none has slow clients.
    pub fn pool<'a>(runs: impl Iterator<Item = Option<&'a SlowReaders>>) -> Option<SlowReaders> {
        let pooled = runs.flatten().cloned().reduce(|sum, next| SlowReaders {
            clients: sum.clients,
            // `None` is less than any number.
            waiting_bytes: sum.waiting_bytes.max(next.waiting_bytes),
            waiting_mails: sum.waiting_mails.max(next.waiting_mails),
            behind_mails: sum.behind_mails.max(next.behind_mails),
            dropped: sum.dropped + next.dropped,
            cut_off: sum.cut_off + next.cut_off,
            samples_us: [0, 1].map(|i| [&sum.samples_us[i][..], &next.samples_us[i]].concat()),
            ..SlowReaders::default()
        });
        pooled.map(|mut pooled| {
            let samples = std::mem::take(&mut pooled.samples_us);
            pooled.with(samples)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_pooled_with_the_latencies_of_all() {
        let run = |bytes, slow: &[f64]| {
            let counts = SlowReaders {
                clients: 2,
                waiting_bytes: Some(bytes),
                dropped: 1,
                ..SlowReaders::default()
            };
            counts.with([slow.to_vec(), vec![1.0]])
        };
        let runs = [run(10, &[100.0, 300.0]), run(40, &[200.0])];
        let pooled = SlowReaders::pool(runs.iter().map(Some)).unwrap();
        assert_eq!(
            (pooled.clients, pooled.waiting_bytes, pooled.dropped),
            (2, Some(40), 2)
        );
        let (slow, others) = (pooled.latency_us.unwrap(), pooled.others_latency_us.unwrap());
        assert_eq!((slow.p50, slow.max, others.mean), (200.0, 300.0, 1.0));
        assert_eq!(SlowReaders::pool([None].into_iter()), None);
        assert_eq!(run(1, &[]).latency_us, None);
    }
}
