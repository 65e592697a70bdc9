//! The origin of a result: the machine, and the command that reproduces it.

use crate::lang::t;
use crate::outcome::Report;
use crate::terminal::printable;

/// Where it was measured, or that nothing was measured; the command follows.
pub fn place(report: &Report) -> String {
    let version = printable(&report.envelope.mailcall);
    let Some(e) = &report.environment else {
        return t!("Simulated with mailcall %{version} by:", version = version);
    };
    let cpu = e
        .cpu
        .as_deref()
        .map(|cpu| format!(", {}", printable(cpu)))
        .unwrap_or_default();
    t!(
        "Measured on %{os}%{cpu}, %{cores} cores, with mailcall %{version} by:",
        os = printable(&e.os),
        cpu = cpu,
        cores = e.cores,
        version = version
    )
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
