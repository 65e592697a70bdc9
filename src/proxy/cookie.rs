//! The cookie of a balancer that keeps a client at one server (RFC 6265), as HAProxy's `cookie SRV insert indirect`: the
//! balancer puts it into the first answer, reads it from further requests, and removes it from what the servers get.
//!
//! ```text
//! client                     balancer                    server 2
//!   | GET /sockjs/info          |                           |
//!   |-------------------------->|  GET /sockjs/info         |     the next server
//!   |                           |-------------------------->|
//!   |   200                     |   200                     |
//!   |   Set-Cookie: SRV=s2; path=/                          |
//!   |<--------------------------|<--------------------------|
//!   | POST …/xhr                |                           |
//!   | Cookie: SRV=s2            |  POST …/xhr               |     the same one
//!   |-------------------------->|-------------------------->|
//! ```

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// Its name.
pub const NAME: &str = "SRV";

/// Takes the cookie out of a request, and returns the place of the server that it names: `SRV=s1` is the first. The
/// client's other cookies stay.
pub fn take(fields: &mut HeaderMap) -> Option<usize> {
    let mut place = None;
    let mut others: Vec<String> = Vec::new();
    for line in fields.get_all(COOKIE) {
        let Ok(line) = line.to_str() else { continue };
        for pair in line.split(';').map(str::trim) {
            match pair.split_once('=') {
                Some((NAME, value)) => place = place.or_else(|| number(value)),
                _ => others.push(pair.to_owned()),
            }
        }
    }
    let number = place?;
    fields.remove(COOKIE);
    if let (false, Ok(rest)) = (others.is_empty(), HeaderValue::try_from(others.join("; "))) {
        fields.insert(COOKIE, rest);
    }
    Some(number)
}

fn number(value: &str) -> Option<usize> {
    let number: usize = value.strip_prefix('s')?.parse().ok()?;
    number.checked_sub(1)
}

/// Puts the cookie that names the server at a place into an answer.
pub fn put(fields: &mut HeaderMap, place: usize) {
    if let Ok(cookie) = HeaderValue::try_from(format!("{NAME}=s{}; path=/", place + 1)) {
        fields.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_read_and_removed() {
        for (cookie, place, left) in [
            ("SRV=s2", Some(1), None),
            ("a=b; SRV=s1; c=d", Some(0), Some("a=b; c=d")),
            ("a=b", None, Some("a=b")),
            ("SRV=s0", None, Some("SRV=s0")),
            ("SRV=2", None, Some("SRV=2")),
            ("SRVX=s2", None, Some("SRVX=s2")),
        ] {
            let mut fields = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookie))]);
            assert_eq!(take(&mut fields), place, "{cookie}");
            let now = fields.get(COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(now, left, "{cookie}");
        }
        let mut answer = HeaderMap::new();
        put(&mut answer, 1);
        assert_eq!(answer[SET_COOKIE], "SRV=s2; path=/");
    }
}
