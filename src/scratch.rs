//! The temporary files and folders that exist at the moment, so that they are also removed when the process
//! ends without destructors (`std::process::exit` at a second signal).

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

static EXISTING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// While it lives, [`remove_all`] removes the file or folder.
#[derive(Debug)]
pub struct Tracked(PathBuf);

/// Registers a temporary file or folder. Its owner still removes it.
pub fn track(path: &Path) -> Tracked {
    EXISTING.lock().push(path.into());
    Tracked(path.into())
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut existing = EXISTING.lock();
        if let Some(at) = existing.iter().position(|path| *path == self.0) {
            existing.swap_remove(at);
        }
    }
}

/// Removes all registered files and folders, because the process ends.
pub fn remove_all() {
    for path in EXISTING.lock().drain(..) {
        // One of the two succeeds, unless its owner was faster.
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_exists_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["file", "kept", "folder"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], "").unwrap();
        std::fs::write(&paths[1], "").unwrap();
        std::fs::create_dir(&paths[2]).unwrap();
        std::fs::write(paths[2].join("inside"), "").unwrap();
        let tracked = paths.each_ref().map(|path| track(path));
        let [_file, kept, _folder] = tracked;
        drop(kept);
        remove_all();
        assert_eq!(paths.map(|path| path.exists()), [false, true, false]);
    }
}
