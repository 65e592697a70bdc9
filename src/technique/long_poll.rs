//! Long polling: "give me what is after N as soon as there is something, or tell me after H that
//! there was nothing" (RFC 6202, section 2).
//!
//! ```text
//! client                              server
//!   | GET /long-poll?after=0.           |
//!   |---------------------------------->|
//!   |                                   :  held, up to H
//!   |            200 [{"id":1,…}]       |  <- mail 1 arrives
//!   |<----------------------------------|
//!   | GET /long-poll?after=1.k3f9       |  <- mail 2, meanwhile, is in the next answer
//!   |---------------------------------->|
//! ```
//!
//! What arrives while no request is open waits for the next one, and several may share an answer.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;

use super::client::Client;
use super::contract::{self, Demand, Serve, Technique};
use super::flags;
use super::http::Http;
use super::list::{self, After};
use super::routes::Routes;
use super::sequence::Step;
use super::service::Service;
use crate::lang::{t, text};
use crate::mail::{BATCH_MAILS, Plan, Position};
use crate::outcome::{Outcome, Scenario};
use crate::theory::{self, Delivery, Latency, Liveness};
use crate::wire::Answer;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "long-poll",
    title: text!("Long polling"),
    about: text!("Ask and wait: the server keeps each GET until there is mail to answer it with"),
    merit: text!(
        "Plain HTTP that answers at once, even through what holds streams back; each mail costs a request."
    ),
    sequence: &[
        Step::Up("GET"),
        Step::Mail,
        Step::Down(text!("mail")),
        Step::Up("GET"),
        Step::Mail,
        Step::Down(text!("mail")),
    ],
    examples: "Examples:\n  mailcall long-poll --timeline\n  mailcall long-poll --clients 1000 --mails 5\n  \
             mailcall long-poll --rate 1/2s --hold 500ms",
    scheme: contract::http_scheme,
    demand: Demand::HeldRequests,
    holds: true,
    streams: false,
    usual: true,
    layered: None,
    held_back: contract::never,
    cannot: contract::anywhere,
    flags: &[&flags::HOLD, &flags::BLOCK],
    answers: Some((PATH, Answer::List)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    formula,
    delivers: |_| Delivery::LongPolled,
    liveness: Liveness::Held,
    lesson,
};

const PATH: &str = "/long-poll";

fn serve(service: Service) -> Routes {
    Routes::new().route(PATH, get(held).with_state(Arc::new(service)))
}

async fn held(State(service): State<Arc<Service>>, Query(After { after }): Query<After>) -> Response {
    let mut position = Position::of(Some(after), &service.mailbox);
    let mut watch = service.mailbox.watch();
    let something = async {
        if !position.is_reset() {
            watch.beyond(position.after()).await;
        }
    };
    // Whichever it is, the answer is what the log has now. Mail comes first, so that it polls none of the others.
    tokio::select! {
        biased;
        () = something => {}
        () = service.shutdown.cancelled() => {}
        () = tokio::time::sleep(service.scenario.hold()) => {}
    }
    list::answer(&service, &position.next(&service.mailbox, BATCH_MAILS))
}

async fn run(mut client: Client) -> anyhow::Result<()> {
    let messages = std::mem::take(&mut client.messages);
    let http = Http::new(&client, Delivery::LongPolled)?;
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
    while !client.inbox.complete() {
        let answered = tokio::select! {
            biased;
            () = client.stop.cancelled() => break,
            answered = list::fetch(client, http, PATH) => answered,
        };
        match answered {
            Ok((new, _)) => list::queue_replies(client, &replies, &new),
            Err(e) => {
                client.failed(e)?;
                if !client.wait_to_reconnect(list::RETRY).await {
                    break;
                }
            }
        }
        // Lets the connection return to the pool, or the next request would open another.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Between one transit and three (RFC 6202, section 2.2): see [`theory::long_poll_latency`].
fn formula(scenario: &Scenario, plan: &Plan) -> Option<Latency> {
    let hold = scenario.hold().as_secs_f64();
    let rtt = list::plain_rtt(scenario, plan, scenario.link.path().rtt)?;
    Some(theory::long_poll_latency(&plan.seconds(), hold, rtt))
}

fn lesson(outcome: &Outcome) -> String {
    let vain = outcome.requests.empty.unwrap_or(0) + outcome.requests.failed.unwrap_or(0);
    let answers = outcome.requests.total.saturating_sub(vain + list::posts(outcome));
    t!(
        "%{mails} mails came in %{answers} answers, each the moment it arrived, because a request was already \
         waiting: the price is a held connection per client (%{peak} at once here) and full headers per answer.",
        mails = outcome.mails.delivered,
        answers = answers,
        peak = outcome.connections.peak
    )
}
