//! WebSocket (RFC 6455).

mod frame;
mod messages;

pub use frame::{FrameHeader, HeaderReader, Opcode, Whole};
pub(super) use messages::Messages;
