//! Every connection costs this process two file descriptors, one for each end.

use anyhow::bail;

/// Descriptors beside the connections: standard streams, runtimes, listeners, files.
const BESIDE: u64 = 64;

/// Raises the descriptor limit as far as the run needs, and says so where it may not.
///
/// # Errors
/// If the hard limit is too low.
pub fn ensure(clients: usize, techniques: usize, reply: bool) -> anyhow::Result<()> {
    let per_client = if reply { 4 } else { 2 };
    let needed = BESIDE + (clients as u64) * (techniques as u64) * per_client;
    let limit = raise_to(needed);
    if limit < needed {
        bail!(
            "{clients} clients need {needed} open files and the limit is {limit}; \
             raise it (`ulimit -n {needed}`), use fewer --clients, or --one-at-a-time"
        );
    }
    Ok(())
}

#[cfg(unix)]
fn raise_to(needed: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= needed {
        return soft;
    }
    // Room above what is needed costs nothing; a process may always go up to its hard limit.
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(needed.max(65_536));
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        },
    ) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

#[cfg(not(unix))]
fn raise_to(_needed: u64) -> u64 {
    u64::MAX
}
