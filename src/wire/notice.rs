//! What a server says of its log rather than of a mail: `{"gap":3}`, `{"reset":"k3f9"}`, `{"epoch":"k3f9"}`.
//! It is known by how it begins.

/// How notices begin.
const NOTICES: [&[u8]; 3] = [br#"{"gap":"#, br#"{"reset":"#, br#"{"epoch":"#];

/// Whether a message that is there whole is one.
pub(super) fn is_notice(text: &[u8]) -> bool {
    NOTICES.iter().any(|notice| text.starts_with(notice))
}
