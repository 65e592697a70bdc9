//! What crosses between a client and its server, in order, as a small diagram of it shows.

/// A step from top to bottom. The words are those of the protocol; what is not, is marked with `text!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From the client to the server.
    Up(&'static str),
    /// From the server to the client.
    Down(&'static str),
    /// Mail arrives at the server.
    Mail,
}
