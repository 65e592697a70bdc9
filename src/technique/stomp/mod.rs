//! STOMP: "give me what is after N of these topics, and whatever is published there later", over a
//! WebSocket or SockJS (STOMP Protocol Specification, Version 1.2).
//!
//! ```text
//! publisher            broker                            subscriber
//!     |                   | GET /stomp, Upgrade              |
//!     |                   |   Sec-WebSocket-Protocol: v12.stomp, …
//!     |                   |<---------------------------------|
//!     |                   | CONNECT  accept-version, heart-beat
//!     |                   |<=================================|
//!     |                   |            CONNECTED  version    |
//!     |                   |=================================>|
//!     |                   | SUBSCRIBE  id, destination, after|
//!     |                   |<=================================|
//!     | SEND  /topic/inbox|                                  |
//!     |==================>|            MESSAGE  subscription, message-id
//!     |                   |=================================>|
//!     |                   | SEND  /app/read                  |
//!     |                   |<=================================|
//!     |                   |            (end of line)         |  <- after a silence, either way
//!     |                   |=================================>|
//!     |                   | DISCONNECT  receipt              |
//!     |                   |<=================================|
//!     |                   |            RECEIPT               |
//!     |                   |=================================>|
//! ```
//!
//! WebSocket does not define what a message means. STOMP does, and its brokers separate senders from readers:
//! a sender need not know who reads. Mail topics are the mailbox, so `after` resumes them; other topics and
//! queues are for any STOMP client.

mod agreed;
mod beats;
mod broker;
mod channel;
mod client;
pub mod connection;
mod destinations;
mod entry;
mod fault;
mod frames;
mod server;
mod session;
mod stored;

pub use entry::TECHNIQUE;
