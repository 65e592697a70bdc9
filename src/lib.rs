//! `mailcall` answers one question with measurements: when mail arrives on a server, what does each
//! way of telling the client cost?
//!
//! One idea carries the design: the mailbox is a log of numbered mails, and a client is a cursor, the
//! number of the last mail it has seen. Every technique says "give me what is after N" with another
//! ending. The map of the crate, from the ground up; a file imports downward only:
//!
//! - below all floors, [`lang`] speaks the reader's language;
//! - floor 0, pure: [`wire`] reads the bytes of a connection into labelled parts, HTTP/1, HTTP/2 and
//!   WebSocket; [`stats`] summarises latencies; [`theory`] has the formulas that explain them, each tested
//!   against simulated runs;
//! - floor 1: [`explain`] says what each part of a conversation is for, and which RFC says so, in English and
//!   Korean; [`clock`] is the time of a run, real or simulated; `input` reads the files that people hand over;
//!   `terminal` decides about colour and keeps control characters away; `tap` lets bytes be looked at on
//!   their way; [`mail`] is the mail, the log that keeps
//!   it, and when it arrives; [`link`] is the socket that counts every byte, below and above TLS, records them if
//!   asked to, slows them down or swallows them, and the memory that stands in for sockets in a simulated run;
//!   [`outcome`] is what a run says, as plain data, and the JSON contract;
//! - floor 2: [`technique`] has one file per technique, its server half and its client half, and the
//!   registry;
//! - floor 3: [`lab`] runs a technique through a scenario and returns an outcome, predicts it by the same run
//!   with simulated time and network, takes a short run apart, lets clients vanish, serves alone, or visits a
//!   server that does; [`report`] turns what comes out into tables, JSON, CSV, Markdown, transcripts and capture
//!   files; [`lesson`] reads what a teacher wrote and judges what came out. They don't know each other;
//! - floor 4: [`cli`] is the command line, built from the registry, and its progress bars; `main.rs`
//!   runs it.

#![deny(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod cli;
pub mod clock;
pub mod explain;
mod input;
pub mod lab;
pub mod lang;
pub mod lesson;
pub mod link;
pub mod mail;
pub mod outcome;
pub mod report;
mod scratch;
mod shipped;
pub mod stats;
mod tap;
pub mod technique;
mod terminal;
pub mod theory;
pub mod wire;

rust_i18n::i18n!("locales");

// The macro reads the translations unseen by cargo; so it builds anew when they change.
const _: [&str; 3] = [
    include_str!("../locales/inspect.ko.toml"),
    include_str!("../locales/ko.toml"),
    include_str!("../locales/sweep.ko.toml"),
];
