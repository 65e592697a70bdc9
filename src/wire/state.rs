//! What a request tells the server of the client's state: who asks, and how far it has read. HTTP's
//! server remembers neither (RFC 9110, section 3.3), so a request that comes by itself says both.

/// The parameter that holds the cursor.
const CURSOR: &[u8] = b"after=";

/// Fields that say who asks (RFC 6265, section 4.2), and where a stream broke off (HTML, section 9.2.4).
pub(super) fn is_state(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"last-event-id")
}

/// Bytes of a request's target that are the cursor, its name included.
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
