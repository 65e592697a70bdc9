//! The client's state in a request: its identity and its cursor. An HTTP server remembers neither (RFC 9110,
//! section 3.3), so every independent request contains both.

/// The parameter that holds the cursor.
const CURSOR: &[u8] = b"after=";

/// Whether a field carries the identity (RFC 6265, section 4.2) or the cursor (HTML, section 9.2.4).
pub(super) fn is_state(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"last-event-id")
}

/// The size of the cursor in a request's target, including its name, bytes.
pub(super) fn cursor(target: &[u8]) -> u64 {
    let query = target.splitn(2, |b| *b == b'?').nth(1).unwrap_or_default();
    let mut parameters = query.split(|b| *b == b'&');
    parameters.find(|p| p.starts_with(CURSOR)).map_or(0, <[u8]>::len) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_a_parameter() {
        let targets: [(&[u8], u64); 6] = [
            (b"/poll?after=12", 8),
            (b"/poll?x=1&after=3&y=2", 7),
            (b"/poll?thereafter=3", 0),
            (b"/after=3", 0),
            (b"/poll?", 0),
            (b"", 0),
        ];
        assert!(targets.iter().all(|(target, bytes)| cursor(target) == *bytes));
        assert!(is_state(b"Cookie") && is_state(b"last-event-id") && !is_state(b"set-cookie"));
    }
}
