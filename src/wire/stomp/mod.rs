//! STOMP 1.2, and 1.1 and 1.0 for peers that know no newer version: text frames with a body of any bytes
//! (STOMP Protocol Specification, Version 1.2; <https://stomp.github.io>).
//!
//! ```text
//! MESSAGE                     the command
//! subscription:sub-0          headers: name, colon, value
//! message-id:1
//! content-length:300
//!                             an empty line
//! {"id":1,…}^@                the body, and a NUL
//! ```
//!
//! Here the versions differ only in the text of headers and the end of lines:
//!
//! | | `\\` `\n` `\c` in headers | `\r` too | CR LF ends a line |
//! | --- | --- | --- | --- |
//! | 1.0 | not escapes | no | no |
//! | 1.1 | mean `\`, LF and `:` | no | no |
//! | 1.2 | mean `\`, LF and `:` | CR | or LF alone |
//!
//! CONNECT and CONNECTED use no escapes in any version (section "Value Encoding"), because the version is not
//! yet known.

mod frame;
mod parser;

pub use frame::{AFTER, APPLICATION, Command, Frame, HEART_BEAT, RESET, Version};
pub use parser::{FrameLimits, Item, Malformed, Parser};
