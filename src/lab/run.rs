//! One technique through one scenario, from its first socket to its outcome.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::clients::{Brief, Clients, Finished};
use super::collect::{self, Measured};
use super::home::{Home, Left};
use super::publishers::Publishers;
use super::{Gate, Lab, OnProgress, Progress};
use crate::outcome::{Closer, Latency, Outcome, Prediction};
use crate::stats;
use crate::technique::{Origin, Record, Setting, Technique};

/// How often a run looks at its clients, and tells its progress.
const LOOK: Duration = Duration::from_millis(2);
const TELL: Duration = Duration::from_millis(80);

/// Nothing said for so long on the loopback means that nothing is being said.
const QUIET: Duration = Duration::from_millis(30);

/// How long goodbyes may take on the loopback.
const GOODBYE: Duration = Duration::from_millis(200);

/// How long after another a reply or message may come.
const REPLIES: Duration = Duration::from_millis(500);

/// How long clients may take to get ready.
const READY: Duration = Duration::from_secs(20);

/// Further time for each of them: thousands take a while to connect.
const READY_EACH: Duration = Duration::from_millis(5);

/// A technique about to run.
#[derive(Debug)]
pub struct Run<'a> {
    lab: &'a Lab,
    technique: &'static Technique,
    shift: Duration,
}

/// All who connect.
struct Team {
    clients: Clients,
    publishers: Option<Publishers>,
}

impl Team {
    fn publishers_are_ready(&self) -> bool {
        self.publishers.as_ref().is_none_or(Publishers::are_ready)
    }

    fn trouble(&self) -> Option<String> {
        let publishers = || self.publishers.as_ref().and_then(Publishers::trouble);
        self.clients.trouble().or_else(publishers)
    }
}

impl<'a> Run<'a> {
    /// Prepares a run whose schedule starts `shift` after the others'.
    pub fn new(lab: &'a Lab, technique: &'static Technique, shift: Duration) -> Run<'a> {
        Run {
            lab,
            technique,
            shift,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// If server or clients cannot start, clients don't get ready, or the labels don't balance.
    pub fn go(&self, gate: &Gate, progress: OnProgress) -> anyhow::Result<Outcome> {
        let place = gate.place();
        let lab = self.lab;
        let mut home = Home::open(lab, self.technique)?;
        let origin = Origin {
            encrypted: lab.identity.is_some(),
            authority: home.address().to_string(),
        };
        let setting = Setting {
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            origin: &origin,
            handshakes: lab.handshakes()?,
            estimate: false,
        };
        let predicted = (self.technique.predict)(&setting);
        let brief = Brief {
            technique: self.technique,
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            origin: origin.clone(),
            authority: lab.identity.as_ref().map(|i| i.authority.clone()),
            cursor: lab.cursor,
        };
        let publishers = match self.technique.publishers(&lab.scenario) {
            0 => None,
            expected => Some(Publishers::start(&brief, expected)?),
        };
        let mut team = Team {
            clients: Clients::start(&brief)?,
            publishers,
        };
        self.wait_until_ready(&mut home, &team)?;
        let start = place.pass() + self.shift;
        home.publish(start)?;
        team.clients.begin(start);
        if let Some(publishers) = &mut team.publishers {
            publishers.begin(&lab.plan, start, lab.interrupt.child_token())?;
        }
        let deadline = self.deadline(start, &predicted);
        self.wait_for_delivery(&mut home, &team.clients, deadline, progress)?;
        let held_back = self.end_what_is_held_back(&mut home, &team.clients)?;
        let ended = Instant::now();
        let polls = predicted.requests.empty.is_some();
        let (left, clients) = self.close(home, team, polls)?;
        progress(self.over(&left, &clients.records));
        collect::outcome(Measured {
            technique: self.technique,
            setting: &setting,
            predicted,
            start,
            ended,
            clients,
            left,
            held_back,
            joined: false,
        })
    }

    /// A technique that holds its clients knows when they are all there; the others' come and go.
    fn wait_until_ready(&self, home: &mut Home, team: &Team) -> anyhow::Result<()> {
        let expected = self.lab.scenario.clients;
        let deadline = Instant::now() + READY + READY_EACH * expected as u32 + self.patience();
        loop {
            let there = home.status()?.watchers;
            if (there >= expected || !self.technique.holds) && team.publishers_are_ready() {
                return Ok(());
            }
            // The run goes on to its end, which comes at once: what there is, is told.
            if self.lab.interrupt.is_cancelled() {
                return Ok(());
            }
            let gave_up = team.clients.have_ended() && team.trouble().is_some();
            if Instant::now() > deadline || gave_up {
                let why = team.trouble().unwrap_or_else(|| "no client said why".into());
                bail!("only {there} of {expected} clients got ready: {why}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What the link adds to limits of time.
    fn patience(&self) -> Duration {
        self.lab.scenario.link.patience()
    }

    /// When to stop waiting: the grace begins when the slowest mail should have come.
    fn deadline(&self, start: Instant, predicted: &Prediction) -> Instant {
        let slowest = Duration::from_secs_f64((predicted.latency_us.max / 1e6).clamp(0.0, 1e6));
        start + self.lab.plan.span() + slowest + self.lab.scenario.grace()
    }

    fn wait_for_delivery(
        &self,
        home: &mut Home,
        clients: &Clients,
        deadline: Instant,
        progress: OnProgress,
    ) -> anyhow::Result<()> {
        let mut told = Instant::now();
        while clients.completed() < self.lab.scenario.clients
            && Instant::now() < deadline
            && !clients.have_ended()
            && !self.lab.interrupt.is_cancelled()
        {
            std::thread::sleep(LOOK);
            if told.elapsed() >= TELL {
                told = Instant::now();
                let status = home.status()?;
                progress(self.progress(clients.delivered(), status.requests, status.bytes));
            }
        }
        home.settle()?;
        self.wait_for_what_is_said(home, clients)
    }

    /// Where something on the way holds a stream back until it is over, the server ends it when the run has
    /// waited for long enough: then all that it had said arrives. Says how many mails that were.
    fn end_what_is_held_back(&self, home: &mut Home, clients: &Clients) -> anyhow::Result<Option<u64>> {
        if (self.technique.held_back)(&self.lab.scenario) {
            let before = clients.delivered();
            home.end_streams()?;
            let quiet = REPLIES + self.patience();
            let (mut known, mut last) = (before, Instant::now());
            while clients.completed() < self.lab.scenario.clients
                && last.elapsed() < quiet
                && !self.lab.interrupt.is_cancelled()
            {
                std::thread::sleep(LOOK);
                let now = clients.delivered();
                if now > std::mem::replace(&mut known, now) {
                    last = Instant::now();
                }
            }
            let late = clients.delivered() - before;
            self.wait_for_what_is_said(home, clients)?;
            return Ok(Some(late));
        }
        Ok(None)
    }

    /// What clients say comes behind the mail, on a slow link behind each other: waits for as long as it
    /// keeps coming.
    fn wait_for_what_is_said(&self, home: &mut Home, clients: &Clients) -> anyhow::Result<()> {
        let replies = || {
            if self.lab.scenario.reply {
                clients.delivered()
            } else {
                0
            }
        };
        let (mut heard, mut last) = (0, Instant::now());
        while heard < replies() + clients.messages()
            && last.elapsed() < REPLIES + self.patience()
            && !self.lab.interrupt.is_cancelled()
        {
            std::thread::sleep(LOOK);
            let status = home.status()?;
            let now = status.replies + status.heard;
            if now > std::mem::replace(&mut heard, now) {
                last = Instant::now();
            }
        }
        Ok(())
    }

    /// A client that was just given its last mail by a request asks again, maybe over a connection that it
    /// opens first: only then does it wait as the model says, and can be told that the server ends.
    fn wait_until_nobody_asks(&self, home: &mut Home) -> anyhow::Result<()> {
        let (begun, quiet) = (Instant::now(), QUIET + self.patience());
        let (mut bytes, mut last) = (0, begun);
        while last.elapsed() < quiet
            && begun.elapsed() < quiet + GOODBYE
            && !self.lab.interrupt.is_cancelled()
        {
            let now = home.status()?.bytes;
            if now > std::mem::replace(&mut bytes, now) {
                last = Instant::now();
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends every connection from the side that is to end it, then the server. `polls`: mail may come in
    /// answers, after each of which a client asks again.
    fn close(&self, mut home: Home, team: Team, polls: bool) -> anyhow::Result<(Left, Finished)> {
        let Team { clients, publishers } = team;
        clients.tell_to_close();
        publishers.iter().for_each(Publishers::tell_to_close);
        if self.technique.streams && self.lab.scenario.closer == Closer::Server {
            if polls {
                self.wait_until_nobody_asks(&mut home)?;
            }
            home.shut_down()?;
        }
        let finished = clients
            .finish()
            .with_context(|| format!("a client of {} failed", self.technique.name));
        let published = publishers
            .map(Publishers::finish)
            .transpose()
            .with_context(|| format!("a publisher of {} failed", self.technique.name))?;
        // Goodbyes are under way. A server that ended now would not hear them, and end streams that nobody
        // reads any more.
        let deadline = Instant::now() + GOODBYE + self.patience();
        while home.status()?.connections > 0 && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        let mut left = home.close()?;
        if let Some(mut published) = published {
            left.sent = published.late_us.len() as u64;
            left.late_us = stats::summarize(&mut published.late_us).map(Latency::from);
        }
        Ok((left, finished?))
    }

    fn progress(&self, delivered: u64, requests: u64, bytes: u64) -> Progress {
        Progress {
            technique: self.technique.name,
            delivered,
            expected: (self.lab.plan.mails.len() * self.lab.scenario.clients) as u64,
            requests,
            bytes,
            done: false,
        }
    }

    fn over(&self, left: &Left, records: &[Record]) -> Progress {
        let delivered = records.iter().map(|r| r.delivered).sum();
        let totals = &left.totals;
        Progress {
            done: true,
            ..self.progress(delivered, totals.tally.requests, totals.raw.iter().sum())
        }
    }
}
