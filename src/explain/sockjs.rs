//! SockJS frames, and what wraps them on each transport (SockJS protocol).
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;
use crate::wire::{Direction, Kind, Transport};

const FRAMING: &str = "SockJS protocol, section Protocol and framing";

/// A run's parts, and what frame it begins.
pub fn explain(run: &Piece, transport: Transport) -> (Vec<Explained>, Option<Text>) {
    match run.kind {
        Kind::Envelope => (vec![envelope(run)], Some(messages(run))),
        Kind::Prelude => {
            let part = Explained::new(run, "A prelude that means nothing.", section(transport)).because(
                "Some browsers show an application nothing of a stream before it has so many bytes.",
            );
            (vec![part], Some("SockJS prelude".into()))
        }
        _ if transport == Transport::Page => (vec![page(run)], None),
        _ => frames(run, transport),
    }
}

fn messages(run: &Piece) -> Text {
    match run.direction {
        Direction::Up => "SockJS: messages for the server".into(),
        Direction::Down => "SockJS: an array of messages".into(),
    }
}

/// The brackets, quotes and commas round messages, and a transport's own wrapping round those.
fn envelope(run: &Piece) -> Explained {
    let text = text(&run.bytes);
    let (what, why) = if text.contains('[') || text.contains("%5B") {
        (
            "An array of messages begins, each a string.",
            "Messages that wait leave together: `a`, and a JSON array of them.",
        )
    } else if text.contains(']') || text.contains("%5D") {
        ("The array of messages ends.", "")
    } else if text.contains(',') || text.contains("%2C") {
        ("The next message of the array.", "")
    } else {
        ("What the transport puts round a frame.", "")
    };
    Explained::new(run, what, FRAMING).because(why)
}

/// What answers `/info`, and the page that a browser loads into a frame.
fn page(run: &Piece) -> Explained {
    if !run.bytes.trim_ascii_start().starts_with(b"{") {
        return Explained::new(
            run,
            "The page for an iframe.",
            "SockJS protocol, section IFrame page: /iframe*.html",
        )
        .because("Browsers that cannot ask another origin ask it from a frame that is of that origin.");
    }
    let part = Explained::new(
        run,
        "What the server can do.",
        "SockJS protocol, section Info test: /info",
    )
    .because("A client asks this first, and measures the round trip by it.");
    // Entropy is a random number; so all of it varies.
    Explained {
        random: Some(0..run.bytes.len()),
        ..part
    }
}

/// Frames that carry no message, one to a line.
fn frames(run: &Piece, transport: Transport) -> (Vec<Explained>, Option<Text>) {
    let ends = run
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(n, _)| n + 1);
    let mut title = None;
    let pieces = pieces(run, ends);
    let parts = pieces.iter().map(|piece| {
        let (name, part) = frame(piece, transport);
        title = title.take().or(name);
        part
    });
    let parts = parts.collect();
    (parts, title.map(|name| phrase!("SockJS %{name}", name = name)))
}

fn frame(piece: &Piece, transport: Transport) -> (Option<&'static str>, Explained) {
    let text = text(&piece.bytes);
    let inner = text.trim().trim_start_matches("data:").trim_start();
    // A script or a callback puts it into quotes.
    let inner = inner.split_once("(\"").map_or(inner, |(_, behind)| behind);
    match inner.chars().next() {
        Some('o') if inner != "ok" => (
            Some("open frame"),
            Explained::new(piece, "o: the session is open.", FRAMING)
                .because("The first frame on every transport; what the client sends before is lost."),
        ),
        Some('h') => (
            Some("heartbeat"),
            Explained::new(piece, "h: a heartbeat.", FRAMING)
                .because("Keeps proxies from ending a connection on which nothing moves."),
        ),
        Some('c') => (
            Some("close frame"),
            Explained::new(piece, "c: the session is closed.", FRAMING)
                .because("With a code and a reason, as WebSocket has them, on transports that have none.")
                .with(reason(inner)),
        ),
        Some('a') => (
            Some("messages"),
            Explained::new(piece, "a: an array of messages.", FRAMING),
        ),
        Some('[') => (
            Some("messages"),
            Explained::new(piece, "The array of messages.", FRAMING),
        ),
        _ => (
            None,
            Explained::new(
                piece,
                "What the transport puts round its frames.",
                section(transport),
            ),
        ),
    }
}

fn reason(frame: &str) -> Vec<Detail> {
    let digits: String = frame.chars().filter(char::is_ascii_digit).take(4).collect();
    let what = match digits.as_str() {
        "1002" => "the connection was interrupted",
        "2010" => "another connection has this session open",
        "3000" => "the server's application is done",
        _ => "an application's own code",
    };
    vec![Detail::new("code", digits, what)]
}

fn section(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "SockJS protocol, section WebSocket protocols: /*/*/websocket",
        Transport::Xhr | Transport::XhrSend => "SockJS protocol, section XhrPolling: /*/*/xhr, /*/*/xhr_send",
        Transport::XhrStreaming => "SockJS protocol, section XhrStreaming: /*/*/xhr_streaming",
        Transport::EventSource => "SockJS protocol, section EventSource: /*/*/eventsource",
        Transport::HtmlFile => "SockJS protocol, section HtmlFile: /*/*/htmlfile",
        Transport::Jsonp | Transport::JsonpSend => {
            "SockJS protocol, section JsonpPolling: /*/*/jsonp, /*/*/jsonp_send"
        }
        Transport::Page => "SockJS protocol, section Static URLs",
    }
}
