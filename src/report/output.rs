//! The destination of a result: a file, which is written whole or not at all, or stdout.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::lang::t;
use crate::{scratch, terminal};

/// Checks that [`deliver`] can write to `path`, without changing an existing file, so that a run does not end
/// with an error that was foreseeable.
///
/// # Errors
/// If it is a directory, its folder is missing, or either is not writable.
pub fn check_output(path: &Path) -> Result<()> {
    let cannot = || t!("cannot write to %{path}", path = path.display());
    match target(path).with_context(cannot)? {
        Target::Stdout | Target::Direct(_) => Ok(()),
        Target::File(file) => {
            if file.exists() {
                OpenOptions::new().write(true).open(&file).with_context(cannot)?;
            }
            temporary_beside(&file).map(drop).with_context(cannot)
        }
    }
}

/// Writes `text` to the file, whole or not at all, or to stdout. A reader that has gone
/// (`mailcall compare | head -1`) is not an error.
///
/// # Errors
/// If it cannot be written.
pub fn deliver(text: &str, output: Option<&Path>) -> Result<()> {
    let path = output.unwrap_or(Path::new(STDOUT));
    // A file gets the text unchanged; any other destination may be a terminal.
    let clean = match target(path) {
        Ok(Target::File(_)) => None,
        _ if output.is_none() && terminal::colour(&io::stdout()) => Some(terminal::shown(text)),
        _ => Some(terminal::plain(text)),
    };
    let text = clean.as_deref().unwrap_or(text);
    deliver_with(path, |to| Ok(to.write_all(text.as_bytes())?))
}

/// Delivers output that is not text; `pour` writes it.
///
/// # Errors
/// If `pour` fails, or the output cannot be written.
pub fn deliver_with(path: &Path, pour: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let cannot = || t!("cannot write to %{path}", path = path.display());
    match target(path).with_context(cannot)? {
        Target::Stdout => {
            let mut stdout = io::stdout().lock();
            unless_gone(pour(&mut stdout).and_then(|()| Ok(stdout.flush()?)))
                .context(t!("cannot write to stdout"))
        }
        Target::Direct(file) => {
            let opened = OpenOptions::new().append(true).open(file).map_err(Into::into);
            unless_gone(opened.and_then(|mut f| pour(&mut f))).with_context(cannot)
        }
        Target::File(file) => replace(&file, pour).with_context(cannot),
    }
}

/// Whether output at this path is a file, and not a pipe or device.
pub fn is_file(path: &Path) -> bool {
    matches!(target(path), Ok(Target::File(_)))
}

const STDOUT: &str = "/dev/stdout";

/// The destination of an `--output`.
enum Target {
    /// This process's stdout.
    Stdout,
    /// A pipe or device, which cannot be replaced, only written to.
    Direct(PathBuf),
    /// A file, existing or new.
    File(PathBuf),
}

fn target(path: &Path) -> Result<Target> {
    if path == Path::new(STDOUT) {
        return Ok(Target::Stdout);
    }
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => bail!(t!("it is a directory")),
        // Paths of files that a process has open: replacing them would take them from their owner.
        Ok(_)
            if ["/dev/fd", "/dev/stderr", "/proc"]
                .iter()
                .any(|open| path.starts_with(open)) =>
        {
            Ok(Target::Direct(path.to_path_buf()))
        }
        // A symbolic link is followed: its target is replaced, not the link.
        Ok(there) if there.is_file() => Ok(Target::File(fs::canonicalize(path)?)),
        Ok(_) => Ok(Target::Direct(path.to_path_buf())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => new_file(path),
        Err(e) => Err(e.into()),
    }
}

fn new_file(path: &Path) -> Result<Target> {
    let names_a_folder = path
        .as_os_str()
        .to_string_lossy()
        .ends_with(std::path::is_separator);
    if path.file_name().is_none() || names_a_folder {
        bail!(t!("it does not name a file"));
    }
    if path.is_symlink() {
        bail!(t!("it is a link to a file that does not exist"));
    }
    if !folder(path).is_dir() {
        bail!(t!("there is no directory %{path}", path = folder(path).display()));
    }
    Ok(Target::File(path.to_path_buf()))
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A new file in the same folder, so that a rename can move it into place; it is removed unless kept.
fn temporary_beside(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mailcall-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask, as any new file
    builder.tempfile_in(folder(file))
}

fn replace(file: &Path, pour: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut new = temporary_beside(file)?;
    let _tracked = scratch::track(new.path());
    pour(new.as_file_mut())?;
    if let Ok(old) = fs::metadata(file) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

fn unless_gone(written: Result<()>) -> Result<()> {
    let kind = |e: &anyhow::Error| e.downcast_ref::<io::Error>().map(io::Error::kind);
    match written {
        Err(e) if kind(&e) == Some(io::ErrorKind::BrokenPipe) => Ok(()),
        other => other,
    }
}

/// The folder for charts beside a file, and the prefix of their names; `None` for a pipe.
pub fn stem(output: &Path) -> Option<(PathBuf, String)> {
    match target(output) {
        Ok(Target::File(_)) => {
            let stem = output.file_stem()?.to_string_lossy().into_owned();
            Some((folder(output).into(), stem))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.txt");
        check_output(&file).unwrap();
        assert!(!file.exists());
        deliver("first, and longer\n", Some(&file)).unwrap();
        check_output(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "first, and longer\n");
        deliver("second\n", Some(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "a temporary file was left behind"
        );
    }

    #[test]
    fn what_cannot_be_written_is_said_before_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let early = format!("{:#}", check_output(path).unwrap_err());
            let late = format!("{:#}", deliver("x", Some(path)).unwrap_err());
            assert!(
                early.contains(&format!("cannot write to {}", path.display())),
                "{early}"
            );
            assert_eq!(early, late);
            early
        };
        assert!(said(dir.path()).contains("is a directory"));
        assert!(said(&dir.path().join("none/report")).contains("no directory"));
        assert!(said(Path::new("")).contains("does not name a file"));
        assert!(said(&dir.path().join("folder/")).contains("does not name a file"));
        let file = dir.path().join("file");
        fs::write(&file, "old").unwrap();
        said(&file.join("below"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_without_permission_leaves_the_old_file_alone() {
        // /proc allows no new files, even for root.
        let refused = Path::new("/proc/mailcall-report");
        assert!(check_output(refused).is_err() && deliver("x", Some(refused)).is_err());
        assert!(!refused.exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_modes_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link, dangling) = (dir.path().join("f"), dir.path().join("l"), dir.path().join("d"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        symlink(dir.path().join("nowhere"), &dangling).unwrap();
        deliver("new", Some(&link)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(format!("{:#}", check_output(&dangling).unwrap_err()).contains("link to a file"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_closed_pipes() {
        check_output(Path::new("/dev/null")).unwrap();
        deliver("x", Some(Path::new("/dev/null"))).unwrap();
        check_output(Path::new(STDOUT)).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        let broken = writer.write_all(b"x").unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
        unless_gone(Err(broken.into())).unwrap();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(unless_gone(Err(full.into())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_written_to_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        check_output(&pipe).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        deliver("through the pipe", Some(&pipe)).unwrap();
        assert_eq!(reader.join().unwrap(), "through the pipe");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_named_by_its_descriptor_is_added_to() {
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut open = fs::File::create(&path).unwrap();
        open.write_all(b"first, ").unwrap();
        let name = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        check_output(&name).unwrap();
        deliver("second", Some(&name)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first, second");
    }
}
