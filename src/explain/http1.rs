//! HTTP/1's heads line by line, and the lines around chunks (RFC 9112).
use super::request::{Asked, Request};
use super::target::{self, cursor};
use super::unit::{Detail, Explained, Knowledge, Told, Unit, bytes, lines, text};
use super::{fields, handshake};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;

fn content(line: &Piece) -> String {
    text(line.bytes.trim_ascii_end())
}

/// A request's head.
pub fn request(run: &Piece, asked: &mut Asked) -> Unit {
    let mut request = Request::default();
    let mut parts = Vec::new();
    let mut told = Vec::new();
    for line in lines(run) {
        let content = content(&line);
        let said = line.bytes.len() as u64;
        if content.is_empty() {
            parts.push(blank(&line));
            told.push((Knowledge::Head, said));
        } else if request.method.is_empty() {
            request.read_line(&content);
            parts.push(request_line(&line, &request));
            let cursor = cursor(&request.target).map_or(0, |c| c.len() as u64);
            told.push((Knowledge::Cursor, cursor));
            told.push((Knowledge::Head, said - cursor));
        } else {
            let (name, value) = field(&content);
            request.read_field(name, value);
            parts.push(fields::explain(&line, name, value, &request));
            told.push((fields::knowledge(name), said));
        }
    }
    asked.remember(&request);
    let (method, path) = (request.method.clone(), target::lasting(&request.target));
    Unit {
        direction: run.direction,
        at_us: run.at_us,
        title: match request.key.is_some() {
            true => phrase!(
                "request: %{method} %{path}, which asks for a %{protocol}",
                method = method,
                path = path,
                protocol = "WebSocket"
            ),
            false => phrase!("request: %{method} %{path}", method = method, path = path),
        },
        parts,
        target: Some(request.target),
        told: sum(&told),
    }
}

fn sum(told: &[(Knowledge, u64)]) -> Vec<Told> {
    let of = |wanted| {
        told.iter()
            .filter(|(what, _)| *what == wanted)
            .map(|(_, n)| n)
            .sum()
    };
    [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
        .map(|what| Told {
            what,
            bytes: of(what),
        })
        .into_iter()
        .filter(|told| told.bytes > 0)
        .collect()
}

/// A response's head.
pub fn response(run: &Piece, asked: &mut Asked) -> Unit {
    let mut parts = Vec::new();
    let mut status = None;
    let mut title = Text::from("response");
    let mut request = Request::default();
    for line in lines(run) {
        let content = content(&line);
        if content.is_empty() {
            parts.push(blank(&line));
        } else if status.is_none() {
            let code = content
                .split(' ')
                .nth(1)
                .and_then(|c| c.parse().ok())
                .unwrap_or(0);
            status = Some(code);
            // Several interim answers may come before the final one.
            request = asked.answered(code);
            let status = content.split_once(' ').map_or("", |(_, status)| status);
            title = phrase!("response: %{status}", status = status.to_string());
            parts.push(status_line(&line, &content, code));
        } else {
            let (name, value) = field(&content);
            parts.push(handshake::answer(&line, name, value, &request));
        }
    }
    Unit {
        direction: run.direction,
        at_us: run.at_us,
        title,
        parts,
        target: None,
        told: Vec::new(),
    }
}

fn field(line: &str) -> (&str, &str) {
    line.split_once(':').map_or((line, ""), |(n, v)| (n, v.trim()))
}

fn request_line(line: &Piece, request: &Request) -> Explained {
    let (meaning, source) = method(&request.method);
    let varying = target::varying(&request.target);
    let before = request.method.len() + 1;
    let mut details = vec![
        Detail::new("method", request.method.clone(), sourced(meaning, source)),
        Detail {
            random: varying.is_some(),
            ..Detail::new(
                "target",
                request.target.clone(),
                "what is asked for, and with which parameters",
            )
        },
    ];
    if let Some(cursor) = cursor(&request.target) {
        details.push(Detail::new(
            "cursor",
            cursor,
            "the client's whole state: the number of the last mail it has seen, and the epoch of its log",
        ));
    }
    details.push(Detail::new(
        "version",
        request.version.clone(),
        version(&request.version),
    ));
    Explained {
        random: varying.map(|range| before + range.start..before + range.end),
        ..Explained::new(
            line,
            "Request line: method, target, version.",
            "RFC 9112, section 3",
        )
        .because("Says all that is wanted: a request cannot refer to an earlier one.")
        .with(details)
    }
}

fn sourced(meaning: &'static str, source: &'static str) -> Text {
    phrase!(
        "%{meaning} (%{source})",
        meaning = meaning,
        source = source.to_string()
    )
}

fn method(name: &str) -> (&'static str, &'static str) {
    match name {
        "GET" => (
            "give me this; changes nothing, so it may be repeated",
            "RFC 9110, section 9.3.1",
        ),
        "HEAD" => ("as GET, but the head only", "RFC 9110, section 9.3.2"),
        "POST" => (
            "take this; repeating it might do it twice",
            "RFC 9110, section 9.3.3",
        ),
        _ => ("what is to be done", "RFC 9110, section 9"),
    }
}

fn version(name: &str) -> &'static str {
    match name {
        "HTTP/1.0" => "the connection ends after one answer, unless both sides say otherwise",
        "HTTP/1.1" => "the connection stays open for more, unless a side says close",
        _ => "which HTTP the sender speaks",
    }
}

fn status_line(line: &Piece, content: &str, code: u16) -> Explained {
    let mut words = content.splitn(3, ' ');
    let spoken = words.next().unwrap_or_default();
    let (meaning, source) = status(code);
    let reason = words.nth(1).unwrap_or_default();
    let mut details = vec![
        Detail::new("version", spoken, version(spoken)),
        Detail::new("status", code.to_string(), sourced(meaning, source)),
    ];
    if !reason.is_empty() {
        details.push(Detail::new(
            "reason",
            reason,
            "the same for human readers; programs ignore it",
        ));
    }
    Explained::new(
        line,
        "Status line: version, status code, reason phrase.",
        "RFC 9112, section 4",
    )
    .because("The answer in one number.")
    .with(details)
}

fn status(code: u16) -> (&'static str, &'static str) {
    match code {
        100 => ("go on and send the body", "RFC 9110, section 15.2.1"),
        101 => (
            "from the blank line on, both sides speak the protocol that Upgrade names",
            "RFC 9110, section 15.2.2",
        ),
        200 => ("done; what was asked for follows", "RFC 9110, section 15.3.1"),
        204 => (
            "done, and there is nothing to send: no body follows",
            "RFC 9110, section 15.3.5",
        ),
        304 => (
            "what you have is still right: no body follows",
            "RFC 9110, section 15.4.5",
        ),
        400 => ("the request is malformed", "RFC 9110, section 15.5.1"),
        403 => ("understood, and refused", "RFC 9110, section 15.5.4"),
        404 => ("there is nothing here", "RFC 9110, section 15.5.5"),
        405 => ("not with this method", "RFC 9110, section 15.5.6"),
        408 => ("the request took too long to arrive", "RFC 9110, section 15.5.9"),
        413 => ("the body is too large", "RFC 9110, section 15.5.14"),
        426 => (
            "only with another protocol: see Upgrade",
            "RFC 9110, section 15.5.22",
        ),
        431 => ("too many header fields", "RFC 6585, section 5"),
        _ => class(code),
    }
}

/// What the first digit says of a status that is not among them.
fn class(code: u16) -> (&'static str, &'static str) {
    match code / 100 {
        1 => (
            "an interim answer; the final one follows",
            "RFC 9110, section 15.2",
        ),
        2 => ("it worked", "RFC 9110, section 15.3"),
        3 => ("more is to be done, mostly elsewhere", "RFC 9110, section 15.4"),
        4 => ("the request is at fault", "RFC 9110, section 15.5"),
        5 => ("the server is at fault", "RFC 9110, section 15.6"),
        _ => ("no status that HTTP knows", "RFC 9110, section 15"),
    }
}

fn blank(line: &Piece) -> Explained {
    Explained::new(line, "Blank line: the head ends.", "RFC 9112, section 2.1")
        .because("What comes behind it is a body, or the next message.")
}

/// The fields behind a last chunk.
pub fn trailers(run: &Piece) -> Vec<Explained> {
    let explain = |line: Piece| {
        Explained::new(&line, "Trailer field.", "RFC 9112, section 7.1.2")
            .because("What a sender knows only when the body is over.")
    };
    lines(run).into_iter().map(explain).collect()
}

fn size(run: &Piece) -> Option<(String, u64)> {
    let line = text(&run.bytes);
    let digits = line.split(';').next()?.trim();
    Some((digits.into(), u64::from_str_radix(digits, 16).ok()?))
}

pub fn chunk_title(run: &Piece) -> Text {
    match size(run) {
        Some((_, n)) => phrase!("a chunk that holds %{length}", length = bytes(n)),
        None => "a chunk".into(),
    }
}

/// A chunk's size line.
pub fn chunk_size(run: &Piece) -> Explained {
    let details = size(run).map(|(digits, n)| {
        Detail::new("size", "", "bytes of data follow the line end").valued(phrase!(
            "%{digits} hexadecimal = %{n}",
            digits = digits,
            n = n.to_string()
        ))
    });
    Explained::new(run, "Chunk size, a line end.", "RFC 9112, section 7.1")
        .because("Nobody knows how long this answer will be; so each piece says its own length.")
        .with(details.into_iter().collect())
}

/// The line end behind a chunk's data.
pub fn chunk_end(run: &Piece) -> Explained {
    Explained::new(run, "Line end behind the chunk's data.", "RFC 9112, section 7.1")
}

/// `0` and its line ends.
pub fn last_chunk(run: &Piece) -> Explained {
    Explained::new(
        run,
        "A chunk of size 0, and a blank line: the body is over.",
        "RFC 9112, section 7.1",
    )
    .because("An end that is said can be told from a connection that broke.")
}
