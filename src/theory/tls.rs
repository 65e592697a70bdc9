//! What TLS 1.3 adds to what is said (RFC 8446).

/// Around each record: a header of five bytes, the true content type, and the tag that authenticates it
/// (RFC 8446, section 5.2; 16 bytes in every cipher suite of its appendix B.4 but one).
pub const RECORD: u64 = 5 + 1 + 16;

/// The most plain bytes that a record holds (section 5.1).
const FRAGMENT: u64 = 1 << 14;

/// The alert that ends a direction (section 6.1), in a record of its own.
pub const CLOSE_NOTIFY: u64 = 2 + RECORD;

/// Bytes that TLS adds to so many plain ones which are written at once.
pub fn tls_framing(len: u64) -> u64 {
    len.div_ceil(FRAGMENT) * RECORD
}

/// Bytes of a handshake, session tickets included (section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// From the client.
    pub up: u64,
    /// From the server.
    pub down: u64,
}

/// The client's last flight: the message of compatibility (appendix D.4), and its Finished with a hash of
/// 32 or 48 bytes (section 4.4.4), in a record. It leaves together with the first request.
pub const FINISHED: u64 = 6 + RECORD + 4 + 48;

/// The server's last flight, about: two tickets to resume the session with (section 4.6.1).
pub const TICKETS: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_so_much() {
        let adds = [
            (0, 0),
            (1, 22),
            (300, 22),
            (16_384, 22),
            (16_385, 44),
            (100_000, 154),
        ];
        assert!(adds.iter().all(|(len, added)| tls_framing(*len) == *added));
    }
}
