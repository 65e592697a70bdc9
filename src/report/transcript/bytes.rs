//! The written form of bytes: text as text, with visible line ends; all others in hexadecimal.

use std::ops::Range;

use crate::explain::hex;
use crate::lang::t;

/// The number of first and last bytes that are shown of a long part.
const FIRST: usize = 400;
const LAST: usize = 40;
const FIRST_HEX: usize = 64;
const LAST_HEX: usize = 16;

/// The marks around bytes that differ in every run.
pub const RANDOM: (char, char) = ('‹', '›');

/// A run of bytes in written form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text shown.
    pub text: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether the bytes differ in every run.
    pub random: bool,
}

/// The kind of a written run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes as characters.
    Text,
    /// A line end or another invisible character.
    Escape,
    /// Two digits per byte.
    Hex,
    /// An omission.
    Omitted,
}

/// Whether bytes can be written as text. Bytes that are all random (for example masked) are never written as
/// text, even if they happen to be letters.
pub fn is_text(bytes: &[u8], random: Option<&Range<usize>>) -> bool {
    let noise = random.is_some_and(|r| !bytes.is_empty() && *r == (0..bytes.len()));
    !noise
        && std::str::from_utf8(bytes).is_ok_and(|text| {
            text.chars()
                .all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t'))
        })
}

/// Writes a part's bytes; the middle of a long part is left out, unless `whole` is set.
pub fn write(bytes: &[u8], random: Option<&Range<usize>>, whole: bool) -> Vec<Written> {
    let textual = is_text(bytes, random);
    let (first, last) = if textual {
        (FIRST, LAST)
    } else {
        (FIRST_HEX, LAST_HEX)
    };
    let mut out = Vec::new();
    if whole || bytes.len() <= first + last + first / 4 {
        stretch(bytes, 0..bytes.len(), random, &mut out);
        return out;
    }
    // Not within a character.
    let boundary = |from: usize| (from..bytes.len()).find(|n| bytes[*n] & 0xC0 != 0x80 || !textual);
    let start = boundary(first).unwrap_or(first);
    let end = boundary(bytes.len() - last).unwrap_or(bytes.len());
    stretch(bytes, 0..start, random, &mut out);
    out.push(Written {
        text: t!("… %{n} bytes more …", n = end - start),
        kind: Kind::Omitted,
        random: false,
    });
    stretch(bytes, end..bytes.len(), random, &mut out);
    out
}

/// Writes a range of bytes, with the random ones as separate runs.
fn stretch(bytes: &[u8], shown: Range<usize>, random: Option<&Range<usize>>, out: &mut Vec<Written>) {
    let textual = is_text(bytes, random);
    let within = |at: usize| at.clamp(shown.start, shown.end);
    let (from, to) = random.map_or((shown.end, shown.end), |r| (within(r.start), within(r.end)));
    one(&bytes[shown.start..from], textual, false, out);
    one(&bytes[from..to], textual, true, out);
    one(&bytes[to..shown.end], textual, false, out);
}

fn one(bytes: &[u8], textual: bool, random: bool, out: &mut Vec<Written>) {
    if !textual && !bytes.is_empty() {
        out.push(Written {
            text: hex(bytes),
            kind: Kind::Hex,
            random,
        });
        return;
    }
    // Bytes that are not text were written above.
    for c in String::from_utf8_lossy(bytes).chars() {
        let (text, kind) = match c {
            '\r' => ("\\r".into(), Kind::Escape),
            '\n' => ("\\n".into(), Kind::Escape),
            '\t' => ("\\t".into(), Kind::Escape),
            c => (c.to_string(), Kind::Text),
        };
        match out.last_mut() {
            Some(last) if last.kind == kind && last.random == random => last.text.push_str(&text),
            _ => out.push(Written { text, kind, random }),
        }
    }
}

/// The written runs in one line, with marks around random ones.
pub fn line(written: &[Written]) -> String {
    let mut out = String::new();
    let mut hexes = false;
    for piece in written {
        let is_hex = matches!(piece.kind, Kind::Hex);
        if !out.is_empty() && (is_hex || hexes || piece.kind == Kind::Omitted) {
            out.push(' ');
        }
        hexes = is_hex || piece.kind == Kind::Omitted;
        out.push_str(&mark(&piece.text, piece.random));
    }
    out
}

/// A text with marks around it, if it is random.
pub fn mark(text: &str, random: bool) -> String {
    if random {
        format!("{}{text}{}", RANDOM.0, RANDOM.1)
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], random: Option<Range<usize>>) -> String {
        line(&write(bytes, random.as_ref(), false))
    }

    #[test]
    fn text_shows_its_line_ends_and_the_rest_is_hexadecimal() {
        assert_eq!(shown(b"GET / HTTP/1.1\r\n", None), "GET / HTTP/1.1\\r\\n");
        assert_eq!(shown("메일\t".as_bytes(), None), "메일\\t");
        assert_eq!(shown(b"\x81\x05", None), "81 05");
        assert_eq!(shown(b"\xff", None), "ff");
        assert_eq!(shown(b"", None), "");
    }

    #[test]
    fn what_is_random_is_marked_without_colour() {
        assert_eq!(shown(b"host: a:80\r\n", Some(8..10)), "host: a:‹80›\\r\\n");
        assert_eq!(
            shown(b"\x81\x85\x01\x02\x03\x04", Some(2..6)),
            "81 85 ‹01 02 03 04›"
        );
        assert_eq!(shown(b"\x00\x01", Some(0..2)), "‹00 01›");
        assert_eq!(shown(b"AB", Some(0..2)), "‹41 42›", "letters by chance");
    }

    #[test]
    fn of_a_long_part_the_middle_is_left_out_and_counted() {
        let long = "é".repeat(1_000);
        let text = shown(long.as_bytes(), None);
        assert!(
            text.starts_with('é') && text.ends_with('é') && text.contains("… 1560 bytes more …"),
            "{text}"
        );
        assert_eq!(line(&write(long.as_bytes(), None, true)), long);
        let noise = shown(&[0xFF; 1_000], Some(0..1_000));
        assert!(
            noise.contains("… 920 bytes more … ‹ff") && noise.ends_with("ff›"),
            "{noise}"
        );
    }
}
