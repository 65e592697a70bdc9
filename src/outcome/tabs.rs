//! What it cost the tabs of one browser that they share its connections.

use serde::{Deserialize, Serialize};

/// How requests waited for a free connection (`--tabs`), summed over tabs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TabQueue {
    /// How many requests the browser has on their way at once; `None` on HTTP/2, where nothing limits them.
    pub limit: Option<u64>,
    /// Requests that found no free connection.
    pub queued: u64,
    /// Those of them that got none until the run ended or their tab gave them up.
    pub unserved: u64,
    /// Tabs with an unserved request.
    pub starved: u64,
    /// Mails that these tabs had not got when the run ended. They are in `mails.undelivered`, too, and are no fault: the
    /// scenario has too few connections for them.
    pub undelivered: u64,
    /// How long a request in the queue waited on average, served or not, microseconds; `None` if none did.
    pub wait_mean_us: Option<f64>,
    /// The longest of these waits.
    pub wait_max_us: Option<f64>,
}

impl TabQueue {
    /// The sum over runs; `None` if none of them has tabs.
    pub fn sum<'a>(each: impl Iterator<Item = Option<&'a TabQueue>>) -> Option<TabQueue> {
        each.flatten().cloned().reduce(|sum, next| {
            let waited = |q: &TabQueue| q.wait_mean_us.unwrap_or(0.0) * q.queued as f64;
            let queued = sum.queued + next.queued;
            TabQueue {
                limit: sum.limit,
                queued,
                unserved: sum.unserved + next.unserved,
                starved: sum.starved + next.starved,
                undelivered: sum.undelivered + next.undelivered,
                wait_mean_us: (queued > 0).then(|| (waited(&sum) + waited(&next)) / queued as f64),
                wait_max_us: sum
                    .wait_max_us
                    .into_iter()
                    .chain(next.wait_max_us)
                    .reduce(f64::max),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_of_several_runs_are_weighted() {
        let run = |queued, wait: Option<f64>| TabQueue {
            limit: Some(6),
            queued,
            unserved: 1,
            wait_mean_us: wait,
            wait_max_us: wait,
            ..TabQueue::default()
        };
        let runs = [run(3, Some(10.0)), run(1, Some(50.0)), run(0, None)];
        let sum = TabQueue::sum(runs.iter().map(Some)).unwrap();
        assert_eq!((sum.queued, sum.unserved, sum.limit), (4, 3, Some(6)));
        assert_eq!((sum.wait_mean_us, sum.wait_max_us), (Some(20.0), Some(50.0)));
        assert_eq!(TabQueue::sum([None, None].into_iter()), None);
    }
}
