//! A technique's client alone, against the server at a URL (`mailcall ws wss://127.0.0.1:8443`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, value_parser};
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use super::args::Asked;
use super::bars;
use super::failure::Failure;
use super::output::{nothing_came, verdict};
use super::subcommand::Whole;
use crate::lab;
use crate::lab::visit::{Visit, Visited};
use crate::lang::{Language, t};
use crate::link::tls;
use crate::outcome::{Report, Scenario};
use crate::report;
use crate::technique::{Headers, Origin, Technique};

/// The flags that are for a client: all others are for the server, which was started with its own.
const OURS: &[&str] = &[
    "mails", "interval", "clients", "reply", "grace", "headers", "http", "ca", "format", "output", "save",
    "timeline", "bytes", "over", "lang", "expect",
];

/// Adds the server's URL, and the authority to trust, to a technique's command.
pub fn with_url(command: Command, technique: &Technique) -> Command {
    let [plain, encrypted] = schemes(technique);
    command
        .arg(Arg::new("url").value_name("URL").help(format!(
            "Measure as a client alone, against a `mailcall serve` at {plain}:// or {encrypted}://"
        )))
        .arg(
            Arg::new("ca")
                .long("ca")
                .value_name("FILE")
                .help("With a URL: the certificate authority to trust (mailcall serve --tls --ca FILE)")
                .help_heading("Transport")
                .requires("url")
                .value_parser(value_parser!(PathBuf)),
        )
}

/// The schemes of a technique's URLs, plain and encrypted.
fn schemes(technique: &Technique) -> [&'static str; 2] {
    [false, true].map(|tls| {
        (technique.scheme)(&Scenario {
            tls,
            ..Scenario::default()
        })
    })
}

/// The URL that was given, if one was.
pub fn url(matches: &ArgMatches) -> Option<&String> {
    matches.try_get_one("url").ok().flatten()
}

/// Visits the server, and prints what was measured.
pub fn run(
    matches: &ArgMatches,
    technique: &'static Technique,
    url: &str,
    whole: Whole,
) -> Result<ExitCode, Failure> {
    let asked = Asked::read(matches, &[technique]).map_err(Failure::Usage)?;
    super::choice::possible(&[technique], &asked.scenario)?;
    let expectations = super::expect::expected(matches, &[technique.name]).map_err(Failure::Usage)?;
    let visit = prepare(matches, technique, url, &asked, whole).map_err(Failure::Usage)?;
    let [plain, encrypted] = schemes(technique);
    let scheme = if visit.origin.encrypted { encrypted } else { plain };
    let remote = format!("{scheme}://{}", visit.origin.authority);
    let (arrived, server) = visit
        .arrive()
        .with_context(|| t!("cannot measure at %{remote}", remote = remote))
        .map_err(Failure::Run)?;
    super::interrupt::ends(visit.interrupt.clone());
    if arrived.awaited.is_none() {
        tell!(
            "{}",
            t!(
                "all mail that is planned there has come: waiting for mail from outside until Ctrl-C (--mails N waits for N)"
            )
        );
    }
    super::tell::tell_left_out(&visit.headers);
    let bars = bars::Bars::new(&[technique]);
    let visited = visit.stay(&arrived, server, &|progress| bars.show(progress));
    bars.clear();
    let Visited {
        outcome,
        server_clock,
        asking: [up, down],
    } = visited.map_err(Failure::Run)?;
    if visit.interrupt.is_cancelled() && nothing_came([&outcome]) && !asked.format.is_for_programs() {
        return Ok(super::output::ended_before_any_mail());
    }
    tell!(
        "{}",
        t!(
            "asking the server what it does took %{up} bytes up and %{down} down, which are not in the result",
            up = up,
            down = down
        )
    );
    let report = Report {
        envelope: super::output::envelope(None, visit.interrupt.is_cancelled()),
        simulated: false,
        environment: Some(lab::environment()),
        scenario: (*arrived.scenario).clone(),
        results: vec![outcome],
        absent: Vec::new(),
        remote: Some(remote),
        server_clock: Some(server_clock),
    };
    super::present::present(
        asked.format,
        &report,
        &asked.style(),
        [asked.output.as_deref(), asked.save.as_deref()],
    )?;
    let met = super::expect::are_met(&expectations, &report.results);
    Ok(verdict(&report, met))
}

fn prepare(
    matches: &ArgMatches,
    technique: &'static Technique,
    url: &str,
    asked: &Asked,
    whole: Whole,
) -> anyhow::Result<Visit> {
    refuse_the_servers(matches, technique, whole)?;
    let origin = origin(url, technique)?;
    for output in asked.output.iter().chain(&asked.save) {
        report::check_output(output)?;
    }
    let ca: Option<&PathBuf> = matches.get_one("ca");
    let authority = authority(&origin, ca.map(PathBuf::as_path))?;
    Ok(Visit {
        technique,
        origin,
        authority,
        headers: Arc::new(Headers::load(&asked.scenario.headers)?.over(asked.scenario.http)),
        scenario: asked.scenario.clone(),
        mails: matches.get_one("mails").copied(),
        interrupt: CancellationToken::new(),
    })
}

/// Refuses flags that describe the server: they cannot be passed on to it.
fn refuse_the_servers(matches: &ArgMatches, technique: &Technique, whole: Whole) -> anyhow::Result<()> {
    let command = whole();
    let all = command
        .find_subcommand(technique.name)
        .into_iter()
        .flat_map(Command::get_arguments);
    for arg in all {
        let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else {
            continue;
        };
        let said = matches.value_source(id) == Some(ValueSource::CommandLine);
        let allowed = || {
            let known: Vec<_> = command
                .find_subcommand(technique.name)
                .into_iter()
                .flat_map(Command::get_arguments)
                .filter(|a| OURS.contains(&a.get_id().as_str()))
                .filter_map(|a| Some(format!("--{}", a.get_long()?)))
                .collect();
            known.join(", ")
        };
        ensure!(
            !said || OURS.contains(&id),
            t!(
                "--%{long} cannot be used with a URL: it is the server's affair, or needs both ends in hand. Allowed are %{allowed}",
                long = long,
                allowed = allowed()
            )
        );
    }
    Ok(())
}

fn origin(url: &str, technique: &Technique) -> anyhow::Result<Origin> {
    let [plain, encrypted] = schemes(technique);
    let allowed = t!(
        "allowed is %{plain}://HOST:PORT or %{encrypted}://HOST:PORT",
        plain = plain,
        encrypted = encrypted
    );
    let parsed = Url::parse(url).or_else(|e| {
        let what = t!(
            "%{url} is not the URL of a server; %{allowed}",
            url = url,
            allowed = allowed
        );
        match Language::spoken() {
            Language::En => Err(e).context(what),
            // The parser's own words are English.
            Language::Ko => bail!(what),
        }
    })?;
    if ![plain, encrypted].contains(&parsed.scheme()) {
        bail!(t!(
            "%{technique} does not speak %{scheme}://; %{allowed}",
            technique = technique.name,
            scheme = parsed.scheme(),
            allowed = allowed
        ));
    }
    let Some(host) = parsed.host_str().filter(|h| !h.is_empty()) else {
        bail!(t!(
            "%{url} names no host; %{allowed}",
            url = url,
            allowed = allowed
        ));
    };
    let alone = matches!(parsed.path(), "" | "/")
        && parsed
            .query()
            .or(parsed.fragment())
            .or(parsed.password())
            .is_none()
        && parsed.username().is_empty();
    ensure!(
        alone,
        t!(
            "%{url} says more than where the server is; %{allowed}",
            url = url,
            allowed = allowed
        )
    );
    let port = parsed.port().map(|port| format!(":{port}"));
    Ok(Origin {
        encrypted: parsed.scheme() == encrypted,
        authority: format!("{host}{}", port.unwrap_or_default()),
    })
}

fn authority(origin: &Origin, ca: Option<&Path>) -> anyhow::Result<Option<String>> {
    match (origin.encrypted, ca) {
        (false, None) => Ok(None),
        (false, Some(_)) => bail!(t!("--ca is of no use where nothing is encrypted")),
        (true, None) => bail!(t!(
            "an encrypted connection needs somebody to trust: --ca FILE, which `mailcall serve --tls --ca FILE` writes"
        )),
        (true, Some(path)) => {
            let name = || t!("cannot trust %{path}", path = path.display());
            let pem = std::fs::read_to_string(path).with_context(name)?;
            tls::client(&pem, Vec::new()).with_context(name)?;
            Ok(Some(pem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::technique;

    fn named(name: &str) -> &'static Technique {
        technique::named(name).unwrap()
    }

    #[test]
    fn a_url_is_an_origin() {
        for (name, url, encrypted, authority) in [
            ("ws", "ws://127.0.0.1:8000", false, "127.0.0.1:8000"),
            ("ws", "wss://mail.example/", true, "mail.example"),
            ("ws", "wss://mail.example:443", true, "mail.example"),
            ("ws", "WS://[::1]:80", false, "[::1]"),
            ("sse", "https://[::1]:80", true, "[::1]:80"),
            ("poll", "http://LOCALHOST", false, "localhost"),
        ] {
            let there = origin(url, named(name)).unwrap();
            assert_eq!(
                (there.encrypted, &*there.authority),
                (encrypted, authority),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_what_is() {
        for (name, url) in [
            ("ws", "http://127.0.0.1:8000"),
            ("sse", "wss://127.0.0.1:8000"),
            ("poll", "ftp://127.0.0.1"),
            ("poll", "localhost:8000"),
            ("poll", "127.0.0.1:8000"),
            ("poll", "http://"),
            ("poll", "http://127.0.0.1:99999"),
            ("poll", "http://127.0.0.1:8000/poll"),
            ("poll", "http://127.0.0.1:8000/?after=1"),
            ("poll", "http://127.0.0.1:8000#top"),
            ("poll", "http://me@127.0.0.1:8000"),
            ("poll", "http://me:pw@127.0.0.1:8000"),
        ] {
            let said = format!("{:#}", origin(url, named(name)).unwrap_err());
            let wanted = if name == "ws" {
                "wss://HOST:PORT"
            } else {
                "https://HOST:PORT"
            };
            assert!(said.contains(wanted), "{url}: {said}");
        }
    }
}
