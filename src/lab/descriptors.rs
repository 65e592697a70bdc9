//! Every connection costs a file descriptor for each of its ends.

use anyhow::{anyhow, bail};

use crate::lang::t;
use crate::outcome::Scenario;

/// Descriptors that any command opens in addition to its connections: files, a runtime, a connection to refuse.
const PER_COMMAND: u64 = 16;

/// Descriptors of each technique that runs: its listener, and the runtimes of its server and clients.
const PER_TECHNIQUE: u64 = 10;

/// Descriptors that are enough for the shortest run.
const SHORTEST_RUN: u64 = 64;

/// Descriptors that every command needs before it knows its number of connections: libraries panic without theirs.
const BEFORE_COUNTING: usize = 32;

/// Checks that there is room for what a command opens before it asks for its connections with [`ensure`].
///
/// # Errors
/// If there is too little.
pub fn ensure_some() -> anyhow::Result<()> {
    let limit = raise_to(SHORTEST_RUN);
    let pipes: Vec<_> = (0..BEFORE_COUNTING / 2)
        .map_while(|_| std::io::pipe().ok())
        .collect();
    if pipes.len() < BEFORE_COUNTING / 2 {
        return Err(anyhow!(t!(
            "this program opens %{before_counting} files or more and may open only %{pipes} (the limit is %{limit}, with those it was started with); raise it: `ulimit -n %{shortest_run}`",
            before_counting = BEFORE_COUNTING,
            pipes = pipes.len() * 2,
            limit = limit,
            shortest_run = SHORTEST_RUN
        )));
    }
    Ok(())
}

/// Which ends of its connections a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Clients and server are in it.
    Both,
    /// The other ends are in another process.
    One,
    /// Clients, and a balancer, which has an end to the client and one to a server.
    Balanced,
    /// Clients, and a relay, which has two ends of its own and a listener for each client.
    #[cfg(unix)]
    Relay,
}

/// Raises the descriptor limit as far as the run needs.
///
/// # Errors
/// If the hard limit is too low.
pub fn ensure(clients: usize, techniques: usize, speaks: bool, ends: Ends) -> anyhow::Result<()> {
    let per_client = if speaks { 2 } else { 1 }
        * match ends {
            Ends::One => 1,
            Ends::Both => 2,
            Ends::Balanced => 3,
            #[cfg(unix)]
            Ends::Relay => 4,
        };
    let needed =
        in_use() + PER_COMMAND + (techniques as u64) * (PER_TECHNIQUE + (clients as u64) * per_client);
    let limit = raise_to(needed);
    if limit < needed {
        let else_ = match ends {
            Ends::Both => t!(", --isolate, or --one-at-a-time"),
            Ends::One | Ends::Balanced => t!(", or --one-at-a-time"),
            #[cfg(unix)]
            Ends::Relay => String::new(),
        };
        bail!(t!(
            "%{clients} clients need %{needed} open files and the limit is %{limit}; raise it (`ulimit -n %{needed}`) or use fewer --clients%{else_}",
            clients = clients,
            needed = needed,
            limit = limit,
            else_ = else_
        ));
    }
    Ok(())
}

/// The same for a comparison of several techniques.
///
/// # Errors
/// As [`ensure`].
pub fn for_run(
    scenario: &Scenario,
    techniques: usize,
    one_at_a_time: bool,
    isolated: bool,
) -> anyhow::Result<()> {
    let at_once = if one_at_a_time { 1 } else { techniques };
    let ends = match isolated {
        _ if scenario.is_balanced() => Ends::Balanced,
        true => Ends::One,
        false => Ends::Both,
    };
    ensure(scenario.clients, at_once, scenario.speaks(), ends)
}

/// How many connections a server may keep open, `most` at most, and the descriptor limit, which this raises
/// as far as needed and possible.
///
/// # Errors
/// If there is no room for any.
pub fn for_server(most: usize) -> anyhow::Result<(usize, u64)> {
    let limit = raise_to(in_use() + PER_COMMAND + most as u64);
    let free = limit.saturating_sub(in_use() + PER_COMMAND);
    match usize::try_from(free).unwrap_or(usize::MAX).min(most) {
        0 => {
            bail!(t!(
                "no client fits: the limit of open files is %{limit}; raise it (`ulimit -n %{shortest_run}`)",
                limit = limit,
                shortest_run = SHORTEST_RUN
            ))
        }
        room => Ok((room, limit)),
    }
}

/// How many descriptors are open. Where the system does not list them, the number that every command opens.
fn in_use() -> u64 {
    let listed = std::fs::read_dir("/dev/fd").map(Iterator::count);
    // Reading the list takes one of them.
    listed.map_or(BEFORE_COUNTING, |open| open.saturating_sub(1)) as u64
}

#[cfg(unix)]
fn raise_to(needed: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= needed {
        return soft;
    }
    // A limit above what is needed costs nothing; a process may always go up to its hard limit.
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
