//! SockJS: "give me what is after N and whatever comes after it, on whatever gets through": a WebSocket, or
//! an imitation made of HTTP requests (<https://github.com/sockjs/sockjs-protocol>, the text without a
//! version number that followed 0.3.3).
//!
//! ```text
//! client                              server
//!   | GET /sockjs/info                  |      which transports? how long does that take?
//!   |---------------------------------->|
//!   | GET /sockjs/479/mf8gu_-b/websocket|      tried first …
//!   |-------------------> x             |      … and refused on the way
//!   | POST …/xhr_streaming              |      then one answer without end, which
//!   |---------------------------------->|      a proxy on the way may hold back:
//!   |                     x <-----------|      timed out
//!   | POST …/xhr                        |      then one answer for each message
//!   |---------------------------------->|
//!   |            o                      |      the session has begun
//!   |<----------------------------------|
//!   | POST …/xhr_send ["after=0."]      |      each message of the client is a request
//!   |---------------------------------->|
//!   | POST …/xhr                        |
//!   |---------------------------------->|
//!   |            a["{\"id\":1,…}"]      |  <- mail 1 arrives
//!   |<----------------------------------|
//! ```
//!
//! A session outlives its requests, but not a broken connection: a client that comes back begins another, and
//! sends its cursor. Mail travels as a JSON string, so every quote in its own JSON has a backslash before it.

mod app;
mod client;
mod client_session;
mod entry;
mod http;
mod lesson;
mod names;
mod receive;
mod server;
mod service;
mod session;
mod socket;

pub use app::mail;
pub use client::connect;
pub use client_session::ClientSession;
pub use entry::{TECHNIQUE, delivers};
pub use server::{App, Options};
pub use service::routes;
pub use session::{Closed, Message, Session};
