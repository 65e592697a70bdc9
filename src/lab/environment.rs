//! The machine that figures belong to.

use std::fs;
use std::time::SystemTime;

use crate::outcome::Environment;

/// The machine, and the present as the time of a measurement.
pub fn environment() -> Environment {
    Environment {
        architecture: Some(std::env::consts::ARCH.into()),
        kernel: kernel(),
        memory_bytes: memory_bytes(),
        measured_at: Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
        commit: option_env!("MAILCALL_COMMIT").map(String::from),
        os: std::env::consts::OS.into(),
        cpu: cpu(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

#[cfg(unix)]
fn kernel() -> Option<String> {
    Some(rustix::system::uname().release().to_str().ok()?.to_string())
}

#[cfg(not(unix))]
fn kernel() -> Option<String> {
    None
}

/// The memory that the kernel manages (proc(5), `MemTotal`).
fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_has_a_time() {
        let at = environment().measured_at.unwrap();
        assert!(humantime::parse_rfc3339(&at).is_ok(), "{at}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_reports_its_kernel_and_memory() {
        let Environment {
            kernel, memory_bytes, ..
        } = environment();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(kernel.as_deref(), Some(release.trim()));
        assert!(memory_bytes.unwrap() > 1 << 20);
    }
}
