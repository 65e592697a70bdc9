//! Media types (RFC 9110, section 8.3.1).

/// Whether a `Content-Type` names a media type, in upper or lower case and with any parameters.
pub fn is_media_type(content_type: impl AsRef<[u8]>, media_type: &str) -> bool {
    let named = content_type.as_ref().split(|b| *b == b';').next();
    named.is_some_and(|named| named.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_known_by_its_name_alone() {
        for named in [
            "application/json",
            "Application/JSON",
            " application/json ;charset=utf-8",
            "application/json;",
        ] {
            assert!(is_media_type(named, "application/json"), "{named}");
        }
        for other in [
            "",
            "application/jsonp",
            "text/json",
            "application/json, text/plain",
            "x;application/json",
        ] {
            assert!(!is_media_type(other, "application/json"), "{other}");
        }
    }
}
