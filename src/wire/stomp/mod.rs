//! STOMP 1.2, and 1.1 and 1.0 where a peer knows no more: frames of text with a body of any bytes
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
//! What the versions differ in here is the text of headers and the end of lines:
//!
//! | | `\\` `\n` `\c` in headers | `\r` too | CR LF ends a line |
//! | --- | --- | --- | --- |
//! | 1.0 | as they are | no | no |
//! | 1.1 | stand for `\`, LF and `:` | no | no |
//! | 1.2 | stand for `\`, LF and `:` | CR | or LF alone |
//!
//! CONNECT and CONNECTED escape nothing in any version (section "Value Encoding"), because the version
//! is not known before them.

mod frame;
mod parser;

pub use frame::{AFTER, APPLICATION, Command, Frame, HEART_BEAT, RESET, Version};
pub use parser::{Item, Limits, Malformed, Parser};
