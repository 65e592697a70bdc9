//! The origin of a result: the machine, and the command that reproduces it.

use crate::lang::t;
use crate::outcome::Environment;
use crate::terminal::printable;

/// Where it was measured, or that nothing was measured, by which version; the command follows.
pub fn place(mailcall: &str, environment: Option<&Environment>) -> String {
    let version = printable(mailcall);
    let Some(e) = environment else {
        return t!("Simulated with mailcall %{version} by:", version = version);
    };
    let version = match &e.commit {
        Some(commit) => format!("{version} ({})", printable(commit)),
        None => version,
    };
    let machine = machine(e);
    match &e.measured_at {
        Some(at) => t!(
            "Measured at %{at} on %{machine}, with mailcall %{version} by:",
            at = printable(at),
            machine = machine,
            version = version
        ),
        None => t!(
            "Measured on %{machine}, with mailcall %{version} by:",
            machine = machine,
            version = version
        ),
    }
}

/// The machine: its system, processor and memory, as far as they are known.
fn machine(e: &Environment) -> String {
    let system = [Some(&e.os), e.kernel.as_ref(), e.architecture.as_ref()];
    let system: Vec<String> = system.into_iter().flatten().map(|text| printable(text)).collect();
    let memory = e.memory_bytes.map(|bytes| bytes as f64 / f64::from(1 << 30));
    [
        Some(system.join(" ")),
        e.cpu.as_deref().map(printable),
        Some(t!("%{cores} cores", cores = e.cores)),
        memory.map(|gib| t!("%{gib} GiB of memory", gib = format!("{gib:.1}"))),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

/// The command that reproduces the report, quoted for a POSIX shell.
pub fn command(argv: &[String]) -> String {
    let quoted = |arg: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,%@+".contains(c);
        match printable(arg) {
            arg if !arg.is_empty() && arg.chars().all(plain) => arg,
            arg => format!("'{}'", arg.replace('\'', r"'\''")),
        }
    };
    ["mailcall".to_string()]
        .into_iter()
        .chain(argv.iter().map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}
