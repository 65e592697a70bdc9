//! A NATS server of our own: `nats-server` on a free port of the loopback, with its store in a temporary folder.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tempfile::TempDir;

use crate::lang::t;
use crate::scratch::{self, Tracked};

/// The name of the program.
const PROGRAM: &str = "nats-server";

/// Where it is installed without being in every user's `PATH`.
const MORE_PLACES: &[&str] = &[
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
];

/// How long it may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// The line that it prints before the address it listens on.
const LISTENING: &str = "Listening for client connections on ";

/// Runs a program, and ends it when nobody holds the other end of this shell's input any more: also when this process
/// was killed. Then it removes the folder.
const GUARD: &str = r#""$1" -c "$2/nats.conf" 2>&1 & read -r _; kill -9 $!; wait; rm -rf "$2""#;

/// A running server. Dropping it ends the server and removes its store.
#[derive(Debug)]
pub struct PrivateServer {
    /// `nats://127.0.0.1:PORT`
    pub url: String,
    shell: Child,
    input: Option<ChildStdin>,
    _folder: TempDir,
    _tracked: Tracked,
}

impl PrivateServer {
    /// Starts it.
    ///
    /// # Errors
    /// If the program is not installed or does not start.
    pub fn start() -> anyhow::Result<PrivateServer> {
        let program = find(PROGRAM).ok_or_else(|| {
            anyhow!(t!(
                "--log nats starts nats-server, which is not installed: install it (apt-get install nats-server), or give the address of one: --log nats://HOST:PORT"
            ))
        })?;
        let folder = tempfile::Builder::new()
            .prefix("mailcall-nats-")
            .tempdir()
            .context("no temporary folder for nats-server")?;
        let tracked = scratch::track(folder.path());
        std::fs::write(folder.path().join("nats.conf"), settings(folder.path()))
            .context("cannot write the settings of nats-server")?;
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .args([program.as_os_str(), folder.path().as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for mailcall, which ends the server when its last reader is gone.
            .process_group(0)
            .spawn()
            .context("cannot start a shell for nats-server")?;
        let (input, output) = (shell.stdin.take(), shell.stdout.take());
        let mut server = PrivateServer {
            url: String::new(),
            shell,
            input,
            _folder: folder,
            _tracked: tracked,
        };
        server.url = format!("nats://{}", address(output)?);
        Ok(server)
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // The shell reads the end of its input.
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}

/// Its configuration file. The largest message is the largest that nats-server allows without a warning.
fn settings(folder: &Path) -> String {
    let store = folder.join("store");
    format!(
        "listen: \"127.0.0.1:-1\"\nmax_payload: 8MB\njetstream {{ store_dir: {:?} }}\n",
        store.display().to_string()
    )
}

/// Reads what it prints until it listens, and returns the address. What it prints later is read, too, or it would wait.
fn address(output: Option<ChildStdout>) -> anyhow::Result<String> {
    let output = output.context("nats-server has no output")?;
    let (found, address) = mpsc::channel();
    std::thread::Builder::new()
        .name("output of nats-server".into())
        .spawn(move || {
            let mut last = String::new();
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once(LISTENING) {
                    let _ = found.send(Ok(address.trim().to_owned()));
                }
                last = line;
            }
            let _ = found.send(Err(last));
        })
        .context("cannot start the thread that reads the output of nats-server")?;
    match address.recv_timeout(STARTING) {
        Ok(Ok(address)) => Ok(address),
        Ok(Err(last)) => bail!("nats-server ended at once: {last}"),
        Err(_) => bail!("nats-server did not start within {} s", STARTING.as_secs()),
    }
}

/// A program in the `PATH`, or where packages install it.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(MORE_PLACES.iter().map(PathBuf::from));
    places
        .map(|place| place.join(name))
        .find(|file| is_program(file.as_os_str()))
}

fn is_program(file: &OsStr) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
}
