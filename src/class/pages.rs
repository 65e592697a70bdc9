//! The two pages: each is one file whose script and style the browser runs because the server names their hashes
//! (Content Security Policy Level 3, section 6.7.3.3).

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderValue, REFERRER_POLICY, VARY,
};
use sha2::{Digest, Sha256};

/// The student's page.
pub static STUDENT: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("../../templates/class/student.html")));

/// The board.
pub static BOARD: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("../../templates/class/board.html")));

/// A page and its policy.
#[derive(Debug)]
pub struct Page {
    english: String,
    korean: String,
    policy: Option<HeaderValue>,
}

impl Page {
    fn new(text: &str) -> Page {
        let hash = |tag: &str| {
            let inside = between(text, &format!("<{tag}>"), &format!("</{tag}>"));
            format!(
                "'sha256-{}'",
                BASE64_STANDARD.encode(Sha256::digest(inside.as_bytes()))
            )
        };
        let policy = format!(
            "default-src 'none'; connect-src 'self' ws:; img-src data:; script-src {}; style-src {}; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash("script"),
            hash("style")
        );
        Page {
            english: text.into(),
            korean: text.replacen("<html lang=\"en\"", "<html lang=\"ko\"", 1),
            policy: HeaderValue::from_str(&policy).ok(),
        }
    }

    /// The page in the language that its reader prefers.
    pub fn answer(&self, fields: &HeaderMap, query: Option<&str>) -> Response {
        let korean = prefers_korean(fields, query);
        let (language, text) = match korean {
            true => ("ko", &self.korean),
            false => ("en", &self.english),
        };
        let mut answer = (
            [
                (CONTENT_TYPE, "text/html; charset=utf-8"),
                (CONTENT_LANGUAGE, language),
                (VARY, "Accept, Accept-Language"),
                (CACHE_CONTROL, "no-cache"),
                (REFERRER_POLICY, "no-referrer"),
            ],
            text.clone(),
        )
            .into_response();
        let policy = self.policy.clone();
        answer
            .headers_mut()
            .extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        answer
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let inside = text.split_once(from).map_or("", |(_, rest)| rest);
    inside.split_once(to).map_or("", |(inside, _)| inside)
}

/// Whether a request comes from a browser that wants a page: programs such as curl accept anything.
pub fn wants_page(fields: &HeaderMap) -> bool {
    let accept = fields.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Whether Korean comes before English: by `lang=` in the address, or by `Accept-Language` (RFC 9110, section
/// 12.5.4), whose order counts where no weights are given.
fn prefers_korean(fields: &HeaderMap, query: Option<&str>) -> bool {
    let asked = query.and_then(|q| q.split('&').find_map(|pair| pair.strip_prefix("lang=")));
    if let Some(asked) = asked {
        return asked == "ko";
    }
    let accepted = fields.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let weight = |language: &str| {
        let ranges = accepted.unwrap_or_default().split(',').enumerate();
        let weights = ranges.filter_map(|(place, range)| {
            let mut parts = range.trim().split(';');
            let tag = parts.next()?.trim().to_ascii_lowercase();
            let weight = parts.find_map(|p| p.trim().strip_prefix("q=")?.parse().ok());
            let is = tag == language || tag.starts_with(&format!("{language}-"));
            // Of two with the same weight, the first counts.
            is.then(|| weight.unwrap_or(1.0_f64) - place as f64 * 1e-6)
        });
        weights.fold(0.0, f64::max)
    };
    weight("ko") > weight("en")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(accepted: &str, query: Option<&str>) -> bool {
        let fields = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).unwrap())]);
        prefers_korean(&fields, query)
    }

    #[test]
    fn the_language_is_that_of_the_browser_or_of_the_address() {
        for (accepted, query, korean) in [
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", None, true),
            ("en-US,en;q=0.9,ko;q=0.8", None, false),
            ("de,ko;q=0.5", None, true),
            ("ko,en", None, true),
            ("en,ko", None, false),
            ("kok", None, false),
            ("", None, false),
            ("en", Some("code=1&lang=ko"), true),
            ("ko", Some("lang=en"), false),
        ] {
            assert_eq!(prefers(accepted, query), korean, "{accepted} {query:?}");
        }
    }

    #[test]
    fn each_page_has_one_script_and_one_style_and_nothing_that_its_policy_forbids() {
        for (name, page) in [("student", &*STUDENT), ("board", &*BOARD)] {
            let text = &page.english;
            assert!(text.len() < 100_000, "{name}: {} bytes", text.len());
            assert_eq!(text.matches("</script>").count(), 1, "{name}");
            assert_eq!(text.matches("</style>").count(), 1, "{name}");
            let code = between(text, "<script>", "</script>");
            assert!(!code.contains("style=\\\"") && !code.contains("eval("), "{name}");
            assert!(
                !text.contains("http://") || !text.contains("src=\"http"),
                "{name}"
            );
            assert!(
                page.policy.is_some() && page.korean.contains("lang=\"ko\""),
                "{name}"
            );
        }
    }

    #[test]
    fn a_browser_gets_the_page_and_curl_does_not() {
        let wants = |accept: &str| {
            wants_page(&HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_str(accept).unwrap(),
            )]))
        };
        assert!(wants("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wants("*/*") && !wants_page(&HeaderMap::new()));
    }
}
