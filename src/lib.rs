//! `mailcall` answers one question with measurements: when mail arrives on a server, what does each way of
//! telling the client cost?
//!
//! The design has one main idea: the mailbox is a log of numbered mails, and a client is a cursor, the number
//! of the last mail it has seen. Every technique is a different way to ask "give me what is after N". The
//! modules, from the lowest level up; a file imports only from lower levels:
//!
//! - below all levels: [`lang`], the reader's language;
//! - level 0, pure: [`wire`] reads the bytes of a connection into labelled parts, for HTTP/1, HTTP/2 and
//!   WebSocket; [`stats`] summarises latencies; [`theory`] has formulas that explain them, each tested
//!   against simulated runs;
//! - level 1: [`explain`] describes each part of a conversation and the RFC that defines it, in English and
//!   Korean; [`clock`] is the time of a run, real or simulated; `input` reads files from users; `terminal`
//!   decides about colour and removes control characters; `tap` observes the bytes of a stream; [`mail`] has
//!   the mail, its log and its schedule; [`link`] is the socket that counts every byte, below and above TLS,
//!   and can record, delay or drop them, and its in-memory replacement in a simulated run; [`proxy`] is the
//!   HTTP proxies that may stand between client and server, and the balancer before several servers; [`outcome`] is the
//!   result of a run as plain data, and the JSON contract;
//! - level 2: [`technique`] has a file or folder per technique, with its server half and its client half, and the
//!   registry;
//! - level 3: [`lab`] runs a technique through a scenario and returns an outcome, predicts it by the same run
//!   with simulated time and network, explains a short run byte by byte, lets clients vanish or a server go
//!   away and come back, serves alone, or visits such a server; [`report`] turns results into tables, pages, charts, JSON, CSV, Markdown, transcripts and
//!   capture files; [`lesson`] reads a teacher's lessons and checks their results. These three do not import
//!   each other;
//! - level 4: [`class`] lets students join by browser, and counts what each phone costs;
//! - level 5: [`cli`] is the command line, built from the registry, and its progress bars; `main.rs` runs it.

#![deny(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod class;
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
pub mod proxy;
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

// The macro reads the translations without cargo's knowledge; this triggers a new build when they change.
const _: [&str; 6] = [
    include_str!("../locales/class.ko.toml"),
    include_str!("../locales/clients.ko.toml"),
    include_str!("../locales/inspect.ko.toml"),
    include_str!("../locales/ko.toml"),
    include_str!("../locales/servers.ko.toml"),
    include_str!("../locales/sweep.ko.toml"),
];
