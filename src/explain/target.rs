//! A request's target: the bytes of its cursor, and those that differ in every run.

use std::ops::Range;

use crate::wire::{Asks, Dialect, Transport};

/// The query parameter with the client's cursor.
pub fn cursor(target: &str) -> Option<&str> {
    let query = target.split_once('?')?.1;
    query.split('&').find(|pair| pair.starts_with("after="))
}

/// The bytes of a target that name a session or a time, which differ in every run: with SockJS in the path
/// (server and session), with Engine.IO in the query.
pub fn varying(target: &str) -> Option<Range<usize>> {
    let of = |websocket| {
        Dialect::of(&Asks {
            target: target.as_bytes(),
            websocket,
            stomp: false,
        })
    };
    let path = target.split('?').next()?;
    match of(false).or_else(|| of(true))? {
        Dialect::SockJs(Transport::Page) => None,
        Dialect::SockJs(_) => {
            let end = path.rfind('/')?;
            let server = path[..end].rfind('/').and_then(|n| path[..n].rfind('/'))?;
            Some(server + 1..end)
        }
        _ => {
            let parameters = target[path.len()..].split_inclusive(['?', '&']);
            let mut at = path.len();
            let places = parameters.filter_map(|parameter| {
                let from = at;
                at += parameter.len();
                let value = ["sid=", "t="]
                    .iter()
                    .find_map(|name| parameter.strip_prefix(name))?;
                let end = from + parameter.trim_end_matches('&').len();
                Some(from + parameter.len() - value.len()..end)
            });
            places.reduce(|a, b| a.start..b.end)
        }
    }
}

/// The path, without the bytes that differ in every run.
pub fn lasting(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    match varying(target).filter(|varying| varying.end <= path.len()) {
        Some(varying) => format!("{}\u{2026}{}", &path[..varying.start], &path[varying.end..]),
        None => path.into(),
    }
}
