//! Mail, lists of mail, attachments, and what does not fit.
use super::unit::{Detail, Explained, bytes, text};
use crate::wire::transcript::Piece;
use crate::wire::{Kind, Label};

/// A part that is the same in every protocol that carries mail.
pub fn explain(run: &Piece, in_frame: bool) -> Explained {
    match run.kind {
        Kind::Mail if run.bytes == b"}" => {
            Explained::new(run, "The mail's last brace.", "RFC 8259, section 4")
        }
        Kind::Mail => Explained::new(
            run,
            "The mail, as its sender made it: JSON.",
            "RFC 8259, section 4",
        )
        .because("This is what everything else is there for."),
        Kind::ListPunctuation => punctuation(run),
        Kind::AttachmentKey if run.bytes == b"\"" => {
            Explained::new(run, "The quote behind the attachment.", "RFC 8259, section 7")
        }
        Kind::AttachmentKey => Explained::new(
            run,
            "The key that puts an attachment into JSON.",
            "RFC 8259, section 4",
        ),
        Kind::Attachment => attachment(run, in_frame),
        Kind::MailLength => {
            let length = run.bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
            Explained::new(
                run,
                "How long the JSON is; the attachment is the rest.",
                "mailcall's own form",
            )
            .because("A binary message has no quotes or commas to tell the two apart by.")
            .with(vec![Detail::new(
                "length",
                length.to_string(),
                "bytes of JSON, big-endian",
            )])
        }
        Kind::Notice => notice(run),
        Kind::Reply => Explained::new(run, "What the client's application says.", "RFC 8259, section 4")
            .because("It has read this mail."),
        Kind::OtherBody => Explained::new(run, "A body without mail.", "RFC 9110, section 6.4"),
        _ => Explained::new(
            run,
            "Bytes that fit no rule of the protocol, or that a cut left unfinished.",
            "none",
        ),
    }
}

fn punctuation(run: &Piece) -> Explained {
    let what = match run.bytes.as_slice() {
        b"[" => "The list begins.",
        b"]" => "The list ends.",
        b"," => "The next mail of the list.",
        b"[]" => "A list without mail.",
        _ => "The list's brackets, commas and white space.",
    };
    Explained::new(run, what, "RFC 8259, section 5")
        .because("Several mails may have waited for this question; so the answer is a list.")
}

fn attachment(run: &Piece, in_frame: bool) -> Explained {
    if in_frame && run.labels.framing == 0 {
        return Explained::new(run, "The attachment, byte for byte.", "RFC 6455, section 5.6")
            .because("A binary frame carries any bytes: nothing has to be encoded.");
    }
    let (payload, framing) = (run.labels.payload, run.labels.framing);
    Explained::new(run, "The attachment in base64.", "RFC 4648, section 4")
        .because("JSON is text, and has no place for bytes: three of them become four characters.")
        .with(vec![
            Detail::new(name(Label::Payload), "", "as many as the attachment has").valued(bytes(payload)),
            Detail::new(
                name(Label::Framing),
                "",
                "what the encoding adds: every fourth character, and padding",
            )
            .valued(bytes(framing)),
        ])
}

/// A label's name.
pub fn name(label: Label) -> &'static str {
    match label {
        Label::Head => "head",
        Label::Framing => "framing",
        Label::Control => "control",
        Label::Payload => "payload",
        Label::Tls => "tls",
    }
}
/// What the server says of its log. Several notices may stand in one run.
fn notice(run: &Piece) -> Explained {
    // In a string of JSON each quote has a backslash before it.
    let said = text(&run.bytes).replace('\\', "");
    let details = NOTICES
        .iter()
        .filter_map(|(name, what)| Some(Detail::new(*name, notice_value(&said, name)?, *what)));
    Explained::new(run, "What the server says of its log, rather than of a mail.", "mailcall's own form")
        .because(
            "A log keeps so many mails: a cursor older than that has a gap. A server that comes back with an empty \
             log numbers its mails from 1 again: by the epoch, the log's name, it finds that a cursor is none of \
             this log.",
        )
        .with(details.collect())
}

const NOTICES: [(&str, &str); 3] = [
    (
        "reset",
        "the cursor is none of this log, which has this epoch and follows from its beginning",
    ),
    ("gap", "so many mails behind the cursor are no longer kept"),
    ("epoch", "the log's name, which the client repeats in its cursor"),
];

/// What a notice of a name says, as JSON or as an event of a stream.
fn notice_value(said: &str, name: &str) -> Option<String> {
    let value = match said.split_once(&format!("\"{name}\":")) {
        Some((_, value)) => value,
        None if said.contains(&format!("event: {name}")) => said.split_once("data:")?.1,
        None => return None,
    };
    let end = |c: char| matches!(c, ',' | '}' | '\r' | '\n');
    Some(value.split(end).next()?.trim_matches(['"', ' ']).to_owned())
}
