//! Every connection costs a file descriptor for each of its ends.

use anyhow::{anyhow, bail};

/// Descriptors beside the connections: standard streams, runtimes, listeners, files.
const BESIDE: u64 = 64;

/// Descriptors that every command needs before it knows how many: libraries panic where theirs are missing.
const FIRST: usize = 32;

/// Requires room for what a command opens before it asks for its connections with [`ensure`].
///
/// # Errors
/// If there is too little.
pub fn ensure_some() -> anyhow::Result<()> {
    let limit = raise_to(BESIDE);
    let pipes: Vec<_> = (0..FIRST / 2).map_while(|_| std::io::pipe().ok()).collect();
    if pipes.len() < FIRST / 2 {
        return Err(anyhow!(
            "this program opens {FIRST} files or more and may open only {} (the limit is {limit}, with those it was \
             started with); raise it: `ulimit -n {BESIDE}`",
            pipes.len() * 2
        ));
    }
    Ok(())
}

/// Which ends of its connections a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Clients and server are in it.
    Both,
    /// The others are in a process of their own.
    One,
    /// Clients, and a relay that has both ends of its own and a door for each client.
    #[cfg(unix)]
    Relay,
}

/// Raises the descriptor limit as far as the run needs, and says so where it may not.
///
/// # Errors
/// If the hard limit is too low.
pub fn ensure(clients: usize, techniques: usize, speaks: bool, ends: Ends) -> anyhow::Result<()> {
    let per_client = if speaks { 2 } else { 1 }
        * match ends {
            Ends::One => 1,
            Ends::Both => 2,
            #[cfg(unix)]
            Ends::Relay => 4,
        };
    let needed = BESIDE + (clients as u64) * (techniques as u64) * per_client;
    let limit = raise_to(needed);
    if limit < needed {
        let else_ = match ends {
            Ends::Both => ", --isolate, or --one-at-a-time",
            Ends::One => ", or --one-at-a-time",
            #[cfg(unix)]
            Ends::Relay => "",
        };
        bail!(
            "{clients} clients need {needed} open files and the limit is {limit}; \
             raise it (`ulimit -n {needed}`) or use fewer --clients{else_}"
        );
    }
    Ok(())
}

/// How many connections a server may keep open, with the limit raised as far as it goes.
pub fn available() -> usize {
    usize::try_from(raise_to(u64::MAX / 2).saturating_sub(BESIDE)).unwrap_or(usize::MAX)
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
