//! The lines of an event stream (HTML, section 9.2).
use super::unit::{self, Detail, Explained, text};
use crate::wire::Kind;
use crate::wire::transcript::Piece;

const FIELDS: &str = "HTML, section 9.2.6";
const SYNTAX: &str = "HTML, section 9.2.5";

/// One part per line, or piece of a line: the mail stands between a `data:` and its line end.
pub fn lines(run: &Piece) -> Vec<Explained> {
    unit::lines(run)
        .iter()
        .map(|line| explain(line, run.kind))
        .collect()
}

fn explain(line: &Piece, kind: Kind) -> Explained {
    let content = text(&line.bytes);
    let content = content.trim_end_matches(['\r', '\n']);
    let (name, value) = content
        .split_once(':')
        .map_or((content, ""), |(n, v)| (n, v.trim_start()));
    let whole = line.bytes.ends_with(b"\n") || line.bytes.ends_with(b"\r");
    match (kind, name) {
        (Kind::SseEnd, _) => Explained::new(
            line,
            "Blank line: what stands above it is dispatched, if it has data.",
            FIELDS,
        )
        .because("An event has as many lines as it likes; so its end has to be marked."),
        (Kind::SseComment, _) => {
            Explained::new(line, "Comment: begins with a colon, and is ignored.", SYNTAX).because(
                "A heartbeat. It keeps proxies from ending a connection on which nothing moves, and a server \
                      learns by it that nobody is there any more.",
            )
        }
        (_, "") if whole => Explained::new(line, "Line end of the field.", SYNTAX),
        (_, "data") => Explained::new(line, "Field data: what follows is the event's content.", FIELDS),
        (_, "id") => Explained::new(line, "Field id: this event's number.", FIELDS)
            .because("A client that loses the connection repeats it as Last-Event-ID, and goes on there.")
            .with(vec![Detail::new("id", value, "the cursor after this event")]),
        (_, "event") => Explained::new(line, "Field event: which kind of event.", FIELDS)
            .because("Without one it is a message."),
        (_, "retry") => Explained::new(line, "Field retry: how long to wait before reconnecting.", FIELDS)
            .because("Reconnecting is the browser's work; the server only says how soon.")
            .with(vec![Detail::new("retry", value, "milliseconds")]),
        _ => Explained::new(line, "A field that no client knows, which is ignored.", FIELDS),
    }
}
