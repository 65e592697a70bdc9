#![no_main]
//! Any bytes as the file of a captured exchange.

use libfuzzer_sys::fuzz_target;
use mailcall::technique::headers::Headers;

fuzz_target!(|data: &[u8]| {
    let _ = Headers::parse(data);
});
