//! Files that come with the program. Where its folder `demos` is not at hand, because the binary alone was
//! installed, their names work all the same: lessons and examples use them.

use std::path::Path;

const FILES: &[(&str, &[u8])] = &[
    (
        "demos/data/r-help-2007-06-14.arrivals.csv",
        include_bytes!("../demos/data/r-help-2007-06-14.arrivals.csv"),
    ),
    (
        "demos/data/inbox.mbox",
        include_bytes!("../demos/data/inbox.mbox"),
    ),
    (
        "demos/headers/kaazing-2010.http",
        include_bytes!("../demos/headers/kaazing-2010.http"),
    ),
];

/// What a file holds that came with the program.
pub fn file(path: &Path) -> Option<&'static [u8]> {
    let (_, bytes) = FILES.iter().find(|(name, _)| Path::new(name) == path)?;
    Some(bytes)
}
