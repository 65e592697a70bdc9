//! Polling: "give me what is after N now, even if that is nothing; I ask again in T".
//!
//! ```text
//! client                              server
//!   | GET /poll?after=0                 |
//!   |---------------------------------->|
//!   |            204 (nothing)          |
//!   |<----------------------------------|
//!   :   T later                         :  <- mail 1 arrives, and waits
//!   | GET /poll?after=0                 |
//!   |---------------------------------->|
//!   |            200 [{"id":1,…}]       |
//!   |<----------------------------------|
//! ```
//!
//! Plain HTTP (RFC 9110); the cursor travels in every request, so the server remembers nothing.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bill::Bill;
use super::client::Client;
use super::list::{self, After};
use super::service::Service;
use super::{Serve, Setting, Technique, flags};
use crate::outcome::{Outcome, Prediction};
use crate::theory;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "poll",
    about: "Ask again and again: a GET every interval, answered at once, mostly with nothing",
    holds: false,
    flags: &[&flags::INTERVAL],
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    predict,
    lesson,
};

fn serve(service: Service) -> Router {
    Router::new()
        .route(
            "/poll",
            get(
                async |State(service): State<Service>, Query(After { after }): Query<After>| {
                    list::answer(&service, &service.mailbox.read(after, usize::MAX))
                },
            ),
        )
        .with_state(service.clone())
        .merge(list::reply_route(service))
}

async fn run(client: Client) -> anyhow::Result<()> {
    let http = list::http_client()?;
    let interval = client.scenario.poll_interval();
    let mut due = client.start.known().await + interval.mul_f64(phase(&client));
    while !client.inbox.complete() {
        tokio::select! {
            () = client.stop.cancelled() => break,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        match list::fetch(&client, &http, "/poll").await {
            Ok(new) if client.scenario.reply => list::reply(&client, &http, &new).await,
            Ok(_) => {}
            Err(e) => client.inbox.trouble(&e),
        }
        due = next(due, interval, Instant::now());
    }
    Ok(())
}

/// Where in its interval a client starts: drawn per client, or all would ask at once, and a steady
/// arrival would always find it at the same point.
fn phase(client: &Client) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(client.scenario.seed);
    rng.set_stream(client.number as u64 + 1);
    rng.random()
}

/// The next instant on the cadence; those that a slow answer made us miss are left out.
fn next(due: Instant, interval: Duration, now: Instant) -> Instant {
    let behind = now.saturating_duration_since(due).as_nanos() / interval.as_nanos().max(1);
    due + interval.saturating_mul(u32::try_from(behind + 1).unwrap_or(u32::MAX))
}

fn predict(setting: &Setting) -> Prediction {
    let mut bill = Bill::new(setting);
    let interval = setting.scenario.poll_interval().as_secs_f64();
    let due = setting.due();
    list::charge(
        &mut bill,
        setting,
        "/poll",
        &theory::poll_exchanges(&due, interval, 0.0),
    );
    list::charge_replies(&mut bill, setting);
    bill.predict(
        "closed form, averaged over the phase of the clock",
        theory::poll_latency(&due, interval, 0.0),
    )
}

fn lesson(outcome: &Outcome) -> String {
    let total = outcome.requests.total;
    let empty = outcome.requests.empty.unwrap_or(0);
    let wait = outcome.latency_us.as_ref().map_or(0.0, |l| l.mean / 1e3);
    let heads = (outcome.bytes.up.head + outcome.bytes.down.head) as f64 / total.max(1) as f64;
    if empty * 10 < total {
        return format!(
            "Hardly a request was wasted, because mail comes faster than it is asked for; each brought \
             {heads:.0} bytes of headers, and mail waited {wait:.1} ms on average."
        );
    }
    format!(
        "{empty} of {total} requests brought nothing, at {heads:.0} bytes of headers each, and mail still waited \
         {wait:.0} ms on average: ask less often and it waits longer, ask more often and more is wasted."
    )
}
