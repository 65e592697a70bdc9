//! What the kernel counted for a connection: `getsockopt(TCP_INFO)` on Linux, nothing elsewhere.
//!
//! No kept crate wraps `TCP_INFO` with its byte and segment counters, hence the only unsafe code of the project.

use serde::{Deserialize, Serialize};

/// The kernel's own figures for one connection (tcp(7), `TCP_INFO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Data bytes sent, retransmissions not counted.
    pub sent: u64,
    /// Data bytes received.
    pub received: u64,
    /// Segments sent, acknowledgements included.
    pub segments_out: u64,
    /// Segments received, acknowledgements included.
    pub segments_in: u64,
}

impl Kernel {
    /// Asks the kernel; `None` where it does not report them.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    pub fn of(socket: &impl std::os::fd::AsRawFd) -> Option<Kernel> {
        // SAFETY: an all-zero `tcp_info` is valid, because all its fields are integers.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the descriptor is open for the call, and the kernel writes at most `len` bytes.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &raw mut len,
            )
        } != 0;
        let has_bytes_sent = len as usize >= std::mem::offset_of!(libc::tcp_info, tcpi_dsack_dups);
        (!failed && has_bytes_sent).then(|| Kernel {
            sent: info.tcpi_bytes_sent - info.tcpi_bytes_retrans,
            received: info.tcpi_bytes_received,
            segments_out: info.tcpi_segs_out.into(),
            segments_in: info.tcpi_segs_in.into(),
        })
    }

    /// Other systems do not report them.
    #[cfg(not(target_os = "linux"))]
    pub fn of<S>(_socket: &S) -> Option<Kernel> {
        None
    }
}
