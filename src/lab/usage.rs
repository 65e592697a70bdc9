//! What a process or thread has used of the machine, as far as the system reports it.

use std::time::Duration;

/// Processor time of this process, user and system together; `None` where the system does not report it.
#[cfg(unix)]
pub fn process_time() -> Option<Duration> {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

/// Processor time of the calling thread, likewise.
#[cfg(unix)]
pub fn thread_time() -> Option<Duration> {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

#[cfg(unix)]
fn clock(id: rustix::time::ClockId) -> Option<Duration> {
    Duration::try_from(rustix::time::clock_gettime(id)).ok()
}

/// Other systems do not report it.
#[cfg(not(unix))]
pub fn process_time() -> Option<Duration> {
    None
}

/// Other systems do not report it.
#[cfg(not(unix))]
pub fn thread_time() -> Option<Duration> {
    None
}

/// Resident bytes of this process; `None` where the system does not report them. They are counted page by
/// page (proc(5), `smaps_rollup`), because the cheaper figures are rounded per processor.
pub fn resident() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let rss = rollup.lines().find_map(|l| l.strip_prefix("Rss:"))?;
    let kib: u64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
