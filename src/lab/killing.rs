//! When a server may be killed.

use std::time::Duration;

use anyhow::bail;

use crate::lang::t;
use crate::outcome::Scenario;

/// Checks that a server that is to be killed is killed while mail arrives.
///
/// # Errors
/// If all of it, as long as `span` tells, has arrived by then.
pub fn check(scenario: &Scenario, span: Duration) -> anyhow::Result<()> {
    match scenario.kill() {
        Some(kill) if kill >= span => bail!(t!(
            "--kill %{kill}: all mail has arrived %{span} after the start; kill the server before that",
            kill = humantime::format_duration(kill),
            span = humantime::format_duration(Duration::from_millis(span.as_millis() as u64))
        )),
        _ => Ok(()),
    }
}
