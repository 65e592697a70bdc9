//! HAProxy in `mode http`, in front of servers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use super::{Kept, is_here, until};

/// Whether it is installed; a test without it is reported as skipped.
pub fn has_haproxy() -> bool {
    let version = Command::new("haproxy").arg("-v").output();
    is_here("haproxy", version.is_ok_and(|o| o.status.success()))
}

/// Starts it with these lines for all sections, and these about the servers.
pub fn haproxy(folder: &Path, defaults: &str, backend: &str) -> (SocketAddr, Kept) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "defaults\n    mode http\n    timeout client 1h\n{defaults}\nfrontend f\n    bind {address}\n    \
         default_backend b\nbackend b\n{backend}\n"
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let child = Kept::start(Command::new("haproxy").arg("-db").arg("-f").arg(&file));
    until("haproxy listens", || TcpStream::connect(address).is_ok());
    (address, child)
}
