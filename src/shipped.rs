//! Files shipped with the program. Their names also work without the folder `demos`, if only the binary was
//! installed: lessons and examples use them.

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

/// The content of a shipped file.
pub fn file(path: &Path) -> Option<&'static [u8]> {
    let (_, bytes) = FILES.iter().find(|(name, _)| Path::new(name) == path)?;
    Some(bytes)
}
