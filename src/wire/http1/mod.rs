//! HTTP/1 (RFC 9112), and what it upgrades to.

mod body;
mod chunked;
mod conversation;
mod head;
mod head_reader;
mod lane;

pub use conversation::Conversation;
pub(super) use lane::AtRest;
