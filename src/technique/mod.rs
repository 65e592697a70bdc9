//! The techniques: one file each, with its server half, its client half and its contract. To add one, write
//! its file, and add its module below and its entry in `registry`.
//!
//! A technique is one way to end the sentence "give me what is after N …". It is given a mailbox and a
//! client's cursor; it does not know that it is being measured.

pub mod blocked;
mod browser;
mod client;
mod connection;
pub mod contract;
mod cookies;
mod engine;
mod event_source;
pub mod fanout;
mod fields;
pub mod flags;
mod gunzip;
pub mod headers;
mod http;
mod inbox;
pub mod limit;
pub mod list;
pub mod origin;
mod publish;
pub mod quantities;
pub mod rarely_ready;
mod reconnect;
mod registry;
mod routes;
mod sequence;
mod service;
mod slow;
mod source;
mod start;
mod stream;
mod streaming;
mod switch;
pub mod talk;
mod unknown_session;
pub mod unread;

mod long_poll;
mod ndjson;
mod poll;
mod socketio;
pub mod sockjs;
mod sse;
pub mod stomp;
pub mod tcp;
pub mod ws; // a new technique: its module here …

pub use browser::{Browser, Queue, Tab};
pub use client::Client;
pub use contract::{Demand, Serve, Technique};
pub use cookies::Cookies;
pub use engine::unencrypted;
pub use headers::Headers;
pub use http::Http;
pub use inbox::{Inbox, Record};
pub use list::{After, reply_route};
pub use origin::{Network, Origin};
pub use poll::phase as poll_phase;
pub use publish::Outbox;
pub use reconnect::Reconnect;
pub use registry::{ALL, answers, named};
pub use routes::Routes;
pub use sequence::Step;
pub use service::{ASK_LATER, BODY_TIMEOUT, MAX_BODY, Service, Speak, Subprotocol, Subprotocols, Tuning};
pub use start::{LEAD, Start};
pub use stream::Stream;
pub use streaming::put_chunk;
pub use switch::{Attached, Switch};
pub use ws::FRAMES;
