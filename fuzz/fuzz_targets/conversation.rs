#![no_main]
//! Any bytes in any order from both sides.

use libfuzzer_sys::fuzz_target;
use mailcall_fuzz::{check, interleave};

fuzz_target!(|data: &[u8]| check(interleave(data).into_iter()));
