//! `mailcall class`: a server whose clients are the students' own browsers, and a board for the teacher.

mod qr;
mod record;
mod teach;

use std::ffi::OsStr;
use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use tokio_util::sync::CancellationToken;

use super::args::check;
use super::failure::Failure;
use super::flags::{self, LINK, MAIL, SERVER_THREADS};
use super::listen::{self, ListenArgs};
use super::subcommand::{Subcommand, Whole};
use crate::class::{self, LANES, Open, Order, Robots, Room, Served};
use crate::lab::Lab;
use crate::lab::outages::Outages;
use crate::lab::standalone::{Prepared, Standalone};
use crate::lang::t;
use crate::lesson::Lesson;
use crate::outcome::Scenario;
use crate::report;
use crate::technique::flags::{Flag, HEARTBEAT, HOLD, INTERVAL};
use crate::technique::quantities::count;

use teach::Teacher;

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "class",
    define,
    examples: "Examples:\n  mailcall class\n  mailcall class --listen 192.168.0.5:8000\n  \
             mailcall class --listen 0.0.0.0:8000 --lesson wasted-polls --record class.json\n  \
             mailcall class --students 30 --mails 600 --rate 1/s\n  mailcall report class.json --format html --output class.html",
    run,
};

/// What of its scenario a class is asked for.
const FLAGS: &[&[&Flag]] = &[MAIL, LINK, &[&SERVER_THREADS, &INTERVAL, &HOLD, &HEARTBEAT]];

#[derive(Debug, Args)]
struct ClassArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// A lesson to lead the class through: its name or number, or the FILE.toml of your own
    #[arg(long, value_name = "LESSON", help_heading = "Class")]
    lesson: Option<std::ffi::OsString>,
    /// Simulate the lesson's runs where they can be: the figures are the same on any machine, and come at once
    #[arg(long, help_heading = "Class", requires = "lesson")]
    simulate: bool,
    /// How many simulated students take part, for a room without phones
    #[arg(long, value_name = "N", help_heading = "Class", default_value_t = 0, value_parser = count(0, 500))]
    students: u64,
    /// The most students that may join, simulated ones included
    #[arg(long, value_name = "N", help_heading = "Class", default_value_t = 200, value_parser = count(1, 1_000))]
    places: u64,
    /// Where the votes and results are written when the class ends, without saying who voted how; `report` draws it
    #[arg(long, value_name = "FILE", help_heading = "Class")]
    record: Option<PathBuf>,
}

fn define(command: Command) -> Command {
    let command = ClassArgs::augment_args(flags::with(command, &FLAGS[..1]));
    flags::with(command, &FLAGS[1..])
        .about("Let a class join by browser: each phone is a client, and a board shows what everyone's lanes cost")
        .mut_arg("mails", |arg| {
            arg.help("How many mails arrive by themselves [default: 0: the teacher and the students send them]")
                .value_parser(count(0, 10_000_000))
        })
        .mut_arg("interval", |arg| arg.default_value("1s"))
        .mut_args(|arg| match arg.get_id().as_str() {
            "interval" | "hold" | "heartbeat" => arg.help_heading("Technique"),
            _ => arg,
        })
}

/// Serves a class until it is interrupted.
fn run(matches: &ArgMatches, whole: Whole) -> Result<ExitCode, Failure> {
    let args = ClassArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(anyhow!(e)))?;
    if args.students > args.places {
        return Err(Failure::Usage(anyhow!(t!(
            "--students %{students} do not fit in --places %{places}",
            students = args.students,
            places = args.places
        ))));
    }
    if let Some(path) = &args.record {
        report::check_output(path).map_err(Failure::Usage)?;
    }
    let lesson = args
        .lesson
        .as_deref()
        .map(|name| lesson(name, whole))
        .transpose()?;
    let listen = args.listen.address().map_err(Failure::Usage)?;
    let mut lab = Lab::new(scenario(matches).map_err(Failure::Usage)?).map_err(Failure::Usage)?;
    lab.access = args.listen.access(false);
    super::interrupt::ends(lab.interrupt.clone());
    let class = Class::open(&lab, &args, listen).map_err(Failure::Run)?;
    class.announce(&args, lesson.as_ref()).map_err(Failure::Run)?;
    let teacher = lesson.map(|(lesson, folder)| {
        Teacher::start(
            class.room.clone(),
            lesson,
            folder,
            args.simulate,
            lab.interrupt.clone(),
        )
    });
    let teacher = teacher.transpose().map_err(Failure::Run)?;
    listen_to_enter(class.room.clone());
    while !lab.interrupt.is_cancelled() {
        std::thread::sleep(LOOK);
    }
    let taught = teacher.map(Teacher::stop);
    class.close(&lab, &args, taught)
}

/// How often it checks whether to stop.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// The lesson, and the folder that its file names are relative to. It needs exactly one.
fn lesson(name: &OsStr, whole: Whole) -> Result<(Lesson, PathBuf), Failure> {
    let mut found = super::demo::find(name, whole)?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Failure::Usage(anyhow!(t!(
            "a class is led through one lesson: `mailcall demo` lists them"
        )))),
    }
}

fn scenario(matches: &ArgMatches) -> anyhow::Result<Scenario> {
    let mut scenario = flags::fill(Scenario::default(), matches, FLAGS.iter());
    let is_given = |id| matches.contains_id(id);
    if !is_given("mails") && !is_given("replay") {
        scenario.mails = 0;
    }
    check(&scenario)?;
    Ok(scenario)
}

/// A class that has begun.
struct Class {
    room: Arc<Room>,
    server: Standalone,
    clerk: crate::lab::role::Role<()>,
    robots: Option<Robots>,
    stop: CancellationToken,
    key: String,
}

impl Class {
    fn open(lab: &Lab, args: &ClassArgs, listen: SocketAddr) -> anyhow::Result<Class> {
        let prepared = Prepared::new(lab)?;
        let open = Open::class(args.places as usize)?;
        let key = open.key.clone().unwrap_or_default();
        let room = Arc::new(Room::new(open, prepared.post(), Outages::default()));
        let additions = class::additions(&room, qr::svg);
        let server = Standalone::with(prepared, lab, &LANES, listen, additions)?;
        let urls = listen::reachable(server.address)?
            .into_iter()
            .map(|address| url(&room, address));
        room.is_served_by(Served {
            ledger: server.ledger.clone(),
            traffic: server.traffic.clone(),
            urls: urls.collect(),
        });
        let stop = lab.interrupt.child_token();
        let reachable = !server.address.ip().is_loopback();
        let clerk = class::watch(room.clone(), reachable, args.students as u32, stop.clone())?;
        let at = own_address(server.address);
        let robots = (args.students > 0)
            .then(|| Robots::start(&room, at, args.students as usize, stop.clone()))
            .transpose()?;
        Ok(Class {
            room,
            server,
            clerk,
            robots,
            stop,
            key,
        })
    }

    /// Says where the class is: the students' addresses on stdout, one on each line, everything else on stderr.
    fn announce(&self, args: &ClassArgs, lesson: Option<&(Lesson, PathBuf)>) -> anyhow::Result<()> {
        let urls = self.room.served().map_or(&[][..], |served| &served.urls);
        let is_local = self.server.address.ip().is_loopback();
        if is_local {
            tell!(
                "{}",
                t!("only this machine can join; phones can join if you choose one of its addresses:")
            );
            let addresses = listen::reachable((IpAddr::from([0; 4]), self.server.address.port()).into())?;
            for address in addresses.iter().filter(|address| !address.ip().is_loopback()) {
                let command = format!("  mailcall class --listen {address}");
                tell!("{command}");
            }
        } else {
            tell!(
                "{}",
                t!("everyone in this network can reach this server; who knows the code can join")
            );
            if let Some(code) = urls
                .first()
                .and_then(|url| qr::text(url, crate::terminal::colour(&std::io::stderr())))
            {
                tell!("{code}");
            }
        }
        if let Some(code) = self.room.code() {
            tell!("{}", t!("the code to type: %{code}", code = code));
        }
        if args.students > 0 {
            tell!("{}", t!("%{n} simulated students take part", n = args.students));
        }
        let all: String = urls.iter().map(|url| format!("{url}\n")).collect();
        report::deliver(&all, None)?;
        let board = own_address(self.server.address);
        tell!(
            "{}",
            t!(
                "the board, with the teacher's controls: %{url}",
                url = format!("http://{board}/board#{}", self.key)
            )
        );
        tell!(
            "{}",
            match lesson {
                Some(_) => t!("Enter goes on with the lesson; Ctrl-C ends the class"),
                None => t!("Enter lets a mail arrive; Ctrl-C ends the class"),
            }
        );
        Ok(())
    }

    /// Ends the class, and writes its record.
    fn close(self, lab: &Lab, args: &ClassArgs, taught: Option<teach::Taught>) -> Result<ExitCode, Failure> {
        self.stop.cancel();
        if let Some(robots) = self.robots {
            robots.join();
        }
        let _ = self.clerk.join_here();
        let record = record::of(COMMAND.name, &self.room, lab, taught);
        let written = match &args.record {
            Some(path) => super::present::present(
                report::Format::Json,
                &record,
                &super::output::plain_style(Some(path)),
                [Some(path), None],
            ),
            None => Ok(()),
        };
        let summary = self.server.stop();
        tell!(
            "{}",
            t!(
                "%{students} students, %{mails} mails, %{requests} requests on %{connections} connections",
                students = record.students,
                mails = record.mails,
                requests = summary.totals.tally.requests,
                connections = summary.connections
            )
        );
        written.map(|()| ExitCode::SUCCESS)
    }
}

/// The address at which this machine itself finds the server.
fn own_address(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, listens.port()).into()
}

fn url(room: &Room, address: SocketAddr) -> String {
    match room.code() {
        Some(code) => format!("http://{address}/?code={code}"),
        None => format!("http://{address}/"),
    }
}

/// Each line on stdin is an order: the next step of the lesson if there is one, or else a mail with this text.
fn listen_to_enter(room: Arc<Room>) {
    let listen = move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        while stdin.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            // Once the lesson is over, Enter lets mail arrive again.
            if !room.lead.order(Order::Next {}) && room.mails.take(None, &text).is_err() {
                tell!("{}", t!("this is no mail: it may have 200 characters"));
            }
        }
    };
    // Without this thread the board still has its buttons. It ends with the process.
    let _ = std::thread::Builder::new().name("stdin".into()).spawn(listen);
}
