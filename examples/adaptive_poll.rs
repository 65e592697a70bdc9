//! A technique in sixty lines, for docs/creating-a-technique.md: polling that asks again soon after mail came, and
//! ever less often while there is none. `cargo run --example adaptive_poll` compares it with plain polling.

use std::time::Duration;

use axum::extract::{Query, State};
use mailcall::lab::{Lab, Simulated};
use mailcall::mail::{BATCH_MAILS, Position};
use mailcall::outcome::{Arrivals, Outcome, Scenario};
use mailcall::technique::{
    self, After, Client, Demand, Http, Routes, Serve, Service, Step, Technique, contract, list,
};
use mailcall::theory::{Delivery, Liveness};
use mailcall::wire::Answer;

static ADAPTIVE: Technique = Technique {
    name: "adaptive-poll",
    title: "Adaptive polling",
    about: "Ask soon after mail came, and ever less often while there is none",
    merit: "Fewer requests than polling where mail comes in bursts.",
    sequence: &[
        Step::Up("GET"),
        Step::Down("nothing new"),
        Step::Mail,
        Step::Up("GET"),
        Step::Down("mail"),
    ],
    examples: "",
    scheme: contract::http_scheme,
    demand: Demand::Requests,
    holds: false,
    streams: false,
    usual: false,
    layered: None,
    held_back: contract::never,
    cannot: contract::anywhere,
    flags: &[],
    answers: Some(("/adaptive-poll", Answer::List)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    formula: |_, _| None,
    delivers: |_| Delivery::Polled,
    liveness: Liveness::Asked,
    lesson,
};

/// The server half: what is after the cursor, now.
fn serve(service: Service) -> Routes {
    let answer = async |State(service): State<Service>, Query(After { after }): Query<After>| {
        let mut position = Position::of(Some(after), &service.mailbox);
        list::answer(&service, &position.next(&service.mailbox, BATCH_MAILS))
    };
    Routes::new().route("/adaptive-poll", axum::routing::get(answer).with_state(service))
}

/// The client half: `fetch` asks, delivers what came, and moves the inbox's cursor.
async fn run(client: Client) -> anyhow::Result<()> {
    let (least, most) = (client.scenario.poll_interval(), Duration::from_secs(4));
    let http = Http::new(&client, Delivery::Polled)?;
    let mut wait = least;
    while !client.inbox.complete() && client.pause(wait).await {
        match list::fetch(&client, &http, "/adaptive-poll").await {
            Ok((new, _)) if new.is_empty() => wait = (wait * 2).min(most),
            Ok(_) => wait = least,
            Err(e) => client.failed(e)?,
        }
    }
    Ok(())
}

fn lesson(outcome: &Outcome) -> String {
    format!(
        "{} requests for {} mails",
        outcome.requests.total, outcome.mails.delivered
    )
}

fn main() -> anyhow::Result<()> {
    let mut lab = Lab::new(Scenario {
        mails: 100,
        rate_per_s: 0.5,
        arrivals: Arrivals::Burst(5),
        ..Scenario::default()
    })?;
    lab.simulated = Some(Simulated::default());
    let poll = technique::named("poll").ok_or_else(|| anyhow::anyhow!("there is no poll"))?;
    for outcome in lab.compare(&[poll, &ADAPTIVE], &|_| {})? {
        let wait = outcome.latency_us.as_ref().map_or(0.0, |l| l.mean / 1e3);
        println!(
            "{:13} {:4} requests, mail waits {wait:.0} ms on average",
            outcome.technique, outcome.requests.total
        );
    }
    Ok(())
}
