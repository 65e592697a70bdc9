//! Polling: "give me what is after N now, even if that is nothing; I ask again in T".
//!
//! ```text
//! client                              server
//!   | GET /poll?after=0.                |
//!   |---------------------------------->|
//!   |            204 (nothing)          |
//!   |<----------------------------------|
//!   :   T later                         :  <- mail 1 arrives, and waits
//!   | GET /poll?after=0.                |
//!   |---------------------------------->|
//!   | 200 [{"epoch":"k3f9"},{"id":1,…}] |
//!   |<----------------------------------|
//! ```
//!
//! Plain HTTP (RFC 9110). The cursor is in every request, so the server keeps no state for a client. The dot
//! asks for the log's name, its epoch; the next request sends `after=1.k3f9`.

use axum::extract::{Query, State};
use axum::routing::get;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::client::Client;
use super::contract::{self, Demand, Serve, Technique};
use super::flags;
use super::http::Http;
use super::list::{self, After};
use super::routes::Routes;
use super::sequence::Step;
use super::service::Service;
use crate::clock;
use crate::lang::{t, text};
use crate::mail::{BATCH_MAILS, Plan, Position};
use crate::outcome::{Outcome, Scenario};
use crate::theory::{self, Delivery, Latency, Liveness};
use crate::wire::Answer;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "poll",
    title: text!("Polling"),
    about: text!("Ask again and again: a GET every interval, answered at once, mostly with nothing"),
    merit: text!(
        "A request now and then: no client occupies the server in between, and any server, proxy and cache will do."
    ),
    sequence: &[
        Step::Up("GET"),
        Step::Down(text!("nothing new")),
        Step::Mail,
        Step::Up("GET"),
        Step::Down(text!("mail")),
    ],
    examples: "Examples:\n  mailcall poll --interval 1s --timeline\n  \
             mailcall poll --headers demos/headers/kaazing-2010.http\n  \
             mailcall poll --mails 2000 --rate 100/s --interval 100ms --format json",
    scheme: contract::http_scheme,
    demand: Demand::Requests,
    holds: false,
    streams: false,
    usual: true,
    layered: None,
    held_back: contract::never,
    cannot: contract::anywhere,
    flags: &[&flags::INTERVAL, &flags::BLOCK],
    answers: Some((PATH, Answer::List)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    formula,
    delivers: |_| Delivery::Polled,
    liveness: Liveness::Asked,
    lesson,
};

const PATH: &str = "/poll";

fn serve(service: Service) -> Routes {
    let answer = async |State(service): State<Service>, Query(After { after }): Query<After>| {
        let mut position = Position::of(Some(after), &service.mailbox);
        list::answer(&service, &position.next(&service.mailbox, BATCH_MAILS))
    };
    Routes::new().route(PATH, get(answer).with_state(service))
}

async fn run(mut client: Client) -> anyhow::Result<()> {
    let messages = std::mem::take(&mut client.messages);
    let http = Http::new(&client, Delivery::Polled)?;
    let (replies, queued) = tokio::sync::mpsc::unbounded_channel();
    tokio::try_join!(
        ask(&client, &http, replies),
        list::replies(&client, &http, queued),
        list::talk(&client, &http, messages)
    )?;
    Ok(())
}

/// Asks until the inbox is complete. Replies go to a queue, so that none delays the next request.
async fn ask(client: &Client, http: &Http, replies: list::ReplyQueue) -> anyhow::Result<()> {
    let interval = client.scenario.poll_interval();
    let phase = phase(client.scenario.seed, client.number);
    let mut due = client.start.known().await + interval.mul_f64(phase);
    while !client.inbox.complete() {
        tokio::select! {
            biased;
            () = client.stop.cancelled() => break,
            () = clock::sleep_until(due) => {}
        }
        match list::fetch(client, http, PATH).await {
            Ok((new, more)) => {
                list::queue_replies(client, &replies, &new);
                if more {
                    // The client asks again at once, and the schedule stays as it is. The connection returns
                    // to the pool first, so that the next request uses it.
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            Err(e) => {
                client.failed(e)?;
                let again = client.reconnect.next(client.reconnect.first(list::RETRY));
                due = (due + interval).max(again);
                continue;
            }
        }
        // A slow answer delays the next poll: a client has one request in flight.
        due = (due + interval).max(clock::now());
    }
    Ok(())
}

/// The offset of a client's polls in its interval, from 0 to 1. It is drawn for each client: otherwise all
/// would ask at once, and mail at a steady rate would always wait the same time.
pub fn phase(seed: u64, client: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(client as u64 + 1);
    rng.random()
}

/// Half an interval and half a round trip on average over the phase, plus the cost of the opening: see
/// [`theory::poll_latency`] and [`theory::poll_opening`].
fn formula(scenario: &Scenario, plan: &Plan) -> Option<Latency> {
    let interval = scenario.poll_interval().as_secs_f64();
    let rtt = list::plain_rtt(scenario, plan, interval)?;
    let due = plan.seconds();
    let opening = theory::poll_opening(&due, interval, rtt)?;
    let steady = theory::poll_latency(&due, interval, rtt);
    Some(Latency {
        mean: steady.mean + opening.mean,
        max: steady.max + opening.max,
    })
}

fn lesson(outcome: &Outcome) -> String {
    let total = outcome.requests.total - list::posts(outcome);
    let empty = outcome.requests.empty.unwrap_or(0);
    let wait = outcome.latency_us.as_ref().map_or(0.0, |l| l.mean / 1e3);
    let heads = (outcome.bytes.up.head + outcome.bytes.down.head) as f64 / total.max(1) as f64;
    let head = format!("{heads:.0}");
    if empty * 10 < total {
        return t!(
            "Hardly a request was wasted, because mail comes faster than it is asked for; each brought \
             %{head} bytes of headers, and mail waited %{wait} ms on average.",
            head = head,
            wait = format!("{wait:.1}")
        );
    }
    t!(
        "%{empty} of %{total} requests brought nothing, at %{head} bytes of headers each, and mail still waited \
         %{wait} ms on average: ask less often and it waits longer, ask more often and more is wasted.",
        empty = empty,
        total = total,
        head = head,
        wait = format!("{wait:.0}")
    )
}
