//! Reads files from users: reports, lessons, header profiles, mailboxes, tables.
//!
//! Any of them may begin with a byte order mark, which some editors write. Text is UTF-8; a file in UTF-16 or
//! UTF-32 is recognised, so that the error can name the encoding.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{anyhow, bail, ensure};

use crate::lang::t;
use crate::shipped;

/// Reads a file, or the copy shipped with this program if the file does not exist.
///
/// `most` is the limit in bytes.
///
/// # Errors
/// If the file cannot be read, is a directory, is empty, or is larger than `most`.
pub fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let file = match (File::open(path), shipped::file(path)) {
        (Err(e), Some(ours)) if e.kind() == ErrorKind::NotFound => return Ok(ours.to_vec()),
        (opened, _) => opened?,
    };
    ensure!(
        !file.metadata()?.is_dir(),
        t!("it is a directory; allowed is a file")
    );
    read_from(file, most)
}

/// Reads an open source, such as stdin. The limit is checked while reading: a pipe has no length, and a
/// device may never end.
///
/// # Errors
/// As for [`read`].
pub fn read_from(source: impl Read, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= most,
        t!("it is larger than the %{most} allowed", most = size(most))
    );
    ensure!(!bytes.is_empty(), t!("it is empty"));
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mib => format!("{mib} MiB"),
    }
}

/// The bytes after the UTF-8 byte order mark, if there is one.
///
/// # Errors
/// If the bytes are UTF-16 or UTF-32.
pub fn unmarked(bytes: &[u8]) -> anyhow::Result<&[u8]> {
    if let Some(encoding) = wide(bytes) {
        bail!(t!(
            "it is %{encoding}; allowed is UTF-8: save it as UTF-8",
            encoding = encoding
        ));
    }
    Ok(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes))
}

/// The text in the bytes, without a byte order mark.
///
/// # Errors
/// If it is not UTF-8; the message names the line.
pub fn text(bytes: &[u8]) -> anyhow::Result<&str> {
    let bytes = unmarked(bytes)?;
    std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..e.valid_up_to()]).count();
        anyhow!(t!(
            "line %{line}: it is not UTF-8; allowed is text in UTF-8",
            line = line
        ))
    })
}

/// An encoding with units of two or four bytes, recognised by its byte order mark, or by the zero bytes of
/// two ASCII characters at the start.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    let begins =
        |zeros: &[bool]| zeros.len() <= bytes.len() && zeros.iter().zip(bytes).all(|(z, b)| *z == (*b == 0));
    let (z, c) = (true, false);
    let marked = |marks: [&[u8]; 2]| marks.iter().any(|mark| bytes.starts_with(mark));
    let utf32 = marked([b"\xFF\xFE\0\0", b"\0\0\xFE\xFF"])
        || begins(&[c, z, z, z, c, z, z, z])
        || begins(&[z, z, z, c, z, z, z, c]);
    let utf16 = marked([b"\xFF\xFE", b"\xFE\xFF"]) || begins(&[c, z, c, z]) || begins(&[z, c, z, c]);
    match (utf32, utf16) {
        (true, _) => Some("UTF-32"),
        (_, true) => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide_text(text: &str, mark: bool, big: bool) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn a_mark_is_no_text() {
        assert_eq!(text("\u{FEFF}메일".as_bytes()).unwrap(), "메일");
        assert_eq!(text("메일".as_bytes()).unwrap(), "메일");
        assert_eq!(text(b"").unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named() {
        for (mark, big) in [(true, true), (true, false), (false, true), (false, false)] {
            let said = text(&wide_text("{\"a\":1}", mark, big)).unwrap_err().to_string();
            assert!(said.contains("UTF-16") && said.contains("UTF-8"), "{said}");
        }
        for utf32 in [
            &b"\xFF\xFE\0\0{\0\0\0"[..],
            b"\0\0\0{\0\0\0\"",
            b"{\0\0\0\"\0\0\0",
        ] {
            let said = unmarked(utf32).unwrap_err().to_string();
            assert!(said.contains("UTF-32"), "{said}");
        }
        let said = text(b"one\ntwo\nJos\xE9\n").unwrap_err().to_string();
        assert!(said.starts_with("line 3: it is not UTF-8"), "{said}");
        assert!(unmarked(b"\0\0\0\0\0\0\0\0From a\n").is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let refused = |most| read(&file, most).unwrap_err().to_string();
        std::fs::write(&file, b"").unwrap();
        assert_eq!(refused(9), "it is empty");
        std::fs::write(&file, vec![b'x'; 70_000]).unwrap();
        assert_eq!(refused(64 << 10), "it is larger than the 64 KiB allowed");
        assert_eq!(read(&file, 70_000).unwrap().len(), 70_000);
        let said = read(dir.path(), 9).unwrap_err().to_string();
        assert!(said.contains("directory"), "{said}");
    }
}
