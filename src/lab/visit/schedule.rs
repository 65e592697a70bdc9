//! What a visited server says about its mail: it is asked before and after a visit.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::super::relay::{Destination, Relay};
use super::super::standalone::Schedule;
use super::reading::Reading;
use crate::clock;
use crate::lang::t;
use crate::mail::{Cursor, Log};
use crate::outcome::{Link, SCHEMA, Scenario, Warning};
use crate::technique::{Origin, limit, origin};

/// How long the server may take to answer.
pub const ANSWERING: Duration = Duration::from_secs(10);

/// The most mails, and the longest duration in milliseconds, in a server's scenario.
pub const MAX_MAILS: u64 = 10_000_000;

pub const MAX_MS: f64 = 1e9;

/// Refuses a scenario that is not plausible: drawing its mail might never end.
pub fn check(server: &Scenario) -> anyhow::Result<()> {
    let Link {
        rtt_ms,
        jitter_ms,
        bandwidth_bit_s,
        loss_fraction,
        nat_ms: _,
    } = server.link;
    let durations = [server.hold_ms, server.heartbeat_ms, rtt_ms, jitter_ms];
    let plausible = server.mails <= MAX_MAILS
        && (1e-6..=1e6).contains(&server.rate_per_s)
        && durations.iter().all(|ms| (0.0..=MAX_MS).contains(ms))
        && bandwidth_bit_s.is_none_or(|b| b >= 1.0)
        && (0.0..=1.0).contains(&loss_fraction);
    ensure!(plausible, t!("the server says of its schedule what cannot be"));
    Ok(())
}

/// Asks the server for its schedule, and counts the bytes of asking.
#[derive(Debug)]
pub struct Asked {
    pub(super) to: Destination,
    pub(super) bytes: [u64; 2],
}

impl Asked {
    /// Asks for the schedule, and which mails came from outside after a number. Also says what its clock is.
    pub fn schedule(&mut self, after: u64) -> anyhow::Result<(Schedule, Reading)> {
        let relay = Relay::start(&self.to, 1)?;
        let target = format!("/schedule?after={after}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let asking = ask(&relay.sockets()[0], &self.to.origin, &target);
            tokio::time::timeout(ANSWERING, asking)
                .await
                .context(t!("it does not answer"))?
        });
        let (ledger, trouble) = relay.stop();
        let [up, down] = ledger.totals().raw;
        self.bytes[0] += up;
        self.bytes[1] += down;
        if let Some(why) = trouble {
            return Err(why);
        }
        let origin = &self.to.origin;
        let without = match origin.encrypted {
            true => String::new(),
            false => t!(" without TLS"),
        };
        let not_ours = || {
            t!(
                "%{authority} is not a `mailcall serve`%{without}",
                authority = origin.authority,
                without = without
            )
        };
        let (schedule, [asked, answered]) = answer
            .and_then(|(status, body, when)| Ok((understood(status, &body)?, when)))
            .with_context(not_ours)?;
        let reading = Reading::between(asked, answered, schedule.now_ns);
        Ok((schedule, reading))
    }
}

/// One request on a connection of its own. The instants are just before the request and just after the answer's head.
pub async fn ask(
    socket: &Path,
    origin: &Origin,
    target: &str,
) -> anyhow::Result<(StatusCode, Bytes, [Instant; 2])> {
    let io = TokioIo::new(origin::dial_relay(socket).await?);
    let (mut http, connection) = http1::handshake(io).await?;
    let request = Request::get(target)
        .header(header::HOST, HeaderValue::from_str(&origin.authority)?)
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::<Bytes>::new())?;
    let answered = async {
        let asked = clock::now();
        let response = http.send_request(request).await?;
        let when = [asked, clock::now()];
        let status = response.status();
        let body = limit::whole(response.into_body()).await?;
        // This lets the connection end.
        drop(http);
        anyhow::Ok((status, body, when))
    };
    let (answer, _) = tokio::join!(answered, connection);
    answer
}

pub fn understood(status: StatusCode, body: &[u8]) -> anyhow::Result<Schedule> {
    ensure!(
        status == StatusCode::OK,
        t!("/schedule answered %{status}", status = status)
    );
    let said: serde_json::Value = serde_json::from_slice(body).context(t!("/schedule is not JSON"))?;
    let (Some(version), Some(schema)) = (said["mailcall"].as_str(), said["schema"].as_u64()) else {
        bail!(t!("/schedule does not say what it is"));
    };
    let version: String = version.chars().filter(|c| !c.is_control()).take(32).collect();
    ensure!(
        schema == u64::from(SCHEMA),
        t!(
            "it is of mailcall %{version}, whose schema %{schema} this one, with %{schema2}, does not know",
            version = version,
            schema = schema,
            schema2 = SCHEMA
        )
    );
    serde_json::from_value(said).with_context(|| {
        t!(
            "it is of mailcall %{version}, which says other things",
            version = version
        )
    })
}

/// What is known of a visit before its first mail.
#[derive(Debug)]
pub struct Arrived {
    /// The scenario of server and clients together.
    pub scenario: Arc<Scenario>,
    /// The number of the newest mail: only what comes after it is expected.
    pub(super) after: u64,
    /// How many mails to wait for; `None` to wait until the user interrupts.
    pub awaited: Option<u64>,
    pub(super) at: Instant,
    pub(super) schedule: Schedule,
    /// Its clock when it was asked.
    pub(super) reading: Reading,
}

impl Arrived {
    /// The cursor with which clients join. If the server names no log, the cursor does not either.
    pub fn cursor(&self) -> Cursor {
        match self.schedule.epoch {
            Some(epoch) => Cursor::of(self.after, epoch),
            None => Cursor {
                number: self.after,
                log: Log::Any,
            },
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.awaited.map_or(u64::MAX, |n| self.after.saturating_add(n))
    }

    /// When to stop waiting; `None` if clients wait for mail that is not in the schedule.
    pub fn deadline(&self) -> Option<Instant> {
        let Schedule {
            scenario, planned, ..
        } = &self.schedule;
        self.awaited
            .filter(|n| *n <= scenario.mails.saturating_sub(*planned))?;
        let Schedule {
            start_ns,
            span_ns,
            now_ns,
            ..
        } = &self.schedule;
        let still = start_ns.saturating_add(*span_ns).saturating_sub(*now_ns);
        let slowest = scenario.link.patience() + self.scenario.poll_interval();
        self.at
            .checked_add(Duration::from_nanos(still) + slowest + self.scenario.grace())
    }

    /// Why it is not known when mail is due, if it is not.
    pub fn undated(&self) -> Option<Warning> {
        if self.schedule.scenario.replay.is_some() {
            return Some(Warning::ReplayElsewhere);
        }
        None
    }
}
