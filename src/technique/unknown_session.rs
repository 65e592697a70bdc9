//! A session that a server does not know: it is at another server, or was at one that is gone.

/// The error of a client whose request was refused because the server does not know its session; the field says how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server does not know this session: {0}")]
pub struct UnknownSession(pub String);

impl UnknownSession {
    /// Whether it is the reason of an error.
    pub fn caused(error: &anyhow::Error) -> bool {
        // A context is not in the chain of causes, and may hold the error itself.
        error.downcast_ref::<UnknownSession>().is_some()
            || error.chain().any(|cause| cause.is::<UnknownSession>())
    }
}
