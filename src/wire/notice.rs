//! A server's notices about its log: `{"gap":3}`, `{"reset":"k3f9"}`, `{"epoch":"k3f9"}`. They are recognised
//! by their beginnings.

/// The beginnings of notices.
const NOTICES: [&[u8]; 3] = [br#"{"gap":"#, br#"{"reset":"#, br#"{"epoch":"#];

/// Whether a complete message is a notice.
pub(super) fn is_notice(text: &[u8]) -> bool {
    NOTICES.iter().any(|notice| text.starts_with(notice))
}
