#![no_main]
//! Any text as a frame of a SockJS server, as what a client says, as a path and as a form; what can be read
//! is written again and read the same.

use libfuzzer_sys::fuzz_target;
use mailcall::wire::sockjs::{self, Frame, Resource};

fuzz_target!(|text: &str| {
    if let Ok(frame) = Frame::parse(text) {
        assert_eq!(Frame::parse(&frame.text()), Ok(frame));
    }
    for messages in [sockjs::said(text), sockjs::listed(text)].into_iter().flatten() {
        assert_eq!(sockjs::listed(&sockjs::list(&messages)), Ok(messages));
    }
    let quoted = sockjs::quote(text);
    assert_eq!(sockjs::said(&quoted), Ok(vec![text.to_owned()]));
    let _ = (Resource::of(text), sockjs::value_of(text, "d"));
});
