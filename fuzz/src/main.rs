#![no_main]
//! One target under libFuzzer: the one that `TARGET` in the environment names. `scripts/fuzz` runs each.

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mailcall_fuzz::{Target, named};

/// What is run, looked up once.
static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("TARGET").unwrap_or_default();
        let target = named(&name).unwrap_or_else(|| panic!("TARGET={name:?} is no target"));
        TARGET.get_or_init(|| target);
    },
    |data: &[u8]| {
        TARGET.get().expect("libFuzzer initializes first")(data);
    }
);
