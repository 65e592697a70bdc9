//! The message formats, each a [`super::layer::Layer`].

mod engineio;
mod list;
mod mail;
mod mail_text;
mod ndjson;
mod sockjs;
mod sse;
mod stomp;
mod text;
mod uniform;
mod written;

pub(crate) use engineio::EngineIo;
pub(super) use list::List;
pub(super) use mail::Mail;
pub(super) use ndjson::Lines;
pub(crate) use sockjs::Transport;
pub(super) use sse::Sse;
pub(super) use stomp::Stomp;
#[cfg(test)]
pub(super) use stomp::begins as begins_stomp;
#[cfg(test)]
pub(super) use text::message;
pub(super) use uniform::Uniform;
pub(super) use written::Written;
