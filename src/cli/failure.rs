//! Why a command did not succeed, which decides its exit code.

/// Why a command did not succeed.
pub enum Failure {
    /// The arguments are wrong, or name something that cannot be used: exit code 2.
    Usage(anyhow::Error),
    /// It was tried and failed: exit code 1.
    Run(anyhow::Error),
}
