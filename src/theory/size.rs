//! What things weigh on the wire, in bytes: the price list for one exchange, event or frame.

/// Decimal digits of `n`: a mail's number grows the head that names it.
pub fn decimal_digits(n: u64) -> u64 {
    u64::from(n.checked_ilog10().unwrap_or(0)) + 1
}

/// A whole HTTP/1 head (RFC 9112, section 2.1): the start line, `name: value` for each field, each
/// with its CRLF, and the empty line. Two CRLFs belong to no field, and a field adds a colon, a
/// space and a CRLF to its name and value.
pub fn head_len<N, V>(start_line: &str, fields: impl IntoIterator<Item = (N, V)>) -> u64
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let field = |(name, value): (N, V)| name.as_ref().len() + 2 + value.as_ref().len() + 2;
    (start_line.len() + 2 + fields.into_iter().map(field).sum::<usize>() + 2) as u64
}

/// What a chunk adds to its `n` > 0 bytes (RFC 9112, section 7.1): the size in hexadecimal, and a
/// CRLF on either side of the data.
pub fn chunk_framing(n: u64) -> u64 {
    u64::from(n.max(1).ilog2()) / 4 + 1 + 4
}

/// The chunk of size zero that ends a chunked body without trailers: `0`, CRLF, CRLF.
pub const LAST_CHUNK: u64 = 5;

/// A WebSocket frame's header (RFC 6455, section 5.2): two bytes that hold lengths up to 125, two
/// more for lengths up to 65,535 or eight beyond, and four for the mask that clients must use.
pub fn frame_header(payload: u64, masked: bool) -> u64 {
    let length = match payload {
        0..=125 => 0,
        126..=65_535 => 2,
        _ => 8,
    };
    2 + length + if masked { 4 } else { 0 }
}

/// `n` bytes as base64 (RFC 4648, section 4): each three, or what is left of them, make four.
pub fn base64_len(n: u64) -> u64 {
    n.div_ceil(3) * 4
}

/// What base64 adds to `n` bytes: a third, rounded up to fill the last four.
pub fn base64_excess(n: u64) -> u64 {
    base64_len(n) - n
}

/// What a cursor has behind its number: a dot, and the four characters that name the log.
const EPOCH: u64 = 5;

/// What an event adds to its data of one line, when it goes out as `id: N.EPOCH`, `data: …` and the empty
/// line that dispatches it (HTML standard, section 9.2.6), with LF line ends.
pub fn sse_framing(number: u64) -> u64 {
    sse_line("id", decimal_digits(number) + EPOCH) + sse_line("data", 0) + 1
}

/// A line of an event stream, `field: value` and LF. The space after the colon is customary and not
/// part of the value; a comment is a line without field name.
pub fn sse_line(field: &str, value: u64) -> u64 {
    field.len() as u64 + 2 + value + 1
}
