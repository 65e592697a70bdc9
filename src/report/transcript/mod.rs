//! Drawing an inspection: every byte that crossed the socket, with its explanation. One file per format;
//! shared parts are beside them: `bytes` (the written form of bytes), `scheme` (what a URL's scheme decides)
//! and `state` (how often the client repeated its state).

mod account;
mod bytes;
mod html;
mod json;
mod scheme;
mod state;
mod text;
mod view;
mod words;

pub use account::Account;
pub use words::Extent;
