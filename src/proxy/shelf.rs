//! The shipped proxies, and those in files.

use std::path::Path;

use crate::input;
use crate::lang::t;
use crate::outcome::{HttpVersion, Proxy, ProxySettings};

/// The shipped ones: the name, and the file's text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("nginx", include_str!("shipped/nginx.toml")),
    ("nginx-hinted", include_str!("shipped/nginx-hinted.toml")),
    ("nginx-tuned", include_str!("shipped/nginx-tuned.toml")),
    ("load-balancer", include_str!("shipped/load-balancer.toml")),
    ("corporate", include_str!("shipped/corporate.toml")),
    ("gzip", include_str!("shipped/gzip.toml")),
    ("http10", include_str!("shipped/http10.toml")),
];

/// The largest file, bytes.
const MOST: u64 = 64 * 1024;

/// The largest buffer, bytes.
const LARGEST_BUFFER: usize = 16 << 20;

/// The longest time, milliseconds: a day.
const LONGEST_MS: f64 = 86_400e3;

/// The proxy that `--proxy` names: a shipped one, or a file whose name ends in `.toml`.
///
/// # Errors
/// If there is none, or its settings make no sense. The error says what is allowed.
pub fn find(wanted: &str) -> Result<Proxy, String> {
    let shipped = SHIPPED.iter().find(|(name, _)| *name == wanted);
    if let Some((name, text)) = shipped {
        return read(name, text);
    }
    if !wanted.ends_with(".toml") {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        return Err(t!(
            "allowed are %{names}, or a FILE.toml",
            names = names.join(", ")
        ));
    }
    let bytes = input::read(Path::new(wanted), MOST).map_err(|e| e.to_string())?;
    let bytes = input::unmarked(&bytes).map_err(|e| e.to_string())?;
    let text = std::str::from_utf8(bytes).map_err(|e| t!("it is not UTF-8: %{why}", why = e))?;
    read(wanted, text)
}

fn read(name: &str, text: &str) -> Result<Proxy, String> {
    let settings: ProxySettings = toml::from_str(text).map_err(|e| e.to_string())?;
    check(&settings)?;
    Ok(Proxy {
        name: name.into(),
        settings,
    })
}

fn check(settings: &ProxySettings) -> Result<(), String> {
    let buffer = settings.buffer_bytes;
    if let Some(n) = buffer.filter(|n| !(1..=LARGEST_BUFFER).contains(n)) {
        return Err(t!(
            "buffer_bytes is %{n}; allowed is 1 to %{most}",
            n = n,
            most = LARGEST_BUFFER
        ));
    }
    if settings.upstream == HttpVersion::Http2 {
        return Err(t!("upstream is \"2\"; allowed are \"1.0\" and \"1.1\""));
    }
    let times = [
        ("idle_ms", settings.idle_ms),
        ("longest_answer_ms", settings.longest_answer_ms),
        ("longest_tunnel_ms", settings.longest_tunnel_ms),
    ];
    for (name, ms) in times {
        if let Some(ms) = ms.filter(|ms| !(1.0..=LONGEST_MS).contains(ms)) {
            return Err(t!(
                "%{name} is %{ms}; allowed is 1 to %{most} milliseconds",
                name = name,
                ms = ms,
                most = LONGEST_MS
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shipped_one_can_be_read_and_says_what_it_stands_for() {
        for (name, text) in SHIPPED {
            let proxy = read(name, text).unwrap();
            assert!(!proxy.settings.about.is_empty(), "{name}");
            assert_eq!(find(name), Ok(proxy));
        }
    }

    #[test]
    fn a_bad_one_is_refused_with_what_is_allowed() {
        let refused = [
            ("buffer_bytes = 0", "buffer_bytes is 0; allowed is 1 to"),
            ("buffer_bytes = -1", "invalid value"),
            ("upstream = \"2\"", "upstream is \"2\"; allowed are"),
            (
                "upstream = \"3\"",
                "unknown variant `3`, expected one of `1.0`, `1.1`, `2`",
            ),
            ("idle_ms = 0", "idle_ms is 0; allowed is 1 to"),
            ("idle_ms = nan", "idle_ms is NaN"),
            ("longest_tunnel_ms = 1e300", "longest_tunnel_ms is 1"),
            (
                "upgrade = \"killed\"",
                "expected one of `forwarded`, `ignored`, `refused`",
            ),
            ("buffer = 1", "unknown field `buffer`"),
        ];
        for (text, why) in refused {
            let error = read("test", text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(find("ngnix").unwrap_err().contains("nginx, nginx-hinted"));
        assert!(find("none/here.toml").is_err());
        assert_eq!(read("nothing", "").unwrap().settings, ProxySettings::default());
    }
}
