//! `--repeat`: the same scenario with several seeds, one after the other, and their pooled outcomes. One
//! run shows what happened; only several show how far it would happen again.

use std::sync::Arc;

use anyhow::Context;

use super::{Lab, OnProgress, Progress};
use crate::mail::Plan;
use crate::outcome::{
    Balanced, BehindProxies, Connections, Delivery, EachWay, EventSources, Latency, Messages, Outcome,
    PerRun, PredictedLatency, PredictedRequests, PredictedTalk, Prediction, Requests, Scenario, Segments,
    ServerUse, SlowReaders, StateBytes, TabQueue, Talk, Traffic, Trust,
};
use crate::stats;
use crate::technique::Technique;

/// The most connections that are kept one by one, as in a single run.
const KEPT_APART: usize = 100;

impl Lab {
    /// Compares the techniques once per seed, from the scenario's upward, and pools the outcomes of each.
    ///
    /// If it is interrupted, it pools the seeds that were complete; within the first seed, it returns what
    /// there is.
    ///
    /// # Errors
    /// As [`Lab::compare`], or if a seed's mail cannot be drawn.
    pub fn repeat(
        &self,
        techniques: &[&'static Technique],
        progress: OnProgress,
    ) -> anyhow::Result<Vec<Outcome>> {
        let seeds = self.scenario.repeat;
        if seeds <= 1 {
            return self.compare(techniques, progress);
        }
        let mut done: Vec<Vec<Outcome>> = vec![Vec::new(); techniques.len()];
        for n in 0..seeds {
            let lab = self.seeded(self.scenario.seed.wrapping_add(n.into()))?;
            let finished = lab.compare(techniques, &|now| {
                let at = techniques.iter().position(|t| t.name == now.technique);
                let before = at.map_or(&[][..], |at| &done[at]);
                progress(overall(now, before, seeds));
            });
            if self.interrupt.is_cancelled() {
                if n == 0 {
                    return finished;
                }
                break;
            }
            let finished = finished.with_context(|| format!("with seed {}", lab.scenario.seed))?;
            for (seeds, outcome) in done.iter_mut().zip(finished) {
                seeds.push(outcome);
            }
        }
        Ok(done.into_iter().filter_map(pool).collect())
    }

    /// The same lab under another seed. Replayed mail is the same under each.
    fn seeded(&self, seed: u64) -> anyhow::Result<Lab> {
        let scenario = Scenario {
            seed,
            ..(*self.scenario).clone()
        };
        let plan = match scenario.replay {
            Some(_) => self.plan.clone(),
            None => Arc::new(Plan::draw(&scenario)?),
        };
        Ok(Lab {
            scenario: Arc::new(scenario),
            plan,
            ..self.clone()
        })
    }
}

/// The progress over all seeds, from that of one seed and the outcomes before it.
fn overall(now: Progress, before: &[Outcome], seeds: u32) -> Progress {
    let sum = |of: fn(&Outcome) -> u64| before.iter().map(of).sum::<u64>();
    Progress {
        delivered: now.delivered + sum(|o| o.mails.delivered),
        expected: now.expected * u64::from(seeds),
        requests: now.requests + sum(|o| o.requests.total),
        bytes: now.bytes + sum(|o| o.bytes.up.total + o.bytes.down.total),
        done: now.done && before.len() + 1 == seeds as usize,
        ..now
    }
}

/// Pools one technique's seeds into one outcome, which keeps the first one's events.
fn pool(mut seeds: Vec<Outcome>) -> Option<Outcome> {
    let mut samples_us = Vec::new();
    for seed in &mut seeds {
        samples_us.append(&mut seed.samples_us);
    }
    let events = std::mem::take(&mut seeds.first_mut()?.events);
    let attempts = std::mem::take(&mut seeds.first_mut()?.attempts);
    let connections = connections(&mut seeds);
    for seed in &mut seeds {
        (seed.events, seed.events_truncated) = (Vec::new(), true);
        seed.latency_quantiles_us = Vec::new();
    }
    let mails = delivery(&seeds);
    let carried = total(&seeds, Outcome::carried);
    let talk = talk(&mut seeds);
    let overhead = total(&seeds, |o| o.overhead_bytes);
    Some(Outcome {
        talk,
        technique: seeds.first()?.technique.clone(),
        latency_us: stats::summarize(&mut samples_us).map(Latency::from),
        latency_quantiles_us: stats::quantiles(&samples_us),
        latency_histogram: Default::default(),
        requests: Requests {
            total: total(&seeds, |o| o.requests.total),
            empty: known(&seeds, |o| o.requests.empty),
            failed: known(&seeds, |o| o.requests.failed),
        },
        state: StateBytes {
            times: total(&seeds, |o| o.state.times),
            bytes: total(&seeds, |o| o.state.bytes),
        },
        messages: Messages {
            down: known(&seeds, |o| o.messages.down),
            up: known(&seeds, |o| o.messages.up),
            first_us: seeds.iter().filter_map(|o| o.messages.first_us).reduce(f64::max),
        },
        connections,
        tabs: TabQueue::sum(seeds.iter().map(|o| o.tabs.as_ref())),
        slow: SlowReaders::pool(seeds.iter().map(|o| o.slow.as_ref())),
        segments: Segments {
            down: known(&seeds, |o| o.segments.down),
            up: known(&seeds, |o| o.segments.up),
        },
        server: server_use(&seeds, carried),
        bytes: seeds.iter().fold(Traffic::default(), |sum, o| sum + o.bytes),
        overhead_bytes: overhead,
        overhead_bytes_per_delivery: (carried > 0).then(|| overhead as f64 / carried as f64),
        predicted: prediction(&seeds),
        trust: trust(&seeds),
        events,
        events_truncated: true,
        attempts,
        event_sources: EventSources::sum(seeds.iter().map(|o| o.event_sources.as_ref())),
        behind_proxies: BehindProxies::sum(seeds.iter().map(|o| o.behind_proxies.as_ref())),
        balanced: Balanced::sum(seeds.iter().map(|o| o.balanced.as_ref())),
        per_run: PerRun::of(&seeds),
        mails,
        repeats: seeds,
        samples_us,
    })
}

fn total(seeds: &[Outcome], of: fn(&Outcome) -> u64) -> u64 {
    seeds.iter().map(of).sum()
}

/// The sum of the known values; `None` if there are none.
fn known(seeds: &[Outcome], of: fn(&Outcome) -> Option<u64>) -> Option<u64> {
    seeds.iter().filter_map(of).reduce(|a, b| a + b)
}

fn delivery(seeds: &[Outcome]) -> Delivery {
    Delivery {
        sent: total(seeds, |o| o.mails.sent),
        expected: total(seeds, |o| o.mails.expected),
        delivered: total(seeds, |o| o.mails.delivered),
        lost: total(seeds, |o| o.mails.lost),
        undelivered: total(seeds, |o| o.mails.undelivered),
        duplicated: total(seeds, |o| o.mails.duplicated),
        reordered: total(seeds, |o| o.mails.reordered),
        gap: total(seeds, |o| o.mails.gap),
        reset: total(seeds, |o| o.mails.reset),
        carried: known(seeds, |o| o.mails.carried),
        held_back: known(seeds, |o| o.mails.held_back),
        replies: known(seeds, |o| o.mails.replies),
    }
}

/// Adds counts up; weights figures for one message by the number of messages.
fn talk(seeds: &mut [Outcome]) -> Option<Talk> {
    let mut samples_us = Vec::new();
    for seed in seeds.iter_mut().filter_map(|o| o.talk.as_mut()) {
        samples_us.append(&mut seed.samples_us);
    }
    let each: Vec<&Talk> = seeds.iter().filter_map(|o| o.talk.as_ref()).collect();
    let sum = |of: fn(&Talk) -> u64| each.iter().map(|t| of(t)).sum::<u64>();
    let (heard, overhead_bytes) = (sum(|t| t.heard), sum(|t| t.overhead_bytes));
    let carried = seeds.iter().map(Outcome::carried).sum::<u64>();
    let down = seeds.iter().filter_map(|o| {
        let each = o.talk.as_ref()?.overhead_bytes_per_message.down?;
        Some(each * o.carried() as f64)
    });
    let latency_us = stats::summarize(&mut samples_us).map(Latency::from);
    (!each.is_empty()).then(|| Talk {
        sent: sum(|t| t.sent),
        heard,
        lost: sum(|t| t.lost),
        duplicated: sum(|t| t.duplicated),
        latency_us,
        overhead_bytes,
        overhead_bytes_per_message: EachWay {
            up: (heard > 0).then(|| overhead_bytes as f64 / heard as f64),
            down: (carried > 0).then(|| down.sum::<f64>() / carried as f64),
        },
        connections_per_client: each.iter().map(|t| t.connections_per_client).sum::<f64>()
            / each.len() as f64,
        samples_us,
    })
}

/// Pools the connections, and takes the single ones out of the seeds.
fn connections(seeds: &mut [Outcome]) -> Connections {
    Connections {
        opened: total(seeds, |o| o.connections.opened),
        peak: seeds.iter().map(|o| o.connections.peak).max().unwrap_or(0),
        reconnects: known(seeds, |o| o.connections.reconnects),
        each: seeds
            .iter_mut()
            .flat_map(|o| std::mem::take(&mut o.connections.each))
            .take(KEPT_APART)
            .collect(),
    }
}

/// Adds up processor time; takes the mean of memory per connection.
fn server_use(seeds: &[Outcome], carried: u64) -> Option<ServerUse> {
    let used: Vec<&ServerUse> = seeds.iter().filter_map(|o| o.server.as_ref()).collect();
    let cpu_us = used.iter().map(|u| u.cpu_us).sum::<f64>();
    let memory: Vec<f64> = used
        .iter()
        .filter_map(|u| u.memory_bytes_per_connection)
        .collect();
    (!used.is_empty()).then(|| ServerUse {
        cpu_us,
        cpu_us_per_delivery: (carried > 0).then(|| cpu_us / carried as f64),
        memory_bytes_per_connection: (!memory.is_empty())
            .then(|| memory.iter().sum::<f64>() / memory.len() as f64),
    })
}

/// The prediction for all seeds together, weighted by the mail that each expects.
fn prediction(seeds: &[Outcome]) -> Prediction {
    let sum = |of: fn(&Outcome) -> f64| seeds.iter().map(of).sum::<f64>();
    let expected = sum(|o| o.mails.expected as f64);
    let each = |of: fn(&Prediction) -> Option<PredictedLatency>| {
        let latencies: Option<Vec<_>> = seeds.iter().map(|o| of(&o.predicted)).collect();
        let latencies = latencies?;
        let weights = seeds.iter().map(|o| o.mails.expected as f64);
        let waited: f64 = latencies.iter().zip(weights).map(|(l, n)| l.mean * n).sum();
        Some(PredictedLatency {
            mean: if expected > 0.0 { waited / expected } else { 0.0 },
            max: latencies.iter().map(|l| l.max).fold(0.0, f64::max),
        })
    };
    let empty = seeds.iter().filter_map(|o| o.predicted.requests.empty);
    let talk = predicted_talk(seeds);
    Prediction {
        method: seeds
            .first()
            .map(|o| o.predicted.method.clone())
            .unwrap_or_default(),
        talk,
        latency_us: each(|p| Some(p.latency_us)).unwrap_or_default(),
        formula_us: each(|p| p.formula_us),
        behind_proxies: BehindProxies::sum(seeds.iter().map(|o| o.predicted.behind_proxies.as_ref())),
        requests: PredictedRequests {
            total: sum(|o| o.predicted.requests.total),
            empty: empty.reduce(|a, b| a + b),
        },
        tabs: TabQueue::sum(seeds.iter().map(|o| o.predicted.tabs.as_ref())),
        slow: SlowReaders::pool(seeds.iter().map(|o| o.predicted.slow.as_ref())),
        bytes: seeds
            .iter()
            .fold(Traffic::default(), |sum, o| sum + o.predicted.bytes),
        overhead_bytes: sum(|o| o.predicted.overhead_bytes),
    }
}

/// The same for clients' messages, weighted by the messages of each seed.
fn predicted_talk(seeds: &[Outcome]) -> Option<PredictedTalk> {
    let each = seeds
        .iter()
        .filter_map(|o| Some((o.talk.as_ref()?.sent as f64, o.predicted.talk?)));
    let each: Vec<(f64, PredictedTalk)> = each.collect();
    let sent = each.iter().map(|(n, _)| n).sum::<f64>();
    let waited = each.iter().map(|(n, talk)| n * talk.latency_us.mean).sum::<f64>();
    let connections = each
        .iter()
        .map(|(_, talk)| talk.connections_per_client)
        .sum::<f64>();
    (!each.is_empty()).then(|| PredictedTalk {
        latency_us: PredictedLatency {
            mean: if sent > 0.0 { waited / sent } else { 0.0 },
            max: each
                .iter()
                .map(|(_, talk)| talk.latency_us.max)
                .fold(0.0, f64::max),
        },
        overhead_bytes: each.iter().map(|(_, talk)| talk.overhead_bytes).sum(),
        connections_per_client: connections / each.len() as f64,
    })
}

/// The worst of all seeds.
fn trust(seeds: &[Outcome]) -> Trust {
    let mut trust = Trust {
        late_p99_us: seeds.iter().filter_map(|o| o.trust.late_p99_us).reduce(f64::max),
        starved: seeds.iter().any(|o| o.trust.starved),
        warnings: Vec::new(),
    };
    let warnings = seeds.iter().flat_map(|o| &o.trust.warnings);
    warnings.for_each(|warning| trust.warn(warning.clone()));
    trust
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Warning;
    use crate::technique::named;
    use parking_lot::Mutex;

    fn lab(repeat: u32) -> Lab {
        Lab::new(Scenario {
            mails: 5,
            rate_per_s: 500.0,
            poll_interval_ms: 10.0,
            seed: 7,
            repeat,
            ..Scenario::default()
        })
        .unwrap()
    }

    fn two() -> Vec<&'static Technique> {
        vec![named("poll").unwrap(), named("ws").unwrap()]
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(1.0)
    }

    #[test]
    fn the_pooled_figures_are_those_of_all_deliveries() {
        let outcomes = lab(3).repeat(&two(), &|_| {}).unwrap();
        assert_eq!(outcomes.len(), 2);
        for o in &outcomes {
            let sum = |of: fn(&Outcome) -> f64| o.repeats.iter().map(of).sum::<f64>();
            assert!(o.clean() && o.repeats.len() == 3, "{o:?}");
            assert_eq!((o.mails.sent, o.mails.delivered), (15, 15));
            assert_eq!(o.requests.total as f64, sum(|s| s.requests.total as f64));
            assert_eq!(o.bytes.down.total as f64, sum(|s| s.bytes.down.total as f64));
            assert_eq!(o.overhead_bytes as f64, sum(|s| s.overhead_bytes as f64));
            let latency = o.latency_us.as_ref().unwrap();
            assert_eq!((latency.count, o.samples_us.len()), (15, 15));
            assert!(close(
                latency.mean * 15.0,
                sum(|s| s.latency_us.as_ref().unwrap().mean * 5.0)
            ));
            let worst = |s: &Outcome| s.latency_us.as_ref().unwrap().max;
            assert_eq!(latency.max, o.repeats.iter().map(worst).fold(0.0, f64::max));
            assert!(close(
                o.predicted.requests.total,
                sum(|s| s.predicted.requests.total)
            ));
            assert!(close(
                o.predicted.latency_us.mean * 3.0,
                sum(|s| s.predicted.latency_us.mean)
            ));
            assert!(close(
                o.predicted.bytes.up.head,
                sum(|s| s.predicted.bytes.up.head)
            ));
            let mean = o.per_run.as_ref().unwrap().requests.unwrap().mean;
            assert!(close(mean * 3.0, o.requests.total as f64));
        }
        assert_eq!(
            outcomes[1].requests.empty, None,
            "what a technique does not have is not 0"
        );
        assert_eq!(outcomes[0].messages.down, None);
    }

    #[test]
    fn every_seed_has_mail_of_its_own_and_the_first_is_the_scenarios() {
        let due = |o: &Outcome| {
            let arrived = o.events.iter().filter(|e| e.client.is_none());
            arrived.map(|e| e.t_us).collect::<Vec<_>>()
        };
        let ws = [named("ws").unwrap()];
        let pooled = lab(2).repeat(&ws, &|_| {}).unwrap().remove(0);
        let single = lab(1).repeat(&ws, &|_| {}).unwrap().remove(0);
        assert_eq!(due(&pooled), due(&single));
        assert!(single.repeats.is_empty() && single.per_run.is_none() && !single.events_truncated);
        for o in &pooled.repeats {
            assert!(o.events.is_empty() && o.events_truncated && o.connections.each.is_empty());
        }
        assert_eq!(pooled.connections.each.len(), 2, "one connection of each seed");
        let plan = |seed| lab(2).seeded(seed).unwrap().plan.mails[0].due;
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn progress_goes_on_from_seed_to_seed() {
        let told = Mutex::new(Vec::new());
        let ws = [named("ws").unwrap()];
        let outcomes = lab(3).repeat(&ws, &|p| told.lock().push(p)).unwrap();
        let told = told.into_inner();
        assert!(told.iter().all(|p| p.expected == 15));
        assert!(
            told.windows(2)
                .all(|w| w[0].delivered <= w[1].delivered && w[0].bytes <= w[1].bytes)
        );
        let last = told.last().unwrap();
        assert_eq!(last.delivered, 15);
        assert_eq!(last.requests, outcomes[0].requests.total);
        assert_eq!(told.iter().filter(|p| p.done).count(), 1);
        assert!(last.done);
    }

    #[test]
    fn an_interrupt_leaves_the_seeds_that_were_complete() {
        let interrupted_in = |seed: u64| {
            let lab = lab(5);
            let ws = [named("ws").unwrap()];
            let progress = |p: Progress| {
                if p.delivered == 5 * seed {
                    lab.interrupt.cancel();
                }
            };
            lab.repeat(&ws, &progress).unwrap().remove(0)
        };
        let third = interrupted_in(3);
        assert_eq!((third.repeats.len(), third.mails.delivered), (2, 10));
        assert!(third.clean());
        let first = interrupted_in(1);
        assert!(first.repeats.is_empty() && first.per_run.is_none());
    }

    #[test]
    fn a_servers_time_adds_up_and_its_memory_is_a_mean() {
        let run = lab(1)
            .compare(&[named("ws").unwrap()], &|_| {})
            .unwrap()
            .remove(0);
        let used = |cpu_us: f64, memory: Option<f64>| Outcome {
            server: Some(ServerUse {
                cpu_us,
                cpu_us_per_delivery: Some(cpu_us / 5.0),
                memory_bytes_per_connection: memory,
            }),
            ..run.clone()
        };
        let pooled = pool(vec![
            used(100.0, Some(4e3)),
            used(300.0, None),
            used(200.0, Some(6e3)),
        ]);
        let server = pooled.unwrap().server.unwrap();
        assert_eq!(
            (
                server.cpu_us,
                server.cpu_us_per_delivery,
                server.memory_bytes_per_connection
            ),
            (600.0, Some(40.0), Some(5e3))
        );
        assert_eq!(pool(vec![run.clone(), run]).unwrap().server, None);
    }

    #[test]
    fn of_one_cause_the_worst_warning_stays() {
        let ws = [named("ws").unwrap()];
        let run = lab(1).compare(&ws, &|_| {}).unwrap().remove(0);
        let late = |ms: f64| Warning::LateArrivals { ms };
        let warned = |warnings: &[Warning], late: f64| {
            let mut o = run.clone();
            o.trust = Trust {
                late_p99_us: Some(late),
                starved: late > 1e3,
                warnings: warnings.to_vec(),
            };
            o
        };
        let pooled = pool(vec![
            warned(&[late(2.0)], 2e3),
            warned(&[late(9.0), Warning::Reset], 9e3),
            warned(&[late(3.0)], 3e3),
            warned(&[], 0.0),
        ]);
        let trust = pooled.unwrap().trust;
        assert_eq!(trust.warnings, [late(9.0), Warning::Reset]);
        assert!(trust.starved && trust.late_p99_us == Some(9e3));
        assert!(pool(Vec::new()).is_none());
    }
}
