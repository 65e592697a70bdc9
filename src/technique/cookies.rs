//! The cookie by which a balancer keeps a client at one server (`--balance sticky`). A client keeps it as a browser
//! keeps the cookies of one host (RFC 6265, section 5.3), only without the rules for several hosts and paths: a run has
//! one host, and the cookie is for all its paths. Clients of other runs keep none, and send the bytes that they always
//! sent.

use std::sync::Arc;

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use parking_lot::Mutex;

use crate::outcome::{Balance, Scenario};

/// The cookie of one user. Clones share it, as a browser's tabs do.
#[derive(Clone, Debug, Default)]
pub struct Cookies(Option<Arc<Mutex<Option<String>>>>);

impl Cookies {
    /// No cookie yet; where no balancer sets one, none is ever kept.
    pub fn of(scenario: &Scenario) -> Cookies {
        let sticky = scenario.balance() == Some(Balance::Sticky);
        Cookies(sticky.then(Arc::default))
    }

    /// Makes the cookies of one client after the other: tabs of one browser share theirs.
    pub fn of_each(scenario: &Scenario) -> impl Fn() -> Cookies + use<> {
        let (shares, first) = (scenario.tabs.is_some(), Cookies::of(scenario));
        move || match (&first, shares) {
            (Cookies(Some(_)), false) => Cookies(Some(Arc::default())),
            (first, _) => first.clone(),
        }
    }

    /// Adds the cookie to a request, after those that its header profile has: all go into one field (RFC 6265, section
    /// 5.4).
    pub fn put(&self, fields: &mut HeaderMap) {
        let kept = self.0.as_ref().and_then(|cookie| cookie.lock().clone());
        let Some(kept) = kept else { return };
        let others = fields.get(COOKIE).and_then(|others| others.to_str().ok());
        let all = match others {
            Some(others) => format!("{others}; {kept}"),
            None => kept,
        };
        if let Ok(value) = HeaderValue::try_from(all) {
            fields.insert(COOKIE, value);
        }
    }

    /// Keeps the cookie that an answer sets: its name and value, without the attributes after them.
    pub fn keep(&self, answer: &HeaderMap) {
        let set = answer.get_all(SET_COOKIE).iter().next_back();
        let pair = set.and_then(|set| set.to_str().ok()?.split(';').next());
        if let (Some(cookie), Some(pair)) = (&self.0, pair) {
            *cookie.lock() = Some(pair.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky() -> Scenario {
        Scenario {
            servers: 3,
            balance: Some(Balance::Sticky),
            ..Scenario::default()
        }
    }

    #[test]
    fn the_last_cookie_is_sent_beside_those_of_the_profile() {
        let answer = |set| HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static(set))]);
        let cookies = Cookies::of(&sticky());
        let mut fields = HeaderMap::new();
        cookies.put(&mut fields);
        assert!(fields.is_empty());
        cookies.keep(&answer("SRV=s1; path=/"));
        cookies.clone().keep(&answer("SRV=s2; path=/"));
        cookies.put(&mut fields);
        assert_eq!(fields[COOKIE], "SRV=s2");
        let mut fields = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("a=b"))]);
        cookies.put(&mut fields);
        assert_eq!(fields[COOKIE], "a=b; SRV=s2");
    }

    #[test]
    fn tabs_of_a_browser_share_it_and_others_do_not() {
        for tabs in [None, Some(2)] {
            let each = Cookies::of_each(&Scenario { tabs, ..sticky() });
            let (one, other) = (each(), each());
            one.keep(&HeaderMap::from_iter([(
                SET_COOKIE,
                HeaderValue::from_static("SRV=s1"),
            )]));
            let mut fields = HeaderMap::new();
            other.put(&mut fields);
            assert_eq!(fields.contains_key(COOKIE), tabs.is_some());
        }
    }

    #[test]
    fn no_other_run_keeps_one() {
        for balance in [None, Some(Balance::RoundRobin), Some(Balance::Least)] {
            let cookies = Cookies::of(&Scenario { balance, ..sticky() });
            cookies.keep(&HeaderMap::from_iter([(
                SET_COOKIE,
                HeaderValue::from_static("a=b"),
            )]));
            let mut fields = HeaderMap::new();
            cookies.put(&mut fields);
            assert!(fields.is_empty(), "{balance:?}");
        }
    }
}
