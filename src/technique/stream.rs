//! The type of a connection, independent of its network.

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, over any network.
pub type Stream = Box<dyn ReadWrite>;

/// Something that can be read and written.
pub trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for S {}
