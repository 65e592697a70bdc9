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
//! Plain HTTP (RFC 9110); the cursor travels in every request, so the server remembers nothing. The dot asks for
//! the log's name, its epoch; the next request says `after=1.k3f9`.

use axum::extract::{Query, State};
use axum::routing::get;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bill::{Bill, Foreseen};
use super::client::Client;
use super::http::Http;
use super::list::{self, After};
use super::service::Service;
use super::{Routes, Serve, Setting, Technique, flags};
use crate::clock;
use crate::lang::{t, text};
use crate::mail::{BATCH_MAILS, Position};
use crate::outcome::{HttpVersion, Outcome, Prediction};
use crate::theory::{self, Delivery, Latency, Liveness, Way};
use crate::wire::Answer;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "poll",
    about: text!("Ask again and again: a GET every interval, answered at once, mostly with nothing"),
    holds: false,
    streams: false,
    layered: None,
    held_back: super::never,
    cannot: super::anywhere,
    flags: &[&flags::INTERVAL, &flags::BLOCK],
    answers: Some((PATH, Answer::List)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    predict,
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
    let says = std::mem::take(&mut client.says);
    let http = Http::new(&client, Delivery::Polled)?;
    let (say, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::try_join!(
        ask(&client, &http, say),
        list::replies(&client, &http, heard),
        list::talk(&client, &http, says)
    )?;
    Ok(())
}

/// Asks until the inbox is complete. What was read goes to `say`, so that no reply delays the next
/// question.
async fn ask(client: &Client, http: &Http, say: list::Say) -> anyhow::Result<()> {
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
                list::say(client, &say, &new);
                if more {
                    // Asked again at once, with the clock as it is, but on the same connection: it returns to the
                    // pool first.
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            Err(e) => client.failed(e)?,
        }
        // A slow answer delays the next question: one client has one request in flight.
        due = (due + interval).max(clock::now());
    }
    Ok(())
}

/// Where in its interval a client starts: drawn per client, or all would ask at once, and a steady
/// arrival would always find it at the same point. A share of the interval.
pub fn phase(seed: u64, client: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(client as u64 + 1);
    rng.random()
}

fn predict(setting: &Setting) -> Prediction {
    let mut bill = Bill::new(setting);
    let interval = setting.scenario.poll_interval().as_secs_f64();
    let due = setting.due();
    let path = setting.scenario.link.path();
    let opening = theory::poll_opening(&due, interval, path.rtt).filter(|_| setting.has_formula());
    let (foreseen, exchanges) = match opening {
        Some(opening) => {
            let steady = theory::poll_latency(&due, interval, path.rtt);
            let latency = Latency {
                mean: steady.mean + opening.latency.mean,
                max: steady.max + opening.latency.max,
            };
            let mut exchanges = theory::poll_exchanges(&due, interval, path.rtt);
            exchanges.extend(opening.exchanges);
            (
                Foreseen::calculated("averaged over the phase of the clock", latency),
                exchanges,
            )
        }
        None => {
            let trial = setting.trial(&due);
            let phases: Vec<f64> = (0..setting.scenario.clients)
                .map(|client| interval * phase(setting.scenario.seed, client))
                .collect();
            let out = list::act(&bill, setting, PATH, |sizes| trial.poll(interval, &phases, sizes));
            (Foreseen::acted(&out), out.exchanges)
        }
    };
    let requests = theory::Requests::of(&exchanges).total;
    let seconds = (requests - 1.0).max(0.0) * interval.min(1.0);
    if !setting.estimate && list::exceeds(&bill, &exchanges) {
        return Prediction::default();
    }
    list::charge(&mut bill, setting, PATH, &exchanges, seconds);
    list::charge_replies(&mut bill, setting, false);
    list::charge_talk(&mut bill, setting, &|client, at| connection(setting, client, at));
    bill.predict(foreseen)
}

/// How a client that polls stands with its connections when it has something to say: the one is taken
/// while a poll is on its way, the first of which opens it. (That a poll may be late is left out.)
fn connection(setting: &Setting, client: u64, at: f64) -> Way {
    let interval = setting.scenario.poll_interval().as_secs_f64();
    let rtt = setting.scenario.link.path().rtt;
    let first = interval * phase(setting.scenario.seed, client as usize);
    match setting.scenario.http {
        HttpVersion::Http2 => return Way::Idle,
        HttpVersion::Http10 => return Way::Another,
        HttpVersion::Http11 if at < first => return Way::First,
        HttpVersion::Http11 => {}
    }
    let polls = ((at - first) / interval.max(rtt)).floor();
    let opening = if polls == 0.0 { rtt } else { 0.0 };
    match at - first - polls * interval.max(rtt) < rtt + opening {
        true => Way::Another,
        false => Way::Idle,
    }
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
