#![no_main]
//! Any text as a body of Engine.IO packets, and as a Socket.IO packet: what can be read is written again and
//! read the same.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::{engineio, socketio};

fuzz_target!(|text: &str| {
    let read = |body| engineio::Packet::payload(body).collect::<Result<Vec<_>, _>>();
    if let Ok(packets) = read(text) {
        let body = engineio::Packet::body(&packets);
        assert_eq!(engineio::Packet::payload(&body).collect::<Result<Vec<_>, _>>(), Ok(packets));
    }
    if let Ok(packet) = socketio::Packet::parse(text) {
        let written = packet.to_string();
        assert_eq!(socketio::Packet::parse(&written), Ok(packet));
        let _ = (packet.event(), packet.arguments());
    }
});
