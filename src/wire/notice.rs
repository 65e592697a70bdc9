//! What a server says of its log rather than of a mail: `{"gap":3}`, `{"reset":"k3f9"}`, `{"epoch":"k3f9"}`.
//! It is known by how it begins.

use super::mailtext::common;

/// How notices begin.
const NOTICES: [&[u8]; 3] = [br#"{"gap":"#, br#"{"reset":"#, br#"{"epoch":"#];

/// The shortest of them.
pub(super) const SHORTEST: usize = NOTICES[0].len();

/// Whether a message that is there whole is one.
pub(super) fn is_notice(text: &[u8]) -> bool {
    NOTICES.iter().any(|notice| text.starts_with(notice))
}

/// The beginning of a notice, read byte by byte.
pub(super) type Beginning = &'static [u8];

/// Goes on with a beginning as far as `bytes` do: what is read then is the longer by as many bytes as fit.
pub(super) fn extend(read: Beginning, bytes: &[u8]) -> Beginning {
    let fitting = NOTICES.into_iter().filter(|notice| notice.starts_with(read));
    let longer = fitting.map(|notice| &notice[..read.len() + common(bytes, &notice[read.len()..])]);
    longer.max_by_key(|longer| longer.len()).unwrap_or(read)
}

/// Whether no other message begins like that.
pub(super) fn is_known(read: Beginning) -> bool {
    NOTICES.contains(&read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_found_however_it_is_cut() {
        for notice in NOTICES {
            for cut in 0..=notice.len() {
                let read = extend(extend(b"", &notice[..cut]), &notice[cut..]);
                assert_eq!(read, notice);
                assert!(is_known(read) && is_notice(read));
            }
        }
        for (text, fits) in [(r#"{"id":1"#, 2), (r#"{"epic"#, 4), (r#"{"res":1"#, 5), ("[", 0)] {
            let read = extend(b"", text.as_bytes());
            assert_eq!(
                (read.len(), is_known(read), is_notice(text.as_bytes())),
                (fits, false, false)
            );
        }
        assert!(NOTICES.iter().all(|notice| notice.len() >= SHORTEST));
    }
}
