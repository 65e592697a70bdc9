//! A connection, whatever it runs over.

use tokio::io::{AsyncRead, AsyncWrite};

/// An accepted connection, whatever it runs over.
pub type Stream = Box<dyn ReadWrite>;

/// Both ways at once.
pub trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for S {}
