//! The commands, started as a user starts them: output, exit codes, pages, lessons.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod demo;
mod docs;
mod ending;
mod inspect;
mod isolate;
mod korean;
mod package;
mod pages;
mod pcap;
mod pictures;
mod repeat;
mod report;
mod serve;
mod servers;
mod storm;
