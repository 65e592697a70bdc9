#![no_main]
//! Any bytes as a replayed mailbox, and as a CSV of arrivals. What is accepted must hold arrivals.

use libfuzzer_sys::fuzz_target;
use mailcall::mail::replay::{parse_csv, parse_mbox};

fuzz_target!(|data: &[u8]| {
    for schedule in [parse_mbox(data), parse_csv(data)].into_iter().flatten() {
        assert!(!schedule.letters.is_empty());
    }
});
